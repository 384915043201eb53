"""What the engines are handed and what they hand back: one HTTP exchange as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from boto_accel.fastpath.transport.http1 import RawHeaders

Piece: TypeAlias = "bytes | memoryview"
Pieces = Callable[[], Iterator[Piece]]
"""Makes an iterator over the bytes of a body as they go on the wire, chunk framing included."""


class Wire:
    """
    One request, signed and rendered.

    url: str, as stock's `AWSPreparedRequest.url`; named in errors, never logged.
    head: bytes, request line and headers with the empty line that ends them.
    body: bytes that follow at once, or a function that makes the pieces, or None.
    expect: whether `Expect: 100-continue` is among the headers.
    to_head: whether the method is HEAD.
    streams: whether the body of a good answer is handed to the user unread.
    reads_file: whether the pieces of the body are read from a file of the user's.
    chunked: whether the body is in chunks, with its checksum behind it.
    """

    __slots__ = (
        "body",
        "chunked",
        "expect",
        "head",
        "method",
        "reads_file",
        "streams",
        "to_head",
        "url",
    )

    def __init__(
        self,
        method: str,
        url: str,
        head: bytes,
        body: bytes | Pieces | None,
        expect: bool,
        to_head: bool,
        streams: bool,
        reads_file: bool,
        chunked: bool,
    ) -> None:
        self.method = method
        self.url = url
        self.head = head
        self.body = body
        self.expect = expect
        self.to_head = to_head
        self.streams = streams
        self.reads_file = reads_file
        self.chunked = chunked


class Reply:
    """
    One final answer.

    headers: as on the wire, in order. body: bytes, whole, unless the answer streams; then it is
    None and `raw` is the object that stock's `StreamingBody` wraps.
    """

    __slots__ = ("body", "headers", "raw", "status")

    def __init__(self, status: int, headers: RawHeaders, body: bytes | None, raw: Any) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.raw = raw
