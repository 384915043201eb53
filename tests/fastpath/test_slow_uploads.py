"""A timeout is for each step of an exchange, not for all of a long upload."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest

from tests.fastpath.callers import all_fast, open_caller
from tests.servers.capture import http_answer

LENGTH = 30_000_000  # bytes: more than the kernel buffers
HELD = 256 * 1024  # bytes that wait for the server: what is left to take when all is sent
PORTION = 1_000_000  # bytes that the server takes at a time
PAUSE_S = 0.1  # between two portions; 3 s in all
TIMEOUT_S = 2.0


class SlowReader:
    """A server of one request, which takes its body slowly and steadily."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HELD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.got = 0

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: Any) -> None:
        self._stopped.set()
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        left = LENGTH - len(head.partition(b"\r\n\r\n")[2])
        while left:
            portion = min(left, PORTION)
            while portion:
                got = len(connection.recv(portion))
                if not got:
                    return
                portion -= got
                left -= got
            self._stopped.wait(PAUSE_S)
        connection.sendall(http_answer(200))
        self._stopped.wait(30)  # the client is done, and closes


@pytest.fixture
def endpoint_url() -> Iterator[str]:
    with SlowReader() as url:
        yield url


@pytest.mark.parametrize("kind", [bytes, BytesIO], ids=["bytes", "file"])
def test_an_upload_may_take_longer_than_the_timeouts(
    flavour: str, engine: str, endpoint_url: str, kind: Callable[[bytes], Any]
) -> None:
    options = {
        "endpoint_url": endpoint_url,
        "read_timeout": TIMEOUT_S,
        "connect_timeout": TIMEOUT_S,
        "retries": {"total_max_attempts": 1},
    }
    with open_caller(flavour, **options) as s3, all_fast(1):
        answer = s3("put_object", Bucket="b", Key="k", Body=kind(bytes(LENGTH)))
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
