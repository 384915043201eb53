"""
When which entry was last used, noted in memory until there is a reason to write it down.

Guarding: none. Whoever owns a `Uses` holds a lock around it.
"""

from __future__ import annotations

from collections.abc import Callable

FLUSH_AFTER_S = 10.0  # seconds; what is noted is written at the latest, if anything is asked for
MOST = 256  # uses; then they are written


class Uses:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._noted: dict[bytes, float] = {}
        self._last = 0.0
        self._taken_at = clock()

    def __bool__(self) -> bool:
        return bool(self._noted)

    def note(self, key: bytes, now: float) -> None:
        self._noted.pop(key, None)
        self._noted[key] = self.stamp(now)
        if len(self._noted) > 2 * MOST:  # where nothing is asked for that might write them
            del self._noted[next(iter(self._noted))]

    def stamp(self, now: float) -> float:
        """*now*, but later than any use before, so that the order of uses is kept."""
        self._last = max(now, self._last + 1e-6)
        return self._last

    def is_due(self) -> bool:
        """Whether they are to be written."""
        return bool(self._noted) and (
            len(self._noted) >= MOST or self._clock() >= self._taken_at + FLUSH_AFTER_S
        )

    def take(self) -> dict[bytes, float]:
        """By key, the least recent first; they are noted no more."""
        noted, self._noted = self._noted, {}
        self._taken_at = self._clock()
        return noted
