"""
The raw stream under a sync `StreamingBody`: what `urllib3.HTTPResponse` is for stock.

Source: `urllib3.response.HTTPResponse` (read, stream, readinto, tell, close, closed) with
`decode_content=False`, and the exceptions that `botocore.response.StreamingBody` translates.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Protocol


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


class RawBody(io.RawIOBase):
    """
    A body of which *data* has come already and the rest, if any, is behind *source*.

    Not safe for use from several threads at once, as `urllib3.HTTPResponse` is not.
    """

    def __init__(self, data: bytes, source: Source | None) -> None:
        self._data = data
        self._at = 0  # bytes of _data handed out
        self._before = 0  # bytes handed out before _data
        self._source = source

    def __del__(self) -> None:
        # Not IOBase's finalizer: closing is only owed where a connection is still held.
        if self._source is not None:
            self._source.abandon()

    def read(self, amt: int | None = None, *_: Any, **__: Any) -> bytes:
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
        self._before += self._at
        self._data, self._at = b"", 0
        data = source.read(amount, before)
        self._before += len(data) - len(before)
        if source.drained:
            self._source = None
        return data

    def read1(self, amt: int | None = None, *_: Any, **__: Any) -> bytes:
        return self.read(amt)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self.read()

    def stream(self, amt: int = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        """The rest in pieces of *amt* bytes."""
        while data := self.read(amt):
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

    @property
    def data(self) -> bytes:
        return self.read()

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._before + self._at

    @property
    def closed(self) -> bool:
        """True once all was read, as http.client closes its file then."""
        return self._source is None and self._at >= len(self._data)

    def isclosed(self) -> bool:
        return self.closed

    def close(self) -> None:
        source, self._source = self._source, None
        self._before += self._at
        self._data, self._at = b"", 0
        if source is not None:
            source.abandon()

    release_conn = close

    @property
    def _fp(self) -> Any:
        """Where `botocore.compat.set_socket_timeout` looks for the socket; gone when drained."""
        if self._source is None:
            raise AttributeError("the connection was released: the body has been read")
        raw = SimpleNamespace(_sock=self._source.socket)
        return SimpleNamespace(fp=SimpleNamespace(raw=raw))
