"""The Redis store in event loops: whose connections are whose, how many, and what a cancel does."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from boto_accel import botocache_context
from boto_accel.cache.drive import Steps, arun, arun_to_the_end, run
from boto_accel.cache.stores import redis_server
from boto_accel.cache.stores.redis import RedisStore
from tests.cache.aws import Aws, Counting, is_hit, make_async_client
from tests.cache.stores.places import entry
from tests.servers.valkey import Valkey

ROOT = Path(__file__).resolve().parents[3]
PATIENT = "socket_timeout=60&socket_connect_timeout=60"
TTL_S = 3600.0  # seconds; by the real clock, which the server goes by as well

pytestmark = pytest.mark.aiobotocore


@pytest.fixture(params=["redis", "cluster"])
def url(request: pytest.FixtureRequest, prefix: str) -> str:
    server = request.getfixturevalue("valkey" if request.param == "redis" else "cluster")
    base = f"{server.url}?" if isinstance(server, Valkey) else f"{server}&"
    return f"{base}{PATIENT}&prefix={prefix}"


@pytest.fixture
def open_store(url: str) -> Iterator[Callable[[], RedisStore]]:
    stores: list[RedisStore] = []

    def make() -> RedisStore:
        stores.append(RedisStore(url, max_entries=100))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def made(payload: bytes, *tags: str) -> Any:
    import time

    return entry(payload, *tags, now=time.time(), ttl=TTL_S)


async def keeps(store: Any, key: bytes, payload: bytes) -> None:
    wanted = made(payload, "tag")
    assert await store.put(key, wanted, await store.ticket(["tag"]))
    assert await store.get(key) == wanted


@asynccontextmanager
async def cached(answer: Any, url: str, **options: Any) -> AsyncIterator[Any]:
    """(a client, the cache, AWS), which answers with *answer*."""
    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        aws = stack.enter_context(Aws(answer))
        cache = await stack.enter_async_context(botocache_context(cache=url, **options))
        yield client, cache, aws


# Loops ------------------------------------------------------------------------------------------


def test_one_loop_after_another(open_store: Callable[[], RedisStore]) -> None:
    """`asyncio.run` closes what was opened in it, and nothing is left to complain of."""
    store = open_store()
    for number in range(3):
        asyncio.run(keeps(store.aio, b"key", b"%d" % number))
    assert store.get(b"key") is not None  # of the last one, by a thread


def test_each_loop_has_connections_of_its_own(open_store: Callable[[], RedisStore]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = open_store()

    def use(number: int) -> None:
        asyncio.run(keeps(store.aio, b"%d" % number, b"x"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(8)))
    assert len(list(store.entries())) == 8


async def test_what_is_closed_opens_again(open_store: Callable[[], RedisStore]) -> None:
    store = open_store()
    for number in range(3):
        await keeps(store.aio, b"key", b"%d" % number)
        await store.aio.close()
    await keeps(store.aio, b"key", b"last")
    store.close()  # the loop closes its own, soon
    await asyncio.sleep(0)
    await keeps(store.aio, b"key", b"again")
    await store.aio.close()


@pytest.mark.parametrize("ends", ["asyncio.run", "a loop of its own"])
def test_a_loop_may_end_while_it_closes(
    url: str, ends: str, frozen_heap: None, caplog: pytest.LogCaptureFixture
) -> None:
    """At whatever turn: all is closed, and nothing complains."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for turns in range(12):
            (_run if ends == "asyncio.run" else _run_bare)(_close_soon(url, turns))
            gc.collect()
    assert [str(each.message) for each in seen] == []
    assert caplog.messages == []


async def _close_soon(url: str, turns: int) -> None:
    store = RedisStore(url, max_entries=100)
    await asyncio.gather(*(keeps(store.aio, b"%d" % each, b"x") for each in range(3)))
    store.close()
    for _ in range(turns):
        await asyncio.sleep(0)


def _run(coroutine: Any) -> None:
    asyncio.run(coroutine)


def _run_bare(coroutine: Any) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(coroutine)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.mark.parametrize("turns", range(8))
async def test_who_closes_waits_for_a_close_that_has_begun(
    open_store: Callable[[], RedisStore], turns: int
) -> None:
    """Such as that of `__exit__` within `__aexit__`."""
    store = open_store()
    await keeps(store.aio, b"key", b"x")
    kept = store.aio.server._kept[asyncio.get_running_loop()]
    store.close()
    for _ in range(turns):
        await asyncio.sleep(0)
    await store.aio.close()
    assert kept._closing.done()


def test_no_connection_stays_on_the_server(own_valkey: Valkey) -> None:
    url = f"{own_valkey.url}?{PATIENT}"
    store = RedisStore(url, max_entries=100)
    asyncio.run(keeps(store.aio, b"key", b"x"))
    store.close()
    with Redis(port=own_valkey.port) as client:
        assert len(client.client_list()) == 1


async def test_many_tasks_share_few_connections(own_valkey: Valkey) -> None:
    store = RedisStore(f"{own_valkey.url}?{PATIENT}", max_entries=1000)
    await keeps(store.aio, b"key", b"x")
    found = await asyncio.gather(*(store.aio.get(b"key") for _ in range(500)))
    assert None not in found
    with Redis(port=own_valkey.port) as client:
        assert len(client.client_list()) <= redis_server.MOST_CONNECTIONS + 1
    await store.aio.close()
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_makes_connections_of_its_own(url: str) -> None:
    """Forked while the connections of a loop are open; parent and child go on."""
    text = (
        "import asyncio, os, sys\n"
        "from boto_accel.cache.stores.redis import RedisStore\n"
        "from tests.cache.stores.test_store_redis_asyncio import keeps\n"
        "store = RedisStore(sys.argv[1], max_entries=100)\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.run_until_complete(keeps(store.aio, b'key', b'parent'))\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    asyncio.run(keeps(store.aio, b'key', b'child'))\n"
        "    assert store.get(b'key') is not None\n"
        "    os._exit(0)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "loop.run_until_complete(keeps(store.aio, b'key', b'after the child'))\n"
        "loop.run_until_complete(loop.shutdown_asyncgens())\n"
        "loop.close()\n"
        "store.close()\n"
    )
    subprocess.run([sys.executable, "-c", text, url], cwd=ROOT, check=True)


# Cancelled --------------------------------------------------------------------------------------


class Slow:
    """A server whose answers wait for an event; it notes what has been asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def say(self, what: str) -> str:
        self.asked.append(what)
        self.begun.set()
        await self.may_go_on.wait()
        return what


def two_steps() -> Steps[str]:
    yield methodcaller("say", "one")
    return (yield methodcaller("say", "two"))  # type: ignore[no-any-return]


async def test_steps_go_on_where_their_task_is_cancelled() -> None:
    """As in a thread: what has been begun on a server is not left half done."""
    server = Slow()
    task = asyncio.ensure_future(arun_to_the_end(two_steps(), server))
    await server.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.may_go_on.set()
    for _ in range(10):  # turns of the loop; it needs two
        await asyncio.sleep(0)
    assert server.asked == ["one", "two"]


async def test_what_a_request_raises_is_raised_at_its_yield() -> None:
    """In both worlds, and what is not caught there is the caller's."""

    def steps() -> Steps[Any]:
        try:
            yield methodcaller("nothing")
        except AttributeError:
            return (yield methodcaller("say", "caught"))
        return None

    class Server:
        def say(self, what: str) -> str:
            return what

    assert run(steps(), Server()) == "caught"
    slow = Slow()
    slow.may_go_on.set()
    assert await arun(steps(), slow) == "caught"
    with pytest.raises(AttributeError):
        run(two_steps(), object())
    with pytest.raises(AttributeError):
        await arun(two_steps(), object())


async def test_a_cancelled_call_leads_nobody(
    url: str, open_store: Callable[[], RedisStore]
) -> None:
    """Another process would wait for it."""
    asked = asyncio.Event()

    async def never(operation: str, params: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    store = open_store()
    async with cached(never, url) as (client, cache, _):
        task = asyncio.ensure_future(client.list_users())
        await asked.wait()
        (key,) = cache._flights._flying
        assert not await store.aio.lead(key)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await store.aio.lead(key)
    await store.aio.close()


async def test_a_write_that_is_cancelled_invalidates(url: str) -> None:
    """It may have got through."""
    asked = asyncio.Event()

    async def answer(operation: str, params: Any) -> Any:
        if operation == "CreateUser":
            asked.set()
            await asyncio.Event().wait()
        return Counting()(operation, params)

    async with cached(answer, url) as (client, _, _):
        await client.list_users()
        assert is_hit(await client.list_users())
        task = asyncio.ensure_future(client.create_user(UserName="a"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_hit(await client.list_users())


async def test_a_write_whose_coroutine_is_closed_invalidates(url: str) -> None:
    """It can await nothing more: then a thread's connection does it."""

    async def answer(operation: str, params: Any) -> Any:
        if operation == "CreateUser":
            await asyncio.Event().wait()
        return Counting()(operation, params)

    async with cached(answer, url) as (client, _, _):
        await client.list_users()
        assert is_hit(await client.list_users())
        write = client.create_user(UserName="a")
        write.send(None)
        write.close()
        assert not is_hit(await client.list_users())


# A cache on a server, in a loop -----------------------------------------------------------------


async def test_no_thread_is_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("a thread")

    monkeypatch.setattr(asyncio, "to_thread", refuse)
    async with cached(Counting(), url, stale_while_revalidate=60) as (client, _, aws):
        assert [(await client.list_users())["n"] for _ in range(3)] == [1, 1, 1]
        await client.create_user(UserName="a")
        assert [(await client.list_users())["n"] for _ in range(3)] == [3, 3, 3]
    assert aws.count == 3


async def test_fifty_tasks_make_one_call(url: str) -> None:
    async with cached(Counting(), url) as (client, _, aws):
        found = await asyncio.gather(*(client.list_users() for _ in range(50)))
    assert {each["n"] for each in found} == {1}
    assert aws.count == 1


async def test_a_cache_that_is_left_without_await_leaves_nothing_open(url: str) -> None:
    """`with` in a coroutine: the loop closes its connections by itself."""
    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        with Aws(Counting()), botocache_context(cache=url) as cache:
            await client.list_users()
            store: Any = cache.store
            kept = store.aio.server._kept[asyncio.get_running_loop()]
        await asyncio.sleep(0)
        await kept._closing
        assert kept.is_closed
