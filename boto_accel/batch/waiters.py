"""
Those who wait for the writer: a thread on a lock of its own, a task on a future of its loop.

They are woken together: a loop is called once for all of its tasks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Protocol


class Waiter(Protocol):
    """Waited for by one, resolved once: with an error, or None."""

    def resolve(self, error: BaseException | None) -> None: ...


class ThreadWaiter:
    """A lock is a fifth of what an `Event` costs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._error: BaseException | None = None

    def resolve(self, error: BaseException | None) -> None:
        self._error = error
        self._lock.release()

    def wait(self) -> None:
        """Raises the error."""
        self._lock.acquire()
        if self._error is not None:
            raise self._error


class TaskWaiter:
    """Of the running loop."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.error: BaseException | None = None

    def resolve(self, error: BaseException | None) -> None:
        self.error = error
        _call_soon(self.loop, [self])

    async def wait(self) -> None:
        """Raises the error. The put of a task that is cancelled here takes place all the same."""
        await self.future


def resolve_all(waiters: Iterable[Waiter], error: BaseException | None) -> None:
    of_loops: dict[asyncio.AbstractEventLoop, list[TaskWaiter]] = {}
    for waiter in waiters:
        if isinstance(waiter, TaskWaiter):
            waiter.error = error
            of_loops.setdefault(waiter.loop, []).append(waiter)
        else:
            waiter.resolve(error)
    for loop, several in of_loops.items():
        _call_soon(loop, several)


def _call_soon(loop: asyncio.AbstractEventLoop, waiters: list[TaskWaiter]) -> None:
    try:
        loop.call_soon_threadsafe(_finish, waiters)
    except RuntimeError:
        pass  # the loop is closed: nobody waits any more


def _finish(waiters: list[TaskWaiter]) -> None:
    for waiter in waiters:
        if waiter.future.done():
            continue  # cancelled
        if waiter.error is None:
            waiter.future.set_result(None)
        else:
            waiter.future.set_exception(waiter.error)
