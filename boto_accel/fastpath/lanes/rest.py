"""
Where REST protocols put parameters in a request, and find members in the head of an answer.

Shared by rest-xml and rest-json, whose bodies alone differ.
Source: `botocore.serialize.BaseRestSerializer`, `botocore.parsers.BaseRestParser`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from botocore.utils import is_json_value_header, percent_encode

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import scalars

_UNRESERVED = re.compile(r"[A-Za-z0-9_.\-~]*").fullmatch
_UNRESERVED_PATH = re.compile(r"[A-Za-z0-9_.\-~/]*").fullmatch
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+").fullmatch  # RFC 9110, 5.6.2
MOST_LAYOUTS = 64  # orders of headers that one operation remembers
_TEMPLATE = re.compile(r"{(.*?)}")


def encode(text: str) -> str:
    """Percent-encode *text* for a query, as `botocore.utils.percent_encode`."""
    return text if _UNRESERVED(text) else percent_encode(text)


def encode_path(text: str) -> str:
    """Percent-encode a greedy label: slashes stay."""
    if _UNRESERVED_PATH(text):
        return text
    return percent_encode(text, safe="/~")


def plain_header(value: str) -> str:
    """
    *value*, where it is printable ASCII; what is not goes to stock, which refuses it or sends it
    encoded. Nothing that could end a header line passes (RFC 9112, 5.1).
    """
    if value.isascii() and value.isprintable():
        return value
    raise Declined("header values that are not printable ASCII")


@dataclass(frozen=True, slots=True)
class Member:
    """One input member: *place* is uri, querystring, header, headers, payload or body."""

    name: str
    place: str
    wire_name: str
    shape: Any
    write: scalars.Writer | None


class RequestBinding:
    """
    Input members of one operation by name, and which of them are required.

    *located*: whether the protocol has places other than the body.
    """

    def __init__(self, operation_model: Any, serializer: Any, located: bool = True) -> None:
        shape = operation_model.input_shape
        self.required: frozenset[str] = frozenset()
        self.members: dict[str, Member] = {}
        self.payload: str | None = None
        if shape is not None:
            self.required = frozenset(shape.metadata.get("required", ()))
            if located:
                self.payload = shape.serialization.get("payload")
            for name, member in shape.members.items():
                if located:
                    self.members[name] = _member(name, member, self.payload, serializer)
                else:
                    self.members[name] = Member(name, "body", name, member, None)


class RequestWriter:
    """
    Where the parameters of one operation go. How a body is written is the subclass's.

    empty: the body where no parameter goes into it, though some could.
    """

    empty = b""

    def __init__(self, operation_model: Any, serializer: Any) -> None:
        self.binding = RequestBinding(operation_model, serializer)
        self.method: str = operation_model.http.get("method", "POST")
        self.path: str = operation_model.http["requestUri"]
        self.headers: dict[str, str] = {}
        self.streams_payload = False
        self._write: Callable[[Any], bytes] | None = None
        shape = operation_model.input_shape
        payload = self.binding.payload
        if payload is not None:
            member = shape.members[payload]
            self.streams_payload = member.type_name in ("blob", "string")
            if not self.streams_payload:
                self._write = self.compiled(member, serializer)
        elif any(member.place == "body" for member in self.binding.members.values()):
            self._write = self.compiled(shape, serializer)
        self.may_have_body = self.streams_payload or self._write is not None
        # A document may be None, which is left out; any other member may not.
        self._documents = frozenset(
            name
            for name, member in (shape.members.items() if shape is not None else ())
            if getattr(member, "is_document_type", False)
        )

    def compiled(self, shape: Any, serializer: Any) -> Callable[[Any], bytes]:
        """A writer of bodies that hold a value of *shape*."""
        raise NotImplementedError

    def body(self, params: Mapping[str, Any]) -> bytes:
        """The body for *params*."""
        write = self._write
        if write is None:
            return b""
        payload = self.binding.payload
        if payload is not None:
            if payload not in params or (params[payload] is None and payload in self._documents):
                return self.empty
            return write(params[payload])
        members = self.binding.members
        value = {k: v for k, v in params.items() if members[k].place == "body"}
        if self._documents:
            value = {k: v for k, v in value.items() if v is not None or k not in self._documents}
        return write(value) if value else self.empty


class Template:
    """
    A path template, cut up: "/{Bucket}/{Key+}". A label that ends with "+" keeps its slashes.

    Source: `BaseRestSerializer._render_uri_template`.
    """

    def __init__(self, template: str, binding: RequestBinding) -> None:
        if "?" in template:
            raise Declined("a query in the path template")
        members = {m.wire_name: m for m in binding.members.values() if m.place == "uri"}
        self._text = _TEMPLATE.sub("%s", template.replace("%", "%%"))
        self._labels: list[tuple[str, scalars.Writer, Callable[[str], str]]] = []
        for label in _TEMPLATE.findall(template):
            member = members.get(label.rstrip("+"))
            if member is None or member.write is None:
                raise Declined("a path label that is no parameter")
            encoder = encode_path if label.endswith("+") else encode
            self._labels.append((member.name, member.write, encoder))
        self.names = frozenset(name for name, _, _ in self._labels)

    def fill(self, params: Mapping[str, Any]) -> str:
        """The path for *params*, which have all labels."""
        if len(self._labels) == 1:
            name, write, encoder = self._labels[0]
            return self._text % encoder(write(params[name]))
        return self._text % tuple(
            [encoder(write(params[name])) for name, write, encoder in self._labels]
        )


def _member(name: str, shape: Any, payload: str | None, serializer: Any) -> Member:
    place = shape.serialization.get("location")
    wire_name = shape.serialization.get("name", name)
    if name == payload:
        return Member(name, "payload", wire_name, shape, None)
    if place == "header":
        return Member(name, place, wire_name, shape, _plain(shape, serializer))
    if place in ("uri", "querystring"):
        writer = None
        if shape.type_name not in ("list", "map"):
            writer = scalars.query_writer(shape, serializer)
        elif place == "querystring":
            writer = _many(shape, serializer)
        return Member(name, place, wire_name, shape, writer)
    if place == "headers":
        return Member(name, place, wire_name, shape, None)
    return Member(name, "body", wire_name, shape, None)


def _many(shape: Any, serializer: Any) -> Callable[[Any], Any]:
    """
    For a list in the query, the texts of its items; for a map, names and what each stands for.

    Source: `BaseRestSerializer._partition_parameters`, which takes a map as it is.
    """
    if shape.type_name == "list":
        write = scalars.query_writer(shape.member, serializer)
        least = shape.metadata.get("min", 0)

        def write_list(value: Any) -> list[str]:
            if not isinstance(value, (list, tuple)) or len(value) < least:
                raise Declined(scalars.INVALID)
            return [write(item) for item in value]

        return write_list

    def write_map(value: Any) -> dict[str, Any]:
        scalars.check_with_botocore(shape, value)
        return {
            name: [str(item) for item in given] if isinstance(given, list) else str(given)
            for name, given in value.items()
        }

    return write_map


def query_pairs(written: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    """
    The encoded pairs of a query with lists and maps in it; of two with one name the last counts.

    Source: `BaseRestSerializer._partition_parameters`, `botocore.utils.percent_encode_sequence`.
    """
    query: dict[str, Any] = {}
    for name, value in written:
        if isinstance(value, dict):
            query.update({encode(key): item for key, item in value.items()})
        else:
            query[name] = value
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        items = value if isinstance(value, list) else [value]
        pairs += [(name, encode(item)) for item in items]
    return pairs


def _plain(shape: Any, serializer: Any) -> Callable[[Any], Any]:
    """A writer of one header; it gives None for no header, which an empty list is."""
    write = scalars.header_writer(shape, serializer)
    if shape.type_name != "list":
        return lambda value: plain_header(write(value))

    def write_list(value: Any) -> str | None:
        text = plain_header(write(value))
        return text if value else None

    return write_list


def write_header_map(prefix: str, value: Any, headers: dict[str, str]) -> None:
    """User metadata: one header an entry. Source: `_do_serialize_header_map`."""
    if not isinstance(value, dict):
        raise Declined(scalars.INVALID)
    for key, text in value.items():
        if not (key.__class__ is str and text.__class__ is str and _TOKEN(key)):
            raise Declined(scalars.INVALID)
        headers[prefix + key] = plain_header(text)


# Answers

HeaderReader = Callable[[str], Any]


class SentHead(Protocol):
    """The head of an answer (`replies.Head`)."""

    headers: dict[str, str]  # by lower-case name

    def as_sent(self) -> dict[str, str]:
        """By the names as they were sent."""
        ...


class HeadReader:
    """
    Reads the members of an output shape that are in the head of an answer.

    A server sends the same headers in the same order time and again: that order chooses a
    *layout*, the members that there are, in the order of the model.
    """

    def __init__(
        self,
        shape: Any,
        read_timestamp: scalars.Reader,
        read_blob: Any,
        read_boolean: scalars.Reader,
    ) -> None:
        # (member, lower-case header, reader, kind of place), in the order of the model
        self._members: list[tuple[str, str, HeaderReader | None, str]] = []
        self._layouts: dict[tuple[str, ...], list[tuple[str, str, HeaderReader | None]]] = {}
        for name, member in shape.members.items() if shape is not None else ():
            place = member.serialization.get("location")
            wire_name = member.serialization.get("name", name).lower()
            if place == "header":
                read = _header_reader(member, read_timestamp, read_blob, read_boolean)
                self._members.append((name, wire_name, read, place))
            elif place == "headers":
                prefix = member.serialization.get("name", "").lower()
                self._members.append((name, prefix, None, place))
            elif place == "statusCode":
                self._members.append((name, "", None, place))

    def read(self, status: int, head: SentHead, into: dict[str, Any]) -> None:
        """
        Put the members into *into*, in the order of the model.

        Raises ValueError and its like for values that do not parse; botocore's parser has them
        again then, and the words for them.
        """
        headers = head.headers
        names = tuple(headers)
        layout = self._layouts.get(names)
        if layout is None:
            layout = self._layout(headers)
            if len(self._layouts) < MOST_LAYOUTS:
                self._layouts[names] = layout
        for name, wire_name, read in layout:
            if wire_name:
                text = headers[wire_name]
                into[name] = text if read is None else read(text)
            elif read is None:
                into[name] = status
            else:
                into[name] = read(head)  # type: ignore[arg-type]

    def _layout(self, headers: dict[str, str]) -> list[tuple[str, str, Any]]:
        layout: list[tuple[str, str, Any]] = []
        for name, wire_name, read, place in self._members:
            if place == "header":
                if wire_name in headers:
                    layout.append((name, wire_name, read))
            elif place == "headers":
                has_any = any(header.startswith(wire_name) for header in headers)
                layout.append((name, "", partial(_header_map, wire_name) if has_any else _no_map))
            else:
                layout.append((name, "", None))
        return layout


def _no_map(_: SentHead) -> dict[str, str]:
    return {}


def _header_map(prefix: str, head: SentHead) -> dict[str, str]:
    """Source: `BaseRestParser._parse_header_map`."""
    cut = len(prefix)
    return {
        name[cut:]: value
        for name, value in head.as_sent().items()
        if name.lower().startswith(prefix)
    }


def _header_reader(
    shape: Any, read_timestamp: scalars.Reader, read_blob: Any, read_boolean: scalars.Reader
) -> HeaderReader | None:
    if is_json_value_header(shape):
        return _json_value
    if shape.type_name == "list":
        if shape.member.type_name not in scalars.SCALARS:
            raise Declined("a list of structures in a header of the answer")
        read_item = scalars.text_reader(shape.member, read_timestamp, read_blob, read_boolean)
        return lambda text: [
            item.strip() if read_item is None else read_item(item.strip())
            for item in text.split(",")
        ]
    if shape.type_name not in scalars.SCALARS:
        raise Declined(f"output of type {shape.type_name} in a header")
    return scalars.text_reader(shape, read_timestamp, read_blob, read_boolean)


def _json_value(text: str) -> Any:
    """Source: `BaseRestParser._handle_string`."""
    return json.loads(base64.b64decode(text).decode("utf-8"))


class AnswerReader:
    """
    Reads the good answers of one operation. How a body is read is the subclass's.

    Source: `BaseRestParser._do_parse`.
    """

    metadata_first = True
    read_boolean: scalars.Reader = staticmethod("true".__eq__)

    def __init__(self, shape: Any, read_timestamp: Any, read_blob: Any) -> None:
        self.head = HeadReader(shape, read_timestamp, read_blob, self.read_boolean)
        self.payload: str | None = None  # the member that the body goes to
        self.is_stream = False  # whether the body is handed over unread
        self._is_text = False  # a string payload that is not streaming
        self._read: Callable[[bytes], Any] | None = None
        if shape is None:
            return
        self.payload = shape.serialization.get("payload")
        if self.payload is None:
            self._read = self.document(shape, read_timestamp, read_blob)
            return
        member = shape.members[self.payload]
        if member.serialization.get("eventstream"):
            raise Declined("event streams")
        if member.type_name in ("string", "blob"):
            self.is_stream = member.type_name == "blob"  # OperationModel.get_streaming_output
            self._is_text = not self.is_stream
        else:
            self._read = self.document_of_payload(member, read_timestamp, read_blob)

    def document(self, shape: Any, read_timestamp: Any, read_blob: Any) -> Callable[[bytes], Any]:
        """A reader of bodies that hold the members of *shape*."""
        raise NotImplementedError

    def document_of_payload(
        self, shape: Any, read_timestamp: Any, read_blob: Any
    ) -> Callable[[bytes], Any]:
        """A reader of bodies that are a value of *shape*."""
        raise NotImplementedError

    def ids(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Source: `BaseRestParser._populate_response_metadata`."""
        request_id = headers.get("x-amzn-requestid")
        if request_id is not None:
            return {"RequestId": request_id}
        request_id = headers.get("x-amz-request-id")
        if request_id is not None:
            return {"RequestId": request_id, "HostId": headers.get("x-amz-id-2", "")}
        return {}

    def read_body(self, body: bytes, result: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Put the members of *body* into *result*; Odd where botocore's parser should read it."""
        read = self._read
        if read is None:
            if self._is_text and self.payload is not None:
                result[self.payload] = body.decode("utf-8")
        elif self.payload is not None:
            result[self.payload] = read(body)
        else:
            result.update(read(body))
