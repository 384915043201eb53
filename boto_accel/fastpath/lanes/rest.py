"""
Where REST protocols put parameters in a request, and find members in the head of an answer.

Shared by rest-xml and rest-json, whose bodies alone differ.
Source: `botocore.serialize.BaseRestSerializer`, `botocore.parsers.BaseRestParser`.
"""

from __future__ import annotations

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
    """Input members of one operation by name, and the path template with its labels."""

    def __init__(self, operation_model: Any, serializer: Any) -> None:
        shape = operation_model.input_shape
        self.required: frozenset[str] = frozenset()
        self.members: dict[str, Member] = {}
        self.payload: str | None = None
        if shape is not None:
            self.required = frozenset(shape.metadata.get("required", ()))
            self.payload = shape.serialization.get("payload")
            for name, member in shape.members.items():
                self.members[name] = _member(name, member, self.payload, serializer)


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
        return Member(name, place, wire_name, shape, writer)
    if place == "headers":
        return Member(name, place, wire_name, shape, None)
    return Member(name, "body", wire_name, shape, None)


def _plain(shape: Any, serializer: Any) -> scalars.Writer:
    write = scalars.header_writer(shape, serializer)
    return lambda value: plain_header(write(value))


def write_header_map(prefix: str, value: Any, headers: dict[str, str]) -> None:
    """User metadata: one header an entry. Source: `_do_serialize_header_map`."""
    if not isinstance(value, dict):
        raise Declined(scalars.INVALID)
    for key, text in value.items():
        if not (isinstance(key, str) and isinstance(text, str) and _TOKEN(key)):
            raise Declined(scalars.INVALID)
        headers[prefix + key] = plain_header(text)


# Answers

HeaderReader = Callable[[str], Any]


class SentHead(Protocol):
    """The head of an answer (`replies.Head`)."""

    headers: dict[str, str]  # by lower-case name

    def as_sent(self) -> dict[str, str]:
        """By the names as they were sent."""


class HeadReader:
    """
    Reads the members of an output shape that are in the head of an answer.

    A server sends the same headers in the same order time and again: that order chooses a
    *layout*, the members that there are, in the order of the model.
    """

    def __init__(self, shape: Any, read_timestamp: scalars.Reader, read_blob: Any) -> None:
        # (member, lower-case header, reader, kind of place), in the order of the model
        self._members: list[tuple[str, str, HeaderReader | None, str]] = []
        self._layouts: dict[tuple[str, ...], list[tuple[str, str, HeaderReader | None]]] = {}
        for name, member in shape.members.items() if shape is not None else ():
            place = member.serialization.get("location")
            wire_name = member.serialization.get("name", name).lower()
            if place == "header":
                read = _header_reader(member, read_timestamp, read_blob)
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
    shape: Any, read_timestamp: scalars.Reader, read_blob: Any
) -> HeaderReader | None:
    if is_json_value_header(shape):
        raise Declined("JSON in a header of the answer")
    if shape.type_name == "list":
        if shape.member.type_name not in scalars.SCALARS:
            raise Declined("a list of structures in a header of the answer")
        read_item = scalars.text_reader(shape.member, read_timestamp, read_blob)
        return lambda text: [
            item.strip() if read_item is None else read_item(item.strip())
            for item in text.split(",")
        ]
    if shape.type_name not in scalars.SCALARS:
        raise Declined(f"output of type {shape.type_name} in a header")
    return scalars.text_reader(shape, read_timestamp, read_blob)
