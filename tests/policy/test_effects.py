"""Await and Detach: what is a function in one world and a coroutine function in the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from boto_accel._call import Call, Flavour
from boto_accel._drive import adrive, drive
from boto_accel._effects import Await, Detach, Forward, Steps

CALL = Call(None, "GetObject", {"Key": "k"}, Flavour.SYNC)


@dataclass
class Layer:
    handle: Callable[[Call], Steps]

    def matches(self, client: Any, operation: str) -> bool:
        return True


def last(call: Call) -> Any:
    return call.params["Key"]


async def alast(call: Call) -> Any:
    await asyncio.sleep(0)
    return call.params["Key"]


def awaiting(fn: Callable[[], Any]) -> Layer:
    def handle(call: Call) -> Steps:
        try:
            return (yield Await(fn))
        except KeyError as error:
            return f"caught {error}"

    return Layer(handle)


def test_a_function_is_called_and_a_coroutine_function_is_awaited() -> None:
    async def later() -> str:
        await asyncio.sleep(0)
        return "later"

    assert drive((awaiting(lambda: "now"),), CALL, last) == "now"
    assert asyncio.run(adrive((awaiting(later),), CALL, alast)) == "later"


def test_what_it_raises_is_raised_at_the_yield() -> None:
    def fail() -> Any:
        raise KeyError("x")

    async def fail_later() -> Any:
        await asyncio.sleep(0)
        raise KeyError("x")

    assert drive((awaiting(fail),), CALL, last) == "caught 'x'"
    assert asyncio.run(adrive((awaiting(fail_later),), CALL, alast)) == "caught 'x'"


def inner(call: Call) -> Steps:
    return "<" + (yield Forward(call)) + ">"


def detaching(kept: list[Any]) -> Layer:
    def apart(call: Call) -> Steps:
        return "apart " + (yield Forward(call))

    def handle(call: Call) -> Steps:
        kept.append((yield Detach(apart(call))))
        return "done"

    return Layer(handle)


def test_detached_steps_run_when_they_are_run_with_the_layers_further_in() -> None:
    """And not again with those further out."""
    kept: list[Any] = []
    chain = (Layer(inner), detaching(kept), Layer(inner))
    assert drive(chain, CALL, last) == "<done>"
    assert kept[0]() == "apart <k>"


def test_detached_steps_of_an_async_call_are_a_coroutine() -> None:
    async def main() -> tuple[Any, Any]:
        kept: list[Any] = []
        found = await adrive((Layer(inner), detaching(kept), Layer(inner)), CALL, alast)
        return found, await asyncio.create_task(kept[0]())

    assert asyncio.run(main()) == ("<done>", "apart <k>")


def test_detached_steps_raise_where_they_are_run() -> None:
    def failing(call: Call) -> Any:
        raise KeyError("x")

    kept: list[Any] = []
    assert drive((detaching(kept),), CALL, failing) == "done"
    with pytest.raises(KeyError):
        kept[0]()
