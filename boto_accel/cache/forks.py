"""
What has a lock, and begins anew in a forked child: a thread that is not there may hold it.

Stores have hooks of their own, since they go on with what they have.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forgetful(Protocol):
    def forget(self) -> None:
        """In a child: new locks, and nothing of the parent's threads and tasks."""


_all: weakref.WeakSet[Forgetful] = weakref.WeakSet()


def forget_in_children(thing: Forgetful) -> None:
    _all.add(thing)


def _after_in_child() -> None:
    for thing in list(_all):
        thing.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
