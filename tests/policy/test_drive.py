"""The two drivers, by generators stepped through them. No client and no network."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from boto_accel._call import Call, Flavour
from boto_accel._drive import adrive, drive
from boto_accel._effects import Blocking, Forward, ReadBody, Sleep, Steps

CALL = Call(None, "GetObject", {"Key": "k"}, Flavour.SYNC)


@dataclass
class Layer:
    """A handler from a generator function."""

    handle: Callable[[Call], Steps]
    wanted: bool = True

    def matches(self, client: Any, operation: str) -> bool:
        return self.wanted


class Body:
    def read(self) -> bytes:
        return b"body"


class AsyncBody:
    async def read(self) -> bytes:
        return b"body"


def run_sync(last: Callable[[Call], Any], *layers: Layer) -> Any:
    return drive(layers, CALL, last)


def run_async(last: Callable[[Call], Any], *layers: Layer) -> Any:
    async def alast(call: Call) -> Any:
        await asyncio.sleep(0)
        return last(call)

    return asyncio.run(adrive(layers, CALL, alast))


both = pytest.mark.parametrize("run", [run_sync, run_async])


def echo(call: Call) -> Any:
    return call.params["Key"]


def forwarding(suffix: str) -> Layer:
    def handle(call: Call) -> Steps:
        key = call.params["Key"] + suffix
        reply = yield Forward(replace(call, params={**call.params, "Key": key}))
        return f"<{reply}>"

    return Layer(handle)


@both
def test_nested_outermost_first(run: Any) -> None:
    assert run(echo, forwarding("a"), forwarding("b")) == "<<kab>>"
    assert run(echo, forwarding("a"), replace(forwarding("b"), wanted=False)) == "<ka>"
    assert run(echo) == "k"


@both
def test_forwards_several_times_and_not_at_all(run: Any) -> None:
    def thrice(call: Call) -> Steps:
        first = yield Forward(replace(call, params={"Key": "0"}))
        second = yield Forward(replace(call, params={"Key": "1"}))
        return [first, second, (yield Forward(replace(call, params={"Key": "2"})))]

    def never(call: Call) -> Steps:
        return "own"
        yield

    assert run(echo, Layer(thrice), forwarding("x")) == ["<0x>", "<1x>", "<2x>"]
    assert run(echo, Layer(never)) == "own"


@both
def test_effects(run: Any) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")
    body = Body() if run is run_sync else AsyncBody()

    def handle(call: Call) -> Steps:
        seen = yield Blocking(variable.get)
        slept = yield Sleep(0)
        return seen, slept, (yield ReadBody(body))

    assert run(echo, Layer(handle)) == ("set", None, b"body")


@both
@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_errors_are_raised_at_the_yield(run: Any, error: BaseException) -> None:
    """`finally` may still ask for things; uncaught, the very error reaches the caller."""
    log = []

    def fail(call: Call) -> Any:
        raise error

    def handle(call: Call) -> Steps:
        try:
            return (yield Forward(call))
        finally:
            log.append((yield Blocking(lambda: "released")))

    with pytest.raises(type(error)) as caught:
        drive((Layer(handle), Layer(handle)), CALL, fail) if run is run_sync else run_caught(
            fail, Layer(handle), Layer(handle)
        )
    assert caught.value is error
    assert log == ["released", "released"]


def run_caught(last: Callable[[Call], Any], *layers: Layer) -> None:
    """Without a loop that would take KeyboardInterrupt for its own: raised at the first step."""

    async def alast(call: Call) -> Any:
        return last(call)

    async def main() -> BaseException | None:
        try:
            await adrive(layers, CALL, alast)
        except BaseException as error:
            return error
        return None

    error = asyncio.run(main())
    assert error is not None
    raise error


@both
def test_a_caught_error_can_be_answered(run: Any) -> None:
    def fail(call: Call) -> Any:
        raise KeyError(call.params["Key"])

    def handle(call: Call) -> Steps:
        try:
            yield Forward(call)
        except KeyError as error:
            return f"instead of {error.args[0]}"

    assert run(fail, Layer(handle)) == "instead of k"


@both
def test_what_is_no_effect_is_refused_at_the_yield(run: Any) -> None:
    ended = []

    def handle(call: Call) -> Steps:
        try:
            yield "nonsense"  # type: ignore[misc]
        finally:
            ended.append(True)

    with pytest.raises(AssertionError, match="not an effect: 'nonsense'"):
        run(echo, Layer(handle))
    assert ended == [True]


def waiting(log: list[str]) -> Layer:
    def handle(call: Call) -> Steps:
        try:
            return (yield Forward(call))
        finally:
            yield Blocking(lambda: log.append("released"))

    return Layer(handle)


async def forever(call: Call) -> Any:
    await asyncio.Event().wait()


def test_cancellation_runs_finally() -> None:
    log: list[str] = []

    async def main() -> None:
        task = asyncio.create_task(adrive((waiting(log),), CALL, forever))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log == ["released"]


def test_a_closed_coroutine_runs_finally() -> None:
    """It cannot await any more: what blocks is run in place."""
    log: list[str] = []

    async def never(call: Call) -> Any:
        await Pause()

    coroutine = adrive((waiting(log), waiting(log)), CALL, never)
    coroutine.send(None)
    coroutine.close()
    assert log == ["released", "released"]


def test_steps_within_steps_run_finally_too() -> None:
    """`yield from` does not hand on a GeneratorExit: inner steps could ask for nothing."""
    log: list[str] = []

    def handle(call: Call) -> Steps:
        return (yield from waiting(log).handle(call))

    async def never(call: Call) -> Any:
        await Pause()

    coroutine = adrive((Layer(handle),), CALL, never)
    coroutine.send(None)
    coroutine.close()
    assert log == ["released"]


class Pause:
    def __await__(self) -> Any:
        yield
