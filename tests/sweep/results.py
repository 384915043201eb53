"""What came of a sweep: counts, and every difference with what it takes to repeat it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One case that was not equal, or a plan that the fast path gave up; *lines* say where."""

    service: str
    operation: str
    flavour: str
    case: str
    seed: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        where = f"{self.service} {self.operation}, {self.flavour}, case {self.case!r}"
        again = (
            f"python -m tests.sweep --service {self.service} --operation {self.operation} "
            f"--world {self.flavour} --seed {self.seed}"
        )
        return "\n".join([f"{where}, seed {self.seed}", *self.lines, f"again: {again}"])


@dataclass
class Counts:
    """
    Cases by outcome; each is in one of equal, fallbacks and different.

    unsent: cases with valid parameters of which stock sent nothing: no request was compared.
    """

    operations: int = 0
    cases: int = 0
    equal: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    different: int = 0
    unsent: int = 0

    def add(self, other: Counts) -> None:
        self.operations += other.operations
        self.cases += other.cases
        self.equal += other.equal
        self.fallbacks.update(other.fallbacks)
        self.different += other.different
        self.unsent += other.unsent


@dataclass
class ServiceReport:
    """One service in one flavour."""

    service: str
    protocol: str
    flavour: str
    counts: Counts = field(default_factory=Counts)
    differences: list[Difference] = field(default_factory=list)
    unsent_operations: list[str] = field(default_factory=list)
    slow_operations: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Of types that JSON has; see `report_of`."""
        counts = {**vars(self.counts), "fallbacks": dict(self.counts.fallbacks)}
        differences = [asdict(difference) for difference in self.differences]
        return {**vars(self), "counts": counts, "differences": differences}


def report_of(found: dict[str, Any]) -> ServiceReport:
    counts = Counts(**{**found["counts"], "fallbacks": Counter(found["counts"]["fallbacks"])})
    differences = [Difference(**{**d, "lines": tuple(d["lines"])}) for d in found["differences"]]
    return ServiceReport(**{**found, "counts": counts, "differences": differences})


def total(reports: Iterable[ServiceReport]) -> Counts:
    made = Counts()
    for report in reports:
        made.add(report.counts)
    return made
