"""What a cache counts, as `.stats`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from boto_accel.cache.forks import forget_in_children


class CacheStats:
    """
    Calls by what came of them. All counts start at zero with the cache and only grow.

    hits: answered from the cache, `stale` of them while the reply was asked for anew. misses:
    asked AWS, and looked for in the cache before. uncached: reads that are not cached, by reason;
    uncached_operations: the same by operation. writes: calls that may have made something stale.
    Readable as text: `print(stats)`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._uncached: Counter[tuple[str, str]] = Counter()
        forget_in_children(self)

    def forget(self) -> None:
        """In a forked child, which goes on counting from here."""
        self._lock = threading.Lock()

    def count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def count_uncached(self, reason: str, operation: str) -> int:
        """
        How often that was.

        reason: a short constant text, for it is a key. operation: with its service, "iam.GetUser".
        """
        with self._lock:
            self._uncached[operation, reason] += 1
            return self._uncached[operation, reason]

    @property
    def hits(self) -> int:
        return self._counts["hits"] + self._counts["stale"]

    @property
    def stale(self) -> int:
        return self._counts["stale"]

    @property
    def misses(self) -> int:
        return self._counts["misses"]

    @property
    def writes(self) -> int:
        return self._counts["writes"]

    @property
    def uncached(self) -> Mapping[str, int]:
        """Reason to the number of calls, most frequent first."""
        total: Counter[str] = Counter()
        with self._lock:
            for (_, reason), number in self._uncached.items():
                total[reason] += number
        return dict(total.most_common())

    @property
    def uncached_operations(self) -> Mapping[str, Mapping[str, int]]:
        """{"rds.DescribeDBInstances": {reason: number of calls}}, most frequent first."""
        found: dict[str, dict[str, int]] = {}
        with self._lock:
            counted = self._uncached.most_common()
        for (operation, reason), number in counted:
            found.setdefault(operation, {})[reason] = number
        return found

    def as_dict(self) -> dict[str, Any]:
        """All counts, of types that JSON has."""
        return {
            "hits": self.hits,
            "stale": self.stale,
            "misses": self.misses,
            "writes": self.writes,
            "uncached": self.uncached,
            "uncached_operations": self.uncached_operations,
        }

    def __str__(self) -> str:
        lines = [f"{name:<8} {getattr(self, name)}" for name in _SHOWN]
        operations = self.uncached_operations
        for reason, number in self.uncached.items():
            lines.append(f"uncached {number}: {reason}")
            lines += [
                f"         {found[reason]}: {operation}"
                for operation, found in operations.items()
                if reason in found
            ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<CacheStats hits={self.hits} misses={self.misses}>"


_SHOWN = ("hits", "stale", "misses", "writes")
