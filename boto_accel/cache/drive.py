"""
Steps on a store, or on a server: generators that yield what they want of it.

A request is a function of whoever serves it, such as `methodcaller("get", key)`: what it returns
is the outcome, or in the async world what that is when awaited. So steps are written once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from operator import methodcaller
from typing import Any, TypeVar

T = TypeVar("T")
Request = Callable[[Any], Any]
Steps = Generator[Request, Any, T]


def run(steps: Steps[T], server: Any) -> T:
    """What *steps* return. What a request raises is raised at its `yield`."""
    try:
        request = next(steps)
        while True:
            try:
                outcome = request(server)
            except BaseException as error:
                request = steps.throw(error)
            else:
                request = steps.send(outcome)
    except StopIteration as stop:
        found: T = stop.value
        return found


async def arun(steps: Steps[T], server: Any) -> T:
    """`run` for a server whose methods are coroutine functions."""
    try:
        request = next(steps)
        while True:
            try:
                outcome = await request(server)
            except BaseException as error:
                request = steps.throw(error)
            else:
                request = steps.send(outcome)
    except StopIteration as stop:
        found: T = stop.value
        return found


async def arun_to_the_end(steps: Steps[T], server: Any) -> T:
    """
    `arun`, as `Blocking` does it in a thread: a task that is cancelled does not wait for it.

    Without its outcome nobody is wronged: what was forgotten is forgotten, a lead is given back.
    """
    task = asyncio.ensure_future(arun(steps, server))
    _running.add(task)
    task.add_done_callback(_running.discard)
    return await asyncio.shield(task)


def single(name: str, *arguments: Any) -> Steps[Any]:
    """One request: what the method *name* returns."""
    return (yield methodcaller(name, *arguments))


_running: set[asyncio.Future[Any]] = set()  # a loop keeps its tasks weakly
