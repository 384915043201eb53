"""Threads, tasks, loops and forks."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from boto_accel.fastpath.transport import sync
from tests.fastpath.callers import all_fast
from tests.servers.capture import CaptureServer, Recorded, Sleep, http_answer
from tests.servers.clients import make_client

THREADS, ROUNDS = 16, 8
TASKS = 256
KINDS = 4


def body_of(key: str) -> bytes:
    """What the server has under *key*: different for each, small or long."""
    digest = hashlib.sha256(key.encode()).hexdigest().encode()
    return digest * (1 + 3000 * (digest[0] % 2))


def serve(request: Recorded) -> bytes:
    """GET answers what the key says, PUT the digest of what came, a list names its prefix."""
    path, _, query = request.target.decode().partition("?")
    if request.method == b"GET" and "list-type=2" in query:
        prefix = query.partition("prefix=")[2].partition("&")[0]
        return http_answer(200, f"<R><Prefix>{prefix}</Prefix></R>".encode())
    if request.method == b"GET":
        return http_answer(200, body_of(path.removeprefix("/b/")))
    if request.method == b"HEAD":
        return http_answer(200, b"", {"x-amz-meta-key": path.removeprefix("/b/")})
    return http_answer(200, b"", {"ETag": hashlib.sha256(request.body).hexdigest()})


@pytest.fixture
def server(capture: Callable[..., CaptureServer]) -> CaptureServer:
    return capture(serve)


def one_call(s3: Any, number: int) -> None:
    """A call of one of four kinds, its answer checked to be its own."""
    key = f"k{number}"
    kind = number % KINDS
    if kind == 0:
        assert s3.get_object(Bucket="b", Key=key)["Body"].read() == body_of(key)
    elif kind == 1:
        data = key.encode() * 100
        etag = s3.put_object(Bucket="b", Key=key, Body=data)["ETag"]
        assert etag == hashlib.sha256(data).hexdigest()
    elif kind == 2:
        assert s3.head_object(Bucket="b", Key=key)["Metadata"] == {"key": key}
    else:
        assert s3.list_objects_v2(Bucket="b", Prefix=key)["Prefix"] == key


async def one_async_call(s3: Any, number: int) -> None:
    key = f"k{number}"
    kind = number % KINDS
    if kind == 0:
        answer = await s3.get_object(Bucket="b", Key=key)
        assert await answer["Body"].read() == body_of(key)
    elif kind == 1:
        data = key.encode() * 100
        etag = (await s3.put_object(Bucket="b", Key=key, Body=data))["ETag"]
        assert etag == hashlib.sha256(data).hexdigest()
    elif kind == 2:
        assert (await s3.head_object(Bucket="b", Key=key))["Metadata"] == {"key": key}
    else:
        assert (await s3.list_objects_v2(Bucket="b", Prefix=key))["Prefix"] == key


def test_threads_share_a_client(server: CaptureServer) -> None:
    """Sixteen threads, mixed operations: each has its own answers, and each call was fast."""
    start = threading.Barrier(THREADS)

    def work(thread: int) -> None:
        start.wait()
        for number in range(ROUNDS):
            one_call(s3, thread * ROUNDS + number)

    with (
        make_client("sync", "s3", endpoint_url=server.endpoint_url, max_pool_connections=4) as s3,
        all_fast(THREADS * ROUNDS),
        ThreadPoolExecutor(THREADS) as threads,
    ):
        for _ in threads.map(work, range(THREADS)):
            pass
    assert len(server.requests) == THREADS * ROUNDS


@pytest.mark.aiobotocore
async def test_tasks_share_a_client(server: CaptureServer) -> None:
    """256 tasks at once: each has its own answer, over no more connections than allowed."""
    options = {"endpoint_url": server.endpoint_url, "max_pool_connections": 10}
    async with make_client("async", "s3", **options) as s3:
        with all_fast(TASKS):
            await asyncio.gather(*(one_async_call(s3, number) for number in range(TASKS)))
    assert len(server.requests) == TASKS
    assert server.accepted <= 10


@pytest.mark.aiobotocore
async def test_the_bound_on_connections(capture: Callable[..., CaptureServer]) -> None:
    """`max_pool_connections` bounds the connections in use; a body being read holds one."""
    most = 0

    def answer(request: Recorded) -> Any:
        nonlocal most
        most = max(most, len(slow._open))
        return [Sleep(0.01), http_answer(200, b"x" * 200_000)]

    slow = capture(answer)
    options = {"endpoint_url": slow.endpoint_url, "max_pool_connections": 3}

    async def read(s3: Any) -> int:
        body = (await s3.get_object(Bucket="b", Key="k"))["Body"]
        await asyncio.sleep(0)
        return len(await body.read())

    async with make_client("async", "s3", **options) as s3:
        with all_fast(24):
            sizes = await asyncio.gather(*(read(s3) for _ in range(24)))
    assert sizes == [200_000] * 24
    assert most <= 3
    assert slow.accepted <= 3  # as in stock: who waits for a place gets the connection


@pytest.mark.aiobotocore
async def test_cancellation(capture: Callable[..., CaptureServer]) -> None:
    """Cancelled calls, waiting or in flight, raise CancelledError and leave the client usable."""
    held = threading.Event()

    def answer(request: Recorded) -> Any:
        if request.target.endswith(b"/slow"):
            held.set()
            return [Sleep(60), http_answer(200)]
        return http_answer(200)

    server = capture(answer)
    options = {"endpoint_url": server.endpoint_url, "max_pool_connections": 2}
    async with make_client("async", "s3", **options) as s3:
        with all_fast() as patch:
            await s3.head_object(Bucket="b", Key="k")
            tasks = [
                asyncio.ensure_future(s3.head_object(Bucket="b", Key="slow")) for _ in range(6)
            ]
            await asyncio.to_thread(held.wait)
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(each) for each in done] == [asyncio.CancelledError] * 6
            for _ in range(4):
                await s3.head_object(Bucket="b", Key="k")
        assert patch.stats.fast == 1 + 6 + 4


@pytest.mark.aiobotocore
async def test_cancellation_at_any_step(capture: Callable[..., CaptureServer]) -> None:
    """
    Cancelled after so and so many turns of the loop, a call ends there, also just as it connects.

    `asyncio.wait_for` of Python 3.10 and 3.11 returns the connection then, and forgets the cancel.
    """
    server = capture(
        lambda request: (
            [Sleep(60), http_answer(200)] if request.target.endswith(b"/slow") else http_answer(200)
        )
    )
    options = {"endpoint_url": server.endpoint_url, "max_pool_connections": 1}
    async with make_client("async", "s3", **options) as s3:
        with all_fast():
            await s3.head_object(Bucket="b", Key="k")
            for turns in range(30):
                task = asyncio.ensure_future(s3.head_object(Bucket="b", Key="slow"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                done, _ = await asyncio.wait([task], timeout=10)
                assert done, f"cancelled after {turns} turns, it goes on"
                assert task.cancelled()
            await s3.head_object(Bucket="b", Key="k")


@pytest.mark.aiobotocore
async def test_cancellation_in_the_middle_of_a_body(capture: Callable[..., CaptureServer]) -> None:
    """A read that is cancelled closes its connection; the next call takes another."""
    head = http_answer(200, b"", {"Content-Length": "1000000"})
    server = capture(
        lambda request: (
            http_answer(200) if request.method == b"HEAD" else [head + b"x" * 1000, Sleep(60)]
        )
    )
    options = {"endpoint_url": server.endpoint_url, "max_pool_connections": 1}
    async with make_client("async", "s3", **options) as s3:
        with all_fast(2):
            body = (await s3.get_object(Bucket="b", Key="k"))["Body"]
            reading = asyncio.ensure_future(body.read())
            await asyncio.sleep(0.01)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            body.close()
            await s3.head_object(Bucket="b", Key="k")
    assert server.accepted == 2


@pytest.mark.aiobotocore
def test_one_loop_after_another(server: CaptureServer) -> None:
    """`asyncio.run` twice, a client each, and nothing of the first is left for the second."""

    async def main() -> None:
        async with make_client("async", "s3", endpoint_url=server.endpoint_url) as s3:
            await asyncio.gather(*(one_async_call(s3, number) for number in range(8)))

    with all_fast(16):
        asyncio.run(main())
        asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_fork_in_the_middle(server: CaptureServer) -> None:
    """Parent and child go on, each on connections of its own; neither sees the other's answers."""
    with (
        make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3,
        all_fast(1 + 20),
    ):
        one_call(s3, 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12: there are threads, the server's
            child = os.fork()
        if child == 0:
            status = 1
            try:
                for number in range(100, 120):
                    one_call(s3, number)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        for number in range(20):
            one_call(s3, number)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    by_connection: dict[int, set[bool]] = {}
    for request in server.requests:
        number = int(request.target.decode().rpartition("k")[2].partition("&")[0])
        by_connection.setdefault(request.connection, set()).add(number >= 100)
    assert all(len(users) == 1 for users in by_connection.values())
    assert len(server.requests) == 41


def test_pools_that_are_made_while_all_are_closed() -> None:
    """Leaving the last patch goes through all pools, while others are made."""
    over = threading.Event()

    def make() -> None:
        kept = deque[sync.Pool](maxlen=100)
        while not over.is_set():
            kept.append(sync.Pool(SimpleNamespace(), 1, 1))

    switches = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(2) as threads:
        making = [threads.submit(make) for _ in range(2)]
        try:
            for _ in range(300):
                sync.close_idle_connections()
        finally:
            over.set()
            sys.setswitchinterval(switches)
    assert [each.result() for each in making] == [None, None]
