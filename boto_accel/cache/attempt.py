"""
One look in the store and, where it has nothing, one question to AWS on behalf of all processes.

What may wait for a disk or a network is steps on the store (`drive.py`), which run to their end
also where the task that asked for them is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from typing import NamedTuple

from boto_accel._call import Call
from boto_accel.cache import freshness
from boto_accel.cache.codec import Damaged, Kept, decode
from boto_accel.cache.drive import Steps
from boto_accel.cache.freshness import State, Target
from boto_accel.cache.plan import Plan
from boto_accel.cache.scope import Scope
from boto_accel.cache.store import Entry, Ticket


class Found(NamedTuple):
    """An entry that can be given, and what is in it."""

    entry: Entry
    kept: Kept
    state: State


class Asked(NamedTuple):
    """A call that is looked for."""

    call: Call
    scope: Scope
    plan: Plan
    key: bytes
    principal: bytes

    def tags(self) -> tuple[str, ...]:
        return freshness.tags_of_read(target_of(self.call, self.scope, self.principal))


def target_of(call: Call, scope: Scope, principal: bytes) -> Target:
    return Target(
        scope.service, call.operation, scope.region, scope.endpoint, principal, call.params
    )


Read = Callable[[Entry], Found | None]


class Attempt:
    """
    Of one call. read: the `Found` of an entry, or None for one that has expired or is damaged.

    kept: whether the store has the reply. leads: whether other processes wait for this one.
    """

    def __init__(self, key: bytes, tags: tuple[str, ...], read: Read) -> None:
        self.key = key
        self.tags = tags
        self.kept = False
        self.leads = False
        self._read = read
        self._ticket: Ticket = None
        self._abandoned = False

    def begin(self) -> Steps[Found | None]:
        """What the store has; else `leads` tells whether to ask AWS now, or to look again."""
        found = yield from self._look()
        if found is None and (yield from self._lead()):
            # Who led before may have put its reply between the look and the lead.
            found = yield from self._look()
        if found is None:
            yield from self.depart()
        self.kept = found is not None
        return found

    def begin_anew(self) -> Steps[bool]:
        """Whether to ask AWS for what the store has, but is stale."""
        if not (yield from self._lead()):
            return False
        found = yield from self._look()
        self.kept = found is not None and found.state is State.FRESH
        if not self.kept:
            yield from self.depart()
        return not self.kept

    def depart(self) -> Steps[None]:
        """AWS is about to be asked: from now on an invalidation is one of what it will say."""
        self._ticket = yield methodcaller("ticket", self.tags)

    def arrive(self, entry: Entry) -> Steps[None]:
        """Keep the reply, and let those go on who wait for it."""
        self.kept = yield methodcaller("put", self.key, entry, self._ticket)
        if self.leads:
            yield from self.done()

    def abandon(self) -> None:
        """The call is over; steps that are still run for a cancelled task lead nobody."""
        self._abandoned = True

    def done(self) -> Steps[None]:
        self.leads = False
        yield methodcaller("done", self.key)

    def _lead(self) -> Steps[bool]:
        if not self.leads:
            self.leads = yield methodcaller("lead", self.key)
        if self.leads and self._abandoned:
            yield from self.done()
        return self.leads

    def _look(self) -> Steps[Found | None]:
        entry = yield methodcaller("get", self.key)
        found = None if entry is None else self._read(entry)
        if entry is not None and found is None and _is_damaged(entry):
            yield methodcaller("drop", self.key)
        return found


def _is_damaged(entry: Entry) -> bool:
    try:
        decode(entry.payload)
    except Damaged:
        return True
    return False
