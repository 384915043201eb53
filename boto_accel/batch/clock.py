"""
Stamps: nanoseconds since 1970 that only grow, and lie behind every time that was seen.

A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014). A put that follows what
this process has seen, be it on a server whose clock is ahead, is so newer than that.

The clock of the host is corrected by that of S3, which all hosts have in common, and by which plain
objects have their times: as far as an answer's `Date` proves it wrong, and no further.

Guarding: one lock, held for two statements.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# What is further ahead is not believed. S3 itself refuses a clock that is off by more
# (RequestTimeTooSkewed).
MOST_AHEAD_NS = 15 * 60 * 10**9
# RFC 9110, 6.6.1: Date is to the second; and servers format it once a second.
DATE_NS = 2 * 10**9


class Clock:
    """*read*: nanoseconds since 1970."""

    def __init__(self, read: Callable[[], int] = time.time_ns) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._last = 0
        self._behind = 0  # how far the host's clock is, of S3's

    def stamp(self) -> int:
        """Greater than every stamp and every time that was seen before."""
        now = self._read() + self._behind
        with self._lock:
            self._last = now if now > self._last else self._last + 1
            return self._last

    def observe(self, seen: int) -> None:
        """There is something of the time *seen*."""
        with self._lock:
            if self._last < seen <= self._read() + self._behind + MOST_AHEAD_NS:
                self._last = seen

    def host_time(self) -> int:
        """By the clock of the host alone."""
        return self._read()

    def compare(self, date: int, asked: int) -> None:
        """S3 has answered with *date*, between *asked*, by `host_time`, and now."""
        least, most = date - self._read(), date + DATE_NS - asked
        behind = min(max(self._behind, least), most)
        if abs(behind) <= MOST_AHEAD_NS:
            self._behind = behind
