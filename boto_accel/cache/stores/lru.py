"""
What is kept in memory, within bounds: by the memory store, in front of the SQLite store, and as
the index of a mapping.

Guarding: none. Whoever owns an `LRU` holds a lock around it.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

_SLACK = 64  # heap items beyond twice the keys, before the heap is made anew

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Held(Generic[V]):
    """
    What is kept of one key.

    until: seconds since the epoch; from then on it is not given back. size: in bytes.
    seq: the number of the write that it comes from, where writes have one.
    """

    value: V
    tags: tuple[str, ...]
    until: float
    size: int
    seq: int = 0


class LRU(Generic[V]):
    """
    Values by key; what has expired is dropped first, then the least recently used.

    max_bytes: None is no bound.
    """

    def __init__(self, max_entries: int, max_bytes: int | None) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._held: OrderedDict[bytes, Held[V]] = OrderedDict()
        self._tagged: dict[str, set[bytes]] = {}
        self._expiries: list[tuple[float, bytes]] = []  # a heap; may name what is gone since

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: bytes, now: float) -> V | None:
        held = self._held.get(key)
        if held is None or held.until <= now:
            return None
        self._held.move_to_end(key)
        return held.value

    def seq(self, key: bytes) -> int | None:
        held = self._held.get(key)
        return None if held is None else held.seq

    def fits(self, size: int) -> bool:
        return self._max_entries > 0 and (self._max_bytes is None or size <= self._max_bytes)

    def keep(self, key: bytes, held: Held[V], now: float) -> list[bytes]:
        """Keep what `fits`; the keys that were dropped for it."""
        self.drop(key)
        dropped = self._drop_expired(now)
        self._held[key] = held
        self._bytes += held.size
        for tag in held.tags:
            self._tagged.setdefault(tag, set()).add(key)
        heapq.heappush(self._expiries, (held.until, key))
        while self._is_too_much():
            dropped.append(next(iter(self._held)))
            self.drop(dropped[-1])
        return dropped

    def drop(self, key: bytes) -> bool:
        held = self._held.pop(key, None)
        if held is None:
            return False
        self._bytes -= held.size
        for tag in set(held.tags):
            keys = self._tagged[tag]
            keys.discard(key)
            if not keys:
                del self._tagged[tag]
        return True

    def tagged(self, tags: Iterable[str]) -> set[bytes]:
        """The keys that have one of *tags*."""
        return {key for tag in tags for key in self._tagged.get(tag, ())}

    def clear(self) -> None:
        self._held.clear()
        self._tagged.clear()
        self._expiries.clear()
        self._bytes = 0

    def live(self, now: float) -> Iterator[tuple[bytes, V]]:
        """What has not expired, the most recently used first; as it is at the call."""
        held = [(key, each.value) for key, each in self._held.items() if each.until > now]
        return reversed(held)

    def _is_too_much(self) -> bool:
        return len(self._held) > self._max_entries or (
            self._max_bytes is not None and self._bytes > self._max_bytes
        )

    def _drop_expired(self, now: float) -> list[bytes]:
        # Each item is pushed once and popped once: on average a call pays for its own alone.
        dropped = []
        while self._expiries and self._expiries[0][0] <= now:
            _, key = heapq.heappop(self._expiries)
            held = self._held.get(key)
            if held is not None and held.until <= now:
                self.drop(key)
                dropped.append(key)
        if len(self._expiries) > 2 * len(self._held) + _SLACK:
            self._expiries = [(held.until, key) for key, held in self._held.items()]
            heapq.heapify(self._expiries)
        return dropped
