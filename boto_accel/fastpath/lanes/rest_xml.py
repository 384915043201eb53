"""
The rest-xml lane: S3 (and Route 53, CloudFront, S3 Control).

Source: `botocore.serialize.RestXMLSerializer`, `botocore.parsers.RestXMLParser`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import rest, xml
from boto_accel.fastpath.lanes.scalars import Odd

IN_HEAD = frozenset(("header", "headers", "statusCode"))  # ResponseParser.KNOWN_LOCATIONS


class RequestWriter(rest.RequestWriter):
    """See `boto_accel.fastpath.lanes`."""

    def compiled(self, shape: Any, serializer: Any) -> Callable[[Any], bytes]:
        name = shape.serialization.get("name")
        if name is None or shape.serialization.get("eventstream"):
            raise Declined("a payload without an XML name")
        compiler = xml.WriterCompiler(serializer)
        if self.binding.payload is None:  # some members of the input, which are checked already
            write = compiler.structure(shape, name)
        else:
            write = compiler.element(shape, name)

        def document(value: Any) -> bytes:
            pieces: list[str] = []
            write(value, pieces.append)
            return "".join(pieces).encode("utf-8", "xmlcharrefreplace")

        return document


class AnswerReader(rest.AnswerReader):
    """See `boto_accel.fastpath.lanes`."""

    def document(self, shape: Any, read_timestamp: Any, read_blob: Any) -> Callable[[bytes], Any]:
        read = xml.DocumentReader(
            shape, xml.ReaderCompiler(read_timestamp, read_blob, IN_HEAD)
        ).read
        return lambda body: read(body) if body else {}

    def document_of_payload(
        self, shape: Any, read_timestamp: Any, read_blob: Any
    ) -> Callable[[bytes], Any]:
        read = xml.ReaderCompiler(read_timestamp, read_blob, IN_HEAD).value(shape)

        def document(body: bytes) -> Any:
            if not body:
                raise Odd
            return read(xml.parse_good(body))

        return document
