"""
Slow steps, written once for both worlds: a generator yields what may have to be awaited.

Making a plan, proving it and going on after an error call into botocore, whose functions are
coroutines in aiobotocore. Such code is a generator: it yields the result of the call, and is sent
the value. `run` is for botocore, `arun` for aiobotocore. Nothing on the hot path is in here.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Generator[Any, Any, T]


def run(steps: Steps[T]) -> T:
    """Run *steps* where calls return values."""
    value = None
    while True:
        try:
            value = steps.send(value)
        except StopIteration as stop:
            return stop.value


async def arun(steps: Steps[T]) -> T:
    """Run *steps* where calls may return awaitables; exceptions are raised at the `yield`."""
    error: BaseException | None = None
    value = None
    while True:
        try:
            value = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as stop:
            return stop.value
        error = None
        if inspect.isawaitable(value):
            try:
                value = await value
            except BaseException as raised:
                error = raised
