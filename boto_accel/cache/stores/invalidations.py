"""
Which tags were invalidated when, for the tickets of stores that one process has to itself.

Guarding: none. Whoever owns an `Invalidations` holds a lock around it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from boto_accel.cache.store import Ticket

_REMEMBERED = 10_000  # tags; a ticket older than what is no longer remembered is refused


class _Ticket(NamedTuple):
    issuer: Invalidations
    seq: int
    tags: frozenset[str]


class Invalidations:
    """A count of invalidations. A ticket is the count when it was taken."""

    def __init__(self) -> None:
        self._seq = 0
        self._floor = 0
        self._last: OrderedDict[str, int] = OrderedDict()

    def ticket(self, tags: Iterable[str]) -> Ticket:
        return _Ticket(self, self._seq, frozenset(tags))

    def admits(self, ticket: Ticket, tags: Iterable[str]) -> bool:
        """Whether *ticket* is for *tags*, and none of them was invalidated since."""
        return (
            isinstance(ticket, _Ticket)
            and ticket.issuer is self
            and ticket.seq >= self._floor
            and ticket.tags.issuperset(tags)
            and all(self._last.get(tag, 0) <= ticket.seq for tag in tags)
        )

    def note(self, tags: Iterable[str]) -> None:
        self._seq += 1
        for tag in tags:
            self._last[tag] = self._seq
            self._last.move_to_end(tag)
        while len(self._last) > _REMEMBERED:
            self._floor = self._last.popitem(last=False)[1]

    def note_all(self) -> None:
        self._seq += 1
        self._floor = self._seq
        self._last.clear()
