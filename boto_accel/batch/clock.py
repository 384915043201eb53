"""
Stamps: nanoseconds since 1970 that only grow, and lie behind every time that was seen.

A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014). A put that follows what
this process has seen, be it on a server whose clock is ahead, is so newer than that.

Guarding: one lock, held for two statements.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# What is further ahead is not believed. S3 itself refuses a clock that is off by more
# (RequestTimeTooSkewed).
MOST_AHEAD_NS = 15 * 60 * 10**9


class Clock:
    """*read*: nanoseconds since 1970."""

    def __init__(self, read: Callable[[], int] = time.time_ns) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._last = 0

    def stamp(self) -> int:
        """Greater than every stamp and every time that was seen before."""
        now = self._read()
        with self._lock:
            self._last = now if now > self._last else self._last + 1
            return self._last

    def observe(self, seen: int) -> None:
        """There is something of the time *seen*."""
        with self._lock:
            if self._last < seen <= self._read() + MOST_AHEAD_NS:
                self._last = seen
