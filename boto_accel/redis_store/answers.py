"""
What the user is given: the output of an operation, or the exception, as botocore makes them.

Source: `botocore.client.BaseClient._make_api_call` and the rest-xml parser of `botocore.parsers`.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Mapping
from email.utils import formatdate
from itertools import count
from types import SimpleNamespace
from typing import Any

from boto_accel.redis_store.operations import content_type_of
from boto_accel.redis_store.semantics import Refusal
from boto_accel.redis_store.store import Reply

HOST_ID = "boto_accel redis_s3"
_BARE = ("HeadObject", "HeadBucket")  # an answer to HEAD has no document


def answer_of(operation: str, reply: Reply, retries: int) -> dict[str, Any]:
    headers = dict(reply.headers)
    kind = content_type_of(operation)
    if kind is not None:
        headers["content-type"] = kind
    elif "ETag" in reply.members:
        headers["etag"] = reply.members["ETag"]
    answer = reply.members
    metadata = answer["ResponseMetadata"] = metadata_of(reply.status, headers, retries)
    if reply.checked_with:  # `botocore.httpchecksum.handle_checksum_body`
        metadata["ChecksumAlgorithm"] = reply.checked_with
    return answer


def metadata_of(status: int, headers: dict[str, str], retries: int) -> dict[str, Any]:
    request_id = f"{next(_requests):016X}"
    headers["x-amz-request-id"] = request_id
    headers["x-amz-id-2"] = HOST_ID
    headers["date"] = _date(int(time.time()))
    headers["server"] = "boto_accel"
    return {
        "RequestId": request_id,
        "HostId": HOST_ID,
        "HTTPStatusCode": status,
        "HTTPHeaders": headers,
        "RetryAttempts": retries,
    }


_requests = count(int.from_bytes(os.urandom(7), "big"))
_last_date = (0, "")


def _date(seconds: int) -> str:
    global _last_date
    known, text = _last_date  # one read: another thread may replace it
    if known != seconds:
        text = formatdate(seconds, usegmt=True)
        _last_date = (seconds, text)
    return text


def error_of(operation: str, refusal: Refusal, retries: int) -> dict[str, Any]:
    """The parsed answer of a refused call."""
    error: dict[str, Any]
    if operation in _BARE or refusal.status == 304:
        status = refusal.status
        # As botocore's parser has it where there is none.
        error = {"Code": str(status), "Message": http.client.responses.get(status, "")}
    else:
        error = {"Message": refusal.message, "Code": refusal.code, **refusal.more}
    metadata = metadata_of(refusal.status, {"content-type": "application/xml"}, retries)
    return {"Error": error, "ResponseMetadata": metadata}


def http_response(parsed: Mapping[str, Any]) -> Any:
    """What handlers of after-call are given beside *parsed*."""
    metadata = parsed.get("ResponseMetadata", {})
    return SimpleNamespace(
        status_code=metadata.get("HTTPStatusCode", 200),
        headers=metadata.get("HTTPHeaders", {}),
        content=b"",
        text="",
    )
