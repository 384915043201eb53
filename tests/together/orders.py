"""A patch of ours and another tool, entered and left in each order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NamedTuple

import pytest


class Order(NamedTuple):
    """Who is entered first, and who is left first: "ours" or "theirs"."""

    entered: str
    left: str

    def __str__(self) -> str:
        return f"{self.entered} entered first, {self.left} left first"


ORDERS = [Order(entered, left) for entered in ("ours", "theirs") for left in ("ours", "theirs")]
in_each_order = pytest.mark.parametrize("order", ORDERS, ids=str)

# Nobody in force, the first entered, both, the one that is left, nobody.
Phases = Iterator[frozenset[str]]


def phases(
    order: Order, ours: AbstractContextManager[Any], theirs: Callable[[], Any], undo: ExitStack
) -> Phases:
    """
    Enters and leaves both in *order*; yields who is in force after each step.

    *theirs* makes the tool's context manager. *undo* leaves what a test that fails has entered.
    """
    stacks = {"ours": undo.enter_context(ExitStack()), "theirs": undo.enter_context(ExitStack())}
    second = "theirs" if order.entered == "ours" else "ours"
    rest = "theirs" if order.left == "ours" else "ours"
    in_force: set[str] = set()
    yield frozenset(in_force)
    for who in (order.entered, second):
        stacks[who].enter_context(ours if who == "ours" else theirs())
        in_force.add(who)
        yield frozenset(in_force)
    for who in (order.left, rest):
        stacks[who].close()
        in_force.remove(who)
        yield frozenset(in_force)
