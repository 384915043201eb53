"""
The raw stream under a sync `StreamingBody`: what `urllib3.HTTPResponse` is for stock.

Source: `urllib3.response.HTTPResponse` (read, stream, readinto, tell, close, closed) with
`decode_content=False`, and the exceptions that `botocore.response.StreamingBody` translates. What
is asked for beyond that, a genuine one answers, which is made for it.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Protocol

from urllib3 import HTTPResponse
from urllib3._collections import HTTPHeaderDict
from urllib3.exceptions import IncompleteRead, ProtocolError

from boto_accel import _compat
from boto_accel.fastpath.transport.http1 import RawHeaders, content_length

REFUSES_SHORT_BODIES = _compat.refuses_short_bodies()


class Head(Protocol):
    """The head of an answer (`http1.AnswerReader`, `wire.Reply`)."""

    status: int
    headers: RawHeaders


class Source(Protocol):
    """The rest of a body that is still on its way over a connection."""

    @property
    def drained(self) -> bool:
        """Whether the body has come to its end; the connection is released then."""
        ...

    @property
    def socket(self) -> Any:
        """The connection's socket."""

    def read(self, amount: int | None, before: bytes) -> bytes:
        """
        *before*, and then exactly *amount* bytes, all of the rest for None, fewer only where the
        body ends. (One piece of memory: a long body is not copied to be joined.)

        Raises urllib3's exceptions, as `urllib3.HTTPResponse.read` does.
        """
        ...

    def abandon(self) -> None:
        """Close the connection: nobody will read the rest."""


class Broken:
    """
    A body that ends in *error*, however often it is read; asked for all of the rest, it has none.

    Source: `urllib3.HTTPResponse._raw_read`.
    """

    drained = False
    socket = None

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, amount: int | None, before: bytes) -> bytes:
        if amount is None:
            return before
        raise self.error

    def abandon(self) -> None:
        """The connection is closed already."""


def cut_short(read: int, length: int) -> Broken:
    """What is left of a body of *length* bytes that was closed, or has ended, after *read*."""
    return Broken(incomplete(IncompleteRead(read, length - read)))


def incomplete(error: Exception) -> Exception:
    """As `urllib3.HTTPResponse._error_catcher` translates it."""
    return ProtocolError(f"Connection broken: {error!r}", error)


class RawBody(io.RawIOBase):
    """
    A body of which *data* has come already and the rest, if any, is behind *source*.

    *head*: of the answer. Not safe for use from several threads at once, as
    `urllib3.HTTPResponse` is not.
    """

    _was_closed = False  # by the user

    def __init__(self, data: bytes, source: Source | None, head: Head) -> None:
        self._data = data
        self._head = head
        self._at = 0  # bytes of _data handed out
        self._before = 0  # bytes handed out before _data
        self._source = source

    def __del__(self) -> None:
        # Not IOBase's finalizer: closing is only owed where a connection is still held.
        if self._source is not None:
            self._source.abandon()

    def read(
        self,
        amt: int | None = None,
        decode_content: bool | None = None,
        cache_content: bool = False,
    ) -> bytes:
        if decode_content or cache_content:
            return self._genuine().response.read(amt, decode_content, cache_content)
        at = self._at
        if at == 0 and self._source is None and amt is None:  # the common case: all, at once
            self._at = len(self._data)
            return self._data
        end = len(self._data) if amt is None or amt < 0 else at + amt
        data = self._data[at:end]
        self._at = at + len(data)
        if self._source is not None and (amt is None or amt < 0 or len(data) < amt):
            data = self._read_on(None if amt is None or amt < 0 else amt - len(data), data)
        return data

    def _read_on(self, amount: int | None, before: bytes) -> bytes:
        source = self._source
        assert source is not None
        self._before += self._at - len(before)  # what a read that fails has taken does not count
        self._data, self._at = b"", 0
        data = source.read(amount, before)
        self._before += len(data)
        if source.drained:
            self._source = None
        return data

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        return self.read(amt, decode_content)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self.read()

    def stream(self, amt: int = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        """The rest in pieces of *amt* bytes."""
        if decode_content:
            yield from self._genuine().response.stream(amt, decode_content)
        while not self._was_closed and (data := self.read(amt)):
            yield data

    def __iter__(self) -> Iterator[bytes]:
        """Lines. Also of a body that is closed, as it is once it was read: there are none."""
        unfinished = b""
        for piece in self.stream():
            *lines, unfinished = (unfinished + piece).split(b"\n")
            for line in lines:
                yield line + b"\n"
        if unfinished:
            yield unfinished

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        if isinstance(self._source, Genuine):
            return self._source.tell()
        return self._before + self._at

    @property
    def closed(self) -> bool:
        """True once all was read, as http.client closes its file then; not before a first read."""
        if isinstance(self._source, Genuine):
            return bool(self._source.response.closed)
        ended = self._source is None and self._at >= len(self._data)
        return self._was_closed or (ended and self.tell() > 0)

    def isclosed(self) -> bool:
        return self.closed

    def close(self) -> None:
        self._before = self.tell()
        source, self._source = self._source, None
        self._was_closed = True
        self._data, self._at = b"", 0
        if source is not None:
            source.abandon()
        length = content_length(self._head.headers) if REFUSES_SHORT_BODIES else None
        if length is not None and length > self._before:
            self._source = cut_short(self._before, length)

    release_conn = close

    @property
    def socket(self) -> Any:
        """That of the connection; one that does nothing, where the body is here already."""
        return _NO_SOCKET if self._source is None else self._source.socket

    @property
    def _fp(self) -> Any:
        """Where `botocore.compat.set_socket_timeout` finds the socket, gone once all was read."""
        if self.closed:
            return SimpleNamespace(fp=None)
        return SimpleNamespace(fp=SimpleNamespace(raw=SimpleNamespace(_sock=self.socket)))

    def _genuine(self) -> Genuine:
        """The rest of this body behind a `urllib3.HTTPResponse`; it is read there from now on."""
        if not isinstance(self._source, Genuine):
            rest = RawBody(self._data[self._at :], self._source, self._head)
            self._source = Genuine(rest, self._head, self._before + self._at)
            self._data, self._at = b"", 0
        return self._source

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._genuine().response, name)


class Genuine:
    """
    A `urllib3.HTTPResponse` that reads *rest*, for what `RawBody` has not itself: decoding, the
    headers, and its rarer methods (`Source`). *start*: how many bytes were read before.
    """

    drained = False  # it has to be asked to the end: what it has decoded may be given in pieces

    def __init__(self, rest: RawBody, head: Head, start: int) -> None:
        self._rest = rest
        self._start = start
        headers = HTTPHeaderDict()
        for name, value in head.headers:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
        self.response: Any = HTTPResponse(
            _File(rest),  # type: ignore[arg-type]
            headers=headers,
            status=head.status,
            version=11,
            reason=http.client.responses.get(head.status),
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,
        )
        if self.response.length_remaining is not None:
            self.response.length_remaining -= start

    @property
    def socket(self) -> Any:
        return self._rest.socket

    def read(self, amount: int | None, before: bytes) -> bytes:
        return before + self.response.read(amount)

    def tell(self) -> int:
        return self._start + int(self.response.tell())

    def abandon(self) -> None:
        self.response.close()


class _File:
    """The methods of a body that `urllib3.HTTPResponse` asks a file for."""

    def __init__(self, body: RawBody) -> None:
        self.read = body.read
        self.close = body.close
        self.isclosed = body.isclosed

    @property
    def closed(self) -> bool:
        return self.isclosed()


class _NoSocket:
    """The socket of a body that is in memory."""

    def settimeout(self, seconds: float | None) -> None:
        """Nothing will be waited for."""


_NO_SOCKET = _NoSocket()
