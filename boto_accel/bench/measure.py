"""
Timing: rounds of the sides of one case, taken in turn.

What is timed is the process that calls: CPU is user and system time of all its threads.
Stock and fast alternate within one run, so that a machine that slows down slows both; a ratio is
the median of the rounds' ratios, which one disturbed round does not move.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median

from boto_accel.bench.subjects import Subject

WARM_UP_CALLS = 12  # before the first round: connections, lazy imports, first-call work
SETTLE_CALLS = 3  # before each round, beyond one a connection: those that were let go meanwhile


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to measure: *rounds* a side, each of about *round_s* seconds."""

    rounds: int = 5
    round_s: float = 0.4


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed round of one side; times in seconds for all its calls together."""

    calls: int
    cpu_s: float
    wall_s: float

    @property
    def cpu_us(self) -> float:
        """CPU microseconds per call."""
        return self.cpu_s / self.calls * 1e6

    @property
    def wall_us(self) -> float:
        """Elapsed microseconds per call: the inverse of calls per second."""
        return self.wall_s / self.calls * 1e6


@dataclass(frozen=True, slots=True)
class Side:
    """One way to make the calls: a subject, and the context in which it is run."""

    name: str
    subject: Subject
    around: Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What came out for one side: medians over its rounds."""

    cpu_us: float
    wall_us: float
    calls: int
    rounds: tuple[Sample, ...]

    @property
    def per_second(self) -> float:
        return 1e6 / self.wall_us


def figures(samples: list[Sample]) -> Figures:
    return Figures(
        cpu_us=median(sample.cpu_us for sample in samples),
        wall_us=median(sample.wall_us for sample in samples),
        calls=sum(sample.calls for sample in samples),
        rounds=tuple(samples),
    )


def median_ratio(slow: Figures, fast: Figures, measure: Callable[[Sample], float]) -> float:
    """How many times *slow* is *fast*, round by round; the median."""
    pairs = zip(slow.rounds, fast.rounds, strict=True)
    return median(measure(first) / measure(second) for first, second in pairs)


def measure_sides(
    sides: list[Side],
    pace: Pace,
    in_flight: int,
    after_round: Callable[[], None],
    calls_a_round: int = 0,
) -> dict[str, Figures]:
    """
    Warm every side up, then time *pace.rounds* rounds of each, alternating.

    A round is of *calls_a_round* calls, or where that is 0 as long as *pace* says.
    """
    calls = {side.name: calls_a_round or _calls_per_round(side, pace, in_flight) for side in sides}
    samples: dict[str, list[Sample]] = {side.name: [] for side in sides}
    for number in range(pace.rounds):
        for side in _in_turn(sides, number):
            samples[side.name].append(_timed(side, calls[side.name], in_flight + SETTLE_CALLS))
            after_round()
    return {name: figures(rounds) for name, rounds in samples.items()}


def _in_turn(sides: list[Side], number: int) -> Iterator[Side]:
    """Every second round the other way about, so that none always follows the same one."""
    yield from reversed(sides) if number % 2 else sides


def _calls_per_round(side: Side, pace: Pace, in_flight: int) -> int:
    """As many calls as fit in a round, judged by a short run after the warm-up."""
    _timed(side, max(WARM_UP_CALLS, in_flight), 0)
    probe = _timed(side, max(4, in_flight), 0)
    fitting = int(pace.round_s / max(probe.wall_us * 1e-6, 1e-7))
    return max(fitting, 4, in_flight)


def _timed(side: Side, calls: int, settle: int) -> Sample:
    gc.collect()  # outside the timed part: each side pays for its own garbage only
    with side.around():
        if settle:
            side.subject.run(settle)
        cpu, wall = time.process_time(), time.perf_counter()
        side.subject.run(calls)
        return Sample(calls, time.process_time() - cpu, time.perf_counter() - wall)
