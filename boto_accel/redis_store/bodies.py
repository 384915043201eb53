"""
Data on its way: what the user gives is read in pieces, and what is kept is given in pieces.

A reader of an object in pieces has the version that it began with: pieces are never written over,
and those of a version that is replaced live on for a while. One that outlives this gets botocore's
ResponseStreamingError, never the bytes of another version.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ReadTimeoutError, ResponseStreamingError

from boto_accel.redis_store.records import Slice
from boto_accel.redis_store.troubles import kinds_of_trouble, translated
from boto_accel.redis_store.urls import Address

# What the user gives -------------------------------------------------------------------------


class Source:
    """The Body of a call; *size* is that of bytes, None where it shows at the end."""

    def __init__(self, body: Any) -> None:
        if isinstance(body, str):
            body = body.encode()
        self._data = memoryview(body).cast("B") if isinstance(body, bytes | bytearray) else None
        self._file: Any = body
        self._at = 0
        self._start = None if self._data is not None else _position(body)
        self._is_read = False

    @property
    def can_rewind(self) -> bool:
        return self._data is not None or self._start is not None or not self._is_read

    def rewind(self) -> None:
        """Before another attempt."""
        self._at = 0
        if self._start is not None and self._is_read:
            self._file.seek(self._start)

    def read(self, amount: int) -> Any:
        """*amount* bytes, fewer only at the end; of a file of asyncio, an awaitable of them."""
        if self._data is not None:
            piece = self._data[self._at : self._at + amount]
            self._at += len(piece)
            return piece
        self._is_read = True
        piece = self._file.read(amount)
        if inspect.isawaitable(piece):
            return self._read_on(piece, amount)
        return self._filled(_as_bytes(piece), amount)

    def _filled(self, piece: bytes, amount: int) -> bytes:
        if not piece or len(piece) == amount:
            return piece
        pieces, size = [piece], len(piece)
        while size < amount and (more := _as_bytes(self._file.read(amount - size))):
            pieces.append(more)
            size += len(more)
        return b"".join(pieces)

    async def _read_on(self, first: Any, amount: int) -> bytes:
        pieces = [_as_bytes(await first)]
        size = len(pieces[0])
        while pieces[-1] and size < amount:
            pieces.append(_as_bytes(await self._file.read(amount - size)))
            size += len(pieces[-1])
        return b"".join(pieces)


def _as_bytes(piece: Any) -> bytes:
    return piece.encode() if isinstance(piece, str) else bytes(piece)


def _position(body: Any) -> int | None:
    try:
        return int(body.tell())
    except (AttributeError, OSError, ValueError, TypeError):
        return None


# What is given to the user -------------------------------------------------------------------


class Whole(io.BytesIO):
    """A body that is in memory, under botocore's `StreamingBody`; reads as urllib3's."""

    def stream(self, amt: int = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        while data := self.read(amt):
            yield data

    def release_conn(self) -> None:
        self.close()


class Missing(Exception):
    """A piece is gone: the object was replaced long ago, or Redis has evicted it."""


class Pieces:
    """The commands that bring the data of an object, piece by piece."""

    def __init__(self, names: Sequence[tuple[bytes, Slice]]) -> None:
        self._names = list(names)
        self._next = 0

    def command(self) -> tuple[Any, ...] | None:
        """For the next piece; None at the end."""
        if self._next == len(self._names):
            return None
        name, part = self._names[self._next]
        self._next += 1
        return command_of(name, part)

    def checked(self, data: bytes | None) -> bytes:
        _, part = self._names[self._next - 1]
        if data is None or len(data) != part.last - part.first + 1:
            raise Missing
        return data


def command_of(name: bytes, part: Slice) -> tuple[Any, ...]:
    return ("GET", name) if part.whole else ("GETRANGE", name, part.first, part.last)


def _failures() -> tuple[type[BaseException], ...]:
    return Missing, *kinds_of_trouble()


def _failure(error: BaseException, address: Address) -> Exception:
    if isinstance(error, Missing):
        return ResponseStreamingError(error="a piece of this version of the object is gone")
    found = translated(error, address)
    if isinstance(found, ReadTimeoutError):
        return found
    return ResponseStreamingError(error=found)


class RawBody(io.RawIOBase):
    """A body in pieces, under botocore's `StreamingBody`; at most one piece is in memory."""

    def __init__(self, link: Any, address: Address, first: bytes, pieces: Pieces) -> None:
        self._link = link
        self._address = address
        self._pieces: Pieces | None = pieces
        self._data = memoryview(first)
        self._told = 0

    def read(self, amt: int | None = None, *_: Any, **__: Any) -> bytes:
        wanted = None if amt is None or amt < 0 else amt
        found: list[Any] = []
        size = 0
        while wanted is None or size < wanted:
            if not self._data and not self._fetch():
                break
            piece = self._data if wanted is None else self._data[: wanted - size]
            self._data = self._data[len(piece) :]
            found.append(piece)
            size += len(piece)
        self._told += size
        return b"".join(found)

    def _fetch(self) -> bool:
        command = None if self._pieces is None else self._pieces.command()
        if command is None or self._pieces is None:
            return False
        try:
            self._data = memoryview(self._pieces.checked(self._link.execute(*command)))
        except _failures() as error:
            raise _failure(error, self._address) from None
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._told

    def stream(self, amt: int = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        while data := self.read(amt):
            yield data

    def release_conn(self) -> None:
        self.close()

    def close(self) -> None:
        self._pieces, self._data = None, memoryview(b"")
        super().close()


class AsyncRawBody:
    """Under aiobotocore's `StreamingBody`: what `aiohttp.ClientResponse` is, and its content."""

    def __init__(self, link: Any, address: Address, first: bytes, pieces: Pieces | None) -> None:
        self._link = link
        self._address = address
        self._pieces = pieces
        self._data = memoryview(first)
        self.content = self
        self.status = 200

    @property
    def url(self) -> str:
        return self._address.shown

    async def read(self, n: int = -1) -> bytes:
        """At most *n* bytes, of one piece; all of the rest for -1. As `aiohttp.StreamReader`."""
        if n >= 0:
            if not self._data and n:
                await self._fetch()
            piece = bytes(self._data[:n])
            self._data = self._data[n:]
            return piece
        found = [self._data]
        while await self._fetch():
            found.append(self._data)
        self._data = memoryview(b"")
        return bytes(found[0]) if len(found) == 1 else b"".join(found)

    async def _fetch(self) -> bool:
        command = None if self._pieces is None else self._pieces.command()
        if command is None or self._pieces is None:
            self._pieces = None
            return False
        try:
            self._data = memoryview(self._pieces.checked(await self._link.execute(*command)))
        except _failures() as error:
            raise _failure(error, self._address) from None
        return True

    def at_eof(self) -> bool:
        return not self._data and self._pieces is None

    async def iter_chunked(self, n: int) -> Any:
        while data := await self.read(n):
            yield data

    def close(self) -> None:
        self._pieces, self._data = None, memoryview(b"")

    release = close

    @property
    def closed(self) -> bool:
        return self.at_eof()

    async def __aenter__(self) -> AsyncRawBody:
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.close()
