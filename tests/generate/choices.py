"""
Where a generator takes its decisions from.

Rule 1: a generator never imports random or hypothesis; it asks a `Choices`.
Rule 2: the same answers give the same value, so that a failure can be told by its seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """What a generator may ask for."""

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""

    def pick(self, options: Sequence[T]) -> T:
        """One of *options*, which are not empty."""

    def chance(self, percent: int) -> bool:
        """True in about *percent* of a hundred cases."""

    def text(self, alphabet: str, low: int, high: int) -> str:
        """*low* to *high* characters of *alphabet*."""

    def octets(self, low: int, high: int) -> bytes:
        """*low* to *high* bytes of any value."""


class SeededChoices:
    """Choices from a seed: for sweeps over thousands of operations, which nobody shrinks."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def pick(self, options: Sequence[T]) -> T:
        return options[self._random.randrange(len(options))]

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def text(self, alphabet: str, low: int, high: int) -> str:
        return "".join(self._random.choices(alphabet, k=self._random.randint(low, high)))

    def octets(self, low: int, high: int) -> bytes:
        return self._random.randbytes(self._random.randint(low, high))


class DrawnChoices:
    """Choices drawn by hypothesis, which shrinks them; the first option is the simplest."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def integer(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))

    def pick(self, options: Sequence[T]) -> T:
        chosen: T = options[self._draw(st.integers(0, len(options) - 1))]
        return chosen

    def chance(self, percent: int) -> bool:
        return bool(self._draw(st.integers(0, 99)) >= 100 - percent)

    def text(self, alphabet: str, low: int, high: int) -> str:
        return str(self._draw(st.text(st.sampled_from(alphabet), min_size=low, max_size=high)))

    def octets(self, low: int, high: int) -> bytes:
        return bytes(self._draw(st.binary(min_size=low, max_size=high)))


def drawn(make: Callable[..., T], *args: Any) -> st.SearchStrategy[T]:
    """A hypothesis strategy of what `make(choices, *args)` returns."""

    @st.composite
    def strategy(draw: Callable[[st.SearchStrategy[Any]], Any]) -> T:
        return make(DrawnChoices(draw), *args)

    return strategy()
