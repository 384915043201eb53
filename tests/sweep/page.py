"""docs/parity.md, written from the reports of a whole sweep."""

from __future__ import annotations

import datetime
import platform
from collections import Counter
from importlib import metadata
from pathlib import Path

from tests.sweep.results import Counts, ServiceReport, total
from tests.sweep.tables import by_protocol

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"

HEAD = """# Parity

Written by `make sweep`, not by hand: {date}, boto_accel {boto_accel}, botocore {botocore},
aiobotocore {aiobotocore}, {python}, seed `{seed}`, {kind} cases (`--cases`).

Every operation of every service that botocore ships was called on a stock client and on one
inside `accelerate()`, against an HTTP server on this machine, with parameters, answers and errors
made from the models: {services} services, {cases} cases. What went over the wire, and what came
back or was raised, is compared exactly.

* **equal**: went fast, and all was equal.
* **fallback**: handed to stock, whole, for one of the reasons below; the outcome was equal as well.
* **different**: must be 0. A plan that the fast path gave up by itself is counted here, too.
* **unsent**: of all cases, those with valid parameters that stock refuses before it sends anything
  (endpoint rules, handlers): no request was there to compare.

To repeat it: `make sweep SWEEP="--fresh --seed {seed} --cases {kind}"`. It takes about an hour of
one core, and goes on where it was interrupted. Of one service, or of one of its operations:
`make sweep SWEEP="--service sqs --operation SendMessage --seed {seed}"`. The same seed makes the
same cases. A sample of the sweep, another one each day, is part of `make test`.

| protocol, world | operations | cases | equal | fallback | different | unsent |
| --- | --: | --: | --: | --: | --: | --: |
"""


def write_page(path: Path, reports: list[ServiceReport], seed: str, kind: str) -> None:
    """The page of *reports*, which are of all services in both worlds."""
    everything = total(reports)
    text = HEAD.format(
        date=datetime.date.today().isoformat(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        boto_accel=metadata.version("boto_accel"),
        botocore=metadata.version("botocore"),
        aiobotocore=_version("aiobotocore"),
        seed=seed,
        kind=kind,
        services=len({report.service for report in reports}),
        cases=f"{everything.cases:,}",
    )
    rows = by_protocol(reports)
    text += "".join(_row(name, counts) for name, counts in rows.items())
    text += _differences(reports)
    text += _reasons(rows)
    text += _never_fast(reports)
    path.write_text(text, encoding="utf-8")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _row(name: str, counts: Counts) -> str:
    numbers = (counts.operations, counts.cases, counts.equal, counts.fallbacks.total())
    cells = [f"{n:,}" for n in (*numbers, counts.different, counts.unsent)]
    return f"| {name} | {' | '.join(cells)} |\n"


def _differences(reports: list[ServiceReport]) -> str:
    """Nothing where there are none; else how many each operation has, and what repeats them."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for report in reports:
        found.update((d.service, d.operation, d.flavour, d.seed) for d in report.differences)
    if not found:
        return ""
    lines = [
        "\n## What is different\n\n| operation, world | cases | again |\n| --- | --: | --- |\n"
    ]
    for (service, operation, world, seed), number in sorted(found.items()):
        again = f"--service {service} --operation {operation} --world {world} --seed {seed}"
        lines.append(f"| {service}.{operation}, {world} | {number:,} | `{again}` |\n")
    return "".join(lines)


def _reasons(rows: dict[str, Counts]) -> str:
    lines = [
        "\n## Why calls fell back\n\n| protocol, world | reason | cases |\n| --- | --- | --: |\n"
    ]
    for name, counts in rows.items():
        if name.startswith("all"):
            continue
        for reason, number in counts.fallbacks.most_common():
            lines.append(f"| {name} | {reason} | {number:,} |\n")
    return "".join(lines)


def _never_fast(reports: list[ServiceReport]) -> str:
    """Operations without one fast case, by reason; the sync world stands for both."""
    found: dict[str, list[str]] = {}
    for report in sorted(reports, key=lambda each: each.service):
        for operation, reasons in report.slow_operations.items():
            if report.flavour == "sync":
                found.setdefault(", ".join(reasons), []).append(f"{report.service}.{operation}")
    lines = ["\n## Operations that are always stock's\n\n| why | operations |\n| --- | --- |\n"]
    for reasons, operations in sorted(found.items(), key=lambda each: -len(each[1])):
        shown = ", ".join(operations[:20]) + (", ..." if len(operations) > 20 else "")
        lines.append(f"| {reasons} | {len(operations):,}: {shown} |\n")
    return "".join(lines)
