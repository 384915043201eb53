"""Where stores of each kind are opened, and what is put into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from boto_accel.cache.store import Entry, Store

START = 1_700_000_000.0  # seconds since the epoch
TTL = 10_000.0  # seconds; a server counts them by its own clock, so none of them ends in a test


@dataclass
class Clock:
    """Stands still but for `tick`."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Place:
    """
    One place, in which `open` opens a store; many, of the kinds that are shared.

    Options of `open` are those that all kinds have: max_entries, max_bytes.
    """

    kind: str
    make: Callable[..., Store]
    clock: Clock = field(default_factory=Clock)
    opened: list[Store] = field(default_factory=list)

    def open(self, *, max_entries: int = 100, **options: Any) -> Store:
        store = self.make(max_entries=max_entries, clock=self.clock, **options)
        self.opened.append(store)
        return store

    def close(self) -> None:
        for store in self.opened:
            store.close()

    def entry(self, payload: bytes = b"reply", *tags: str, ttl: float = TTL) -> Entry:
        return entry(payload, *tags, now=self.clock(), ttl=ttl)

    def put(self, store: Store, key: bytes, payload: bytes = b"reply", *tags: str) -> Entry:
        """Keep an entry that must be kept."""
        made = self.entry(payload, *tags)
        assert store.put(key, made, store.ticket(tags))
        return made


def entry(payload: bytes = b"reply", *tags: str, now: float = START, ttl: float = TTL) -> Entry:
    return Entry(payload, tags, now, now + ttl / 2, now + ttl, "s3 eu-west-1 GetObject")


def keys_of(store: Store) -> list[bytes]:
    """The most recently used first."""
    return [key for key, _ in store.entries()]
