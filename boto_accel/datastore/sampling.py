"""
A random key, without listing them all.

Up to 1,000 keys are one page, and each is as probable as the others. Beyond that a page is read
from a random text on, and one of its keys is chosen. The text is uniform among those that can be
written with the characters of the keys, between the first key and the last: so a page is as
probable as the gap before it is wide, and a key as the mean of the thousand gaps before it.
Numbers, UUIDs and hashes come out nearly uniform. Where a prefix has few keys and another one many,
each key of the few is more probable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
        digits = [self._letters.index(letter) + 1 for letter in tail[:WIDTH]]
        number = 0
        for digit in digits + [0] * (WIDTH - len(digits)):
            number = number * self._base + digit
        return number

    def draw(self, choose: Choose) -> str:
        """A text between the first key and what is known to be after the last."""
        return self._text(self._lowest + choose(self._end - self._lowest))

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
