"""How long a server that failed is left alone."""

from __future__ import annotations

import time

SHORTEST_S = 1.0  # seconds
LONGEST_S = 10.0  # seconds


class Pause:
    """
    Longer with each failure in a row. When it is over, one thread tries, and the others wait on.

    No lock: two threads that read the same numbers both try, or both make it longer.
    """

    def __init__(self) -> None:
        self._length_s = 0.0
        self._until = 0.0  # by time.monotonic()

    def is_over(self) -> bool:
        if not self._length_s:
            return True
        now = time.monotonic()
        if now < self._until:
            return False
        self._until = now + self._length_s
        return True

    def begin(self) -> None:
        self._length_s = min(2 * self._length_s or SHORTEST_S, LONGEST_S)
        self._until = time.monotonic() + self._length_s

    def end(self) -> None:
        self._length_s = 0.0
