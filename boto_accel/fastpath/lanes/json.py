"""
The json lane: DynamoDB, SQS, Kinesis, Step Functions and some 150 other services.

One address for all operations, which a header names; parameters and answer are one JSON object.
Source: `botocore.serialize.JSONSerializer`, `botocore.parsers.JSONParser`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boto_accel.fastpath.lanes import json_values, rest


class RequestWriter:
    """See `boto_accel.fastpath.lanes`."""

    path = "/"
    streams_payload = False
    may_have_body = True

    def __init__(self, operation_model: Any, serializer: Any) -> None:
        self.binding = rest.RequestBinding(operation_model, serializer, located=False)
        self.method: str = operation_model.http.get("method", "POST")
        facts = operation_model.metadata
        self.headers = {
            "X-Amz-Target": f"{facts['targetPrefix']}.{operation_model.name}",
            "Content-Type": f"application/x-amz-json-{facts['jsonVersion']}",
        }
        if operation_model.service_model.is_query_compatible:
            self.headers["x-amzn-query-mode"] = "true"
        shape = operation_model.input_shape
        self._write: Callable[[Any], bytes] = _nothing
        if shape is not None:
            self._write = json_values.WriterCompiler(serializer).document(shape)

    def body(self, params: Mapping[str, Any]) -> bytes:
        """The body for *params*."""
        return self._write(params)


def _nothing(_: Any) -> bytes:
    return b"{}"


class AnswerReader:
    """See `boto_accel.fastpath.lanes`."""

    head = None
    payload: str | None = None
    is_stream = False
    metadata_first = False

    def __init__(self, shape: Any, read_timestamp: Any, read_blob: Any) -> None:
        self._read: Callable[[Any], Any] | None = None
        if shape is not None:
            readers = json_values.scalar_readers(read_timestamp, read_blob)
            self._read = json_values.ReaderCompiler(readers).structure(shape)

    def ids(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """Source: `BaseJSONParser._inject_response_metadata`."""
        request_id = headers.get("x-amzn-requestid")
        return {} if request_id is None else {"RequestId": request_id}

    def read_body(self, body: bytes, result: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Put the members of *body* into *result*; Odd where botocore's parser should read it."""
        if self._read is not None:
            result.update(self._read(json_values.loads(body)))
