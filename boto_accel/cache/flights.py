"""
One flight for each key: of the threads and tasks that want the same, one asks, the others wait.

The others may be of both kinds at once: a flight ends for threads and for event loops alike.
A wait is bounded, and nobody waits for itself, so that no flight can hold up a program for ever.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from enum import Enum

from boto_accel.cache.forks import forget_in_children

LONGEST_WAIT_S = 60.0  # seconds; botocore's own default for the read timeout of one attempt


class Landing(Enum):
    """How a flight ended."""

    KEPT = "the reply is in the store"
    UNKEPT = "there was a reply, which is not kept"
    FAILED = "the call failed"
    VANISHED = "whoever asked was cancelled"
    NOT_AWAITED = "this one would wait for itself"
    TIMED_OUT = "this one no longer waits"


class Flight:
    """One call under way."""

    def __init__(self) -> None:
        self._future: Future[Landing] = Future()
        self._future.set_running_or_notify_cancel()  # a waiter that is cancelled cancels no other
        self._who: object = None

    def take(self) -> None:
        """Called by the one who asks, where it asks."""
        self._who = _current()

    def wait(self) -> Landing:
        """Blocks until the flight has landed."""
        if self._is_mine():
            return Landing.NOT_AWAITED
        try:
            return self._future.result(LONGEST_WAIT_S)
        except FutureTimeout:
            return Landing.TIMED_OUT

    async def wait_async(self) -> Landing:
        if self._who == _current():
            return Landing.NOT_AWAITED
        waited = asyncio.wrap_future(self._future)
        done, _ = await asyncio.wait([waited], timeout=LONGEST_WAIT_S)
        return waited.result() if done else Landing.TIMED_OUT

    def land(self, how: Landing) -> None:
        """Once; what is said later does not count."""
        if not self._future.done():
            self._future.set_result(how)

    def _is_mine(self) -> bool:
        """Whether who asks needs this very thread: it is it, or a task of the loop in it."""
        return isinstance(self._who, tuple) and self._who[0] == threading.get_ident()


def _current() -> tuple[int, object]:
    """The thread, and the task in it."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs here
        task = None
    return threading.get_ident(), None if task is None else id(task)


class Flights:
    """Those of one cache. A forked child begins with none: who asked is not there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[bytes, Flight] = {}
        forget_in_children(self)

    def join(self, key: bytes) -> tuple[Flight, bool]:
        """(the flight, whether the caller is the one to ask and to `land` it)"""
        with self._lock:
            flight = self._flying.get(key)
            if flight is not None:
                return flight, False
            flight = self._flying[key] = Flight()
            return flight, True

    def land(self, key: bytes, flight: Flight, how: Landing) -> None:
        """Of one that was lost, too: who comes next does not wait for it."""
        with self._lock:
            if self._flying.get(key) is flight:
                del self._flying[key]
        flight.land(how)

    def forget(self) -> None:
        self._lock = threading.Lock()
        self._flying = {}
