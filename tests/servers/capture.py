"""
A scripted HTTP/1.1 server on raw sockets that records each request byte for byte.

    with CaptureServer([http_answer(200, b"hello"), Reset()]) as server:
        ...                                   # a client at server.endpoint_url
    assert [r.connection for r in server.requests] == [0, 0]

One thread accepts, one thread serves each connection; a connection is kept alive until the client
or a step closes it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Literal, TypeAlias

from tests.servers.recorded import (
    CLOCK_HEADERS,
    Body,
    Normalised,
    Recorded,
    normalised,
    read_head,
)
from tests.servers.steps import (
    Answer,
    Close,
    Drip,
    Reset,
    Send,
    Send100,
    Sleep,
    Step,
    WaitForRequest,
    as_steps,
    http_answer,
)

__all__ = [
    "CLOCK_HEADERS",
    "Answer",
    "CaptureServer",
    "Close",
    "Drip",
    "Normalised",
    "Recorded",
    "Reset",
    "Script",
    "Send",
    "Send100",
    "Sleep",
    "WaitForRequest",
    "http_answer",
    "normalised",
]

LONG_S = 1.0  # seconds; a pause that nobody is to wait for
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EMPTY = http_answer()
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds: close() sends a reset

# A callable is asked for each request; a list has one answer a request, in the order in which
# they come over all connections; bytes answer every request.
Script: TypeAlias = Callable[[Recorded], Answer] | Sequence[Answer] | bytes
Expect: TypeAlias = Literal["continue", "final", "ignore"]


class _ClosedError(Exception):
    """A step has closed the connection."""


class CaptureServer:
    """
    *script*: see Script. A request for which a list has no answer left is an error.

    *expect*: what to do about `Expect: 100-continue`: send 100 and read the body, answer without
    either ("final"), or read the body without having sent 100 ("ignore").

    *continue_after*: seconds to watch for a body that comes too early, before 100 is sent. With 0
    a body in the same packet as the head is still seen.

    *early*: begin the answer when the head is in; the body is read by WaitForRequest.

    *on_connect*: steps for each new connection, before its first byte (and before TLS) is read.

    *tls*: serve https with this context. A failed handshake is counted in `failed_handshakes`.

    `requests` grows in the order in which requests are complete, and before their answer is sent.
    Leaving closes all connections, joins the threads, and raises the first error that happened in
    one of them: a script that raised or ran out, or bytes that are not HTTP.
    """

    def __init__(
        self,
        script: Script = EMPTY,
        *,
        expect: Expect = "continue",
        continue_after: float = 0.0,
        early: bool = False,
        on_connect: Answer = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.expect = expect
        self.continue_after = continue_after
        self.early = early
        self.on_connect = as_steps(on_connect)
        self.requests: list[Recorded] = []
        self.errors: list[Exception] = []
        self.peer_certificates: list[bytes | None] = []
        self.failed_handshakes = 0
        self.accepted = 0
        self.stopping = threading.Event()
        self._script = script
        self._asked = 0
        self._tls = tls
        self.lock = threading.Lock()
        self._recorded = threading.Condition(self.lock)
        self._open: set[_Connection] = set()
        self._threads: list[threading.Thread] = []

    @property
    def endpoint_url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> CaptureServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="capture-accept")
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._wake.send(b"x")
        self._acceptor.join()
        with self.lock:
            for connection in self._open:
                connection.interrupt()
        for thread in self._threads:
            thread.join()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        if error is None and self.errors:
            raise self.errors[0]

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self.stopping.is_set():
                ready = {key.fileobj for key, _ in selector.select()}
                if self._listener in ready:
                    self._serve(self._listener.accept()[0])

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(self, sock, self.accepted)
        thread = threading.Thread(target=self._run, args=(connection,), name="capture-connection")
        with self.lock:
            self.accepted += 1
            self._open.add(connection)
            self._threads.append(thread)
        thread.start()

    def _run(self, connection: _Connection) -> None:
        try:
            # A client that goes away, at whatever moment, is not an error of the server's.
            with contextlib.suppress(EOFError, OSError, _ClosedError):
                connection.serve(self._tls)
        except Exception as error:
            self.errors.append(error)
        finally:
            # Under the lock: interrupt() must not meet a descriptor that is somebody else's.
            with self.lock:
                self._open.discard(connection)
                connection.close()
                self._recorded.notify_all()

    def record(self, request: Recorded) -> None:
        with self._recorded:
            self.requests.append(request)
            self._recorded.notify_all()

    def wait_for_requests(self, count: int, within: float = 30.0) -> bool:
        """Whether *count* requests were recorded, if need be after waiting *within* seconds."""
        with self._recorded:
            return self._recorded.wait_for(lambda: len(self.requests) >= count, within)

    def wait_until_quiet(self, within: float = 30.0) -> bool:
        """
        Whether no connection has anything left to do, if need be after waiting *within* seconds.

        Each is closed then, pauses in a long `Sleep`, or waits for bytes that have not come.
        """
        with self._recorded:
            return self._recorded.wait_for(
                lambda: all(connection.is_quiet() for connection in self._open), within
            )

    def note_change(self) -> None:
        with self._recorded:
            self._recorded.notify_all()

    def answer(self, request: Recorded) -> tuple[Step, ...]:
        """What the script has for *request*; raises what the script raises."""
        if isinstance(self._script, bytes):
            return (Send(self._script),)
        if callable(self._script):
            return as_steps(self._script(request))
        with self.lock:
            number, self._asked = self._asked, self._asked + 1
        if number >= len(self._script):
            raise AssertionError(f"request {number} has no answer in the script: {request.head!r}")
        return as_steps(self._script[number])


class _Connection:
    """One accepted connection, served by one thread; a Reader."""

    def __init__(self, server: CaptureServer, sock: socket.socket, number: int) -> None:
        self._server = server
        self._sock = sock
        self._number = number
        self._buffer = bytearray()
        self._pausing = self._reading = False

    def serve(self, tls: ssl.SSLContext | None) -> None:
        """Until the connection ends: EOFError, OSError or _ClosedError."""
        self._perform(self._server.on_connect)
        if tls is not None:
            self._handshake(tls)
        while True:
            self._exchange(read_head(self, self._number))

    def _handshake(self, tls: ssl.SSLContext) -> None:
        with self._server.lock:  # is_quiet() must not meet the socket that this one takes over
            wrapped = tls.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
            self._sock = wrapped
        if self._server.stopping.is_set():  # interrupt() may have met the socket before this one
            raise _ClosedError
        try:
            wrapped.do_handshake()
        except OSError:
            self._server.failed_handshakes += 1
            raise
        self._server.peer_certificates.append(wrapped.getpeercert(binary_form=True))

    def _exchange(self, head: Recorded) -> None:
        at_head = head.expects_continue and self._server.expect == "final"
        if not (at_head or self._server.early):
            if head.expects_continue and self._server.expect == "continue":
                head = self._continue(head)
            head = self._read_body(head)
            self._perform(self._server.answer(head))
            return
        steps = self._server.answer(head)
        reads = any(isinstance(step, WaitForRequest) for step in steps)
        if not reads:
            self._server.record(replace(head, complete=_has_no_body(head)))
        self._perform(steps, head)
        if not reads and not _has_no_body(head):
            self._end_unless_request_follows()

    def _continue(self, head: Recorded) -> Recorded:
        early = self._has_bytes(self._server.continue_after)
        self._sock.sendall(CONTINUE)
        return replace(head, sent_100=True, body_before_continue=early)

    def _read_body(self, head: Recorded) -> Recorded:
        body = Body()
        complete = False
        try:
            body.read(self, head)
            complete = True
        except (EOFError, OSError):
            body.raw += self._take(len(self._buffer))  # what came of it
            raise
        finally:
            request = replace(
                head,
                body=body.decoded,
                raw_body=body.raw,
                trailers=body.trailers,
                complete=complete,
            )
            self._server.record(request)
        return request

    def _perform(self, steps: Sequence[Step], head: Recorded | None = None) -> None:
        for step in steps:
            match step:
                case Send(data):
                    self._sock.sendall(data)
                case Drip(data, size, delay):
                    self._drip(data, size, delay)
                case Send100():
                    if head is not None:
                        head = self._continue(head)
                    else:
                        self._sock.sendall(CONTINUE)
                case Sleep(seconds):
                    self._pause(seconds)
                case WaitForRequest():
                    if head is not None:
                        self._read_body(head)
                        head = None
                case Close(notify):
                    if notify:
                        self._close_notify()
                    raise _ClosedError
                case Reset():
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                    raise _ClosedError

    def _drip(self, data: bytes, size: int, delay: float) -> None:
        for start in range(0, len(data), size):
            self._sock.sendall(data[start : start + size])
            self._pause(delay)

    def _pause(self, seconds: float) -> None:
        self._pausing = seconds >= LONG_S
        self._server.note_change()
        if self._server.stopping.wait(seconds):
            raise _ClosedError
        self._pausing = False

    def _close_notify(self) -> None:
        if isinstance(self._sock, ssl.SSLSocket):
            # Do not wait for the client's own close_notify: it need not send one.
            self._sock.settimeout(0)
            with contextlib.suppress(OSError):
                self._sock.unwrap()

    def _end_unless_request_follows(self) -> None:
        # The answer went out without the body. A client may have kept the body back, then the
        # next bytes are a request; or have sent it, then nobody can tell where it ends.
        if not self._has_bytes(None):
            raise _ClosedError
        if not self._buffer:
            self._fill()
        if not bytes(self._buffer).startswith((b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE ")):
            raise _ClosedError

    def _has_bytes(self, within: float | None) -> bool:
        """Whether bytes are there, or come *within* so many seconds (None: wait for them)."""
        if self._buffer or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending()):
            return True
        with selectors.DefaultSelector() as selector, self._waiting():
            selector.register(self._sock, selectors.EVENT_READ)
            return bool(selector.select(within))

    def until(self, mark: bytes) -> bytes:
        start = 0
        while (found := self._buffer.find(mark, start)) < 0:
            start = max(0, len(self._buffer) - len(mark) + 1)
            self._fill()
        return self._take(found + len(mark))

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        return self._take(count)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _fill(self) -> None:
        with self._waiting():
            data = self._sock.recv(262_144)
        if not data:
            raise EOFError
        self._buffer += data

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        self._reading = True
        self._server.note_change()
        yield
        self._reading = False

    def is_quiet(self) -> bool:
        """From another thread: see `CaptureServer.wait_until_quiet`."""
        if self._pausing:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            return self._reading and not selector.select(0)

    def interrupt(self) -> None:
        """From another thread: end what the connection waits for."""
        # Not SSLSocket.shutdown(), which takes away the TLS state that the other thread uses.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()


def _has_no_body(head: Recorded) -> bool:
    return not head.is_chunked and int(head.header("content-length") or 0) == 0
