"""`boto-accel bench`: stock and accelerated, side by side, on this machine."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from boto_accel.bench.cases import Case, Tier, all_cases, for_endpoint, select_cases
from boto_accel.bench.chart import draw
from boto_accel.bench.measure import Pace
from boto_accel.bench.report import make_report
from boto_accel.bench.runner import Outcome, Settings, engines_of, run
from boto_accel.bench.table import print_cases, print_report
from boto_accel.commands.endpoint import endpoint
from boto_accel.errors import BotoAccelError

ENGINES = ("direct", "aiohttp", "aiosonic")
USUAL_PACE = Pace(rounds=5, round_s=0.4)
QUICK_PACE = Pace(rounds=3, round_s=0.1)


@click.command()
@click.option("--quick", is_flag=True, help="Few cases, short rounds: half a minute.")
@click.option("--full", is_flag=True, help="Every case there is: many minutes.")
@click.option(
    "--only", "patterns", multiple=True, metavar="PATTERN", help="Cases by name; may be repeated."
)
@click.option(
    "--list",
    "list_",
    is_flag=True,
    help="Show the names of the cases, of all without --quick or --only, and end.",
)
@click.option(
    "--http",
    "engine",
    default="direct",
    show_default=True,
    metavar="ENGINE|all",
    help=f"What moves the bytes of aiobotocore: {', '.join(ENGINES)}.",
)
@endpoint("An S3 of your own; written to under a prefix, and cleaned.")
@click.option("--bucket", help="An existing bucket there.")
@click.option("--region", default="us-east-1", show_default=True, help="Its region.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False), help="CA file to trust there.")
@click.option(
    "--json",
    "json_to",
    is_flag=False,
    flag_value="-",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True),
    metavar="[FILE]",
    help="Write the report as JSON, to standard output without FILE.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE.svg",
    help="Draw a chart of the ratios.",
)
@click.option("--rounds", type=click.IntRange(1), help="Timed rounds a side.")
@click.option("--round-seconds", type=click.FloatRange(0, min_open=True), help="Length of a round.")
@click.option(
    "--pin/--no-pin",
    default=True,
    show_default=True,
    help="A CPU of its own for the in-memory server (Linux).",
)
@click.option("--stock-only", is_flag=True, hidden=True)
def command(**options: Any) -> None:
    """
    Measure CPU and wall time per call, stock and accelerated in one run.

    Without --endpoint it brings an in-memory S3 of its own, in a process of its own.
    """
    asked = _Asked(**options)
    if asked.list_:
        print_cases(asked.listed(), Console())
        return
    settings = asked.settings()
    console = Console(stderr=asked.json_to == "-")
    outcomes = _run(settings, console)
    report = make_report(settings, outcomes, datetime.datetime.now(datetime.timezone.utc))
    print_report(report, console)
    asked.write(report)
    if not report["results"] and not report["beside"]:
        raise click.ClickException("no case could be run")


@dataclass(frozen=True)
class _Asked:
    """The options, as given."""

    quick: bool
    full: bool
    patterns: tuple[str, ...]
    list_: bool
    engine: str
    endpoint: str | None
    bucket: str | None
    region: str
    ca: str | None
    json_to: str | None
    plot: Path | None
    rounds: int | None
    round_seconds: float | None
    pin: bool
    stock_only: bool

    def settings(self) -> Settings:
        """Raises click's errors for options that do not go together."""
        if self.endpoint and not self.bucket:
            raise click.UsageError("--endpoint needs --bucket, an existing one")
        self._check_folders()
        return Settings(
            cases=tuple(self._cases()),
            pace=self._pace(),
            engines=self._engines(),
            endpoint=self.endpoint,
            bucket=self.bucket,
            region=self.region,
            verify=self.ca or True,
            pin=self.pin,
            stock_only=self.stock_only,
        )

    def _check_folders(self) -> None:
        """What is measured for minutes is not to be lost when it is written."""
        for path in (self.json_to, self.plot):
            if path is not None and not Path(path).parent.is_dir():
                raise click.UsageError(f"there is no folder {str(Path(path).parent)!r}")

    def listed(self) -> list[Case]:
        return self._cases() if self.quick or self.patterns else all_cases()

    def _cases(self) -> list[Case]:
        tier = Tier.FULL if self.full else Tier.QUICK if self.quick else Tier.USUAL
        cases = select_cases(tier, self.patterns)
        if self.endpoint:
            cases = for_endpoint(cases, self.endpoint.partition(":")[0])
        if not cases:
            raise click.UsageError(f"no case is called like {', '.join(self.patterns)}; see --list")
        return cases

    def _pace(self) -> Pace:
        usual = QUICK_PACE if self.quick else USUAL_PACE
        return Pace(self.rounds or usual.rounds, self.round_seconds or usual.round_s)

    def _engines(self) -> tuple[str, ...]:
        if self.engine == "all":
            return ENGINES
        if not self.stock_only:
            _check_engine(self.engine)
        return (self.engine,)

    def write(self, report: dict[str, Any]) -> None:
        text = json.dumps(report, indent=2)
        if self.json_to == "-":
            click.echo(text)
        elif self.json_to:
            Path(self.json_to).write_text(text + "\n", encoding="utf-8")
        if self.plot:
            self.plot.write_text(draw(report), encoding="utf-8")


def _check_engine(name: str) -> None:
    """End before anything is measured, with the package's own words, where *name* cannot be had."""
    from boto_accel import accelerate

    try:
        accelerate(http=name)
    except BotoAccelError as error:
        raise click.ClickException(str(error)) from error


class _Shown:
    """The runner's listener: one bar for the whole run, named after the case it is at."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        steps = sum(self._steps(case) for case in settings.cases)
        self._task = progress.add_task("starting", total=steps)
        self._left = 0

    def _steps(self, case: Case) -> int:
        """Rounds of *case* with every engine."""
        return self._case_steps(case) * len(engines_of(case, self._settings.engines))

    def _case_steps(self, case: Case) -> int:
        sides = 2 if case.compared and not self._settings.stock_only else 1
        return self._settings.pace.rounds * sides

    def case_started(self, case: Case, engine: str) -> None:
        self._left = self._case_steps(case)
        self._progress.update(self._task, description=case.name)
        self._progress.refresh()

    def round_done(self) -> None:
        self._left -= 1
        self._progress.advance(self._task)
        self._progress.refresh()

    def case_done(self, outcome: Outcome) -> None:
        self._progress.advance(self._task, self._left)  # what a skipped case had left


def _run(settings: Settings, console: Console) -> list[Outcome]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Drawn between rounds only: a thread that redraws would be timed with the calls.
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        try:
            return run(settings, _Shown(settings, progress))
        except BotoAccelError as error:
            raise click.ClickException(str(error)) from error
        except _botocore_errors() as error:  # the user's endpoint, bucket or credentials
            raise click.ClickException(f"{type(error).__name__}: {error}") from error


def _botocore_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError
