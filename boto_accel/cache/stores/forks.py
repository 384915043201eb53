"""
What stores do around a fork.

Locks: a thread that is not there in the child may hold one. So the store's locks are taken before
the fork, and given back after it, in parent and child: both find it whole.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def before_fork(self) -> None:
        """Take all locks, let go of what a child must not have."""

    def after_fork(self, *, in_child: bool) -> None:
        """Give the locks back."""


_stores: weakref.WeakSet[Forkable] = weakref.WeakSet()
_waiting: list[Forkable] = []  # between before and after; forks do not nest


def watch_forks(store: Forkable) -> None:
    _stores.add(store)


def _before() -> None:
    for store in list(_stores):
        store.before_fork()
        _waiting.append(store)


def _after_in_parent() -> None:
    _after(in_child=False)


def _after_in_child() -> None:
    _after(in_child=True)


def _after(*, in_child: bool) -> None:
    while _waiting:
        _waiting.pop().after_fork(in_child=in_child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
