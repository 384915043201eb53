"""
The streaming bodies of replies: read into memory to be kept, and made anew for each hit.

The classes are the client's library's own; what is under them behaves as `urllib3.HTTPResponse`
and `aiohttp.ClientResponse` do with a body that has all come.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Generator, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from botocore.exceptions import IncompleteReadError
from botocore.response import StreamingBody
from urllib3.exceptions import IncompleteRead, ProtocolError

from boto_accel._call import Flavour
from boto_accel._effects import Await, Effect

CHUNK_BYTES = 256 * 1024  # what is read at once


class Read(NamedTuple):
    """What came of reading a body: its bytes, and the error that ended it too early, if any."""

    data: bytes
    error: Exception | None = None


def length_of(reply: Mapping[str, Any]) -> int | None:
    """The length of a reply's body in bytes, by its headers; None where they do not tell."""
    headers = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    text = headers.get("content-length")
    return int(text) if isinstance(text, str) and text.isdecimal() else None


def read_body(body: Any) -> Generator[Effect, Any, Read]:
    """
    Read *body* to its end, by which its length and its checksum are verified.

    Source: `StreamingBody.read`, which verifies when there is nothing more to read.
    """
    chunks: list[bytes] = []
    try:
        while chunk := (yield Await(lambda: body.read(CHUNK_BYTES))):
            chunks.append(chunk)
    except BaseException as error:
        body.close()  # nobody will read the rest
        if isinstance(error, Exception):
            return Read(b"".join(chunks), error)
        raise
    return Read(b"".join(chunks))


def body_of(found: Read, length: int | None, flavour: Flavour) -> Any:
    """A body of its own for one caller. An error comes where it came when the body was read."""
    declared = None if length is None else str(length)
    if flavour is Flavour.SYNC:
        return StreamingBody(_Raw(found), declared)
    from aiobotocore.response import StreamingBody as AsyncStreamingBody

    return AsyncStreamingBody(_AsyncRaw(found), declared)


class _NoSocket:
    """For `StreamingBody.set_socket_timeout`: nothing is left to time out."""

    def settimeout(self, timeout: float | None) -> None: ...


class _Raw(io.BytesIO):
    """As `urllib3.HTTPResponse`."""

    _fp = SimpleNamespace(fp=SimpleNamespace(raw=SimpleNamespace(_sock=_NoSocket())))

    def __init__(self, found: Read) -> None:
        super().__init__(found.data)
        self._error = found.error
        self._length = len(found.data)

    def read(self, amt: int | None = None, *_: Any, **__: Any) -> bytes:
        if self.closed:
            return b""
        data = super().read(amt)
        if self._error is not None and (amt is None or amt < 0 or (amt and not data)):
            raise self._error if amt else _all_at_once(self._error)
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def stream(self, amt: int = 2**16, decode_content: bool | None = None) -> Iterator[bytes]:
        while data := self.read(amt):
            yield data

    def tell(self) -> int:
        return self._length if self.closed else super().tell()

    def release_conn(self) -> None: ...


def _all_at_once(error: Exception) -> Exception:
    """
    What urllib3 raises for a body that is too short where all of it is asked for at once.

    By and by it gives what there is, and botocore counts. Source: `HTTPResponse._error_catcher`.
    """
    if not isinstance(error, IncompleteReadError):
        return error
    actual, expected = error.kwargs["actual_bytes"], error.kwargs["expected_bytes"]
    short = IncompleteRead(actual, expected - actual)
    return ProtocolError(f"Connection broken: {short!r}", short)


class _AsyncRaw:
    """As `aiohttp.ClientResponse`."""

    def __init__(self, found: Read) -> None:
        from aiohttp import StreamReader

        loop = asyncio.get_running_loop()
        # For `StreamingBody.read`, which puts it into the errors of time-outs.
        self.url = getattr(found.error, "kwargs", {}).get("endpoint_url")
        self.closed = False
        self.content = StreamReader(_Quiet(), CHUNK_BYTES, loop=loop)  # type: ignore[arg-type]
        if found.data:
            self.content.feed_data(found.data)
        if found.error is None:
            self.content.feed_eof()
        else:
            self.content = _Failing(found)  # type: ignore[assignment]

    async def read(self) -> bytes:
        return await self.content.read()

    def close(self) -> None:
        self.closed = True

    def release(self) -> None:
        self.close()

    async def __aenter__(self) -> _AsyncRaw:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class _Failing:
    """The content of a body that failed: `StreamReader` would raise before it gives the data."""

    def __init__(self, found: Read) -> None:
        self._raw = _Raw(found)

    async def read(self, n: int = -1) -> bytes:
        return self._raw.read(None if n < 0 else n)

    def at_eof(self) -> bool:
        return False


class _Quiet:
    """The protocol of a reader that nothing more comes to."""

    _reading_paused = False
    connected = True

    def pause_reading(self) -> None: ...

    def resume_reading(self, resume_parser: bool = True) -> None: ...
