"""
What could not be forgotten yet, because a disk was full or a server away.

Until it is, the store gives nothing back: it might be what a write has made stale.

Guarding: none. The store's lock is held around it.
"""

from __future__ import annotations

from typing import NamedTuple

_MOST = 1000  # names; beyond, everything is owed


class Names(NamedTuple):
    """What to forget: what has one of *tags*, *keys*, or *everything*."""

    tags: frozenset[str] = frozenset()
    keys: frozenset[bytes] = frozenset()
    everything: bool = False


class Owed:
    def __init__(self) -> None:
        self._tags: set[str] = set()
        self._keys: set[bytes] = set()
        self._everything = False

    def __bool__(self) -> bool:
        return self._everything or bool(self._tags or self._keys)

    def add(self, names: Names) -> None:
        self._tags |= names.tags
        self._keys |= names.keys
        self._everything |= names.everything or len(self._tags) + len(self._keys) > _MOST
        if self._everything:
            self._tags.clear()
            self._keys.clear()

    def names(self) -> Names:
        return Names(frozenset(self._tags), frozenset(self._keys), self._everything)

    def clear(self) -> None:
        self._tags.clear()
        self._keys.clear()
        self._everything = False
