"""
Running the generators of the patches: `drive` blocks, `adrive` awaits.

The only sync/async pair of the package outside the transports. Each patch is skipped or run by
what the call is when it arrives there, so a patch further in sees what one further out made of it.

Whatever is raised while an effect is performed is thrown into the generator, `KeyboardInterrupt`
and `CancelledError` included: its `finally` runs before the caller sees the error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from boto_accel._call import Call
from boto_accel._effects import (
    Await,
    Blocking,
    Closed,
    Detach,
    Effect,
    Forward,
    ReadBody,
    Sleep,
    Steps,
    assert_never,
)


class Handler(Protocol):
    """What is run: a patch with a generator."""

    def matches(self, client: Any, operation: str) -> bool: ...

    def handle(self, call: Call) -> Steps: ...


Chain = tuple[Handler, ...]
Last = Callable[[Call], Any]
AsyncLast = Callable[[Call], Awaitable[Any]]


def _next_layer(chain: Chain, call: Call) -> tuple[Steps | None, Chain]:
    """The steps of the first patch that takes *call*, and the patches after it."""
    for index, handler in enumerate(chain):
        if handler.matches(call.client, call.operation):
            return handler.handle(call), chain[index + 1 :]
    return None, ()


def drive(chain: Chain, call: Call, last: Last) -> Any:
    """
    The reply to *call*, from the patches of *chain* (outermost first) and *last* behind them.

    Raises what the outermost patch lets through.
    """
    steps, rest = _next_layer(chain, call)
    return last(call) if steps is None else _run(steps, rest, last)


def _run(steps: Steps, rest: Chain, last: Last) -> Any:
    try:
        effect = next(steps)
        while True:
            try:
                outcome = _perform(effect, rest, last)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()


def _perform(effect: Effect, rest: Chain, last: Last) -> Any:
    match effect:
        case Forward(call):
            return drive(rest, call, last)
        case Blocking(fn):
            return fn()
        case ReadBody(body):
            return body.read()
        case Await(fn):
            return fn()
        case Detach(apart):
            return partial(_run, apart, rest, last)
        case Sleep(seconds):
            return time.sleep(seconds)
        case _:
            assert_never(effect)


async def adrive(chain: Chain, call: Call, last: AsyncLast) -> Any:
    """`drive` for a call that is awaited."""
    steps, rest = _next_layer(chain, call)
    return await (last(call) if steps is None else _arun(steps, rest, last))


async def _arun(steps: Steps, rest: Chain, last: AsyncLast) -> Any:
    try:
        effect = next(steps)
        while True:
            try:
                outcome = await _aperform(effect, rest, last)
            except GeneratorExit:
                _unwind(steps)
                raise
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()


async def _aperform(effect: Effect, rest: Chain, last: AsyncLast) -> Any:
    match effect:
        case Forward(call):
            return await adrive(rest, call, last)
        case Blocking(fn):
            return await asyncio.to_thread(fn)  # copies the context variables
        case ReadBody(body):
            return await body.read()
        case Await(fn):
            return await fn()
        case Detach(apart):
            return partial(_arun, apart, rest, last)
        case Sleep(seconds):
            return await asyncio.sleep(seconds)
        case _:
            assert_never(effect)


def _unwind(steps: Steps) -> None:
    """
    Run the `finally` of *steps* in a coroutine that is being closed and can await no more.

    Only `Blocking` is still possible, and runs right here: it is how a lock is given back.
    """
    try:
        effect = steps.throw(Closed())
        while isinstance(effect, Blocking):
            try:
                outcome = effect.fn()
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
        raise RuntimeError(f"asked for {effect!r} while the call was being closed")
    except (StopIteration, Closed):
        return
