"""A store in the memory of the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from boto_accel.cache.store import Entry, Ticket
from boto_accel.cache.stores.forks import watch_forks
from boto_accel.cache.stores.invalidations import Invalidations
from boto_accel.cache.stores.lru import LRU, Held


class MemoryStore:
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
        self._bounds = (max_entries, max_bytes)
        self._clock = clock
        self._lock = threading.RLock()  # re-entrant: a signal handler may fork
        self._begin()
        watch_forks(self)

    def _begin(self) -> None:
        self._lru: LRU[Entry] = LRU(*self._bounds)
        self._invalidations = Invalidations()

    def peek(self, key: bytes) -> Entry | None:
        with self._lock:
            return self._lru.get(key, self._clock())

    get = peek

    def ticket(self, tags: Iterable[str]) -> Ticket:
        with self._lock:
            return self._invalidations.ticket(tags)

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

    def lead(self, key: bytes) -> bool:
        return True  # there are no other processes

    def done(self, key: bytes) -> None:
        pass

    def entries(self) -> Iterator[tuple[bytes, Entry]]:
        with self._lock:
            return self._lru.live(self._clock())

    def close(self) -> None:
        pass

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self, *, is_prepared: bool) -> None:
        if is_prepared:
            self._lock.release()
        else:
            self._lock = threading.RLock()
            self._begin()
