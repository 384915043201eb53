"""
Counters that a patch exposes as `.stats`.

Counting a fast call is one `next` of an `itertools.count`: C code that no other thread can come
into while the GIL is held, so no count is lost and no lock is taken. A build without the GIL
takes a lock instead (`_Tally`). All else happens rarely enough for a lock.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

# Callable without an argument; what it returns means nothing.
Increment = Callable[[], object]


class _Tally:
    """A number that any thread may increment with `add()`, and read with `value()`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counter = count()
        self._reads = 0
        self.add: Increment = self._counter.__next__ if _has_gil() else self._add_locked

    def _add_locked(self) -> None:
        with self._lock:
            next(self._counter)

    def value(self) -> int:
        # A count cannot be looked at but by counting: each reading is counted, and taken off.
        with self._lock:
            found = next(self._counter) - self._reads
            self._reads += 1
            return found


def _has_gil() -> bool:
    ask: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)  # Python 3.13
    return ask is None or ask()


class Stats:
    """
    How many calls went fast, which fell back, and why.

    All counts start at zero with the patch and only grow. Readable as text: `print(stats)`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fast: dict[str, _Tally] = {}
        self._fallbacks: dict[str, Counter[str]] = {}
        self._shadow_checked = 0
        self._shadow_different = 0
        self._proved = 0
        self._retired = 0

    # Counting

    def fast_counter(self, service: str, operation: str) -> Increment:
        """What counts one fast call of *operation* when called; the same for each who asks."""
        with self._lock:
            return self._fast.setdefault(f"{service}.{operation}", _Tally()).add

    def count_fallback(self, service: str, operation: str, reason: str) -> None:
        """*reason*: a short constant text, for it is a key."""
        with self._lock:
            self._fallbacks.setdefault(f"{service}.{operation}", Counter())[reason] += 1

    def count_shadow(self, *, different: bool) -> None:
        """A call was sent through stock as well; *different* if the answers were not equal."""
        with self._lock:
            self._shadow_checked += 1
            self._shadow_different += different

    def count_proved(self) -> None:
        """A plan has built and parsed as botocore does, and is trusted from now on."""
        with self._lock:
            self._proved += 1

    def count_retired(self) -> None:
        """A plan differed from botocore and is used no more."""
        with self._lock:
            self._retired += 1

    # Reading

    @property
    def fast(self) -> int:
        """Calls that went fast."""
        return sum(tally.value() for tally in self._tallies().values())

    @property
    def fallback(self) -> int:
        """Calls that were handed to stock."""
        return sum(self.reasons.values())

    @property
    def reasons(self) -> Mapping[str, int]:
        """Reason of falling back to the number of calls, most frequent first."""
        with self._lock:
            total: Counter[str] = sum(self._fallbacks.values(), Counter())
        return dict(total.most_common())

    @property
    def by_operation(self) -> Mapping[str, Mapping[str, Any]]:
        """Operation ("s3.GetObject") to {"fast": 3, "fallback": 1, "reasons": {"proxy": 1}}."""
        tallies = self._tallies()
        with self._lock:
            reasons = {name: dict(found.most_common()) for name, found in self._fallbacks.items()}
        return {
            name: {
                "fast": tallies[name].value() if name in tallies else 0,
                "fallback": sum(reasons.get(name, {}).values()),
                "reasons": reasons.get(name, {}),
            }
            for name in sorted({*tallies, *reasons})
        }

    @property
    def shadow_checked(self) -> int:
        """Calls that were sent through stock as well, to compare."""
        return self._shadow_checked

    @property
    def shadow_different(self) -> int:
        """Those of them whose answers differed."""
        return self._shadow_different

    @property
    def proved(self) -> int:
        """Plans that were found equal to botocore."""
        return self._proved

    @property
    def retired(self) -> int:
        """Plans that were not, and are used no more."""
        return self._retired

    def as_dict(self) -> dict[str, Any]:
        """All counts, of types that JSON has."""
        return {
            "fast": self.fast,
            "fallback": self.fallback,
            "by_operation": self.by_operation,
            "reasons": self.reasons,
            "shadow_checked": self.shadow_checked,
            "shadow_different": self.shadow_different,
            "proved": self.proved,
            "retired": self.retired,
        }

    def __str__(self) -> str:
        rows = [("operation", "fast", "fallback", "why"), *self._rows()]
        rows.append(("all", str(self.fast), str(self.fallback), ""))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            f"{name:<{widths[0]}}  {fast:>{widths[1]}}  {fallback:>{widths[2]}}  {why}".rstrip()
            for name, fast, fallback, why in rows
        ]
        lines.append(f"plans: {self.proved} proved, {self.retired} retired")
        if self.shadow_checked:
            lines.append(
                f"shadow: {self.shadow_checked} compared, {self.shadow_different} different"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Stats fast={self.fast} fallback={self.fallback}>"

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (name, str(found["fast"]), str(found["fallback"]), _why(found["reasons"]))
            for name, found in self.by_operation.items()
        ]

    def _tallies(self) -> dict[str, _Tally]:
        with self._lock:
            return dict(self._fast)


def _why(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({number})" for reason, number in reasons.items())
