"""
What a patch may ask for: it yields one of these and is sent the outcome.

Rule: plain frozen data. Nothing here does I/O or knows whether it is awaited.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NoReturn

from boto_accel._call import Call


@dataclass(frozen=True, slots=True)
class Forward:
    """
    Give *call* to the next layer; the outcome is its reply.

    What that layer raises is raised at the `yield`. May be asked for any number of times.
    """

    call: Call


@dataclass(frozen=True, slots=True)
class Blocking:
    """
    Run *fn*, which may wait for a disk, a lock or a network; the outcome is what it returns.

    Called directly in a sync call, in a thread of the event loop's executor in an async one,
    with the context variables of the caller either way. A cancelled task does not wait for it:
    *fn* then runs to its end and its outcome is dropped, so it must leave nothing to be undone.
    """

    fn: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Read the streaming *body* of a reply to its end; the outcome is its bytes."""

    body: Any


@dataclass(frozen=True, slots=True)
class Await:
    """
    Call *fn*; the outcome is what it returns, or in an async call what that is when awaited.

    For what is a function in botocore and a coroutine function in aiobotocore.
    """

    fn: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Detach:
    """
    Make a function that runs *steps*, with the layers further in, apart from this call.

    The outcome is that function: it returns what *steps* return, or a coroutine of it in an async
    call. Who asked runs it, in a thread or a task of its own.
    """

    steps: Steps


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let *seconds* pass; the outcome is None."""

    seconds: float


class Closed(BaseException):
    """
    Raised at the `yield` where a coroutine is being closed: of all effects only `Blocking` is left.

    Not GeneratorExit, which `yield from` does not hand on: it closes the inner steps, so that they
    could ask for nothing at all.
    """


Effect = Forward | Blocking | ReadBody | Await | Detach | Sleep
Steps = Generator[Effect, Any, Any]


def assert_never(effect: NoReturn) -> NoReturn:
    """Closes a `match` over effects. `typing.assert_never`, which Python 3.10 does not have."""
    raise AssertionError(f"not an effect: {effect!r}")
