"""
What stores do around a fork.

Locks: a thread that is not there in the child may hold one. So the store's locks are taken before
the fork, and given back after it, in parent and child: both find it whole.

A program that forks by itself (uWSGI) tells Python of it in the child alone. There the store was
not prepared.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def before_fork(self) -> None:
        """Take all locks, let go of what a child must not have."""

    def after_fork_in_parent(self) -> None:
        """Give the locks back."""

    def after_fork_in_child(self, *, is_prepared: bool) -> None:
        """
        Give the locks back, forget what is the parent's.

        Not *is_prepared*: anything may be half done, and any lock be held for ever.
        """


_stores: weakref.WeakSet[Forkable] = weakref.WeakSet()
_prepared: list[Forkable] = []  # between before and after; forks do not nest


def watch_forks(store: Forkable) -> None:
    _stores.add(store)


def _before() -> None:
    for store in list(_stores):
        store.before_fork()
        _prepared.append(store)


def _after_in_parent() -> None:
    while _prepared:
        _prepared.pop().after_fork_in_parent()


def _after_in_child() -> None:
    prepared = {id(store) for store in _prepared}
    _prepared.clear()
    for store in list(_stores):
        store.after_fork_in_child(is_prepared=id(store) in prepared)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
