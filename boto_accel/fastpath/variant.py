"""
The plan for calls with one set of parameter names, and the request of one such call.

`Variant.build` is the hot path of a request: bind the parameters, attach the body, sign, render.
Source: `BaseClient._make_api_call` up to `Endpoint.create_request`.
"""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import Callable, Container, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.utils import CHECKSUM_HEADER_PATTERN

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import checksums, eligibility, sigv4
from boto_accel.fastpath.checksums import Body
from boto_accel.fastpath.endpoints import Endpoint
from boto_accel.fastpath.headshape import HeadShape
from boto_accel.fastpath.lanes import rest, scalars
from boto_accel.fastpath.proof import NO_LENGTH
from boto_accel.fastpath.transport.wire import Pieces, Wire

if TYPE_CHECKING:
    from boto_accel.fastpath.plan import Plan

MOST_SHAPES = 64  # sequences of header names that one variant remembers
# Headers that are made here, or by an engine.
RESERVED = frozenset(
    (
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "connection",
        "date",
        "expect",
        "host",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
        "x-amzn-trace-id",
    )
)
RESERVED_ASYNC = RESERVED | {"accept-encoding"}  # aiobotocore.httpsession.AIOHTTPSession.send
TRACE_SAFE = "-=;:+&[]{}\"',"  # botocore.handlers.add_recursion_detection_header


class Draft:
    """A request in the making: what the steps of `Variant.build` hand to each other."""

    __slots__ = (
        "algorithm",
        "body",
        "expect",
        "headers",
        "pairs",
        "path",
        "query",
        "trailer",
        "untrimmed",
    )

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.path = "/"
        self.query = ""  # as in the URL
        self.pairs: list[tuple[str, str]] = []  # the same, encoded, to be signed
        self.body: Body | None = None
        self.expect = False
        self.algorithm: str | None = None
        self.trailer = False
        self.untrimmed = False  # whether a value has white space that signing takes out


class Signing:
    """
    What is equal for requests that are signed with the same headers, by the same key.

    headers: never changed once they are here. key, scope: as `sigv4.signature` takes them.
    canonical: the canonical request from its headers to the hash of the payload. lines: the header
    lines up to where the signature goes. Kept from one call to the next: a client mostly repeats
    itself, and within a second only the path, the query and the payload differ then.
    """

    __slots__ = (
        "access_key",
        "canonical",
        "endpoint",
        "headers",
        "key",
        "lines",
        "scope",
        "secret_key",
    )

    def __init__(
        self,
        shape: HeadShape,
        headers: dict[str, str],
        trimmed: dict[str, str],
        endpoint: Endpoint,
        credentials: Any,
        date: str,
    ) -> None:
        self.headers = headers
        self.endpoint = endpoint
        self.access_key = credentials.access_key
        self.secret_key = credentials.secret_key
        self.key = sigv4.signing_key(
            credentials.secret_key, date, endpoint.region, endpoint.signing_name
        )
        self.scope = f"{date}/{endpoint.region}/{endpoint.signing_name}/aws4_request"
        names = shape.signed_names
        self.canonical = f"{shape.canonical(trimmed)}\n\n{names}\n"
        self.lines = (
            f"{shape.lines(headers)}Authorization: {sigv4.ALGORITHM} "
            f"Credential={rest.plain_header(credentials.access_key)}/{self.scope}, "
            f"SignedHeaders={names}, Signature="
        )

    def serves(self, headers: dict[str, str], endpoint: Endpoint, credentials: Any) -> bool:
        """Whether all of it holds for a request that is signed with these."""
        return (
            self.headers == headers
            and self.endpoint is endpoint
            and self.access_key == credentials.access_key
            and self.secret_key == credentials.secret_key
        )


class Variant:
    """
    The plan for calls with one set of parameter names.

    proved: what the first proof of such a call taught (`proof.learned_lines`), by features of
    the User-Agent, checksum algorithm and redirection: the headers that botocore makes of its
    configuration.
    """

    def __init__(self, plan: Plan, names: tuple[str, ...], settled: bool) -> None:
        binding = plan.writer.binding
        defaults = {} if settled else {k: v for k, v in plan.defaults.items() if k not in names}
        given = frozenset((*names, *defaults))
        if not binding.required <= given <= binding.members.keys():
            raise Declined(scalars.INVALID)
        members = [binding.members[name] for name in (*names, *defaults)]
        self.plan = plan
        self.auto_encoding = "EncodingType" in defaults
        self.triggered = () if settled else _triggered(plan, names)
        mode_member = plan.model.http_checksum.get("requestValidationModeMember")
        self.validates_answer = mode_member in given
        self.proved: dict[tuple[Any, ...], str] = {}
        self._last_signing: Signing | None = None
        self._shapes: dict[tuple[tuple[str, ...], str], HeadShape] = {}
        taken = {member.wire_name.lower() for member in members if member.place == "header"}
        if not taken.isdisjoint(RESERVED_ASYNC if plan.is_async else RESERVED):
            raise Declined("a parameter that is a header of the protocol")
        self._fixed_headers = {k: v for k, v in plan.headers.items() if k.lower() not in taken}
        self._engine_lines = engine_lines(plan.is_async, {*taken, *map(str.lower, plan.headers)})
        # (parameter, header, writer), or without a writer the prefix of a map of headers
        self._headers: list[tuple[str, str, scalars.Writer | None]] = []
        self._query: list[tuple[str, str, scalars.Writer]] = []
        self._has_many = False  # whether a list or a map goes into the query
        self._fixed_pairs = [_pair(part) for part in plan.fixed_query.split("&") if part]
        for member in members:
            self._place(member, defaults)
        if not plan.template.names <= given:
            raise Declined(scalars.INVALID)
        has_checksum = any(
            CHECKSUM_HEADER_PATTERN.match(name)
            for name in (*self._fixed_headers, *(wire for _, wire, _ in self._headers))
        )
        self._names_algorithm = not has_checksum and plan.rule.member in given
        self._default_algorithm = None if has_checksum else plan.rule.default
        self._has_header_map = any(write is None for _, _, write in self._headers)
        self._may_have_body = plan.writer.may_have_body
        self._payload = binding.payload if plan.writer.streams_payload else None

    def _place(self, member: rest.Member, defaults: Mapping[str, Any]) -> None:
        write = member.write
        if member.place == "headers":
            self._headers.append((member.name, member.wire_name, None))
        elif member.place == "header":
            assert write is not None
            if member.name in defaults:
                self._fixed_headers[member.wire_name] = write(defaults[member.name])
            else:
                self._headers.append((member.name, member.wire_name, write))
        elif member.place == "querystring":
            assert write is not None
            self._has_many |= member.shape.type_name in ("list", "map")
            if member.name in defaults:
                write = partial(_constant, write(defaults[member.name]))
            self._query.append((member.name, rest.encode(member.wire_name), write))

    def run_triggered(self, params: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        """*params* after those of botocore's parameter handlers that have something to do."""
        for handler in self.triggered:
            try:
                handler(params=params, model=self.plan.model, context=context, event_name="")
            except Exception:
                raise Declined(scalars.INVALID) from None
        for name, value in self.plan.defaults.items():
            params.setdefault(name, value)
        return params

    def algorithm(self, params: Mapping[str, Any]) -> str | None:
        """The request checksum that goes with *params*; declines what botocore refuses."""
        if self._names_algorithm:
            return checksums.requested(self.plan.rule, params)
        return self._default_algorithm

    def build(
        self,
        params: Mapping[str, Any],
        endpoint: Endpoint,
        credentials: Any,
        algorithm: str | None,
        learned: str,
        timestamp: str,
        invocation_id: str,
    ) -> tuple[Wire, Body | None]:
        """
        The request for *params*, and its body, if any.

        *timestamp* as `sigv4.signature` takes it; *credentials* are frozen, None for an unsigned
        endpoint. Declines what is not plain, before anything is sent; a file is then where it was.
        """
        draft = self._bind(params, endpoint)
        draft.algorithm = algorithm
        if self._may_have_body or algorithm is not None:
            self._attach(draft, params, endpoint)
        try:
            payload_hash = self._digest(draft, params, endpoint)
            if endpoint.signs:
                lines = self._sign(draft, endpoint, credentials, payload_hash, timestamp)
            else:
                lines = self._unsigned(draft, endpoint)
            wire = self._render(draft, endpoint, lines, learned, invocation_id)
        except BaseException:
            if draft.body is not None:
                draft.body.restore()
            raise
        return wire, draft.body

    def given_body(self, params: Mapping[str, Any]) -> Any:
        """What the caller gave to be streamed, or None."""
        return None if self._payload is None else params.get(self._payload)

    def _bind(self, params: Mapping[str, Any], endpoint: Endpoint) -> Draft:
        """Headers, path and query. Source: `BaseRestSerializer`, `prepare_request_dict`."""
        plan = self.plan
        draft = Draft(self._fixed_headers.copy())
        headers = draft.headers
        for name, wire_name, write in self._headers:  # in the order of the parameters
            if write is None:
                rest.write_header_map(wire_name, params[name], headers)
                continue
            text = write(params[name])
            if text is not None:
                headers[wire_name] = text
        if endpoint.headers:
            headers.update(endpoint.headers)
        if len(headers) > len(self._fixed_headers):
            draft.untrimmed = any(sigv4.trimmed(value) != value for value in headers.values())
        path = plan.template.fill(params)
        if endpoint.base or not path:
            path = _joined(endpoint.base, path, bool(plan.fixed_query))
        draft.path = path
        draft.query = plan.fixed_query
        draft.pairs = self._fixed_pairs
        if self._query:
            if self._has_many:
                pairs = rest.query_pairs([(w, write(params.get(n))) for n, w, write in self._query])
                if not pairs:  # botocore has an empty query then
                    raise Declined("empty lists in the query")
            else:
                pairs = [
                    (wire_name, rest.encode(write(params.get(name))))
                    for name, wire_name, write in self._query
                ]
            text = "&".join([f"{name}={value}" for name, value in pairs])
            draft.query = f"{draft.query}&{text}" if draft.query else text
            draft.pairs = draft.pairs + pairs
        return draft

    def bind_for_presigning(self, params: Mapping[str, Any], endpoint: Endpoint) -> Draft:
        """The request without a body; declines where there would be one."""
        draft = self._bind(params, endpoint)
        writer = self.plan.writer
        if (self._payload in params) if writer.streams_payload else writer.body(params):
            raise Declined("a presigned URL with a body")
        if len({name.lower() for name in draft.headers}) != len(draft.headers):
            raise Declined("headers that differ only in case")
        return draft

    def _attach(self, draft: Draft, params: Mapping[str, Any], endpoint: Endpoint) -> None:
        """The body, and the decision where its checksum goes."""
        plan = self.plan
        if not plan.writer.streams_payload:
            data = plan.writer.body(params)
            if len(data) >= plan.compressed_from:
                raise Declined("request compression")
            if data and plan.escapes_xml:
                data = data.replace(b"\r", b"&#xD;").replace(b"\n", b"&#xA;")
            if data or draft.algorithm is not None:
                draft.body = Body(data)
        elif self._payload is not None and self._payload in params:
            value = params[self._payload]
            draft.body = self._streamed(draft, value)
        elif draft.algorithm is not None:
            draft.body = Body(b"")
        draft.trailer = draft.algorithm is not None and plan.rule.trailer and endpoint.https

    def _streamed(self, draft: Draft, value: Any) -> Body:
        """A body given by the user. A file is sent with Expect; so are bytes made into one."""
        if isinstance(value, str):
            value = value.encode("utf-8")
            is_file = self.plan.converts_body
        elif isinstance(value, (bytes, bytearray)):
            is_file = self.plan.converts_body and isinstance(value, bytes)
        elif hasattr(value, "read") and not inspect.iscoroutinefunction(value.read):
            for handler in self.plan.transfer_handlers:
                _signal(handler, "signal_not_transferring", value, self.plan.operation)
            if self.plan.is_async and not isinstance(value, io.IOBase):
                raise Declined("a body that aiohttp does not know")
            is_file = True
        else:
            raise Declined("a body that is neither bytes nor a plain file")
        body = Body(value)
        draft.expect = (
            is_file
            and self.plan.expects
            and self.plan.method in ("PUT", "POST")
            and (body.length > 0 or _expects_empty())
        )
        return body

    def _digest(self, draft: Draft, params: Mapping[str, Any], endpoint: Endpoint) -> str:
        """Add the checksum headers; the value of x-amz-content-sha256."""
        headers = draft.headers
        algorithm = draft.algorithm
        body = draft.body
        known_hash = self._known_hash(draft, endpoint)
        digest = sigv4.EMPTY_SHA256
        if body is not None:
            in_header = None if draft.trailer else algorithm
            checksum, digest = body.digests(in_header, endpoint.signs and known_hash is None)
            if checksum is not None:
                headers[f"x-amz-checksum-{algorithm}"] = checksum
        if algorithm is not None:
            if draft.trailer:
                self._announce_trailer(draft)
            rule = self.plan.rule
            if rule.default_header and rule.member not in params:
                headers[rule.default_header] = algorithm.upper()
        return known_hash or digest

    def _announce_trailer(self, draft: Draft) -> None:
        """Source: `httpchecksum._apply_request_trailer_checksum`."""
        headers = draft.headers
        assert draft.body is not None
        coding = headers.get("Content-Encoding")
        headers["Transfer-Encoding"] = "chunked"
        headers["Content-Encoding"] = "aws-chunked" if coding is None else f"{coding},aws-chunked"
        headers["X-Amz-Trailer"] = f"x-amz-checksum-{draft.algorithm}"
        headers["X-Amz-Decoded-Content-Length"] = str(draft.body.length)
        headers.pop("Content-Length", None)

    def _known_hash(self, draft: Draft, endpoint: Endpoint) -> str | None:
        """
        The hash of the payload that is no digest of it, or None where the body is hashed.

        Source: `SigV4Auth.payload`, `S3SigV4Auth._should_sha256_sign_payload`.
        """
        if not endpoint.is_s3 and endpoint.payload_signing is False:
            return sigv4.UNSIGNED_PAYLOAD
        if draft.trailer:
            return sigv4.UNSIGNED_TRAILER
        if not endpoint.is_s3:
            return None
        signs = self.plan.s3_payload_signing
        if signs is None:
            signs = not endpoint.https or not self._has_digest_header(draft)
            if not signs and not self.plan.model.has_streaming_input:
                signs = endpoint.payload_signing is not False
        return None if signs else sigv4.UNSIGNED_PAYLOAD

    def _has_digest_header(self, draft: Draft) -> bool:
        return draft.algorithm is not None or any(
            name.lower() == "content-md5" for name in draft.headers
        )

    def _sign(
        self, draft: Draft, endpoint: Endpoint, credentials: Any, payload_hash: str, timestamp: str
    ) -> str:
        """
        Add the headers that are signed; the lines of all of them and of Authorization.

        Source: `SigV4Auth.add_auth`, `_modify_request_before_signing` of it and of its children
        `S3SigV4Auth` and `S3ExpressAuth`.
        """
        headers = draft.headers
        headers["X-Amz-Date"] = timestamp
        token = rest.plain_header(credentials.token) if credentials.token else ""
        if token and endpoint.sessions is None:
            headers["X-Amz-Security-Token"] = token
        path = draft.path
        if endpoint.is_s3:
            headers["X-Amz-Content-SHA256"] = payload_hash
            if endpoint.sessions is not None:
                headers["x-amz-s3session-token"] = token
        else:
            path = sigv4.canonical_path(path)
            if endpoint.payload_signing is False:
                headers["X-Amz-Content-SHA256"] = sigv4.UNSIGNED_PAYLOAD
        signing = self._last_signing  # one read: another thread may replace it
        if signing is None or not signing.serves(headers, endpoint, credentials):
            signing = self._signing(draft, endpoint, credentials, timestamp)
        signature = sigv4.signature(
            f"{self.plan.method}\n{path}\n"
            f"{sigv4.canonical_query(draft.pairs) if draft.pairs else ''}\n"
            f"{signing.canonical}{payload_hash}",
            timestamp,
            signing.scope,
            signing.key,
        )
        return f"{signing.lines}{signature}\r\n"

    def _signing(
        self, draft: Draft, endpoint: Endpoint, credentials: Any, timestamp: str
    ) -> Signing:
        headers = draft.headers
        trimmed = headers
        if draft.untrimmed:
            trimmed = {name: sigv4.trimmed(value) for name, value in headers.items()}
        shape = self._shape(tuple(headers), endpoint.host)
        made = Signing(shape, headers, trimmed, endpoint, credentials, timestamp[:8])
        if not self._has_header_map:  # whose order is in the lines, and not in `==`
            self._last_signing = made
        return made

    def _unsigned(self, draft: Draft, endpoint: Endpoint) -> str:
        """The lines of an anonymous request. Source: `_set_extra_headers_for_unsigned_request`."""
        headers = draft.headers
        if draft.trailer and self.plan.marks_unsigned_trailers:
            headers["X-Amz-Content-SHA256"] = sigv4.UNSIGNED_TRAILER
        if len({name.lower() for name in headers}) != len(headers):
            raise Declined("headers that differ only in case")
        return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])

    def _shape(self, names: tuple[str, ...], host: str) -> HeadShape:
        shape = self._shapes.get((names, host))
        if shape is None:
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes.clear()
            shape = self._shapes[(names, host)] = HeadShape(names, host)
        return shape

    def _render(
        self, draft: Draft, endpoint: Endpoint, lines: str, learned: str, invocation_id: str
    ) -> Wire:
        """The request as bytes. *lines*: what is signed; *learned*: see `proof.learned_lines`."""
        plan = self.plan
        method = plan.method
        body = draft.body
        target = f"{draft.path}?{draft.query}" if draft.query else draft.path
        length = expect = trace = ""
        if _is_on_lambda():
            trace = _trace_line(draft.headers)
        if draft.expect:
            expect = "Expect: 100-continue\r\n"
        if not draft.trailer and (method not in NO_LENGTH or (body is not None and body.length)):
            length = self._length_line(draft)
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {endpoint.host}\r\n{self._engine_lines}"
            f"{lines}{expect}{trace}{learned}"
            f"amz-sdk-invocation-id: {invocation_id}\r\n{length}\r\n"
        )
        return Wire(
            method,
            endpoint.origin + target,
            head.encode("ascii"),
            self._wire_body(draft) if body is not None else None,
            draft.expect,
            method == "HEAD",
            plan.streams_output,
            body is not None and not body.in_memory,
            draft.trailer,
        )

    def _length_line(self, draft: Draft) -> str:
        """Content-Length, where it is not among the parameters. Declines one that is wrong."""
        length = str(draft.body.length) if draft.body is not None else "0"
        given = draft.headers.get("Content-Length")
        if given is None:
            return f"Content-Length: {length}\r\n"
        if given != length:
            raise Declined("a Content-Length that is not the body's")
        return ""

    def _wire_body(self, draft: Draft) -> bytes | Pieces | None:
        """The body as the engine sends it: at once where it is small, else in pieces."""
        body = draft.body
        if body is None:
            return None
        if not body.in_memory:
            for handler in self.plan.transfer_handlers:
                _signal(handler, "signal_transferring", body.file, self.plan.operation)
        if not draft.trailer:
            return body.data if body.goes_at_once else body.pieces
        assert draft.algorithm is not None
        size = None if self.plan.is_async else checksums.HTTP_CHUNK_BYTES
        at_once = body.small_chunked(draft.algorithm, size)
        return partial(body.chunked_pieces, draft.algorithm, size) if at_once is None else at_once


def engine_lines(is_async: bool, given: Container[str]) -> str:
    """What http.client adds to a request by itself, and aiohttp, unless it is *given*."""
    lines = "" if "accept-encoding" in given else "Accept-Encoding: identity\r\n"
    return f"Accept: */*\r\n{lines}" if is_async and "accept" not in given else lines


def _triggered(plan: Plan, names: tuple[str, ...]) -> tuple[Callable[..., Any], ...]:
    """botocore's parameter handlers that have something to do for parameters with *names*."""
    return tuple(
        handler
        for handler, triggers in plan.parameter_handlers
        if triggers is eligibility.ALWAYS or any(name in names for name in triggers)
    )


def _joined(base: str, path: str, has_query: bool) -> str:
    """Source: `botocore.awsrequest._urljoin`, which takes a fixed query for a part of the path."""
    if not path or (path == "/" and not has_query):
        return base or "/"
    if base.endswith("/") and path.startswith("/"):
        return base[:-1] + path
    return base + path


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def _constant(text: str, _: Any) -> str:
    return text


def _expects_empty() -> bool:
    """Source: `botocore.handlers.add_expect_header`."""
    return "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE" not in os.environ


def _trace_line(headers: Mapping[str, str]) -> str:
    """The trace of an invocation on Lambda. Source: `add_recursion_detection_header`."""
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    if trace and "X-Amzn-Trace-Id" not in headers:
        return f"X-Amzn-Trace-Id: {quote(trace, safe=TRACE_SAFE)}\r\n"
    return ""


_is_on_lambda = _compat.environment_test("AWS_LAMBDA_FUNCTION_NAME")


def _signal(handler: Callable[..., Any], name: str, body: Any, operation: str) -> None:
    """s3transfer's handlers, run where botocore's events would run them."""
    if handler.__name__ == name:
        handler(request=SimpleNamespace(body=body), operation_name=operation)
