"""
Writes the tables of docs/benchmark.md from reports of `boto-accel bench --json`.

    boto-accel bench --json docs/measured/usual.json
    taskset -c 1 boto-accel bench --no-pin --json docs/measured/onecore.json
    boto-accel bench --http all --only 'aiobotocore/http/*/1KiB/c32/asyncio' \\
        --json docs/measured/engines.json
    boto-accel bench --only '*/dynamodb-*/*' --only '*/sqs-*/*' --only '*/lambda-*/*' \\
        --only '*/stepfunctions-*/*' --only '*/sts-*/*' --only '*/ec2-*/*' \\
        --json docs/measured/services.json
    python tools/benchmark_page.py [--check]

--check writes nothing; the exit code is 1 where the page is not what it would write.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "benchmark.md"
NAMES = ("usual", "onecore", "engines", "services")
REPORTS = {name: DOCS / "measured" / f"{name}.json" for name in NAMES}
# One part of the page: <!-- generated: usual --> … <!-- /generated -->
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)

Row = tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the tables of docs/benchmark.md.")
    parser.add_argument("--check", action="store_true", help="only look whether they are right")
    options = parser.parse_args()
    found = PAGE.read_text("utf-8")
    made = page_with(found, {name: read(path) for name, path in REPORTS.items()})
    if not options.check:
        PAGE.write_text(made, "utf-8")
    elif made != found:
        print(f"{PAGE.name} is not what its reports say: python tools/benchmark_page.py")
        return 1
    return 0


def read(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def page_with(page: str, reports: dict[str, dict[str, Any]]) -> str:
    """*page*, whose generated parts are those of *reports*."""
    return PART.sub(lambda part: part[1] + PARTS[part[2]](reports[part[2]]) + part[3], page)


def usual(report: dict[str, Any]) -> str:
    beside = table(
        ("beside them", "µs", "calls/s"),
        (
            (
                row["case"],
                f"{row['alone']['cpu_us']:,.1f}",
                f"{row['alone']['per_second']:,.0f}",
            )
            for row in report["beside"]
        ),
    )
    return f"{compared(report)}\n{beside}\n{footer(report)}"


def services(report: dict[str, Any]) -> str:
    return f"{compared(report)}\n{footer(report)}"


def compared(report: dict[str, Any]) -> str:
    return table(
        ("case", "stock µs", "ours µs", "ratio", "stock calls/s", "ours calls/s"),
        (
            (
                row["case"],
                f"{row['stock']['cpu_us']:,.1f}",
                f"{row['fast']['cpu_us']:,.1f}",
                f"{row['cpu_ratio']:.1f}x",
                f"{row['stock']['per_second']:,.0f}",
                f"{row['fast']['per_second']:,.0f}",
            )
            for row in report["results"]
        ),
    )


def engines(report: dict[str, Any]) -> str:
    rows = table(
        ("case", "engine", "stock µs", "ours µs", "ratio"),
        (
            (
                row["case"],
                row["engine"],
                f"{row['stock']['cpu_us']:,.1f}",
                f"{row['fast']['cpu_us']:,.1f}",
                f"{row['cpu_ratio']:.1f}x",
            )
            for row in report["results"]
        ),
        words=2,
    )
    return f"{rows}\n{footer(report)}"


PARTS = {"usual": usual, "onecore": usual, "engines": engines, "services": services}


def table(header: Row, rows: Iterable[Row], words: int = 1) -> str:
    """Markdown; the first *words* columns to the left, the numbers behind them to the right."""
    rule = tuple("---" if column < words else "---:" for column in range(len(header)))
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *rows))


def footer(report: dict[str, Any]) -> str:
    machine, settings = report["machine"], report["settings"]
    versions = ", ".join(f"{name} {found}" for name, found in report["versions"].items() if found)
    return (
        f"Measured on {report['date'][:10]}: {machine['python']}, {machine['cpu']} with"
        f" {machine['cpus']} CPUs, {machine['system'].split()[0]}; {settings['rounds']} rounds of"
        f" {settings['round_seconds']:g} s a side; endpoint {settings['endpoint']}; {versions}.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
