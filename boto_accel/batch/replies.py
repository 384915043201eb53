"""
What S3 would answer for an object that is in a batch.

Source: S3 API, GetObject and HeadObject; `botocore.parsers` for the types.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any, NamedTuple

from dateutil.tz import tzutc

from boto_accel._bodies import Read, body_of
from boto_accel._call import Call
from boto_accel._clienterrors import bare_refusal, precondition_failed, refusal
from boto_accel._conditions import OF_READS, failed_condition
from boto_accel._dates import date_of
from boto_accel.batch.index import Entry

DEFAULT_TYPE = "binary/octet-stream"
_OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
}
# Checksums are answered where S3 has some; the owner is checked with the plain object.
_OTHERS = ("Bucket", "Key", "Range", "ChecksumMode", "ExpectedBucketOwner", "RequestPayer")
HONOURED = frozenset({*_OTHERS, *OF_READS, *_OVERRIDES})
_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))\Z")


class Span(NamedTuple):
    """Which bytes are asked for. is_part: whether the answer is 206."""

    first: int
    size: int
    is_part: bool


def metadata_of(status: int, headers: Mapping[str, str]) -> dict[str, Any]:
    return {"HTTPStatusCode": status, "HTTPHeaders": dict(headers), "RetryAttempts": 0}


def time_of(stamp: int) -> datetime.datetime:
    """To the second, as HTTP has it."""
    return datetime.datetime.fromtimestamp(stamp // 10**9, tzutc())


def stamp_of(moment: datetime.datetime) -> int:
    """In nanoseconds since 1970; to the second, as HTTP has it."""
    return int(moment.timestamp()) * 10**9


def answered_at(answer: Mapping[str, Any]) -> int | None:
    """When S3 has answered, in nanoseconds since 1970; None where it does not say."""
    date = date_of(answer)
    return None if date is None else stamp_of(date)


def quoted(etag: str) -> str:
    return f'"{etag}"'


def put_reply(etag: str, location: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ETag": f'"{etag}"',
        "BatchLocation": location,
        "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0},
    }


def span_of(call: Call, entry: Entry) -> Span:
    """Raises what S3 does for a condition that does not hold, or a range that is not there."""
    params, is_head = call.params, call.operation == "HeadObject"
    failed = failed_condition(params, quoted(entry.etag), time_of(entry.stamp), "")
    if failed in ("If-None-Match", "If-Modified-Since"):
        raise bare_refusal(call, 304)
    if failed is not None:
        if is_head:
            raise bare_refusal(call, 412)
        raise precondition_failed(call, failed)
    found = _span(params.get("Range"), entry.size)
    if found is None:
        if is_head:
            raise bare_refusal(call, 416)
        message = "The requested range is not satisfiable"
        more = {"ActualObjectSize": str(entry.size), "RangeRequested": params["Range"]}
        raise refusal(call, "InvalidRange", message, 416, **more)
    return found


def _span(text: Any, size: int) -> Span | None:
    """
    None for a range that is not there. What is no single range of bytes is not looked at.

    Source: RFC 9110, 14.2; S3 API, GetObject: one range.
    """
    found = _RANGE.match(text) if isinstance(text, str) else None
    if found is None:
        return Span(0, size, False)
    if found[3]:
        length = min(int(found[3]), size)
        return Span(size - length, length, True) if length else None
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < first:
        return Span(0, size, False)
    return Span(first, last - first + 1, True) if first < size else None


def read_reply(
    call: Call, entry: Entry, span: Span, location: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The answer of HeadObject, and of GetObject but for the body."""
    headers = {"ContentType": DEFAULT_TYPE, **entry.headers}
    for name, member in _OVERRIDES.items():
        if call.params.get(name) is not None:
            headers[member] = call.params[name]
    modified, etag = time_of(entry.stamp), quoted(entry.etag)
    reply: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": modified,
        "ContentLength": span.size,
        "ETag": etag,
        **headers,
        "Metadata": dict(entry.metadata),
    }
    lines = {
        "accept-ranges": "bytes",
        "last-modified": format_datetime(modified.astimezone(datetime.timezone.utc), usegmt=True),
        "content-length": str(span.size),
        "etag": etag,
        "content-type": headers["ContentType"],
    }
    if span.is_part:
        last = span.first + span.size - 1
        reply["ContentRange"] = lines["content-range"] = f"bytes {span.first}-{last}/{entry.size}"
    if location is not None:
        reply["BatchLocation"] = location
    reply["ResponseMetadata"] = metadata_of(206 if span.is_part else 200, lines)
    return reply


def body_reply(call: Call, data: bytes) -> Any:
    return body_of(Read(data), len(data), call.flavour)


def row_of(entry: Entry) -> dict[str, Any]:
    """An object as listings have it."""
    return {
        "Key": entry.key,
        "LastModified": time_of(entry.stamp),
        "ETag": quoted(entry.etag),
        "Size": entry.size,
        "StorageClass": "STANDARD",
    }
