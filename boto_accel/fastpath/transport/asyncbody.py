"""
The raw stream under an async `StreamingBody`: what `aiohttp.ClientResponse` is for stock.

Reading, buffering and flow control of a body that is still coming are aiohttp's `StreamReader`.
Source: `aiohttp.ClientResponse`, `aiobotocore.response`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from aiohttp import EMPTY_PAYLOAD, StreamReader
from aiohttp.helpers import noop
from yarl import URL

from boto_accel.fastpath.transport.http1 import RawHeaders
from boto_accel.fastpath.transport.wire import Reply, Wire

READ_BYTES = 64 * 1024  # bytes; aiohttp's read_bufsize, the low-water mark of a stream


class Whole:
    """
    The content of a body that is in memory, with the one method that nearly all use.

    Every other method is `aiohttp.StreamReader`'s, of one that is made when it is asked for.
    """

    __slots__ = ("_data", "_reader")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._reader: StreamReader | None = None

    async def read(self, n: int = -1) -> bytes:
        if self._reader is not None:
            return await self._reader.read(n)
        data = self._data
        if 0 <= n < len(data):
            self._data = data[n:]
            return data[:n]
        self._data = b""
        return data

    def at_eof(self) -> bool:
        return not self._data if self._reader is None else self._reader.at_eof()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)

    def __aiter__(self) -> Any:
        return self._made().__aiter__()

    def _made(self) -> StreamReader:
        if self._reader is None:
            loop = asyncio.get_running_loop()
            reader = StreamReader(_Quiet(), READ_BYTES, loop=loop)  # type: ignore[arg-type]
            if self._data:
                reader.feed_data(self._data)
            reader.feed_eof()
            self._reader, self._data = reader, b""
        return self._reader


class Closed:
    """
    The content of a body in memory that was closed: reading it is an error, read or not.

    Source: `aiohttp.ClientResponse._notify_content`.
    """

    __slots__ = ("_content",)

    def __init__(self, content: Whole) -> None:
        self._content = content

    async def read(self, n: int = -1) -> bytes:
        raise closed_error()

    def at_eof(self) -> bool:
        return self._content.at_eof()

    def __getattr__(self, name: str) -> Any:
        return getattr(_refusing(self._content._made()), name)

    def __aiter__(self) -> Any:
        return _refusing(self._content._made()).__aiter__()


def closed_error() -> Exception:
    """What reading raises of a body that was closed."""
    return aiohttp.ClientConnectionError("Connection closed")


def _refusing(reader: StreamReader) -> StreamReader:
    """*reader*, whose reads raise from now on what they raise already, or that it was closed."""
    if reader.exception() is None:
        reader.set_exception(closed_error())
    return reader


class _Quiet:
    """The protocol of a reader that nothing more comes to."""

    _reading_paused = False
    connected = True

    def pause_reading(self) -> None: ...

    def resume_reading(self, resume_parser: bool = True) -> None: ...


class RawBody:
    """
    A body: *data*, whole, where *connection* is None; else what `feed` brings.

    content: as `ClientResponse.content`. Abandoned or closed before its end, it closes the
    connection; drained, it has given it back.
    """

    def __init__(self, url: str, status: int, data: bytes, connection: Any) -> None:
        self._url = url
        self.status = status
        self._connection = connection
        self._cached: bytes | None = None
        self._released = False  # by the user
        self.content: Any
        if connection is None:
            # Of a 204 there is nothing to come, be it closed or not.
            self.content = Whole(data) if status != 204 else EMPTY_PAYLOAD
        else:
            loop = asyncio.get_running_loop()
            self.content = StreamReader(connection, READ_BYTES, loop=loop)

    def __del__(self) -> None:
        if self._connection is not None:
            self._disconnect()

    @property
    def url(self) -> URL:
        return URL(self._url, encoded=True)

    # Called by the connection

    def feed(self, piece: bytes) -> None:
        self.content.feed_data(piece)

    def feed_eof(self) -> None:
        self._connection = None
        self.content.feed_eof()

    def fail(self, error: BaseException) -> None:
        self._connection = None
        self.content.set_exception(error)

    # As aiohttp.ClientResponse

    async def read(self) -> bytes:
        """All of it; kept, so that it can be read again."""
        body = self._cached
        if body is None:
            try:
                self._cached = body = await self.content.read()
            except BaseException:
                self.close()
                raise
        elif self._released:
            raise closed_error()
        return body

    def at_eof(self) -> bool:
        return bool(self.content.at_eof())

    @property
    def closed(self) -> bool:
        return self._connection is None

    def close(self) -> None:
        if not self._released:
            self._released = True
            content = self.content
            self.content = Closed(content) if type(content) is Whole else _refusing(content)
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection._pool.loop.is_closed():
            connection.end(False)

    def release(self) -> Any:
        """It may be awaited, and need not be."""
        self.close()
        return noop()

    async def __aenter__(self) -> RawBody:
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.close()


def refusal_cut_off(
    error: BaseException, wire: Wire, status: int, headers: RawHeaders
) -> Reply | None:
    """
    The refusal whose body ended in *error*, however often that is read; None for another error.

    Where a good answer streams, stock reads the body of a refusal when no attempt follows any more.
    Source: `aiobotocore.endpoint.convert_to_response_dict`.
    """
    kinds = (aiohttp.ClientPayloadError, aiohttp.ServerTimeoutError)
    if not (wire.streams and status >= 300 and isinstance(error, kinds)):
        return None
    raw = RawBody(wire.url, status, b"", None)
    raw.content = StreamReader(_Quiet(), READ_BYTES, loop=asyncio.get_running_loop())  # type: ignore[arg-type]
    raw.fail(error)
    return Reply(status, headers, None, raw)
