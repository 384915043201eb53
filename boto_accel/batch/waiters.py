"""
Those who wait for the writer: threads at a lock that they share, a task on a future of its loop.

They are woken together: a loop is called once for all of its tasks, and of the threads the first,
who lets the next one through. Were all of them woken at once, they would do nothing but wait for
each other's GIL: that is twice the switches between threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any, Protocol


class Waiter(Protocol):
    """Resolved with an error, or None; what comes after the first time has no effect."""

    def resolve(self, error: BaseException | None) -> None: ...

    def wait(self) -> Any:
        """None, or an awaitable of it. Raises the error."""


class ThreadWaiter:
    """Of any number of threads; a lock that whoever has it gives on at once. Forever open then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._is_open = False
        self._error: BaseException | None = None

    def resolve(self, error: BaseException | None) -> None:
        if not self._is_open:
            self._error = error
            self._is_open = True
            self._lock.release()

    def wait(self) -> None:
        """Raises the error."""
        try:
            self._lock.acquire()
        finally:
            # Where a signal's exception ends the wait, too: others may stand behind this thread.
            # No function of Python's is called here, for it would be a chance for the next signal.
            if self._is_open:
                try:
                    self._lock.release()
                except RuntimeError:
                    pass  # this thread did not have it, and nobody else
        if self._error is not None:
            raise self._error


class TaskWaiter:
    """Of one task of the running loop."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()

    def resolve(self, error: BaseException | None) -> None:
        _call_soon(self.loop, [self], error)

    async def wait(self) -> None:
        """Raises the error. The put of a task that is cancelled here takes place all the same."""
        await self.future


def resolve_all(waiters: Iterable[Waiter], error: BaseException | None) -> None:
    of_loops: dict[asyncio.AbstractEventLoop, list[TaskWaiter]] = {}
    for waiter in waiters:
        if isinstance(waiter, TaskWaiter):
            of_loops.setdefault(waiter.loop, []).append(waiter)
        else:
            waiter.resolve(error)
    for loop, several in of_loops.items():
        _call_soon(loop, several, error)


def _call_soon(
    loop: asyncio.AbstractEventLoop, waiters: list[TaskWaiter], error: BaseException | None
) -> None:
    try:
        loop.call_soon_threadsafe(_finish, waiters, error)
    except RuntimeError:
        pass  # the loop is closed: nobody waits any more


def _finish(waiters: list[TaskWaiter], error: BaseException | None) -> None:
    for waiter in waiters:
        if waiter.future.done():
            continue  # cancelled
        if error is None:
            waiter.future.set_result(None)
        else:
            waiter.future.set_exception(error)
