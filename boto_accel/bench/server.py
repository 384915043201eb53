"""
A tiny in-memory S3 in a process of its own: `python -m boto_accel.bench.server`.

Prints one JSON line once it listens: {"port": …, "pid": …, "ca": null or a PEM file}.
Ends on SIGTERM, on SIGINT and, with --until-eof, when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import os
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import httptools

from boto_accel.bench.service import Request, Service
from boto_accel.errors import MissingExtraError

# A body longer than this is hashed while it comes in, beside the client that sends the rest.
HASH_ON_ARRIVAL_FROM = 256 * 1024  # bytes
# Longer bodies are written apart from their head: joining them would copy them.
JOIN_UP_TO = 64 * 1024  # bytes
_NO_HEADERS: dict[bytes, bytes] = {}


class S3Protocol(asyncio.Protocol):
    """One connection; httptools calls the `on_…` methods while it is fed."""

    def __init__(self, service: Service, connections: set[S3Protocol]) -> None:
        self._service = service
        self._connections = connections
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers = _NO_HEADERS
        self._chunks: list[bytes] = []
        self._md5: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is of no such class
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close without sending what is left: nobody may be reading any more."""
        if self._transport is not None:
            self._transport.abort()

    # What httptools calls --------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = {}
        self._chunks = []
        self._md5 = None

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        headers = self._headers
        if b"expect" in headers and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if int(headers.get(b"content-length", 0)) > HASH_ON_ARRIVAL_FROM:
            self._md5 = hashlib.md5()

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        if self._md5 is not None:
            self._md5.update(chunk)

    def on_message_complete(self) -> None:
        transport = self._transport
        if transport is None:
            return
        head, body = self._service.answer(self._request())
        if len(body) <= JOIN_UP_TO:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        if not self._parser.should_keep_alive():
            transport.close()

    def _request(self) -> Request:
        chunks = self._chunks
        return Request(
            method=self._parser.get_method(),
            target=self._target,
            headers=self._headers,
            body=chunks[0] if len(chunks) == 1 else b"".join(chunks),
            md5=self._md5.hexdigest() if self._md5 is not None else None,
        )


async def serve(port: int, tls: ssl.SSLContext | None, ca: str | None, until_eof: bool) -> None:
    """Listen on loopback until told to end; *port* 0 lets the kernel choose."""
    loop = asyncio.get_running_loop()
    connections: set[S3Protocol] = set()
    service = Service()
    server = await loop.create_server(
        lambda: S3Protocol(service, connections), "127.0.0.1", port, ssl=tls, backlog=2048
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _at_end_of_input(loop, ended))
    ready = {"port": server.sockets[0].getsockname()[1], "pid": os.getpid(), "ca": ca}
    print(json.dumps(ready), flush=True)
    await ended.wait()
    server.close()
    for connection in list(connections):
        connection.abort()
    await server.wait_closed()


def _at_end_of_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> Callable[[], None]:
    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    return read


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run *main* on uvloop where it is installed, on asyncio's own loop elsewhere."""
    try:
        import uvloop
    except ImportError:
        loop = asyncio.new_event_loop()
    else:
        loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


def _tls(folder: Path) -> tuple[ssl.SSLContext, str]:
    from boto_accel.bench.certificate import write_certificate

    files = write_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context, str(files.certificate)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m boto_accel.bench.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: one the kernel chooses")
    parser.add_argument("--tls-dir", type=Path, help="serve https; certificate and key go here")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin is closed")
    parser.add_argument("--cpu", type=int, help="stay on this CPU (Linux)")
    options = parser.parse_args(arguments)
    if options.cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.cpu})
    try:
        tls, ca = _tls(options.tls_dir) if options.tls_dir else (None, None)
    except MissingExtraError as error:
        sys.exit(str(error))
    gc.freeze()  # what was imported stays for good: nothing for the collector to look at
    _run(serve(options.port, tls, ca, options.until_eof))


if __name__ == "__main__":
    main()
