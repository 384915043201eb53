"""What users hand over as a body, and the ways they read one."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

from tests.parity.seen import SeenBody, see_error

Content = bytes
Maker = Callable[[Content, ExitStack], Any]


class Unseekable:
    """A reader that cannot go back: a socket, a pipe, another answer's body."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def read(self, size: int | None = -1) -> bytes:
        return self._inner.read(size)


class OwnReader:
    """A seekable reader that is no `io` class."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def read(self, size: int | None = -1) -> bytes:
        return self._inner.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()


class SizedReader(OwnReader):
    """A seekable reader that tells its length."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._length = len(content)

    def __len__(self) -> int:
        return self._length


class Falsy(io.BytesIO):
    """False, though there is something in it."""

    def __bool__(self) -> bool:
        return False


class Unfinished(io.BytesIO):
    """At its end it gives None, as a file does that would have to wait."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size) or None  # type: ignore[return-value]


class FailingOnce(io.BytesIO):
    """Its second read fails, and none after it: a disk that had to be asked twice."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self._reads += 1
        if self._reads == 2:
            raise OSError("read error")
        return super().read(size)


class ByteString(bytes):
    """A subclass users have, for instance numpy.bytes_."""


def _at_offset(content: Content, stack: ExitStack) -> io.BytesIO:
    reader = io.BytesIO(b"skipped" + content)
    reader.seek(7)
    return reader


def _at_end(content: Content, stack: ExitStack) -> io.BytesIO:
    reader = io.BytesIO(content)
    reader.seek(0, io.SEEK_END)
    return reader


def _file(content: Content, stack: ExitStack) -> BinaryIO:
    made = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    made.write(content)
    made.seek(0)
    return made


def _file_at_offset(content: Content, stack: ExitStack) -> BinaryIO:
    made = _file(b"skipped" + content, stack)
    made.seek(7)
    return made


def _raw_file(content: Content, stack: ExitStack) -> Any:
    made = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
    made.write(content)
    made.seek(0)
    return made


def _spooled(content: Content, stack: ExitStack) -> Any:
    made = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=64))  # noqa: SIM115
    made.write(content)
    made.seek(0)
    return made


def _text_file(content: Content, stack: ExitStack) -> Any:
    made = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115
    made.write(content.decode("latin-1"))
    made.seek(0)
    return made


def _plain(make: Callable[[Content], Any]) -> Maker:
    return lambda content, stack: make(content)


KINDS: dict[str, Maker] = {
    "bytes": _plain(bytes),
    "str": _plain(lambda content: content.decode("latin-1")),
    "bytearray": _plain(bytearray),
    "memoryview": _plain(memoryview),
    "bytes subclass": _plain(ByteString),
    "BytesIO": _plain(io.BytesIO),
    "BytesIO at an offset": _at_offset,
    "BytesIO at its end": _at_end,
    "StringIO": _plain(lambda content: io.StringIO(content.decode("latin-1"))),
    "BufferedReader": _plain(lambda content: io.BufferedReader(io.BytesIO(content))),
    "file": _file,
    "file at an offset": _file_at_offset,
    "unbuffered file": _raw_file,
    "spooled file": _spooled,
    "text file": _text_file,
    "unseekable reader": _plain(Unseekable),
    "own reader": _plain(OwnReader),
    "sized reader": _plain(SizedReader),
    "generator": _plain(lambda content: (content[i : i + 3] for i in range(0, len(content), 3))),
    "list of bytes": _plain(lambda content: [content]),
    "None": _plain(lambda content: None),
}


def left_at(body: Any) -> Any:
    """Where a reader stands after the call; None for what has no place."""
    try:
        return body.tell()
    except (AttributeError, ValueError, OSError):
        return None


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """A way to read a streaming body, sync and async; each returns the pieces it got."""

    sync: Callable[[Any], list[Any]]
    awaiting: Callable[[Any], Awaitable[list[Any]]]


def _whole(body: Any) -> list[Any]:
    return [body.read(), body.read()]


async def _whole_async(body: Any) -> list[Any]:
    return [await body.read(), await body.read()]


def _pieces(body: Any) -> list[Any]:
    return [*iter(lambda: body.read(7), b""), body.read(), body.read(1)]


async def _pieces_async(body: Any) -> list[Any]:
    pieces = []
    while piece := await body.read(7):
        pieces.append(piece)
    return [b"".join(pieces), await body.read()]


def _chunks(body: Any) -> list[Any]:
    return list(body.iter_chunks(5))


async def _chunks_async(body: Any) -> list[Any]:
    return [b"".join([chunk async for chunk in body.iter_chunks(5)])]


def _lines(body: Any) -> list[Any]:
    return list(body.iter_lines(chunk_size=16, keepends=True))


async def _lines_async(body: Any) -> list[Any]:
    return [line async for line in body.iter_lines(chunk_size=16, keepends=True)]


def _within(body: Any) -> list[Any]:
    with body as entered:
        return [entered.read(3), entered.read()]  # the raw stream: urllib3's in stock, ours in fast


async def _within_async(body: Any) -> list[Any]:
    async with body as entered:
        return [await entered.read()]


READINGS = {
    "whole": Reading(_whole, _whole_async),
    "pieces": Reading(_pieces, _pieces_async),
    "chunks": Reading(_chunks, _chunks_async),
    "lines": Reading(_lines, _lines_async),
    "within": Reading(_within, _within_async),
}


def _kind(body: Any) -> str:
    return f"{type(body).__module__}.{type(body).__qualname__}"


def read_sync(body: Any, reading: Reading) -> SeenBody:
    kind = _kind(body)
    try:
        pieces = tuple(reading.sync(body))
    except Exception as error:
        return SeenBody(kind, (see_error(error),))
    finally:
        body.close()
    return SeenBody(kind, pieces)


async def read_async(body: Any, reading: Reading) -> SeenBody:
    kind = _kind(body)
    try:
        pieces = tuple(await reading.awaiting(body))
    except Exception as error:
        return SeenBody(kind, (see_error(error),))
    finally:
        body.close()
    return SeenBody(kind, pieces)
