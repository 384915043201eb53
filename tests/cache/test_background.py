"""Refreshes in tasks: they are kept, they are told apart, and none is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from boto_accel.cache.background import MOST_THREADS, Background
from tests.cache.aws import Aws, Clock, is_hit, make_async_client, make_cache, make_client, reply

pytestmark = pytest.mark.aiobotocore


@pytest.fixture
async def iam() -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        yield await make_async_client(stack)


class Slow:
    """The first answer at once, later ones when `go` is set."""

    def __init__(self) -> None:
        self.turns = 0
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.cancelled = 0

    async def __call__(self) -> Any:
        self.turns += 1
        turn = self.turns
        if turn > 1:
            self.started.set()
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return reply(turn=turn)


async def test_stale_at_once_and_fresh_next(iam: Any) -> None:
    """One refresh, however many ask."""
    clock, slow = Clock(), Slow()
    async with make_cache(clock, cache_ttl=10, stale_while_revalidate=50) as cache:
        with Aws(lambda *_: slow()):
            await iam.list_users()
            clock.now += 20
            stale = await asyncio.gather(*(iam.list_users() for _ in range(10)))
            assert [each["turn"] for each in stale] == [1] * 10
            await slow.started.wait()
            slow.go.set()
            await cache._background.finish()
            fresh = await iam.list_users()
            assert fresh["turn"] == 2
            assert fresh["ResponseMetadata"]["BotoAccelCache"]["Stale"] is False
    assert slow.turns == 2


async def test_leaving_cancels_the_tasks_and_waits_for_them(iam: Any) -> None:
    clock, slow = Clock(), Slow()
    with Aws(lambda *_: slow()):
        async with make_cache(clock, cache_ttl=10, stale_while_revalidate=50) as cache:
            await iam.list_users()
            clock.now += 20
            await iam.list_users()
            await slow.started.wait()
        assert slow.cancelled == 1
        assert cache._background._tasks == {}
        assert cache._flights._flying == {}


async def test_a_task_that_never_started_leaves_no_flight_behind(iam: Any) -> None:
    """Cancelled before its first step."""
    clock, slow = Clock(), Slow()
    with Aws(lambda *_: slow()):
        async with make_cache(clock, cache_ttl=10, stale_while_revalidate=50) as cache:
            await iam.list_users()
            clock.now += 20
            assert is_hit(await iam.list_users())
            for task in cache._background._tasks:
                task.cancel()
            await cache._background.finish()
            assert cache._flights._flying == {}
    assert slow.turns == 1


async def test_a_sync_leave_cancels_them_too(iam: Any) -> None:
    clock, slow = Clock(), Slow()
    with Aws(lambda *_: slow()):
        with make_cache(clock, cache_ttl=10, stale_while_revalidate=50) as cache:
            await iam.list_users()
            clock.now += 20
            await iam.list_users()
            await slow.started.wait()
        await cache._background.finish()
    assert slow.cancelled == 1


def test_there_is_a_bound_for_threads() -> None:
    """What finds no place is left to a later call."""
    import threading

    background, go, ended = Background(), threading.Event(), []
    started = [
        background.start_thread(lambda: go.wait(60), lambda: ended.append(1))
        for _ in range(MOST_THREADS + 2)
    ]
    assert started == [True] * MOST_THREADS + [False] * 2
    go.set()
    background.close()
    assert len(ended) == MOST_THREADS


def test_a_call_that_finds_no_place_gives_its_flight_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Background, "start_thread", lambda *_: False)
    clock, iam = Clock(), make_client()
    with (
        Aws(lambda *_: reply()) as aws,
        make_cache(clock, cache_ttl=10, stale_while_revalidate=50) as cache,
    ):
        iam.list_users()
        clock.now += 20
        assert is_hit(iam.list_users())
        assert cache._flights._flying == {}
    assert aws.count == 1
