"""Connections: kept, bounded, closed with their client and with the patch; nothing leaks."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import stat
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from boto_accel import accelerate
from tests.fastpath.callers import Caller, all_fast, open_caller, open_loop
from tests.servers.capture import CaptureServer, Close, Recorded, Sleep, http_answer
from tests.servers.clients import make_client

pytestmark = pytest.mark.usefixtures("frozen_heap")

LENGTH = 1_000_000
HALF = http_answer(200, b"", {"Content-Length": str(LENGTH)}) + b"x" * 1000


def connected_to(port: int) -> int:
    """Open sockets of this process whose peer listens on *port*, by /proc/self/fd."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc on this platform")
    found = 0
    for name in os.listdir(folder):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as twin:
                found += twin.family == socket.AF_INET and twin.getpeername()[1] == port
        except OSError:
            continue
    return found


@pytest.fixture
def server(capture: Callable[..., CaptureServer]) -> CaptureServer:
    return capture(http_answer(200))


def test_a_connection_is_kept_and_closed_with_its_client(
    flavour: str, server: CaptureServer
) -> None:
    """One connection serves call after call; closing the client closes it, inside the patch."""
    with all_fast(5):
        with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
            for _ in range(5):
                s3("head_object", Bucket="b", Key="k")
            assert connected_to(server.port) == 1
        assert connected_to(server.port) == 0
    assert server.accepted == 1


def test_leaving_the_patch_closes_what_is_idle(
    flavour: str, engine: str, server: CaptureServer
) -> None:
    """
    The client is stock again, and no connection of ours is left open. Those of the engine aiohttp
    are the client's own, and serve stock on.
    """
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        with all_fast(3):
            for _ in range(3):
                s3("head_object", Bucket="b", Key="k")
        if s3.loop is not None:  # transports close on the loop's next turns
            s3.run(asyncio.sleep(0.01))
        assert connected_to(server.port) == (engine == "aiohttp")
        s3("head_object", Bucket="b", Key="k")
        with all_fast(1):
            s3("head_object", Bucket="b", Key="k")


def test_a_dropped_client_leaves_nothing(server: CaptureServer) -> None:
    """A boto3 client that is not closed, but dropped, takes its connections with it."""
    import boto3

    with all_fast(1):
        s3 = boto3.Session().client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            endpoint_url=server.endpoint_url,
        )
        s3.head_object(Bucket="b", Key="k")
        assert connected_to(server.port) == 1
        del s3
        gc.collect()
        assert connected_to(server.port) == 0


@pytest.mark.parametrize("way", ["dropped", "closed", "half read"])
def test_an_abandoned_body_leaks_nothing(
    flavour: str, capture: Callable[..., CaptureServer], way: str
) -> None:
    """
    A body that is not read to its end leaves no more open than in stock, and no warning: with
    boto3 nothing at all, with aiobotocore nothing once it or its client is closed.
    """
    server = capture(lambda request: [HALF, Sleep(60)])
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        stock = _left_open(s3, server, way)
    assert connected_to(server.port) == 0
    with all_fast(3):
        with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
            assert _left_open(s3, server, way) <= stock
        assert connected_to(server.port) == 0
    if flavour == "sync" or way == "closed":
        assert stock == 0


def _left_open(s3: Caller, server: CaptureServer, way: str) -> int:
    for _ in range(3):
        answer: Any = s3("get_object", Bucket="b", Key="k")
        if way == "half read":
            assert s3.run(answer["Body"].read(500)) == b"x" * 500
        if way == "closed":
            answer["Body"].close()
        del answer
        gc.collect()
        if s3.loop is not None:  # transports close on the loop's next turns
            s3.run(asyncio.sleep(0.01))
    return connected_to(server.port)


def test_a_connection_that_the_server_closed_is_not_used(
    flavour: str, capture: Callable[..., CaptureServer]
) -> None:
    """A kept connection that was closed meanwhile costs the caller nothing, not even an attempt."""
    server = capture(lambda request: [http_answer(200), Close()])
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3, all_fast(3):
        for _ in range(3):
            metadata = s3("head_object", Bucket="b", Key="k")["ResponseMetadata"]
            assert metadata["RetryAttempts"] == 0
            s3.run(asyncio.sleep(0.01)) if s3.is_async else _until_closed(server)
    assert len(server.requests) == 3


def _until_closed(server: CaptureServer) -> None:
    while server._open:
        time.sleep(0.001)
    time.sleep(0.05)  # the end of the stream is on its way to the client


def test_read_timeout(flavour: str, capture: Callable[..., CaptureServer]) -> None:
    """A silent server raises stock's ReadTimeoutError after stock's number of attempts."""
    server = capture(lambda request: [Sleep(60)])
    options = {
        "endpoint_url": server.endpoint_url,
        "read_timeout": 0.05,
        "retries": {"mode": "standard", "total_max_attempts": 1},
    }
    with open_caller(flavour, **options) as s3:
        with pytest.raises(ReadTimeoutError) as stock:
            s3("head_object", Bucket="b", Key="k")
        with all_fast(1), pytest.raises(ReadTimeoutError) as fast:
            s3("head_object", Bucket="b", Key="k")
    assert type(fast.value) is type(stock.value)
    assert str(fast.value) == str(stock.value)
    assert server.wait_for_requests(2)  # it may read them after they were given up
    assert len(server.requests) == 2


@pytest.mark.parametrize("flavour", ["async"])
def test_timeouts_of_zero_are_none(flavour: str, capture: Callable[..., CaptureServer]) -> None:
    """As aiohttp has it; urllib3 refuses them where the client is made."""
    server = capture(lambda request: [Sleep(0.3), http_answer(200)])
    options = {"endpoint_url": server.endpoint_url, "connect_timeout": 0, "read_timeout": 0}
    with open_caller(flavour, **options) as s3:
        patches: list[AbstractContextManager[Any]] = [nullcontext(), all_fast(1)]
        for patch in patches:
            with patch:
                metadata = s3("head_object", Bucket="b", Key="k")["ResponseMetadata"]
                assert metadata["RetryAttempts"] == 0


@pytest.mark.parametrize("connect_timeout", [60, 50])
def test_a_socket_timeout_set_on_a_body_ends_with_it(
    capture: Callable[..., CaptureServer], connect_timeout: int
) -> None:
    """The next call on the same connection has the client's own timeout, as in stock."""
    server = capture(http_answer(200, b"x" * LENGTH))
    options = {"endpoint_url": server.endpoint_url, "connect_timeout": connect_timeout}

    def left_behind() -> Any:
        with open_caller("sync", read_timeout=60, **options) as s3:
            body = s3("get_object", Bucket="b", Key="k")["Body"]
            body.set_socket_timeout(25)
            sock = body._raw_stream._fp.fp.raw._sock
            assert sock.gettimeout() == 25
            body.read()
            s3("get_object", Bucket="b", Key="k")["Body"].read()
            assert connected_to(server.port) == 1
            return sock.gettimeout()

    stock = left_behind()
    with all_fast(2):
        assert left_behind() == stock == 60


def test_connect_timeout(flavour: str) -> None:
    """A server that accepts nothing raises stock's ConnectTimeoutError."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(3):  # fill the queue: further handshakes are not answered
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
            waiting.append(each)
        options = {
            "endpoint_url": f"http://127.0.0.1:{port}",
            "connect_timeout": 0.05,
            "retries": {"mode": "standard", "total_max_attempts": 1},
        }
        try:
            with open_caller(flavour, **options) as s3:
                with pytest.raises(ConnectTimeoutError) as stock:
                    s3("head_object", Bucket="b", Key="k")
                with all_fast(1), pytest.raises(ConnectTimeoutError) as fast:
                    s3("head_object", Bucket="b", Key="k")
        finally:
            for each in waiting:
                each.close()
    assert str(fast.value) == str(stock.value)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")
@pytest.mark.parametrize("where", ["head", "body"])
def test_ctrl_c_in_the_middle_of_a_read(capture: Callable[..., CaptureServer], where: str) -> None:
    """KeyboardInterrupt gets through at once; its connection is closed, the client goes on."""

    def answer(request: Recorded) -> Any:
        if request.method == b"HEAD":
            return http_answer(200)
        return [Sleep(60)] if where == "head" else [HALF, Sleep(60)]

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    server = capture(answer)
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, all_fast(3):
        s3.head_object(Bucket="b", Key="k")
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                s3.get_object(Bucket="b", Key="k")["Body"].read()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        gc.collect()
        assert connected_to(server.port) == 0
        s3.head_object(Bucket="b", Key="k")


def test_a_client_closed_by_stock_while_out_of_the_patch(server: CaptureServer) -> None:
    """Entering, leaving and entering again over many clients leaves no socket behind."""
    for _ in range(5):
        with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3:
            with accelerate() as patch:
                s3.head_object(Bucket="b", Key="k")
                assert patch.stats.fast == 1
            s3.head_object(Bucket="b", Key="k")
    gc.collect()
    assert connected_to(server.port) == 0


@pytest.mark.botocore(">=1.41")  # aiobotocore 2 opens another session, and leaves it open
@pytest.mark.aiobotocore
def test_a_call_on_a_closed_client(server: CaptureServer) -> None:
    """It is stock's, whose exception it has, and is counted as what it is."""
    raised = []
    with accelerate() as patch:
        for makes_a_call in (False, True):
            with open_loop() as loop:
                opening: Any = make_client("async", "s3", endpoint_url=server.endpoint_url)
                s3 = loop.run_until_complete(opening.__aenter__())
                if makes_a_call:
                    loop.run_until_complete(s3.head_object(Bucket="b", Key="k"))
                loop.run_until_complete(opening.__aexit__(None, None, None))
                with pytest.raises(Exception) as told:  # noqa: PT011 whatever stock raises
                    loop.run_until_complete(s3.head_object(Bucket="b", Key="k"))
                raised.append(type(told.value))
    assert patch.stats.reasons.keys() <= {"a closed client"}
    assert patch.stats.retired == 0
    assert len(set(raised)) == 1
