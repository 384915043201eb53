"""What a router counts, as `.stats`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any


class RouteStats:
    """
    Requests by the target that rules sent them to, the calling client's own included.

    A call whose keys are at several targets (a listing, a delete of many) counts once for each
    request. All counts start at zero with the patch and only grow.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, target: str) -> None:
        with self._lock:
            self._counts[target] += 1

    @property
    def targets(self) -> Mapping[str, int]:
        """Name of the target to the number of requests, most frequent first."""
        with self._lock:
            return dict(self._counts.most_common())

    def as_dict(self) -> dict[str, Any]:
        """All counts, of types that JSON has."""
        return {"targets": self.targets}

    def __str__(self) -> str:
        return "\n".join(f"{name} {number}" for name, number in self.targets.items()) or "nothing"

    def __repr__(self) -> str:
        return f"<RouteStats {sum(self.targets.values())} requests>"
