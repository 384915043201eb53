"""One flight for each key: threads, tasks, both at once, and what goes wrong in it."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from boto_accel.cache import flights
from boto_accel.cache.flights import Flights, Landing
from boto_accel.cache.stores.memory import MemoryStore
from tests.cache.aws import (
    Aws,
    Counting,
    cached,
    error,
    is_hit,
    make_async_client,
    make_client,
    reply,
)

MANY = 50


@pytest.fixture
def iam() -> Any:
    client = make_client()
    yield client
    client.close()


class Gathering:
    """Counts the waiters of a cache's flights, so that an answer can wait for all of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.joined = 0
        self._changed = threading.Condition()
        join = Flights.join

        def counted(own: Flights, key: bytes) -> Any:
            found = join(own, key)
            with self._changed:
                self.joined += 1
                self._changed.notify_all()
            return found

        monkeypatch.setattr(Flights, "join", counted)

    def wait_for(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.joined >= number, 60)


@pytest.fixture
def gathering(monkeypatch: pytest.MonkeyPatch) -> Gathering:
    return Gathering(monkeypatch)


def test_fifty_threads_make_one_call(iam: Any, gathering: Gathering) -> None:
    def answer(operation: str, params: Any) -> Any:
        gathering.wait_for(MANY)
        return reply(Users=["a"])

    with Aws(answer) as aws, cached() as cache, ThreadPoolExecutor(MANY) as pool:
        found = list(pool.map(lambda _: iam.list_users(), range(MANY)))
    assert aws.count == 1
    assert [each["Users"] for each in found] == [["a"]] * MANY
    assert len({id(each["Users"]) for each in found}) == MANY
    assert sorted(map(is_hit, found)) == [False] + [True] * (MANY - 1)
    assert cache._flights._flying == {}


@pytest.mark.aiobotocore
async def test_fifty_tasks_make_one_call(gathering: Gathering) -> None:
    async def answer(operation: str, params: Any) -> Any:
        await asyncio.to_thread(gathering.wait_for, MANY)
        return reply(Users=["a"])

    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        with Aws(lambda *args: answer(*args)) as aws, cached():
            found = await asyncio.gather(*(client.list_users() for _ in range(MANY)))
    assert aws.count == 1
    assert [each["Users"] for each in found] == [["a"]] * MANY


@pytest.mark.aiobotocore
@pytest.mark.parametrize("leader", ["thread", "task"])
async def test_threads_and_tasks_wait_for_each_other(
    iam: Any, gathering: Gathering, leader: str
) -> None:
    """Whichever of them asks."""

    async def aanswer(*_: Any) -> Any:
        await asyncio.to_thread(gathering.wait_for, 6)
        return reply(by="task")

    def answer(*args: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            gathering.wait_for(6)
            return reply(by="thread")
        return aanswer()

    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        with Aws(answer) as aws, cached():
            in_a_task = leader == "task"
            first = client.list_users() if in_a_task else asyncio.to_thread(iam.list_users)
            first = asyncio.ensure_future(first)
            await asyncio.to_thread(gathering.wait_for, 1)
            threads = [asyncio.to_thread(iam.list_users) for _ in range(2)]
            tasks = [client.list_users() for _ in range(3)]
            found = await asyncio.gather(first, *threads, *tasks)
    assert aws.count == 1
    assert [each["by"] for each in found] == [leader] * 6


def test_other_keys_do_not_wait(iam: Any) -> None:
    started, go = threading.Event(), threading.Event()

    def answer(operation: str, params: Any) -> Any:
        if operation == "ListUsers":
            started.set()
            assert go.wait(60)
        return reply()

    with Aws(answer), cached():
        thread = threading.Thread(target=iam.list_users)
        thread.start()
        assert started.wait(60)
        assert not is_hit(iam.list_roles())
        go.set()
        thread.join()


# What goes wrong -------------------------------------------------------------------------------


def test_each_waiter_of_a_failed_flight_gets_an_error_of_its_own(
    iam: Any, gathering: Gathering
) -> None:
    """One more is tried, for all; then all of the others at once, as without a cache."""
    number, waiting = 8, threading.Barrier(8 - 2)
    lock, failures = threading.Lock(), []

    def answer(operation: str, params: Any) -> Any:
        with lock:
            failures.append(1)
            turn = len(failures)
        if turn == 1:
            gathering.wait_for(number)
        elif turn == 2:
            gathering.wait_for(number + number - 1)
        else:
            waiting.wait(60)  # all that are left are here at the same time
        raise EndpointConnectionError(endpoint_url="x")

    def ask(_: int) -> Any:
        try:
            return iam.list_users()
        except EndpointConnectionError as raised:
            return raised

    with Aws(answer) as aws, cached(), ThreadPoolExecutor(number) as pool:
        found = list(pool.map(ask, range(number)))
    assert aws.count == number
    assert all(isinstance(each, EndpointConnectionError) for each in found)
    assert len({id(each) for each in found}) == number


def test_one_failure_costs_the_waiters_one_more_call(iam: Any, gathering: Gathering) -> None:
    number, lock, turns = 8, threading.Lock(), []

    def answer(operation: str, params: Any) -> Any:
        with lock:
            turns.append(1)
        if len(turns) == 1:
            gathering.wait_for(number)
            raise EndpointConnectionError(endpoint_url="x")
        gathering.wait_for(number + number - 1)
        return reply()

    def ask(_: int) -> Any:
        try:
            return iam.list_users()
        except EndpointConnectionError:
            return None

    with Aws(answer) as aws, cached(), ThreadPoolExecutor(number) as pool:
        found = list(pool.map(ask, range(number)))
    assert aws.count == 2
    assert found.count(None) == 1


def test_an_error_that_is_kept_is_one_for_all(iam: Any, gathering: Gathering) -> None:
    def answer(operation: str, params: Any) -> Any:
        gathering.wait_for(5)
        raise error(iam, "NoSuchEntity", operation)

    def ask(_: int) -> Any:
        try:
            return iam.get_user(UserName="u")
        except iam.exceptions.NoSuchEntityException as raised:
            return raised

    with Aws(answer) as aws, cached(cache_errors=60), ThreadPoolExecutor(5) as pool:
        found = list(pool.map(ask, range(5)))
    assert aws.count == 1
    assert len({id(each.response) for each in found}) == 5


def test_what_is_not_kept_is_asked_for_by_all_at_once(iam: Any, gathering: Gathering) -> None:
    number, lock, turns = 6, threading.Lock(), []
    rest = threading.Barrier(number - 1)

    def answer(operation: str, params: Any) -> Any:
        with lock:
            turns.append(1)
            turn = len(turns)
        gathering.wait_for(number) if turn == 1 else rest.wait(60)
        return reply(Users=(turn,))  # a tuple is not kept

    with Aws(answer) as aws, cached(), ThreadPoolExecutor(number) as pool:
        found = list(pool.map(lambda _: iam.list_users()["Users"], range(number)))
    assert sorted(found) == [(turn,) for turn in range(1, number + 1)]
    assert aws.count == number


@pytest.mark.aiobotocore
async def test_a_cancelled_leader_cancels_no_other(gathering: Gathering) -> None:
    """One of those who wait asks in its place."""
    started = asyncio.Event()
    turns: list[int] = []

    async def answer() -> Any:
        turns.append(1)
        if len(turns) == 1:
            started.set()
            await asyncio.Event().wait()  # for ever
        return reply(turn=len(turns))

    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        with Aws(lambda *_: answer()) as aws, cached() as cache:
            leader = asyncio.ensure_future(client.list_users())
            await started.wait()
            others = [asyncio.ensure_future(client.list_users()) for _ in range(5)]
            await asyncio.to_thread(gathering.wait_for, 6)
            leader.cancel()
            found = await asyncio.gather(*others)
            with pytest.raises(asyncio.CancelledError):
                await leader
            assert cache._flights._flying == {}
        assert aws.count == 2
        assert [each["turn"] for each in found] == [2] * 5


@pytest.mark.aiobotocore
async def test_a_cancelled_waiter_cancels_nobody(gathering: Gathering) -> None:
    go = asyncio.Event()

    async def answer() -> Any:
        await go.wait()
        return reply()

    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        with Aws(lambda *_: answer()) as aws, cached():
            leader, waiter, other = (asyncio.ensure_future(client.list_users()) for _ in range(3))
            await asyncio.to_thread(gathering.wait_for, 3)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            go.set()
            assert [is_hit(await leader), is_hit(await other)] == [False, True]
        assert aws.count == 1


def test_a_call_within_the_call_does_not_wait_for_itself(iam: Any) -> None:
    """As of an event handler that makes the same call."""
    depth: list[int] = []

    def answer(operation: str, params: Any) -> Any:
        depth.append(1)
        return iam.list_users() if len(depth) == 1 else reply(n=len(depth))

    with Aws(answer) as aws, cached():
        assert iam.list_users()["n"] == 2
    assert aws.count == 2


@pytest.mark.aiobotocore
async def test_a_sync_call_in_the_loop_does_not_wait_for_a_task_of_it(iam: Any) -> None:
    """The task could not go on."""
    go = asyncio.Event()

    async def wait() -> Any:
        await go.wait()
        return reply(by="task")

    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        answers = iter([wait(), reply(by="sync")])
        with Aws(lambda *_: next(answers)) as aws, cached():
            task = asyncio.ensure_future(client.list_users())
            while not aws.calls:  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert iam.list_users()["by"] == "sync"
            go.set()
            await task


def test_a_flight_that_was_lost_is_waited_for_once(
    iam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one whose thread was killed: the bound is reached, and the next begins anew."""
    monkeypatch.setattr(flights, "LONGEST_WAIT_S", 0.01)
    with Aws(Counting()), cached() as cache:
        iam.list_users()
        (key,) = [key for key, _ in cache.store.entries()]
        cache.clear()
        _, leads = cache._flights.join(key)
        assert leads
        assert iam.list_users()["n"] == 2
        assert cache._flights._flying == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_does_not_wait_for_its_parents_threads(iam: Any) -> None:
    started, go = threading.Event(), threading.Event()
    parent = os.getpid()

    def answer(operation: str, params: Any) -> Any:
        if os.getpid() == parent:
            started.set()
            assert go.wait(60)
        return reply(pid=os.getpid())

    with Aws(answer), cached():
        thread = threading.Thread(target=iam.list_users)
        thread.start()
        assert started.wait(60)
        child = os.fork()
        if child == 0:
            os._exit(0 if iam.list_users()["pid"] == os.getpid() else 1)
        assert os.waitpid(child, 0)[1] == 0
        go.set()
        thread.join()


# Across processes: what the store says of others, without any ---------------------------------


class Elsewhere(MemoryStore):
    """A store at which another process leads, until it puts *arrives*; or without it, dies."""

    def __init__(self) -> None:
        super().__init__(max_entries=10)
        self.led = 0
        self.lent: list[Any] = []
        self.finished: list[bytes] = []
        self.arrives: Any = None

    def lead(self, key: bytes) -> bool:
        self.led += 1
        if self.arrives is not None and self.led == 3:
            super().put(key, self.arrives, super().ticket(self.arrives.tags))
        return self.arrives is None and self.led > 3

    def done(self, key: bytes) -> None:
        self.finished.append(key)


@pytest.mark.parametrize("comes", [True, False])
def test_another_process_is_waited_for(iam: Any, comes: bool) -> None:
    """Its reply is taken; and if it dies without one, its place."""
    elsewhere = Elsewhere()
    with Aws(Counting()) as aws:
        if comes:
            with cached() as cache:
                iam.list_users()
                ((_, elsewhere.arrives),) = cache.store.entries()
        with cached() as cache:
            cache._opened = elsewhere
            found = iam.list_users()
    assert is_hit(found) is comes
    assert aws.count == 1
    assert len(elsewhere.finished) == (0 if comes else 1)


def test_another_process_that_never_comes_is_waited_for_within_bounds(
    iam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from boto_accel.cache import asking

    monkeypatch.setattr(asking, "LONGEST_LEAD_S", 0.01)
    elsewhere = Elsewhere()
    monkeypatch.setattr(elsewhere, "lead", lambda key: False)
    with Aws(Counting()) as aws, cached() as cache:
        cache._opened = elsewhere
        assert not is_hit(iam.list_users())
        assert is_hit(iam.list_users())
    assert aws.count == 1
    assert elsewhere.finished == []


def test_landings_are_told_once() -> None:
    table = Flights()
    flight, _ = table.join(b"k")
    table.land(b"k", flight, Landing.KEPT)
    table.land(b"k", flight, Landing.VANISHED)
    thread = ThreadPoolExecutor(1)
    assert thread.submit(flight.wait).result() is Landing.KEPT
    thread.shutdown()
