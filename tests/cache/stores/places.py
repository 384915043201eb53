"""Where stores of each kind are opened, and what is put into them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from boto_accel.cache.store import Entry, Store

T = TypeVar("T")
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


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """As `asyncio.run` ends a loop."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class ThroughALoop:
    """A store whose calls are made by its `aio`, in an event loop; for tests that know no loops."""

    def __init__(self, store: Any, loop: Loop) -> None:
        self._store = store
        self._run = loop.run
        for name in ("peek", "entries", "clear"):  # are of the sync world alone
            setattr(self, name, getattr(store, name))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store.aio, name)
        return lambda *arguments: self._run(method(*arguments))

    def close(self) -> None:
        self._run(self._store.aio.close())
        self._store.close()
