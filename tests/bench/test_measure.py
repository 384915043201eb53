"""Rounds alternate, calls are made as often as counted, and ratios are medians."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest

from boto_accel.bench.cases import Case
from boto_accel.bench.measure import Pace, Sample, Side, figures, measure_sides, median_ratio
from boto_accel.bench.subjects import AsyncCall, Tasks, Threads


def sample(cpu_us: float, calls: int = 10) -> Sample:
    return Sample(calls, cpu_us * calls / 1e6, cpu_us * calls / 1e6)


def test_one_disturbed_round_does_not_move_the_ratio() -> None:
    slow = figures([sample(100), sample(100), sample(900)])
    fast = figures([sample(10), sample(70), sample(90)])
    assert median_ratio(slow, fast, lambda s: s.cpu_us) == pytest.approx(10)


def test_figures_are_per_call() -> None:
    out = figures([Sample(calls=4, cpu_s=0.001, wall_s=0.002)])
    assert out.cpu_us == pytest.approx(250)
    assert out.per_second == pytest.approx(2000)


@pytest.mark.parametrize("threads", [1, 10])
@pytest.mark.parametrize("calls", [1, 10, 25])
def test_threads_make_just_the_calls_asked_for(threads: int, calls: int) -> None:
    lock = threading.Lock()
    counts: Counter[str] = Counter()

    def call() -> None:
        with lock:
            counts["made"] += 1

    subject = Threads(Case("boto3", "get", in_flight=threads), call, lambda: None)
    subject.run(calls)
    subject.close()
    assert counts["made"] == calls


@pytest.mark.parametrize("tasks", [1, 32])
@pytest.mark.parametrize("calls", [1, 32, 70])
def test_tasks_make_just_the_calls_asked_for(tasks: int, calls: int) -> None:
    made = in_flight = most = 0

    async def call() -> None:
        nonlocal made, in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio_pause()
        in_flight -= 1
        made += 1

    async def opened(_: AsyncExitStack) -> AsyncCall:
        return call

    case = Case("aiobotocore", "get", in_flight=tasks, loop="asyncio")
    subject = Tasks(case, opened)
    subject.run(calls)
    subject.close()
    assert made == calls
    assert most == min(tasks, calls)


async def asyncio_pause() -> None:
    import asyncio

    await asyncio.sleep(0)


class Counting:
    """A subject that remembers under which context it was run."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def run(self, calls: int) -> None:
        assert calls > 0
        self._log.append("run")

    def close(self) -> None:
        self._log.append("close")


def test_sides_are_run_in_turn_and_each_in_its_own_context() -> None:
    log: list[str] = []

    @contextmanager
    def around(name: str) -> Iterator[None]:
        log.append(f"enter {name}")
        yield
        log.append(f"leave {name}")

    sides = [Side(name, Counting(log), lambda name=name: around(name)) for name in ("a", "b")]
    rounds = 0

    def after() -> None:
        nonlocal rounds
        rounds += 1

    out = measure_sides(sides, Pace(rounds=3, round_s=0.0001), 1, after)
    entered = [line[-1] for line in log if line.startswith("enter")]
    assert entered == list("aabb" + "ab" + "ba" + "ab")  # warm-up and probe, then the rounds
    assert rounds == 6
    assert {name: len(f.rounds) for name, f in out.items()} == {"a": 3, "b": 3}
