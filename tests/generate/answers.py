"""
Raw HTTP answers made from botocore's output shapes.

This file knows HTTP and which protocol makes which body; the `answers_<protocol>` files know the
bodies. A protocol is added by one entry in `BODIES`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http.client import responses as REASONS
from typing import Any

from botocore.model import OperationModel, Shape
from botocore.utils import is_json_value_header
from hypothesis import strategies as st

from tests.generate import (
    answers_cbor,
    answers_ec2,
    answers_json,
    answers_query,
    answers_rest_xml,
)
from tests.generate.choices import Choices, drawn
from tests.generate.scalars import HEADER, PLAIN, make_document, make_text, make_timestamp_text

Header = tuple[str, str]

REQUEST_ID = "4442587FB7D0A2F9"
HOST_ID = "vlR7PnpV2Ce81l0PRw6jlUpck7Jo5ZsQjryTjKlc5aLWGVHPZLj5NeC6qMa0emYBDXOo6QBU0Wo="
DATE = "Fri, 24 May 2013 00:00:00 GMT"
BODILESS = (204, 304)  # RFC 9110: never a body, whatever the length header says

# One entry a protocol: a module with make_body(choices, model, percent) -> bytes and
# make_error_body(choices, facts) -> bytes.
BODIES: dict[str, Any] = {
    "rest-xml": answers_rest_xml,
    "rest-json": answers_json,
    "json": answers_json,
    "query": answers_query,
    "ec2": answers_ec2,
    "smithy-rpc-v2-cbor": answers_cbor,
}
# The protocols that name an error in headers as well: error_headers(choices, facts).
ERROR_HEADERS: dict[str, Any] = {
    "rest-json": answers_json.error_headers,
    "json": answers_json.error_headers,
    "smithy-rpc-v2-cbor": answers_json.error_headers,
}


@dataclass(frozen=True)
class RawAnswer:
    """
    One HTTP/1.1 answer as it goes on the wire.

    framing: "length" (Content-Length), "chunked", or "close" (the body ends with the connection).
    label: how it was made, for the report of a failure.
    """

    status: int = 200
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    framing: str = "length"
    chunk_size: int = 1024
    reason: str | None = None
    label: str = "plain"

    def to_bytes(self, *, head_request: bool = False) -> bytes:
        """The whole answer; *head_request* leaves the body out but keeps its length header."""
        sent = b"" if head_request or self.status in BODILESS else self.body
        lines = [self.status_line(), *(f"{name}: {value}" for name, value in self.all_headers())]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return head + (self._chunked(sent, head_request) if self.framing == "chunked" else sent)

    def status_line(self) -> str:
        reason = REASONS.get(self.status, "") if self.reason is None else self.reason
        return f"HTTP/1.1 {self.status} {reason}"

    def all_headers(self) -> list[Header]:
        """The headers with those of the framing."""
        if self.framing == "chunked" and self.status not in BODILESS:
            return [*self.headers, ("Transfer-Encoding", "chunked")]
        if self.framing == "close":
            return [*self.headers, ("Connection", "close")]
        length = len(self.body)
        return (
            [*self.headers]
            if self.status == 204
            else [*self.headers, ("Content-Length", str(length))]
        )

    @property
    def closes(self) -> bool:
        """Whether the server closes the connection after this answer."""
        return self.framing == "close"

    def _chunked(self, sent: bytes, head_request: bool) -> bytes:
        if head_request or self.status in BODILESS:
            return b""
        size = self.chunk_size
        parts = [sent[start : start + size] for start in range(0, len(sent), size)]
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


# --- what a strategy gives -----------------------------------------------------------------------


def success_answers(model: OperationModel) -> st.SearchStrategy[RawAnswer]:
    """Answers the service could give, in every spelling."""
    return drawn(make_success, model)


def error_answers(model: OperationModel) -> st.SearchStrategy[RawAnswer]:
    """Modelled and generic errors, with and without a body."""
    return drawn(make_error, model)


def hostile_answers(model: OperationModel) -> st.SearchStrategy[RawAnswer]:
    """Answers no service should give: truncated, invalid, binary, of another kind."""
    return drawn(make_hostile, model)


# --- successes -----------------------------------------------------------------------------------


def make_success(choices: Choices, model: OperationModel) -> RawAnswer:
    """A 2xx answer with all, some or none of the output shape's members."""
    percent = choices.pick((60, 100, 0, 20))
    body = _success_body(choices, model, percent)
    headers = [*_request_ids(choices), *_member_headers(choices, model, percent)]
    headers += _checksum_headers(choices, model, body) + _odd_headers(choices)
    return RawAnswer(
        status=_success_status(choices, model),
        headers=tuple(_respell(choices, headers)),
        body=body,
        framing=choices.pick(("length", "length", "chunked", "close")),
        chunk_size=choices.pick((1024, 1, 7, 65536)),
        reason=choices.pick((None, "", "Fine Thank You")),
        label=f"success {percent}%",
    )


def _success_status(choices: Choices, model: OperationModel) -> int:
    modelled = int(model.http.get("responseCode", 200))
    usual = 204 if model.output_shape is None and choices.chance(50) else modelled
    return choices.pick((usual, usual, usual, 200, 206, 299))


def _success_body(choices: Choices, model: OperationModel, percent: int) -> bytes:
    shape = model.output_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload and shape.members[payload].type_name == "string":
        return make_text(choices, PLAIN + 'ä{}"').encode()  # decoded as UTF-8 by the parser
    if payload and shape.members[payload].type_name == "blob":
        return choices.octets(0, 200) if choices.chance(80) else bytes(range(256)) * 40
    made: bytes = BODIES[protocol_of(model)].make_body(choices, model, percent)
    return made


def protocol_of(model: OperationModel) -> str:
    return str(model.service_model.resolved_protocol)


def _request_ids(choices: Choices) -> list[Header]:
    """The service's ids: S3's pair, one of it, another service's, both, or none."""
    pair = [("x-amz-request-id", REQUEST_ID), ("x-amz-id-2", HOST_ID)]
    others = [("x-amzn-RequestId", "r-1")]
    return choices.pick((pair, pair, pair[:1], pair[1:], others, [*others, *pair], []))


def _member_headers(choices: Choices, model: OperationModel, percent: int) -> list[Header]:
    return _shape_headers(choices, model.output_shape, percent) if model.output_shape else []


def _shape_headers(choices: Choices, output: Any, percent: int) -> list[Header]:
    headers: list[Header] = []
    for name, shape in output.members.items():
        location = shape.serialization.get("location")
        header = shape.serialization.get("name", name)
        if header.lower() in ("content-length", "x-amz-request-id"):
            continue
        if location == "headers" and choices.chance(percent):
            headers += _header_map(choices, header)
        elif location == "header" and choices.chance(percent):
            headers.append((header, header_value(choices, shape)))
    return headers


def _header_map(choices: Choices, prefix: str) -> list[Header]:
    names = ("name", "Upper-Case", "x", "with_underscore")
    count = choices.integer(0, 3)
    return [(prefix + choices.pick(names), _header_text(choices)) for _ in range(count)]


def _header_text(choices: Choices) -> str:
    odd = ("", "two  spaces", "a, b", 'q"uoted"', "t\u00e4st", "tab\tinside")
    return choices.pick(odd) if choices.chance(40) else make_text(choices, HEADER).strip()


def header_value(choices: Choices, shape: Shape) -> str:
    """A header's text for a member of *shape*, valid for its type."""
    if is_json_value_header(shape):
        document = json.dumps(make_document(choices))
        return base64.b64encode(document.encode()).decode()
    maker = _HEADER_VALUES.get(shape.type_name, _string_header)
    return str(maker(choices, shape))


def _string_header(choices: Choices, shape: Any) -> str:
    enum = getattr(shape, "enum", None)
    return str(choices.pick(list(enum))) if enum and choices.chance(80) else _header_text(choices)


def _list_header(choices: Choices, shape: Any) -> str:
    values = [header_value(choices, shape.member) for _ in range(choices.integer(1, 3))]
    return choices.pick((",", ", ")).join(values)


def _boolean_header(choices: Choices, shape: Any) -> str:
    return choices.pick(("true", "false", "True", "1", ""))


def _integer_header(choices: Choices, shape: Any) -> str:
    return choices.pick((str(choices.integer(0, 10**6)), "0", "-1", "007", " 5 "))


def _timestamp_header(choices: Choices, shape: Any) -> str:
    if shape.serialization.get("name") == "Expires" and choices.chance(50):
        return choices.pick(("0", "-1", "never", "Thu, 32 Jan 2020 00:00:00 GMT", "", "1"))
    return make_timestamp_text(choices)


_HEADER_VALUES: dict[str, Callable[[Choices, Any], str]] = {
    "boolean": _boolean_header,
    "integer": _integer_header,
    "long": _integer_header,
    "float": lambda choices, shape: choices.pick(("1.5", "0", "1e3", "NaN")),
    "double": lambda choices, shape: choices.pick(("1.5", "0", "1e3", "Infinity")),
    "timestamp": _timestamp_header,
    "blob": lambda choices, shape: base64.b64encode(choices.octets(0, 12)).decode(),
    "list": _list_header,
}


def digests(body: bytes) -> dict[str, str]:
    """The base64 checksums of *body* by botocore's name of the algorithm."""
    raw = {
        "crc32": zlib.crc32(body).to_bytes(4, "big"),
        "sha1": hashlib.sha1(body).digest(),
        "sha256": hashlib.sha256(body).digest(),
    }
    return {name: base64.b64encode(digest).decode() for name, digest in raw.items()}


def _checksum_headers(choices: Choices, model: OperationModel, body: bytes) -> list[Header]:
    """Right and wrong checksums, of a whole object and of parts, where the model has them."""
    if model.service_model.service_name == "dynamodb":
        return _crc32_header(choices, body)
    if not model.http_checksum.get("responseAlgorithms") or choices.chance(30):
        return []
    right = digests(body)
    name = choices.pick(tuple(right))
    wrong = digests(body + b"!")[name]
    value = choices.pick((right[name], right[name], wrong, right[name] + "-2", "not base64!", ""))
    return [(f"x-amz-checksum-{name}", value)]


def _crc32_header(choices: Choices, body: bytes) -> list[Header]:
    """DynamoDB's own, which botocore's retry handler checks; seldom wrong."""
    right = str(zlib.crc32(body))
    return [("x-amz-crc32", "1" if choices.chance(10) else right)] if choices.chance(50) else []


def _odd_headers(choices: Choices) -> list[Header]:
    """Headers no model names, some repeated."""
    odd = (
        [("Date", DATE), ("Server", "AmazonS3")],
        [("X-Multi", "one"), ("X-Multi", "two, three")],
        [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        [("X-Empty", ""), ("x-amz-meta-Stray", "s")],
        [("X-Padded", "   padded   ")],
        [],
    )
    return list(choices.pick(odd))


def _respell(choices: Choices, headers: Iterable[Header]) -> list[Header]:
    """Header names in the model's case, lower, upper or title case; the order kept."""
    spell = choices.pick((str, str.lower, str.upper, str.title))
    return [(spell(name), value) for name, value in headers]


# --- errors --------------------------------------------------------------------------------------

# code, status: what S3 says most, what botocore treats in its own way, and what no model names.
CODES = (
    ("NoSuchKey", 404),
    ("NoSuchBucket", 404),
    ("NoSuchUpload", 404),
    ("AccessDenied", 403),
    ("PreconditionFailed", 412),
    ("InvalidRange", 416),
    ("NotModified", 304),
    ("BucketAlreadyOwnedByYou", 409),
    ("ObjectNotInActiveTierError", 403),
    ("InvalidRequest", 400),
    ("MadeUp", 418),
    ("", 400),
)
# What the other protocols say most, and what botocore treats in its own way.
COMMON_CODES = (
    ("ValidationException", 400),
    ("ResourceNotFoundException", 404),
    ("ResourceNotFoundException", 400),
    ("ConditionalCheckFailedException", 400),
    ("AWS.SimpleQueueService.NonExistentQueue", 400),
    ("AccessDeniedException", 403),
    ("ExpiredTokenException", 403),
    ("ThrottlingException", 400),
    ("TooManyRequestsException", 429),
    ("InternalFailure", 500),
    ("ServiceUnavailable", 503),
    ("NotModified", 304),
    ("PermanentRedirect", 301),
    ("PreconditionFailed", 412),
    ("MadeUp", 418),
    ("", 400),
)
# botocore retries these; a test that scripts them says how many attempts it expects.
RETRIED = (("InternalError", 500), ("SlowDown", 503), ("RequestTimeout", 400), ("Throttling", 400))


@dataclass(frozen=True)
class ErrorFacts:
    """What an error answer tells."""

    code: str
    status: int
    message: str = "A message with <angle> & ampersand"
    shape: Shape | None = None


def make_error(choices: Choices, model: OperationModel) -> RawAnswer:
    """A modelled, common or retried error, in one of the forms errors come in."""
    facts = _error_facts(choices, model)
    body = choices.pick(_ERROR_BODIES)(choices, model, facts)
    return _error_answer(choices, model, facts, body)


def make_modelled_error(choices: Choices, model: OperationModel, shape: Shape) -> RawAnswer:
    """The error *shape* with fields of its own, whole."""
    facts = _facts_of(shape)
    return _error_answer(choices, model, facts, _protocol_error(choices, model, facts))


def _error_answer(
    choices: Choices, model: OperationModel, facts: ErrorFacts, body: bytes
) -> RawAnswer:
    headers = [*_request_ids(choices), *_odd_headers(choices)]
    named = ERROR_HEADERS.get(protocol_of(model))
    if named is not None:
        headers += named(choices, facts)
    if facts.shape is not None:
        headers += _shape_headers(choices, facts.shape, 70)
    return RawAnswer(
        status=facts.status,
        headers=tuple(_respell(choices, headers)),
        body=body,
        framing=choices.pick(("length", "chunked", "close")),
        label=f"error {facts.code} {facts.status}",
    )


def _error_facts(choices: Choices, model: OperationModel) -> ErrorFacts:
    if model.error_shapes and choices.chance(40):
        return _facts_of(choices.pick(model.error_shapes))
    common = CODES if protocol_of(model) == "rest-xml" else COMMON_CODES
    code, status = choices.pick((*common, *RETRIED))
    return ErrorFacts(code, status)


def _facts_of(shape: Shape) -> ErrorFacts:
    code = shape.metadata.get("error", {}).get("code", shape.name)
    status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
    return ErrorFacts(code, int(status), shape=shape)


def _protocol_error(choices: Choices, model: OperationModel, facts: ErrorFacts) -> bytes:
    made: bytes = BODIES[protocol_of(model)].make_error_body(choices, facts)
    return made


def _html(choices: Choices, model: OperationModel, facts: ErrorFacts) -> bytes:
    return b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"


def _empty(choices: Choices, model: OperationModel, facts: ErrorFacts) -> bytes:
    return b""


def _cut(choices: Choices, model: OperationModel, facts: ErrorFacts) -> bytes:
    whole = _protocol_error(choices, model, facts)
    return whole[: choices.integer(1, len(whole) - 1)]


_ERROR_BODIES = (_protocol_error, _protocol_error, _protocol_error, _html, _empty, _cut)


def make_error_inside_200(choices: Choices, model: OperationModel) -> RawAnswer:
    """A 200 whose body is an error (S3 API, CopyObject and CompleteMultipartUpload)."""
    facts = ErrorFacts(choices.pick(("InternalError", "SlowDown", "InvalidPart")), 200)
    body = _protocol_error(choices, model, facts)
    return RawAnswer(headers=tuple(_request_ids(choices)), body=body, label="error in a 200")


# --- hostile answers -----------------------------------------------------------------------------


def make_hostile(choices: Choices, model: OperationModel) -> RawAnswer:
    """A well-framed answer whose body or header values are damaged."""
    answer = make_success(choices, model) if choices.chance(60) else make_error(choices, model)
    name = choices.pick(tuple(_DAMAGES))
    return replace(_DAMAGES[name](choices, answer), label=f"{answer.label}, {name}")


OTHER_BODIES = (
    b'{"json": true}',
    b"plain text",
    b"   \r\n ",
    b"<html>no</html>",
    b"\x1f\x8b\x08\x00",
    b"<Other/>",
    b"<Error/>",
    b"<?xml version='1.0'?>",
    b"\xef\xbb\xbf<Result/>",
    b"<Error><Code/></Error>",
    "<Größe/>".encode(),
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b'{"a": 1} trailing',
    b'{"a": NaN}',
    b"\xef\xbb\xbf{}",
    b'{"a": 1, "a": 2}',
    b"[" * 2000,
    b"\xa0",
    b"\xbf\xff",
    b"\xc0",
    b"\xc2\x00",
    b"\xfb",
    b"\xf8\x18",
)


def _cut_body(choices: Choices, answer: RawAnswer) -> RawAnswer:
    return replace(answer, body=answer.body[: choices.integer(0, max(0, len(answer.body) - 1))])


def _insert(choices: Choices, answer: RawAnswer) -> RawAnswer:
    junk = choices.pick((b"\x00", b"\xff\xfe", b"&undefined;", b"<", b"]]>", b"\x0b", b"<a b=c/>"))
    at = choices.integer(0, len(answer.body))
    return replace(answer, body=answer.body[:at] + junk + answer.body[at:])


def _other_kind(choices: Choices, answer: RawAnswer) -> RawAnswer:
    return replace(answer, body=choices.pick(OTHER_BODIES))


def _other_value(choices: Choices, answer: RawAnswer) -> RawAnswer:
    """One quoted text (JSON) or one text between tags (XML) replaced by a value of another type."""
    found = list(re.finditer(rb'"[^"\\]*"(?!\s*:)|(?<=>)[^<>]+(?=<)', answer.body))
    if not found:
        return answer
    at = choices.pick(found)
    value = choices.pick((b"7", b"{}", b"[]", b'""', b"true", b"1e999", b'{"a": 1}', b"[[1]]"))
    body = answer.body[: at.start()] + value + answer.body[at.end() :]
    return replace(answer, body=body)


def _entities(choices: Choices, answer: RawAnswer) -> RawAnswer:
    doctype = b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    return replace(answer, body=doctype + b"<r><Code>&b;</Code><Key>&b;</Key></r>")


def _bad_header_values(choices: Choices, answer: RawAnswer) -> RawAnswer:
    """Values whose text does not fit the member's type: int("x"), a date that is none."""
    junk = choices.pick(("x", "", "--", "1.5", "99999999999999999999", "\u00e9"))
    names = {name for name, _ in answer.headers if not name.lower().startswith("x-amz-checksum")}
    hit = choices.pick(sorted(names)) if names else ""
    headers = tuple((name, junk if name == hit else value) for name, value in answer.headers)
    return replace(answer, headers=headers)


def _long_header(choices: Choices, answer: RawAnswer) -> RawAnswer:
    header = ("X-" + "n" * 50, choices.text(PLAIN, 1, 5) * 2000)
    return replace(answer, headers=(*answer.headers, header))


_DAMAGES: dict[str, Callable[[Choices, RawAnswer], RawAnswer]] = {
    "cut": _cut_body,
    "junk inside": _insert,
    "other kind": _other_kind,
    "other value": _other_value,
    "entities": _entities,
    "bad header values": _bad_header_values,
    "long header": _long_header,
}
