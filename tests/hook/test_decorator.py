"""The decorator, on functions of all four kinds."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from boto_accel import _hook
from boto_accel.errors import InvalidOptionError
from tests.hook.patches import Answers


def active() -> bool:
    return bool(_hook.stack.active)


def test_function(s3: Any) -> None:
    @Answers("f")
    def named(left: int, *, right: int) -> Any:
        """Its text."""
        return left, right, s3.list_buckets()["by"]

    assert named(1, right=2) == (1, 2, "f")
    assert (named.__name__, named.__doc__) == ("named", "Its text.")
    assert not active()


def test_function_that_raises_and_recurses() -> None:
    @Answers()
    def down(depth: int) -> None:
        assert active()
        if not depth:
            raise KeyError("end")
        down(depth - 1)

    with pytest.raises(KeyError, match="end"):
        down(3)
    assert not active()


def test_coroutine_functions_at_the_same_time() -> None:
    """Each call enters on its own: the one that ends first leaves the patch to the other."""
    patch = Answers()

    @patch
    async def work(turns: int) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        return active()

    async def main() -> Any:
        return await asyncio.gather(work(1), work(5))

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(main()) == [True, True]
    assert (patch.opened, patch.closed, active()) == (1, 1, False)


def test_a_cancelled_coroutine_leaves() -> None:
    @Answers()
    async def forever() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        assert active()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not active()

    asyncio.run(main())


def test_generator_sends_throws_returns() -> None:
    @Answers()
    def steps() -> Iterator[Any]:
        got = yield active()
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"

    generator = steps()
    assert inspect.isgeneratorfunction(steps)
    assert not active()  # not begun
    assert next(generator) is True
    assert generator.send("sent") == "sent"
    assert generator.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert (stop.value.value, active()) == ("end", False)


def test_generators_closed_out_of_order() -> None:
    patch, ended = Answers(), []

    @patch
    def steps(name: str) -> Iterator[str]:
        try:
            yield name
        finally:
            ended.append((name, active()))

    first, second = steps("first"), steps("second")
    next(first), next(second)
    first.close()
    assert active()
    del second  # collected, never closed by hand
    assert (ended, active()) == ([("first", True), ("second", True)], False)


def test_async_generator_sends_throws_ends() -> None:
    @Answers()
    async def steps() -> AsyncIterator[Any]:
        got = yield active()
        try:
            yield got
        except KeyError:
            yield "caught"

    async def main() -> None:
        generator: Any = steps()
        assert await generator.__anext__() is True
        assert await generator.asend("sent") == "sent"
        assert await generator.athrow(KeyError()) == "caught"
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()
        assert not active()

    assert inspect.isasyncgenfunction(steps)
    asyncio.run(main())


@pytest.mark.parametrize("way", ["aclose", "break", "cancel", "raise"])
def test_async_generator_left_early(way: str) -> None:
    """Its own `finally` runs first, with the patch still in force; then the patch is left."""
    ended = []

    @Answers()
    async def steps() -> AsyncIterator[int]:
        try:
            for number in range(9):
                await asyncio.sleep(0)
                yield number
            if way == "never":
                return
        finally:
            await asyncio.sleep(0)
            ended.append(active())

    async def consume() -> None:
        generator: Any = steps()
        try:
            async for _ in generator:
                if way == "break":
                    break
                if way == "raise":
                    raise KeyError("mine")
                if way == "cancel":
                    await asyncio.Event().wait()
                if way == "aclose":
                    await generator.aclose()
        finally:
            await generator.aclose()

    async def main() -> None:
        task = asyncio.create_task(consume())
        for _ in range(3):
            await asyncio.sleep(0)
        if way == "cancel":
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() == (way == "cancel")
        if way == "raise":
            assert isinstance(task.exception(), KeyError)
        assert (ended, active()) == ([True], False)

    asyncio.run(main())


@pytest.mark.parametrize("given", [3, object, None])
def test_what_is_no_function_is_refused(given: Any) -> None:
    with pytest.raises(InvalidOptionError, match="function"):
        Answers()(given)
