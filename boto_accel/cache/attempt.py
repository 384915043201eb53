"""
One look in the store and, where it has nothing, one question to AWS on behalf of all processes.

All methods may wait for a disk or a network: a patch asks for them as `Blocking`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from boto_accel.cache.codec import Damaged, Kept, decode
from boto_accel.cache.freshness import State
from boto_accel.cache.store import Entry, Store, Ticket


class Found(NamedTuple):
    """An entry that can be given, and what is in it."""

    entry: Entry
    kept: Kept
    state: State


Read = Callable[[Entry], Found | None]


class Attempt:
    """
    Of one call. read: the `Found` of an entry, or None for one that has expired or is damaged.

    kept: whether the store has the reply. leads: whether other processes wait for this one.
    """

    def __init__(self, store: Store, key: bytes, tags: tuple[str, ...], read: Read) -> None:
        self.key = key
        self.tags = tags
        self.kept = False
        self.leads = False
        self._store = store
        self._read = read
        self._ticket: Ticket = None
        self._abandoned = False

    def begin(self) -> Found | None:
        """What the store has; else `leads` tells whether to ask AWS now, or to look again."""
        found = self._look()
        if found is None and self._lead():
            # Who led before may have put its reply between the look and the lead.
            found = self._look()
        if found is None:
            self.depart()
        self.kept = found is not None
        return found

    def begin_anew(self) -> bool:
        """Whether to ask AWS for what the store has, but is stale."""
        if not self._lead():
            return False
        found = self._look()
        self.kept = found is not None and found.state is State.FRESH
        if not self.kept:
            self.depart()
        return not self.kept

    def depart(self) -> None:
        """AWS is about to be asked: from now on an invalidation is one of what it will say."""
        self._ticket = self._store.ticket(self.tags)

    def arrive(self, entry: Entry) -> None:
        """Keep the reply, and let those go on who wait for it."""
        self.kept = self._store.put(self.key, entry, self._ticket)
        if self.leads:
            self.done()

    def abandon(self) -> None:
        """The call is over; a thread that is still at it for a cancelled task leads nobody."""
        self._abandoned = True

    def done(self) -> None:
        self.leads = False
        self._store.done(self.key)

    def _lead(self) -> bool:
        if not self.leads:
            self.leads = self._store.lead(self.key)
        if self.leads and self._abandoned:
            self.done()
        return self.leads

    def _look(self) -> Found | None:
        entry = self._store.get(self.key)
        found = None if entry is None else self._read(entry)
        if entry is not None and found is None:
            self._forget_damaged(entry)
        return found

    def _forget_damaged(self, entry: Entry) -> None:
        try:
            decode(entry.payload)
        except Damaged:
            self._store.drop(self.key)
