"""
Which entries there are on a server, how large, and when they were last used: for the bounds, and
for who wants to see them. Steps, as in `redis_steps.py`.

Whatever is lost of the index, by expiry or otherwise, costs just exact bounds. They are approximate
anyway: processes that store at the same time may delete an entry too many or too few. The order of
use is that of the machines' clocks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from operator import methodcaller
from typing import Any

from boto_accel.cache.drive import Request, Steps
from boto_accel.cache.store import Entry
from boto_accel.cache.stores.uses import Uses

ALL = ""  # the tag that all entries have
_INDEX_MS = 24 * 3_600_000  # milliseconds; the index lives so long after the last `put`
_SWEPT = 64  # expired entries that one `put` deletes
_CHUNK = 200  # keys of one pipeline

Command = tuple[Any, ...]


class Index:
    """
    name: the name of a key, of its kind and the rest. max_bytes: of payloads; None is no bound.

    Guarding: `lock` guards what is noted of uses, and is never held over a round trip.
    """

    def __init__(
        self,
        name: Callable[..., bytes],
        max_entries: int,
        max_bytes: int | None,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self.lock = threading.RLock()  # re-entrant: a signal handler may fork
        self.uses = Uses(clock)
        self._index_ms = _INDEX_MS

    def admits(self, size: int) -> bool:
        return self._max_entries > 0 and (self._max_bytes is None or size <= self._max_bytes)

    def keys_by_use(self) -> Steps[list[bytes]]:
        """The most recently used first."""
        return list((yield one("ZREVRANGE", self._name("u"), 0, -1)))

    # An entry comes

    def adding(self, key: bytes, entry: Entry, now: float, lasts_ms: int) -> Iterator[Command]:
        self._index_ms = max(self._index_ms, lasts_ms)
        yield from self._writing_uses()
        with self.lock:
            stamp = self.uses.stamp(now)
        used, everything = self._name("u"), self._name("t:")
        yield "ZADD", used, stamp, key
        yield "ZADD", everything, entry.stale_until, key
        yield "PEXPIRE", used, self._index_ms
        yield "PEXPIRE", everything, self._index_ms
        for tag in set(entry.tags):
            name = self._name("t:", tag)
            yield "ZADD", name, entry.stale_until, key
            yield "ZREMRANGEBYSCORE", name, "-inf", now
            yield "ZREMRANGEBYRANK", name, 0, -2 * self._max_entries - 1
            yield "PEXPIRE", name, self._index_ms

    def counting(self, now: float) -> Iterator[Command]:
        """How many entries there are, and some that have expired."""
        yield "ZCARD", self._name("u")
        yield "ZRANGEBYSCORE", self._name("t:"), "-inf", now, "LIMIT", 0, _SWEPT

    def keep_bounds(
        self, key: bytes, size: int, number: int, expired: Sequence[bytes]
    ) -> Steps[None]:
        """*key* of *size* has come; *number* and *expired* answer `counting`."""
        yield from self._keep_max_entries(number, expired)
        if self._max_bytes is not None:
            yield from self._keep_max_bytes(key, size, self._max_bytes)

    def _keep_max_entries(self, number: int, expired: Sequence[bytes]) -> Steps[None]:
        """Delete what has expired, and then the least recently used beyond the bound."""
        yield from self.remove(expired)
        beyond = number - len(expired) - self._max_entries
        if beyond > 0:
            least_used = yield one("ZRANGE", self._name("u"), 0, beyond - 1)
            yield from self.remove(least_used)

    def _keep_max_bytes(self, key: bytes, size: int, max_bytes: int) -> Steps[None]:
        sizes, total_name = self._name("s"), self._name("b")
        before, _ = yield ask([("HGET", sizes, key), ("HSET", sizes, key, size)])
        total, *_ = yield ask(
            [
                ("INCRBY", total_name, size - int(before or 0)),
                ("PEXPIRE", sizes, self._index_ms),
                ("PEXPIRE", total_name, self._index_ms),
            ]
        )
        while int(total or 0) > max_bytes:
            least_used = yield one("ZRANGE", self._name("u"), 0, 0)
            if not least_used:
                return
            yield from self.remove(least_used)
            total = yield one("GET", total_name)

    # Entries go

    def taking(self, tags: Sequence[str]) -> Iterator[Command]:
        """The keys that have one of *tags*, which leave the index; two replies for each tag."""
        for tag in tags:
            name = self._name("t:", tag)
            yield "ZRANGE", name, 0, -1
            yield "UNLINK", name

    def remove(self, keys: Sequence[bytes]) -> Steps[int]:
        """Delete the entries of *keys*; how many there were."""
        removed = 0
        for some in chunks(keys):
            replies = yield ask([command for key in some for command in self._removing(key)])
            removed += sum(replies[::3])
            if self._max_bytes is not None:
                yield from self._forget_sizes(some)
        return removed

    def _removing(self, key: bytes) -> Iterator[Command]:
        yield "UNLINK", self._name("e:", key)
        yield "ZREM", self._name("u"), key
        yield "ZREM", self._name("t:"), key

    def _forget_sizes(self, keys: Sequence[bytes]) -> Steps[None]:
        sizes = self._name("s")
        pairs = [(("HGET", sizes, key), ("HDEL", sizes, key)) for key in keys]
        replies = yield ask([command for pair in pairs for command in pair])
        # Just once, whoever else deletes the same.
        freed = sum(int(size or 0) * gone for size, gone in zip(*[iter(replies)] * 2, strict=True))
        if freed:
            yield one("DECRBY", self._name("b"), freed)

    def clear(self) -> Steps[None]:
        yield ask([("UNLINK", self._name(kind)) for kind in ("u", "s", "b")])

    # Uses

    def note_use(self, key: bytes) -> None:
        with self.lock:
            self.uses.note(key, self._clock())

    def flush(self) -> Steps[None]:
        commands = list(self._writing_uses())
        if commands:
            yield ask(commands)

    def _writing_uses(self) -> Iterator[Command]:
        with self.lock:
            uses = self.uses.take()
        if uses:
            scored = [part for key, used in uses.items() for part in (used, key)]
            yield "ZADD", self._name("u"), "XX", *scored


def chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))


def ask(commands: Sequence[Command]) -> Request:
    """One round trip: the replies of all, or the error of the first that has one."""
    return methodcaller("many", commands)


def one(*command: Any) -> Request:
    return methodcaller("one", command)
