"""A sweep's outcome on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from tests.sweep.results import Counts, ServiceReport, total

MOST_SHOWN = 40  # differences; the others are of the same few kinds


def print_report(console: Console, reports: list[ServiceReport]) -> None:
    """By protocol and world, why calls fell back, services that differ, the differences."""
    rows = by_protocol(reports)
    console.print(_table("protocol, world", rows))
    console.print(_reasons(rows))
    if telling := _telling(reports):
        console.print(_table("service, world", telling))
    found = [difference for report in reports for difference in report.differences]
    for difference in found[:MOST_SHOWN]:
        console.print(f"\n{difference}", markup=False, highlight=False, soft_wrap=True)
    if len(found) > MOST_SHOWN:
        console.print(f"\n... and {len(found) - MOST_SHOWN} more")
    unsent = [f"{r.service} {name}" for r in reports for name in r.unsent_operations]
    if unsent:
        console.print(f"\nnothing was sent by stock: {', '.join(sorted(set(unsent)))}")


def by_protocol(reports: Sequence[ServiceReport]) -> dict[str, Counts]:
    """Sums, under "json, sync" and the like, then under "all, sync"."""
    made: dict[str, list[ServiceReport]] = {}
    for report in sorted(reports, key=lambda each: (each.flavour != "sync", each.protocol)):
        made.setdefault(f"{report.protocol}, {report.flavour}", []).append(report)
    rows = {name: total(found) for name, found in made.items()}
    for flavour in sorted({report.flavour for report in reports}, reverse=True):
        rows[f"all, {flavour}"] = total(each for each in reports if each.flavour == flavour)
    return rows


def _telling(reports: Iterable[ServiceReport]) -> dict[str, Counts]:
    return {
        f"{report.service}, {report.flavour}": report.counts
        for report in sorted(reports, key=lambda each: (each.service, each.flavour))
        if report.counts.different
    }


def _table(what: str, rows: dict[str, Counts]) -> Table:
    table = Table(what)
    for name in ("operations", "cases", "equal", "fallback", "different", "unsent"):
        table.add_column(name, justify="right")
    for name, counts in rows.items():
        numbers = (counts.operations, counts.cases, counts.equal, counts.fallbacks.total())
        table.add_row(name, *(f"{n:,}" for n in (*numbers, counts.different, counts.unsent)))
    return table


def _reasons(rows: dict[str, Counts]) -> Table:
    table = Table("protocol, world", "reason of falling back")
    table.add_column("cases", justify="right")
    for name, counts in rows.items():
        if name.startswith("all"):
            continue
        for reason, number in counts.fallbacks.most_common():
            table.add_row(name, reason, f"{number:,}")
    return table
