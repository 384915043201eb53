"""
Entries in memory, within bounds: the memory store, and the front of the SQLite store.

Guarding: none. Whoever owns an `LRU` holds a lock around it.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator

from boto_accel.cache.store import Entry

_SLACK = 64  # heap items beyond twice the entries, before the heap is made anew


class LRU:
    """
    Entries by key, the least recently used dropped first, the expired ones before any.

    max_entries, max_bytes: bounds; bytes are those of payloads, and None is no bound.
    An entry may be kept with a number (`seq`) that says when it was written.
    """

    def __init__(self, max_entries: int, max_bytes: int | None) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._held: OrderedDict[bytes, tuple[Entry, int]] = OrderedDict()
        self._tagged: dict[str, set[bytes]] = {}
        self._expiries: list[tuple[float, bytes]] = []  # a heap; may name what is gone since

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: bytes, now: float) -> Entry | None:
        held = self._held.get(key)
        if held is None or held[0].stale_until <= now:
            return None
        self._held.move_to_end(key)
        return held[0]

    def seq(self, key: bytes) -> int | None:
        """The number that *key* was kept with."""
        held = self._held.get(key)
        return held[1] if held else None

    def set(self, key: bytes, entry: Entry, now: float, seq: int = 0) -> bool:
        """Keep *entry*, and drop what is then too much. False if it is too large for the bound."""
        self.drop(key)
        if self._max_entries < 1 or (
            self._max_bytes is not None and len(entry.payload) > self._max_bytes
        ):
            return False
        self._drop_expired(now)
        self._held[key] = (entry, seq)
        self._bytes += len(entry.payload)
        for tag in entry.tags:
            self._tagged.setdefault(tag, set()).add(key)
        heapq.heappush(self._expiries, (entry.stale_until, key))
        while self._too_much():
            self.drop(next(iter(self._held)))
        return True

    def drop(self, key: bytes) -> bool:
        held = self._held.pop(key, None)
        if held is None:
            return False
        self._bytes -= len(held[0].payload)
        for tag in set(held[0].tags):
            keys = self._tagged[tag]
            keys.discard(key)
            if not keys:
                del self._tagged[tag]
        return True

    def tagged(self, tag: str) -> list[bytes]:
        return list(self._tagged.get(tag, ()))

    def clear(self) -> None:
        self._held.clear()
        self._tagged.clear()
        self._expiries.clear()
        self._bytes = 0

    def live(self, now: float) -> Iterator[tuple[bytes, Entry]]:
        """What has not expired, the most recently used first; of the moment of the call."""
        held = [(key, entry) for key, (entry, _) in self._held.items() if entry.stale_until > now]
        return reversed(held)

    def _too_much(self) -> bool:
        return len(self._held) > self._max_entries or (
            self._max_bytes is not None and self._bytes > self._max_bytes
        )

    def _drop_expired(self, now: float) -> None:
        # Each item is pushed once and popped once: the cost of a call is a constant on average.
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heapq.heappop(self._expiries)
            held = self._held.get(key)
            if held is not None and held[0].stale_until <= now:
                self.drop(key)
        if len(self._expiries) > 2 * len(self._held) + _SLACK:
            self._expiries = [(entry.stale_until, key) for key, (entry, _) in self._held.items()]
            heapq.heapify(self._expiries)
