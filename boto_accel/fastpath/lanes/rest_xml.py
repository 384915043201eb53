"""
The rest-xml lane: S3 (and Route 53, CloudFront, S3 Control).

`RequestWriter` and `AnswerReader` are what every lane offers to `plan.py` and `replies.py`.
Source: `botocore.serialize.RestXMLSerializer`, `botocore.parsers.RestXMLParser`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import rest, xml
from boto_accel.fastpath.lanes.xml import Odd

IN_HEAD = frozenset(("header", "headers", "statusCode"))  # ResponseParser.KNOWN_LOCATIONS


class RequestWriter:
    """Where the parameters of one operation go, and how its body is written."""

    def __init__(self, operation_model: Any, serializer: Any) -> None:
        self.binding = rest.RequestBinding(operation_model, serializer)
        self._shape = operation_model.input_shape
        self._writers = xml.WriterCompiler(serializer)
        self.streams_payload = False
        self._write_payload: xml.ElementWriter | None = None
        payload = self.binding.payload
        if payload is not None:
            member = self._shape.members[payload]
            self.streams_payload = member.type_name in ("blob", "string")
            if not self.streams_payload:
                self._write_payload = self._compile(member)
        elif any(member.place == "body" for member in self.binding.members.values()):
            self._write_payload = self._compile(self._shape)

    def _compile(self, shape: Any) -> xml.ElementWriter:
        name = shape.serialization.get("name")
        if name is None or shape.serialization.get("eventstream"):
            raise Declined("a payload without an XML name")
        return self._writers.element(shape, name)

    def body(self, params: dict[str, Any]) -> bytes:
        """The XML body for *params*; b"" where no member goes into it."""
        payload = self.binding.payload
        write = self._write_payload
        if write is None:
            return b""
        if payload is not None:
            value = params.get(payload)
            if value is None:
                return b""
        else:
            members = self.binding.members
            value = {k: v for k, v in params.items() if members[k].place == "body"}
            if not value:
                return b""
        pieces: list[str] = []
        write(value, pieces.append)
        return "".join(pieces).encode("utf-8", "xmlcharrefreplace")


class AnswerReader:
    """Reads the good answers of one operation."""

    def __init__(self, shape: Any, read_timestamp: Any, read_blob: Any) -> None:
        self.head = rest.HeadReader(shape, read_timestamp, read_blob)
        self.payload: str | None = None  # the member that the body goes to
        self.is_stream = False  # whether the body is handed over unread
        self.is_text = False  # a string payload that is not streaming
        self._read: Callable[[bytes], Any] | None = None
        if shape is None:
            return
        compiler = xml.ReaderCompiler(read_timestamp, read_blob, IN_HEAD)
        self.payload = shape.serialization.get("payload")
        if self.payload is None:
            self._read = xml.DocumentReader(shape, compiler).read
            return
        member = shape.members[self.payload]
        if member.serialization.get("eventstream"):
            raise Declined("event streams")
        if member.type_name in ("string", "blob"):
            self.is_stream = bool(member.serialization.get("streaming"))
            self.is_text = not self.is_stream
        else:
            element = compiler.value(member)
            self._read = lambda body: element(xml.parse_good(body))

    def read_body(self, body: bytes, into: dict[str, Any]) -> None:
        """Put the members of *body* into *into*; Odd where botocore's parser should read it."""
        if self._read is None:
            if self.is_text and self.payload is not None:
                into[self.payload] = body.decode("utf-8")
            return
        if not body:
            if self.payload is not None:
                raise Odd
            return
        value = self._read(body)
        if self.payload is not None:
            into[self.payload] = value
        else:
            into.update(value)
