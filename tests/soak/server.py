"""
The server of the soak, in a process of its own: its memory and sockets are not the client's.

`python -m tests.soak.server` prints its port, and lives until its standard input ends. It takes
the fate of a request from its key, and checks the bodies that it is sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import sys
import zlib
from collections import Counter
from urllib.parse import parse_qs, unquote

from tests.soak.fates import FATES, LATE_S, body_of, etag_of, fate_of

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds: close() sends a reset
HANG_S = 60.0  # seconds; longer than any client waits
STATS = "stats"


class Over(Exception):
    """The connection has come to its end."""


class Server:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counts["connections"] += 1
        try:
            while True:
                await Exchange(self.counts, reader, writer).run()
        except (Over, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        counts: Counter[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._counts = counts
        self._reader = reader
        self._writer = writer

    async def run(self) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.split("\r\n")
        self.method, target, _ = line.split(" ")
        self.headers = {
            name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        path, _, query = target.partition("?")
        self.key = unquote(path).removeprefix("/b/")
        self.is_list = "list-type=2" in query
        if self.is_list:
            self.key = parse_qs(query)["prefix"][0]
        body = await self._body()
        self._counts["requests"] += 1
        if self.key == STATS:
            self._send(json.dumps(self._counts).encode())
            return
        if self.method == "PUT" and body != body_of(self.key):
            self._counts["wrong bodies"] += 1
            self._send(b"<Error><Code>WrongBody</Code></Error>", 400)
            return
        await self._meet(self._fate())

    async def _body(self) -> bytes:
        if self.headers.get("expect"):
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._reader.readexactly(int(self.headers.get("content-length", 0)))

    def _fate(self) -> str:
        fate = fate_of(self.key)
        is_get = self.method == "GET" and not self.is_list
        first = self.headers.get("amz-sdk-request", "").startswith("attempt=1")
        if fate == "429" and self.method == "HEAD":
            return "good"  # it is the code in the body that botocore retries
        permanent = FATES[fate].fails and (is_get or not FATES[fate].only_get)
        return fate if permanent or (first and not FATES[fate].only_get) else "good"

    async def _meet(self, fate: str) -> None:
        self._counts[fate] += 1
        good = self._good()
        writer = self._writer
        if fate == "late":
            await asyncio.sleep(LATE_S)
            writer.write(good)
        elif fate == "dripped":
            await self._drip(good)
        elif fate == "chunked":
            writer.write(self._chunked())
        elif fate in ("said-close", "idle-close"):
            writer.write(good if fate == "idle-close" else self._good("Connection: close\r\n"))
            await self._close()
        elif fate == "interim":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" + good)
        elif fate == "surplus":
            writer.write(good + b"surplus")
        elif fate == "bad-sum":
            writer.write(self._good(crc=b"\0\0\0\1"))
        elif fate == "missing":
            self._send(b"<Error><Code>NoSuchKey</Code></Error>", 404)
        elif fate in ("500", "503", "429"):
            self._send(b"<Error><Code>SlowDown</Code></Error>", int(fate))
        elif fate == "hang":
            await asyncio.sleep(HANG_S)
            raise Over
        elif fate == "good":
            writer.write(good)
        else:
            await self._break_off(fate, good)
        await writer.drain()

    async def _break_off(self, fate: str, good: bytes) -> None:
        head = good.index(b"\r\n\r\n") + 4
        if fate == "garbage":
            self._writer.write(b"\x00\x01 no http\r\n\r\n")
            await self._close()
        if fate == "cut":
            self._writer.write(good[: head + (len(good) - head) // 2])
            await self._close()
        if fate == "reset-head":
            self._writer.write(good[: head // 2])
        if fate == "reset-body":
            self._writer.write(good[: head + (len(good) - head) // 2])
        await self._writer.drain()
        await asyncio.sleep(0.005)  # for what was sent to be read before the reset discards it
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self._writer.transport.abort()
        raise Over

    async def _drip(self, data: bytes) -> None:
        for start in range(0, len(data), len(data) // 3 + 1):
            self._writer.write(data[start : start + len(data) // 3 + 1])
            await asyncio.sleep(0.001)

    async def _close(self) -> None:
        await self._writer.drain()
        raise Over

    # Answers

    def _content(self) -> bytes:
        if self.is_list:
            return (
                f"<ListBucketResult><Name>b</Name><Prefix>{self.key}</Prefix><Contents>"
                f"<Key>{self.key}</Key><Size>1</Size></Contents></ListBucketResult>"
            ).encode()
        return body_of(self.key) if self.method in ("GET", "HEAD") else b""

    def _fields(self, crc: bytes | None = None) -> str:
        if self.is_list or self.method == "DELETE":
            return f"x-amz-request-id: {self.key}\r\n"
        body = body_of(self.key)
        total = base64.b64encode(crc or struct.pack(">I", zlib.crc32(body))).decode()
        return (
            f"x-amz-request-id: {self.key}\r\nx-amz-meta-key: {self.key}\r\n"
            f"ETag: {etag_of(body)}\r\nx-amz-checksum-crc32: {total}\r\n"
        )

    def _good(self, more: str = "", crc: bytes | None = None) -> bytes:
        content = self._content()
        head = f"HTTP/1.1 200 OK\r\n{self._fields(crc)}{more}Content-Length: {len(content)}\r\n\r\n"
        return head.encode() + (b"" if self.method == "HEAD" else content)

    def _chunked(self) -> bytes:
        if self.method == "HEAD":
            return self._good()
        head = f"HTTP/1.1 200 OK\r\n{self._fields()}Transfer-Encoding: chunked\r\n\r\n"
        content = self._content()
        pieces = [content[at : at + 4000] for at in range(0, len(content), 4000)]
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        return b"".join([head.encode(), *chunks, b"0\r\n\r\n"])

    def _send(self, body: bytes, status: int = 200) -> None:
        head = (
            f"HTTP/1.1 {status} S\r\nx-amz-request-id: {self.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + (b"" if self.method == "HEAD" else body))


async def main() -> None:
    server = await asyncio.start_server(Server().serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # with connections that hang, as they are to


if __name__ == "__main__":
    asyncio.run(main())
