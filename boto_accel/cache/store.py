"""
What the cache asks of a store. Stores know nothing of AWS: keys and payloads are bytes.

A reply must not be kept if something made it stale while it was on its way: whoever is about to
ask AWS takes a `Ticket` first, and `put` with it does nothing if one of the tags was invalidated
since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Ticket = Any
"""Made and understood by one store."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One kept reply.

    payload: bytes, the encoded reply. tags: what invalidates it, a few short texts.
    stored_at, fresh_until, stale_until: seconds since the epoch (`time.time()`);
    stored_at <= fresh_until <= stale_until, and a store gives nothing back from stale_until on.
    label: a readable name for `boto-accel cache ls`, "s3 eu-west-1 GetObject"; holds no value of
    a parameter.
    """

    payload: bytes
    tags: tuple[str, ...]
    stored_at: float
    fresh_until: float
    stale_until: float
    label: str


class Store(Protocol):
    """
    Entries by key, for all threads and tasks of the process, and other processes where it says so.

    No method raises for what is wrong with a disk, a file or a server: it warns once, and goes on
    as if nothing were kept.
    """

    @property
    def aio(self) -> AsyncStore | None:
        """The same for event loops; None where they ask in a thread."""
        ...

    def peek(self, key: bytes) -> Entry | None:
        """The entry if this process has it at hand; never waits, for use on an event loop."""
        ...

    def get(self, key: bytes) -> Entry | None:
        """The entry, wherever it is. May wait for a disk or a network."""
        ...

    def ticket(self, tags: Iterable[str]) -> Ticket:
        """Taken before AWS is asked for what *tags* would be put on."""
        ...

    def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool:
        """Keep *entry*, unless one of its tags was invalidated since *ticket*. True if kept."""
        ...

    def drop(self, key: bytes) -> None:
        """Forget one entry."""
        ...

    def invalidate(self, tags: Iterable[str]) -> int:
        """Forget all entries with one of *tags*, also those on their way; how many there were."""
        ...

    def clear(self) -> int:
        """Forget all, also what is on its way; how many there were."""
        ...

    def lead(self, key: bytes) -> bool:
        """
        Whether the caller is the one to ask AWS for *key*, on behalf of all processes.

        False: another one is at it; look again with `get` after a moment. A leader that dies loses
        its place after a time. Within the process the caller sees to it that one asks at a time.
        """
        ...

    def done(self, key: bytes) -> None:
        """The leader has put its reply, or given up."""
        ...

    def entries(self) -> Iterator[tuple[bytes, Entry]]:
        """All entries, the most recently used first."""
        ...

    def close(self) -> None:
        """Let go of files and connections. A store that is used again opens them again."""
        ...


class AsyncStore(Protocol):
    """What a call in an event loop asks of a store; each method as in `Store`."""

    async def get(self, key: bytes) -> Entry | None: ...

    async def ticket(self, tags: Iterable[str]) -> Ticket: ...

    async def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool: ...

    async def drop(self, key: bytes) -> None: ...

    async def invalidate(self, tags: Iterable[str]) -> int: ...

    async def lead(self, key: bytes) -> bool: ...

    async def done(self, key: bytes) -> None: ...

    async def close(self) -> None:
        """Let go of the connections of the running loop."""
        ...
