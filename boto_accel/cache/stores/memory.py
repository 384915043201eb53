"""A store in the memory of the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from boto_accel.cache.store import Entry, Ticket
from boto_accel.cache.stores.lru import LRU, Held
from boto_accel.cache.stores.one_process import OneProcess


class MemoryStore(OneProcess):
    """
    For one process, and gone with it; a forked child goes on with a copy.

    One lock, held for a few microseconds, never over I/O: `peek` may take it.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(max_entries, max_bytes, clock)

    def _begin(self) -> None:
        super()._begin()
        self._lru: LRU[Entry] = LRU(*self._bounds)

    def peek(self, key: bytes) -> Entry | None:
        with self._lock:
            return self._lru.get(key, self._clock())

    get = peek

    def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool:
        size = len(entry.payload)
        with self._lock:
            now = self._clock()
            if (
                entry.stale_until <= now
                or not self._lru.fits(size)
                or not self._invalidations.admits(ticket, entry.tags)
            ):
                return False
            self._lru.keep(key, Held(entry, entry.tags, entry.stale_until, size), now)
            return True

    def drop(self, key: bytes) -> None:
        with self._lock:
            self._lru.drop(key)

    def invalidate(self, tags: Iterable[str]) -> int:
        names = set(tags)
        with self._lock:
            self._invalidations.note(names)
            return sum(self._lru.drop(key) for key in self._lru.tagged(names))

    def clear(self) -> int:
        with self._lock:
            self._invalidations.note_all()
            dropped = len(self._lru)
            self._lru.clear()
            return dropped

    def entries(self) -> Iterator[tuple[bytes, Entry]]:
        with self._lock:
            return self._lru.live(self._clock())
