"""
The rest-json lane: Lambda, API Gateway, Bedrock and some 250 other services.

Source: `botocore.serialize.RestJSONSerializer`, `botocore.parsers.RestJSONParser`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.utils import ensure_boolean

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import json_values, rest


class RequestWriter(rest.RequestWriter):
    """See `boto_accel.fastpath.lanes`."""

    empty = b"{}"

    def __init__(self, operation_model: Any, serializer: Any) -> None:
        super().__init__(operation_model, serializer)
        if self._write is not None:  # then there is a body, if an empty object
            self.headers = {"Content-Type": "application/json"}

    def compiled(self, shape: Any, serializer: Any) -> Callable[[Any], bytes]:
        if shape.serialization.get("eventstream"):
            raise Declined("event streams")
        is_payload = self.binding.payload is not None
        return json_values.WriterCompiler(serializer).document(shape, whole=is_payload)


class AnswerReader(rest.AnswerReader):
    """See `boto_accel.fastpath.lanes`."""

    read_boolean = staticmethod(ensure_boolean)

    def document(self, shape: Any, read_timestamp: Any, read_blob: Any) -> Callable[[bytes], Any]:
        read = _compiler(read_timestamp, read_blob).structure(shape)
        return lambda body: read(json_values.loads(body))

    def document_of_payload(
        self, shape: Any, read_timestamp: Any, read_blob: Any
    ) -> Callable[[bytes], Any]:
        read = _compiler(read_timestamp, read_blob).value(shape)
        if read is None:
            return json_values.loads
        return lambda body: read(json_values.loads(body))


def _compiler(read_timestamp: Any, read_blob: Any) -> json_values.ReaderCompiler:
    readers = json_values.scalar_readers(read_timestamp, read_blob)
    return json_values.ReaderCompiler({**readers, **json_values.LENIENT})
