"""
A page of a listing out of the pages of the shards of a bucket. Pure.

Each shard gives its keys and common prefixes in the order of their bytes, which is that of S3
(user guide, "Listing object keys programmatically": UTF-8 binary order). So the page is a merge;
a common prefix that several shards have is taken once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Entry(NamedTuple):
    """head: of the record of a key; b"" for a common prefix."""

    name: bytes
    head: bytes


@dataclass(slots=True)
class Cursor:
    """One shard. start: where to go on, an argument of ZRANGEBYLEX; b"" at its end."""

    shard: int
    start: bytes
    entries: deque[Entry] = field(default_factory=deque)

    def take(self, answer: Sequence[bytes]) -> None:
        """What the script LIST answers."""
        rest = answer[2 + int(answer[1]) :]
        self.start = answer[0]
        self.entries.extend(map(Entry, rest[::2], rest[1::2]))


def dead_keys(answer: Sequence[bytes]) -> Sequence[bytes]:
    """Those of an answer of the script LIST whose record seems to be gone."""
    return answer[2 : 2 + int(answer[1])]


class Merge:
    """Entries in order, for as long as no shard has to be asked."""

    def __init__(self, shards: int, start: bytes, limit: int) -> None:
        self.cursors = [Cursor(shard, start) for shard in range(shards)]
        self.found: list[Entry] = []
        self._limit = limit

    def to_ask(self) -> list[Cursor]:
        """
        The shards without which the merge cannot go on, and those that will be next.

        Empty when there are enough entries, or no more.
        """
        while len(self.found) < self._limit:
            if any(not cursor.entries and cursor.start for cursor in self.cursors):
                return [c for c in self.cursors if c.start and len(c.entries) <= self.low]
            filled = [cursor for cursor in self.cursors if cursor.entries]
            if not filled:
                return []
            self._take(min(filled, key=lambda cursor: cursor.entries[0].name))
        return []

    def _take(self, cursor: Cursor) -> None:
        entry = cursor.entries.popleft()
        if not (self.found and not entry.head and self.found[-1].name == entry.name):
            self.found.append(entry)

    @property
    def share(self) -> int:
        """How many entries to ask a shard for: what it will have of the page, and some more."""
        left = self._limit - len(self.found)
        return (
            left if len(self.cursors) == 1 else min(left, left * 3 // (2 * len(self.cursors)) + 8)
        )

    @property
    def low(self) -> int:
        return 0 if len(self.cursors) == 1 else 2


def bounds(after: bytes, prefix: bytes, delimiter: bytes) -> tuple[bytes, bytes]:
    """
    (min, max) of ZRANGEBYLEX for keys with *prefix* that follow *after*.

    No byte of UTF-8 is 0xFF: what follows all keys that begin with a text is the text and that.
    """
    last = b"(" + prefix + b"\xff" if prefix else b"+"
    if after < prefix or not after:
        return (b"[" + prefix if prefix else b"-"), last
    if delimiter and after.startswith(prefix):
        at = after.find(delimiter, len(prefix))
        if at >= 0 and at + len(delimiter) == len(after):  # a common prefix: after all its keys
            return b"(" + after + b"\xff", last
    return b"(" + after, last
