"""A request as it came over the wire, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

# Values that differ between two runs of one call, unless the clock and uuid4 are frozen.
CLOCK_HEADERS = frozenset({"amz-sdk-invocation-id", "x-amz-date", "authorization"})
MASKED = b"*"


class Reader(Protocol):
    """Bytes of one connection; both raise EOFError when it ends before what was asked for."""

    def until(self, mark: bytes) -> bytes:
        """Up to and including *mark*."""

    def exactly(self, count: int) -> bytes: ...


@dataclass(frozen=True)
class Recorded:
    """
    One request. Names and values are bytes as sent, in order; values without the white space
    around them (`head` has the untouched bytes, from the request line to the empty line).

    body: without its transfer encoding; an `aws-chunked` content encoding is still in it.
    raw_body: as on the wire, chunk sizes and trailers included.
    trailers: header fields after the last chunk.
    connection: counts accepted connections from 0; equal numbers mean a reused connection.
    sent_100: whether `100 Continue` was sent before the body was read.
    body_before_continue: the request asked for `100 Continue`, and bytes of its body had come
    before that was sent.
    complete: False if the connection ended within the body, or nobody read it.
    """

    method: bytes
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    raw_body: bytes
    connection: int
    head: bytes = b""
    trailers: tuple[tuple[bytes, bytes], ...] = ()
    sent_100: bool = False
    body_before_continue: bool = False
    complete: bool = True

    def header(self, name: str) -> bytes | None:
        """The value of the first header called *name* (any case), or None."""
        wanted = name.lower().encode("latin-1")
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def expects_continue(self) -> bool:
        return (self.header("expect") or b"").lower() == b"100-continue"

    @property
    def is_chunked(self) -> bool:
        return (self.header("transfer-encoding") or b"").lower() == b"chunked"


@dataclass(frozen=True)
class Normalised:
    """What must be equal of two requests: all but the order and the case of header names."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def normalised(request: Recorded, mask: Collection[str] = ()) -> Normalised:
    """
    *request* in its comparable form: header names in lower case, pairs sorted.

    The values of headers named in *mask* (lower case) are replaced; that they are there still
    counts. CLOCK_HEADERS is the mask for runs whose clock is not frozen.
    """
    hidden = {name.encode("latin-1") for name in mask}
    pairs = ((name.lower(), value) for name, value in request.headers)
    headers = sorted((name, MASKED if name in hidden else value) for name, value in pairs)
    return Normalised(request.method, request.target, tuple(headers), request.body)


def read_head(reader: Reader, connection: int) -> Recorded:
    """
    Request line and headers. Raises EOFError at the end of the connection, ValueError for what is
    not HTTP/1.x.
    """
    head = reader.until(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    method, target, version = line.split(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError(f"not HTTP/1: {line!r}")
    headers = _fields(rest)
    return Recorded(method, target, version, headers, b"", b"", connection, head, complete=False)


def _fields(block: bytes) -> tuple[tuple[bytes, bytes], ...]:
    lines = [line.partition(b":") for line in block.split(b"\r\n") if line]
    return tuple((name, value.strip(b" \t")) for name, _, value in lines)


@dataclass
class Body:
    """A body while it is read; what has come so far is kept when the connection ends."""

    raw: bytes = b""
    decoded: bytes = b""
    trailers: tuple[tuple[bytes, bytes], ...] = ()

    def read(self, reader: Reader, head: Recorded) -> None:
        """Raises EOFError when the connection ends within the body, ValueError for bad framing."""
        if head.is_chunked:
            self._read_chunks(reader)
        else:
            self.raw = self.decoded = reader.exactly(int(head.header("content-length") or 0))

    def _read_chunks(self, reader: Reader) -> None:
        size = -1
        while size != 0:
            line = self._take(reader.until(b"\r\n"))
            size = int(line.partition(b";")[0], 16)
            if size:
                self.decoded += self._take(reader.exactly(size))
                self._take(reader.exactly(2))
        block = b""
        while not block.endswith(b"\r\n\r\n") and block != b"\r\n":
            block += self._take(reader.until(b"\r\n"))
        self.trailers = _fields(block)

    def _take(self, data: bytes) -> bytes:
        self.raw += data
        return data
