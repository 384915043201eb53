"""What a batch counts, as `.stats`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

COUNTS = (
    "puts",
    "batched",
    "deletes",
    "requests",
    "batches",
    "uploaded_objects",
    "uploaded_bytes",
    "recovered",
    "failed_writes",
    "failed_uploads",
)


class Savings(NamedTuple):
    """puts: that were batched. requests: of the price of a PutObject, sent in their place."""

    puts: int
    requests: int
    price_per_1000: float

    @property
    def saved_requests(self) -> int:
        return self.puts - self.requests

    @property
    def money(self) -> float:
        """In the currency of the price."""
        return self.saved_requests * self.price_per_1000 / 1000


class BatchStats:
    """
    Counts that start at zero with the batch and only grow; `print(stats)`.

    puts: of matching keys, `batched` of them into a tar. requests: to S3 at the price of a
    PutObject, sent to upload. straight: puts that went straight to S3, by reason. failures: of
    uploads, by kind. spooled_bytes, spooled_batches: what is not yet in S3, now.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._straight: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self.spooled_bytes = 0
        self.spooled_batches = 0
        self.last_failure: str = ""

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    def count_straight(self, reason: str) -> None:
        """*reason*: a short constant text, for it is a key."""
        with self._lock:
            self._straight[reason] += 1

    def count_failure(self, kind: str) -> bool:
        """Whether it is the first of its kind."""
        with self._lock:
            self._counts["failed_uploads"] += 1
            self._failures[kind] += 1
            self.last_failure = kind
            return self._failures[kind] == 1

    def __getattr__(self, name: str) -> int:
        if name not in COUNTS:
            raise AttributeError(name)
        return self._counts[name]

    @property
    def straight(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._straight.most_common())

    @property
    def failures(self) -> Mapping[str, int]:
        with self._lock:
            return dict(self._failures.most_common())

    def savings(self, price_per_1000: float) -> Savings:
        return Savings(self.batched, self.requests, price_per_1000)

    def as_dict(self) -> dict[str, Any]:
        """All counts, of types that JSON has."""
        return {
            **{name: getattr(self, name) for name in COUNTS},
            "spooled_bytes": self.spooled_bytes,
            "spooled_batches": self.spooled_batches,
            "straight": self.straight,
            "failures": self.failures,
        }

    def __str__(self) -> str:
        counts = {name: n for name, n in self.as_dict().items() if isinstance(n, int)}
        lines = [f"{name:<16} {number:,}" for name, number in counts.items()]
        lines += [f"straight to S3 {number:,}: {why}" for why, number in self.straight.items()]
        lines += [f"uploading failed {number:,}: {why}" for why, number in self.failures.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<BatchStats batched={self.batched} requests={self.requests}>"
