"""
A random key, without listing them all.

Up to 1,000 keys are one page, and each is as probable as the others. Beyond that pages are read
from random texts on. A text is uniform among those that can be written with the characters of the
first keys, between the first key and the last: a page is drawn as its gap before is wide.
Of the eight that are drawn one is taken with the inverse of the width of its gaps for a weight
(sampling importance resampling), and of it a key. That is uniform but for what is so dense that
none of the eight is likely to be there: where a prefix has few keys and another one a thousand
times as many, each key of the few is more probable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

Choose = Callable[[int], int]

WIDTH = 24  # characters of a random text: finer than any table is long


class KeySpace:
    """
    The texts that begin with *shared* and go on with characters of *keys*, in order.

    A text is a number with a digit for each of WIDTH characters; the digit 0 is its end.
    """

    def __init__(self, keys: Iterable[str], shared: str) -> None:
        self._shared = shared
        tails = [key[len(shared) :] for key in keys]
        self._letters = sorted(set().union(*tails))
        self._base = len(self._letters) + 1
        self._lowest = self._number(min(tails)) - 1
        self._end = self._base**WIDTH

    def _number(self, tail: str) -> int:
        # A letter that the first keys do not have sorts with the last before it.
        digits = [bisect_right(self._letters, letter) for letter in tail[:WIDTH]]
        number = 0
        for digit in digits + [0] * (WIDTH - len(digits)):
            number = number * self._base + digit
        return number

    def draw(self, choose: Choose) -> str:
        """A text between the first key and what is known to be after the last."""
        return self._text(self._lowest + choose(self._end - self._lowest))

    def weight(self, start: str, keys: Sequence[str]) -> float:
        """How many of *keys*, which follow *start*, there are to a part of the space."""
        first, last = (self._number(each[len(self._shared) :]) for each in (start, keys[-1]))
        return len(keys) / max(last - first, 1)

    def end_before(self, text: str) -> None:
        """No key is after *text*, one that was drawn."""
        self._end = self._number(text[len(self._shared) :])

    def _text(self, number: int) -> str:
        digits = []
        for _ in range(WIDTH):
            number, digit = divmod(number, self._base)
            digits.append(digit)
        digits.reverse()
        end = digits.index(0) if 0 in digits else WIDTH
        return self._shared + "".join(self._letters[digit - 1] for digit in digits[:end])


def common_head(first: str, last: str) -> str:
    length = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        length += 1
    return first[:length]
