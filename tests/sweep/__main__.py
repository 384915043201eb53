"""
Stock and `accelerate()` over every operation of every service that botocore ships.

Writes docs/parity.md where all was swept. Ends with 1 where anything differed. What was interrupted
goes on where it was; what is swept once is not swept again until the code or the seed changes.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import botocore.session
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.sweep.page import PAGE, write_page
from tests.sweep.results import ServiceReport
from tests.sweep.tables import print_report
from tests.sweep.workers import Job, Journal, run_jobs

FOLDER = Path("build/sweep")


def main() -> int:
    options = parse()
    console = Console()
    jobs = [Job(name, world, options) for world in options.worlds for name in options.services]
    journal = Journal(FOLDER, options.seed, fresh=options.fresh or bool(options.operation))
    known = [journal.found[job.key] for job in jobs if job.key in journal.found]
    left = [job for job in jobs if job.key not in journal.found]
    console.print(
        f"seed {options.seed}: {len(jobs)} services and worlds, {len(known)} known from before"
    )
    reports = [*known, *watched(console, left, journal, options.processes)]
    print_report(console, reports)
    if options.is_whole:
        write_page(PAGE, reports, options.seed, options.cases)
        console.print(f"{PAGE} is written")
    return 1 if any(report.differences for report in reports) else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("--service", action="append", help="only this one; may be repeated")
    parser.add_argument("--operation", action="append", help="only this one, of one --service")
    parser.add_argument("--world", choices=("sync", "async", "both"), default="both")
    parser.add_argument("--seed", default=datetime.date.today().isoformat(), help="default: today")
    parser.add_argument("--cases", choices=("long", "short"), default="long", help="for each one")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="forget what is known from before")
    options = parser.parse_args()
    if options.operation and len(options.service or ()) != 1:
        parser.error("--operation needs exactly one --service")
    options.worlds = ("sync", "async") if options.world == "both" else (options.world,)
    available = botocore.session.Session().get_available_services()
    if strangers := {*(options.service or ())} - {*available}:
        parser.error(f"botocore has no service {', '.join(sorted(strangers))}")
    options.services = options.service or available
    options.is_whole = not options.service and options.world == "both"
    return options


def watched(
    console: Console, jobs: list[Job], journal: Journal, processes: int
) -> Iterable[ServiceReport]:
    """The reports of *jobs*, with a bar and a line for each service that differs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("sweeping", total=len(jobs))
        for job, report in run_jobs(jobs, processes):
            if not job.order.operations:
                journal.add(job.key, report)
            progress.update(bar, advance=1, description=f"{report.service} ({report.flavour})")
            if report.differences:
                told = f"{report.service} ({report.flavour}): {len(report.differences)} differ"
                progress.console.print(told, style="red")
            yield report


if __name__ == "__main__":
    sys.exit(main())
