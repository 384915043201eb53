"""
What the datastore asks for: its steps yield one of these and are sent the outcome.

Rule: plain frozen data. So that each method is written once, for clients of botocore and of
aiobotocore; `drive.py` has the two drivers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Send:
    """Call the client's *method* ("put_object"); the outcome is its reply."""

    method: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fetch:
    """GetObject; the outcome is the whole body, and the reply."""

    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand *values* to who iterates; the outcome is None, when they were taken."""

    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Together:
    """
    Run each of *tasks*, at most *workers* at a time.

    The outcome is one `Done` a task, in order. workers: 0 for as many as the client has
    connections. progress: called with what is done and what there is, in *sizes* of tasks (1 each
    without).
    """

    tasks: Sequence[Callable[[], Steps]]
    workers: int = 0
    progress: Progress | None = None
    sizes: Sequence[int] = ()

    def size(self, number: int) -> int:
        return self.sizes[number] if self.sizes else 1

    def tell(self, done: int) -> None:
        if self.progress is not None:
            self.progress(done, sum(self.sizes) if self.sizes else len(self.tasks))


@dataclass(frozen=True, slots=True)
class Done:
    """What a task returned, or the error that it raised."""

    value: Any = None
    error: Exception | None = None


Effect = Send | Fetch | Emit | Together
Steps = Generator[Effect, Any, Any]


def assert_never(effect: NoReturn) -> NoReturn:
    raise AssertionError(f"not an effect: {effect!r}")
