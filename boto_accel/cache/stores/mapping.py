"""
A store in a mapping of the user's own: a dict, a `cachetools` object, or anything like them.

The mapping is given `bytes` as keys and `bytes` as values (`record.py`), and asked for
`m[key]`, `m[key] = value`, `del m[key]` and, once, to iterate. What it drops by itself is simply no
longer there; its other contents are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any

from boto_accel.cache.store import Entry, Ticket
from boto_accel.cache.stores.lru import LRU, Held
from boto_accel.cache.stores.notices import Notices
from boto_accel.cache.stores.one_process import OneProcess
from boto_accel.cache.stores.record import can_keep, decode_entry, encode_entry


class MappingStore(OneProcess):
    """
    For one process: what others do with the same mapping is not seen as an invalidation.

    One lock around the mapping and the index, which knows the tags and the order of use. `peek`
    only tries the lock, but asks the mapping: one that waits would hold up an event loop.
    """

    def __init__(
        self,
        mapping: MutableMapping[Any, Any],
        *,
        max_entries: int,
        max_bytes: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._mapping = mapping
        self._notices = Notices(type(mapping).__name__)
        super().__init__(max_entries, max_bytes, clock)

    def _begin(self) -> None:
        super()._begin()
        self._index: LRU[bool] = LRU(*self._bounds)
        self._is_indexed = False

    def peek(self, key: bytes) -> Entry | None:
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self._look(key)
        finally:
            self._lock.release()

    def get(self, key: bytes) -> Entry | None:
        with self._lock:
            return self._look(key)

    def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool:
        with self._lock:
            if (
                not can_keep(entry)
                or entry.stale_until <= self._clock()
                or not self._index.fits(len(entry.payload))
                or not self._invalidations.admits(ticket, entry.tags)
            ):
                return False
            self._index_once()
            if not self._store(key, encode_entry(entry)):
                return False
            self._note(key, entry)
            return True

    def drop(self, key: bytes) -> None:
        with self._lock:
            self._index.drop(key)
            self._remove(key)

    def invalidate(self, tags: Iterable[str]) -> int:
        names = set(tags)
        with self._lock:
            self._index_once()
            self._invalidations.note(names)
            return sum(self._forget(key) for key in self._index.tagged(names))

    def clear(self) -> int:
        with self._lock:
            self._index_once()
            self._invalidations.note_all()
            keys = [key for key, _ in self._index.live(float("-inf"))]
            return sum(self._forget(key) for key in keys)

    def entries(self) -> Iterator[tuple[bytes, Entry]]:
        with self._lock:
            self._index_once()
            keys = [key for key, _ in self._index.live(self._clock())]
        for key in keys:
            with self._lock:
                entry = self._read(key)
            if entry is not None:
                yield key, entry

    # Within; the lock is held

    def _look(self, key: bytes) -> Entry | None:
        self._index_once()
        # What is not in the index was forgotten, even if the mapping would not let go of it.
        return self._read(key) if self._index.get(key, self._clock()) else None

    def _index_once(self) -> None:
        """The mapping may have been filled by an earlier cache, or process."""
        if self._is_indexed:
            return
        self._is_indexed = True
        for key in self._keys():
            entry = self._read(key)
            if entry is not None:
                self._note(key, entry)

    def _note(self, key: bytes, entry: Entry) -> None:
        held = Held(True, entry.tags, entry.stale_until, len(entry.payload))
        for dropped in self._index.keep(key, held, self._clock()):
            self._remove(dropped)

    def _forget(self, key: bytes) -> bool:
        self._index.drop(key)
        return self._remove(key)

    # The mapping itself. It is somebody else's code, and so may raise anything: `ValueError` of
    # cachetools for what is too large, `OSError` of a mapping on a disk.

    def _keys(self) -> list[bytes]:
        try:
            return [key for key in self._mapping if type(key) is bytes]
        except Exception as error:
            self._warn(error)
            return []

    def _read(self, key: bytes) -> Entry | None:
        try:
            return decode_entry(self._mapping[key])
        except KeyError:
            return None
        except Exception as error:
            self._warn(error)
            return None

    def _store(self, key: bytes, record: bytes) -> bool:
        try:
            self._mapping[key] = record
            return True
        except Exception as error:
            self._warn(error)
            return False

    def _remove(self, key: bytes) -> bool:
        try:
            del self._mapping[key]
            return True
        except KeyError:
            return False
        except Exception as error:
            self._warn(error)
            return False

    def _warn(self, error: Exception) -> None:
        # Its text may quote a value.
        self._notices.once(type(error).__name__, f"raised {type(error).__name__}; goes on without")
