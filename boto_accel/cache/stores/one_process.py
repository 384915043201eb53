"""What the stores have in common that one process has to itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from boto_accel.cache.store import Ticket
from boto_accel.cache.stores.forks import watch_forks
from boto_accel.cache.stores.invalidations import Invalidations


class OneProcess:
    """
    One lock, its way through a fork, tickets, and nobody else to lead.

    A subclass makes in `_begin` what is kept under the lock, and begins by calling this one's.
    """

    aio = None

    def __init__(
        self, max_entries: int, max_bytes: int | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._bounds = (max_entries, max_bytes)
        self._clock = clock
        self._lock = threading.RLock()  # re-entrant: a signal handler may fork
        self._begin()
        watch_forks(self)

    def _begin(self) -> None:
        self._invalidations = Invalidations()

    def ticket(self, tags: Iterable[str]) -> Ticket:
        with self._lock:
            return self._invalidations.ticket(tags)

    def lead(self, key: bytes) -> bool:
        return True  # there are no other processes

    def done(self, key: bytes) -> None:
        pass

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
