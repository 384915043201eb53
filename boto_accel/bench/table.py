"""A report as tables for the terminal, drawn with rich from the same data that `--json` writes."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from boto_accel.bench.cases import Case, tier_of


def print_report(report: dict[str, Any], console: Console) -> None:
    """The compared cases, those beside them, what was skipped, and with what it was measured."""
    if report["results"]:
        console.print(_compared(report["results"]))
    if report["beside"]:
        console.print(_beside(report["beside"]))
    for row in report["skipped"]:
        console.print(f"skipped {_label(row)}: {row['reason']}", style="yellow", markup=False)
    for row in report["results"]:
        if row["fallback_calls"]:
            console.print(_fallback(row), style="yellow", markup=False)
    console.print(_footer(report), style="dim", markup=False, highlight=False)


def print_cases(cases: list[Case], console: Console) -> None:
    """What `--list` shows: every name and what has to be asked for to run it."""
    for case in cases:
        console.print(f"{case.name}  [dim]{tier_of(case).name.lower()}[/dim]", highlight=False)


def _compared(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "stock and accelerated: CPU of the calling process, per call",
        ("engine", "stock µs", "fast µs", "CPU", "wall", "fast/s"),
    )
    for row in rows:
        stock, fast = row["stock"], row["fast"]
        table.add_row(
            row["case"],
            row["engine"],
            _us(stock),
            _us(fast),
            _times(row["cpu_ratio"]),
            _times(row["wall_ratio"]),
            _per_second(fast),
        )
    return table


def _beside(rows: list[dict[str, Any]]) -> Table:
    table = _table("beside them: CPU of the calling process, per call", ("µs", "calls/s"))
    for row in rows:
        table.add_row(row["case"], _us(row["alone"]), _per_second(row["alone"]))
    return table


def _table(title: str, numbers: tuple[str, ...]) -> Table:
    """A table of cases; where the terminal is narrow names are folded and numbers are not."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("case", overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _label(row: dict[str, Any]) -> str:
    engine = row["engine"]
    return str(row["case"]) if engine in ("", "direct") else f"{row['case']} ({engine})"


def _us(figures: dict[str, Any] | None) -> str:
    if figures is None:
        return "-"
    return f"{figures['cpu_us']:,.1f}"


def _per_second(figures: dict[str, Any] | None) -> str:
    return "-" if figures is None else f"{figures['per_second']:,.0f}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}x"


def _fallback(row: dict[str, Any]) -> str:
    calls = row["fallback_calls"]
    reasons = "; ".join(f"{reason} ({n})" for reason, n in row["fallback_reasons"].items())
    return f"{_label(row)}: {calls} calls fell back to stock: {reasons or 'no reason given'}"


def _footer(report: dict[str, Any]) -> str:
    machine = report["machine"]
    collector = "on" if machine["gc"]["enabled"] else "off"
    versions = ", ".join(f"{name} {v}" for name, v in report["versions"].items() if v)
    settings = report["settings"]
    return (
        f"{report['date']}  {machine['python']}  {machine['cpu']} x{machine['cpus']}\n{versions}\n"
        f"{settings['rounds']} rounds of {settings['round_seconds']:g} s a side, alternating;"
        f" ratios are medians of rounds; gc {collector}, collected before each round;"
        f" endpoint {settings['endpoint']}"
    )
