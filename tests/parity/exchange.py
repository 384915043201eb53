"""
A scripted HTTP server that keeps what it was sent, byte for byte.

It knows just enough HTTP to find the end of a request, and answers with the next scripted bytes.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Sequence

from tests.generate.answers import RawAnswer
from tests.parity.seen import SeenRequest

UNSCRIPTED = RawAnswer(status=400, label="nothing was scripted")
STALLED_S = 20.0  # seconds; a request that never ends is a failure, not a hang


class Exchange:
    """
    Listens on a port for http and, given a context, one for https; `with` starts and stops.

    A connection that is silent for *stalled_s* seconds is closed.
    """

    def __init__(self, context: ssl.SSLContext | None = None, stalled_s: float = STALLED_S) -> None:
        self._stalled_s = stalled_s
        self._lock = threading.Lock()
        self._answers: deque[RawAnswer] = deque()
        self._requests: list[SeenRequest] = []
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listeners = {"http": _listener()}
        self._contexts: dict[str, ssl.SSLContext | None] = {"http": None}
        if context is not None:
            self._listeners["https"] = _listener()
            self._contexts["https"] = context

    def port(self, scheme: str) -> int:
        return int(self._listeners[scheme].getsockname()[1])

    def script(self, answers: Sequence[RawAnswer]) -> None:
        """The answers to come; the last one is repeated. What was recorded is forgotten."""
        with self._lock:
            self._answers = deque(answers)
            self._requests = []

    def take(self) -> list[SeenRequest]:
        """The requests since `script`, in the order they were answered."""
        with self._lock:
            taken, self._requests = self._requests, []
        return taken

    def __enter__(self) -> Exchange:
        for scheme, listener in self._listeners.items():
            self._start(self._accept, listener, self._contexts[scheme])
        return self

    def __exit__(self, *exc: object) -> None:
        for listener in self._listeners.values():
            # closing does not wake a thread in accept(); shutting down does
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            waiting = list(self._open)
        for connection in waiting:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, connection, context)

    def _serve(self, plain: socket.socket, context: ssl.SSLContext | None) -> None:
        plain.settimeout(self._stalled_s)
        with contextlib.ExitStack() as stack:
            stack.callback(plain.close)
            stack.enter_context(contextlib.suppress(OSError, EOFError))
            connection = plain
            if context is not None:
                connection = context.wrap_socket(plain, server_side=True)
                stack.callback(connection.close)
            self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            with connection.makefile("rb") as reader:
                while self._answer(connection, reader):
                    pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _answer(self, connection: socket.socket, reader: object) -> bool:
        """One request and its answer; False when the connection is to be closed."""
        request = _read_request(connection, reader)  # type: ignore[arg-type]
        with self._lock:
            self._requests.append(request)
            answer = self._answers[0] if self._answers else UNSCRIPTED
            if len(self._answers) > 1:
                self._answers.popleft()
        connection.sendall(answer.to_bytes(head_request=request.method == "HEAD"))
        return not answer.closes


def _listener() -> socket.socket:
    made = socket.create_server(("127.0.0.1", 0), backlog=64)
    return made


def _read_request(connection: socket.socket, reader: object) -> SeenRequest:
    line = _line(reader)
    method, rest = line.decode("latin-1").rstrip("\r\n").split(" ", 1)
    target = rest.rpartition(" ")[0]  # stock sends some targets with spaces in them
    headers = tuple(_read_headers(reader))
    named = dict(headers)
    if named.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if named.get("transfer-encoding") == "chunked":
        body, framed = _read_chunked(reader)
    else:
        body = framed = _exactly(reader, int(named.get("content-length", "0")))
    return SeenRequest(method, target, tuple(sorted(headers)), body, framed)


def _read_headers(reader: object):  # type: ignore[no-untyped-def]
    while (line := _line(reader)) not in (b"\r\n", b"\n"):
        name, _, value = line.decode("latin-1").partition(":")
        yield name.lower(), value.strip(" \t\r\n")


def _read_chunked(reader: object) -> tuple[bytes, bytes]:
    """The body without its HTTP chunks, and as it came."""
    body, framed = b"", b""
    while True:
        size_line = _line(reader)
        size = int(size_line.split(b";")[0], 16)
        chunk = _exactly(reader, size)
        end = _line(reader)
        body, framed = body + chunk, framed + size_line + chunk + end
        if size == 0:
            return body, framed


def _line(reader: object) -> bytes:
    line: bytes = reader.readline(65537)  # type: ignore[attr-defined]
    if not line:
        raise EOFError
    return line


def _exactly(reader: object, size: int) -> bytes:
    content: bytes = reader.read(size)  # type: ignore[attr-defined]
    if len(content) < size:
        raise EOFError
    return content
