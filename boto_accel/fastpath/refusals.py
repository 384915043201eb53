"""
Plain refusals: "not found", "not modified", "precondition failed".

Code asks whether an object exists by asking for it, so these answers are as frequent as good
ones. They are read here where nothing about them is unusual, and no handler of botocore's would
retry or redirect them; every other error is told to stock.
Source: `botocore.parsers.RestXMLParser._do_error_parse`, `BaseClient._make_api_call`.
"""

from __future__ import annotations

import http.client
from typing import Any

from boto_accel import _compat
from boto_accel.fastpath import eligibility
from boto_accel.fastpath.lanes import xml
from boto_accel.fastpath.lanes.scalars import Odd
from boto_accel.fastpath.replies import Head
from boto_accel.fastpath.transport.wire import Reply

# By status, the codes that end a call: in none of the tables of botocore's retry handlers
# (data/_retry.json, retries.standard), and not looked at by its S3 redirector. The number itself
# is what botocore makes of an answer without a body.
FINAL = {
    304: frozenset(("304", "NotModified")),
    404: frozenset(("404", "NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchTagSet")),
    412: frozenset(("412", "PreconditionFailed")),
}
PROOFS = 2  # refusals of one plan that are compared with stock's before they are trusted


class Refusals:
    """How the refusals of one operation are read. Thread-safe: `proofs_left` only goes down."""

    def __init__(self, client: Any, model: Any, handlers: Any, ids: Any) -> None:
        self._model = model
        self._is_async = _compat.is_async(client)
        self._ids = ids  # of the lane's AnswerReader
        # None: stock reads them. Somebody else's handlers see errors through it.
        is_xml = model.service_model.resolved_protocol == "rest-xml"
        self.proofs_left: int | None = PROOFS if is_xml else None
        for event, known in eligibility.ANSWER_HANDLERS.items():
            if eligibility.unknown(handlers.of(event), known | eligibility.PURE_AFTER_CALL):
                self.proofs_left = None

    def read(self, reply: Reply) -> dict[str, Any] | None:
        """The `response` of the exception for *reply*, or None where stock is to read it."""
        codes = FINAL.get(reply.status)
        if codes is None or self.proofs_left is None or reply.body is None:
            return None
        try:
            headers = Head(reply.headers, self._is_async).headers
            response = self._parse(reply.status, headers, reply.body)
        except (Odd, ValueError):
            return None
        if response["Error"].get("Code") not in codes or self._is_modelled(response):
            return None
        response["ResponseMetadata"]["RetryAttempts"] = 0
        return response

    def _parse(self, status: int, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        if any(name.startswith("x-amz-checksum-") or name == "expires" for name in headers):
            raise Odd
        known = {"HTTPStatusCode": status, "HTTPHeaders": headers}
        if not body:
            ids = {
                "RequestId": headers.get("x-amz-request-id", ""),
                "HostId": headers.get("x-amz-id-2", ""),
            }
            message = http.client.responses.get(status, "")
            error = {"Code": str(status), "Message": message}
            return {"Error": error, "ResponseMetadata": {**ids, **known}}
        root = xml.parse(body)
        if root.tag != "Error":
            raise Odd
        fields = dict(xml.error_fields(root))
        fields.pop("RequestId", "")
        fields.pop("HostId", "")
        return {"Error": fields, "ResponseMetadata": {**self._ids(headers), **known}}

    def _is_modelled(self, response: dict[str, Any]) -> bool:
        """Whether the model has fields for this error, which stock adds to the response."""
        shape = self._model.service_model.shape_for_error_code(response["Error"]["Code"])
        return shape is not None and bool(shape.members)

    def exception(self, client: Any, response: dict[str, Any]) -> Exception:
        """The exception that the call raises."""
        error_class = client.exceptions.from_code(response["Error"]["Code"])
        return error_class(response, self._model.name)

    def compare(self, ours: dict[str, Any], theirs: dict[str, Any], same: Any) -> None:
        """One refusal was read by both; a difference ends the reading of them here."""
        if self.proofs_left is None:
            return
        self.proofs_left = max(self.proofs_left - 1, 0) if same(ours, theirs) else None
