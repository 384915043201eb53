"""
A plan proves itself: its first request of a kind beside stock's, its first answers beside stock's.

The comparison is of bytes and values, with stock's own clock reading and invocation id. What the
request proof finds equal it also learns from: the headers whose values botocore makes of its
configuration alone (User-Agent, amz-sdk-request) are taken over as they are.
"""

from __future__ import annotations

import io
from collections.abc import Container, Mapping
from typing import Any

from botocore.httpchecksum import AwsChunkedWrapper

from boto_accel.fastpath.checksums import Body
from boto_accel.fastpath.lanes import rest
from boto_accel.fastpath.transport.wire import Wire

LEARNED = ("User-Agent", "amz-sdk-request")
INVOCATION_ID = "amz-sdk-invocation-id"
TIMESTAMP = "x-amz-date"
BY_ENGINE = frozenset(("host", "accept", "accept-encoding"))
NO_LENGTH = frozenset(("GET", "HEAD", "OPTIONS"))  # AWSRequestPreparer._prepare_headers
COMPARED_BYTES = 1024 * 1024  # bytes; bodies up to here are compared, longer ones by length


class Different(Exception):
    """The compiled side and stock differ; *what* names the place, without values."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def text_headers(request: Any) -> dict[str, str]:
    """The headers of an `AWSPreparedRequest` as text, by lower-case name."""
    return {
        name.lower(): value.decode("utf-8") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }


def learned_lines(headers: dict[str, str]) -> str:
    """
    The header lines to be taken over from stock's request as they are.

    Declines what is not plain: they go into requests without another look.
    """
    learned = [(name, headers[name.lower()]) for name in LEARNED if name.lower() in headers]
    return "".join([f"{name}: {rest.plain_header(value)}\r\n" for name, value in learned])


def is_signed_by(headers: Mapping[str, str], credentials: Any) -> bool:
    """Whether stock signed with *credentials*, and not with others that it got just then."""
    return f" Credential={credentials.access_key}/" in headers.get("authorization", "")


def compare_requests(ours: Wire, our_body: Body | None, stocks: Any) -> None:
    """Raises Different at the first difference of *ours* to stock's prepared request."""
    if ours.method != stocks.method:
        raise Different("method")
    if ours.url != stocks.url:
        raise Different("url")
    theirs = text_headers(stocks)
    ours_headers = headers_in(ours.head, kept=theirs)
    if "content-length" not in theirs and ours.method in NO_LENGTH:
        ours_headers.pop("content-length", None)  # where there is a body, engines add it
    for name in sorted(ours_headers.keys() | theirs.keys()):
        if ours_headers.get(name) != theirs.get(name):
            raise Different(f"header {name}")
    _compare_bodies(our_body, stocks.body)


def headers_in(head: bytes, kept: Container[str] = ()) -> dict[str, str]:
    """The headers of a rendered request, without those that engines add, save for *kept*."""
    lines = head.decode("ascii").split("\r\n")[1:-2]
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    if len(headers) != len(pairs):
        raise Different("repeated headers")
    return {name: value for name, value in headers.items() if name not in BY_ENGINE or name in kept}


def _compare_bodies(ours: Body | None, stocks: Any) -> None:
    if stocks is None:
        if ours is not None and ours.length:
            raise Different("body")
        return
    if ours is None:
        raise Different("body")
    inner = stocks._raw if isinstance(stocks, AwsChunkedWrapper) else stocks
    if not ours.in_memory:
        if inner is not ours.file:  # the same file, whose bytes both would read
            raise Different("body")
        return
    if isinstance(inner, io.BytesIO):
        inner = inner.getbuffer()
    if not isinstance(inner, (bytes, bytearray, memoryview, str)):
        raise Different("body")
    theirs = inner.encode() if isinstance(inner, str) else inner
    if len(theirs) != ours.length or (ours.length <= COMPARED_BYTES and bytes(theirs) != ours.data):
        raise Different("body")


def compare_answers(ours: Mapping[str, Any], stocks: Mapping[str, Any], stream: str | None) -> None:
    """Raises Different where the parsed answers differ; *stream* is the member left unread."""
    for name in sorted(ours.keys() | stocks.keys()):
        if name == stream and name in ours and name in stocks:
            if type(ours[name]) is not type(stocks[name]):
                raise Different(f"answer member {name}")
        elif name not in ours or name not in stocks or not same(ours[name], stocks[name]):
            raise Different(f"answer member {name}")


def same(left: Any, right: Any) -> bool:
    """Equal with equal types, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if left != left and right != right:  # NaN
        return True
    zones = [type(getattr(value, "tzinfo", None)) for value in (left, right)]
    return bool(left == right) and zones[0] is zones[1]
