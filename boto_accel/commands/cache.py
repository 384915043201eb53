"""`boto-accel cache`: what a response cache holds, and what it would."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from boto_accel.errors import BotoAccelError

logger = logging.getLogger("boto_accel")
WHERE = click.argument("where", metavar="PATH_OR_URL")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


@click.group()
def command() -> None:
    """Look into a response cache, empty it, or see what would be cached."""


@command.command()
@WHERE
@AS_JSON
def stats(where: str, as_json: bool) -> None:
    """How many replies are kept, of which operations, and how large they are."""
    rows = _by_operation(_entries(where))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = _table("service", "region", "operation", ">entries", ">fresh", ">bytes")
    for row in rows:
        table.add_row(*_texts(row.values()))
    total = ("all", "", "", *(sum(row[name] for row in rows) for name in _SUMMED))
    table.add_section()
    table.add_row(*_texts(total))
    _print(table)


_SUMMED = ("entries", "fresh", "bytes")


def _by_operation(entries: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows of plain values, the operations with most bytes first."""
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for each in entries:
        found = counts.setdefault((each.service, each.region, each.operation), Counter())
        found["entries"] += 1
        found["fresh"] += each.state == "fresh"
        found["bytes"] += each.payload_bytes
    rows = [
        {
            "service": service,
            "region": region,
            "operation": operation,
            **{name: found[name] for name in _SUMMED},
        }
        for (service, region, operation), found in counts.items()
    ]
    return sorted(rows, key=lambda row: -row["bytes"])


@command.command()
@WHERE
@click.option("--service", help="Only of this service.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most.")
@AS_JSON
def ls(where: str, service: str | None, limit: int, as_json: bool) -> None:
    """The replies that are kept, the most recently used first."""
    found = [each for each in _entries(where) if service in (None, each.service)]
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found[:limit]], indent=2))
        return
    table = _table("key", "service", "region", "operation", ">bytes", ">age", ">fresh for", "state")
    for each in found[:limit]:
        left = _seconds(each.left) if each.left > 0 else ""
        table.add_row(
            each.key[:12],
            *_texts((each.service, each.region, each.operation, each.payload_bytes)),
            _seconds(each.age),
            left,
            each.state,
        )
    _print(table)
    if len(found) > limit:
        click.echo(f"and {len(found) - limit:,} more; see --limit")


@command.command()
@WHERE
@click.option("--service", help="Only of this service.")
@click.option("--operation", help="Only of this operation of it: ListUsers, or list_users.")
def clear(where: str, service: str | None, operation: str | None) -> None:
    """Forget the replies that are kept, all or some."""
    with _opened(where) as cache:
        try:
            number = cache.invalidate(service, operation)
        except BotoAccelError as error:
            raise click.UsageError(str(error)) from error
    click.echo(f"{number:,} forgotten")


@command.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@click.option("--all", "all_", is_flag=True, help="Those that are cached as well.")
@click.option("--allow-sensitive", is_flag=True, help="As with allow_sensitive=True.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="As with allow_sensitive=[NAME, ...]: rds.DescribeDBInstances, or rds.",
)
@AS_JSON
def policy(
    services: tuple[str, ...],
    all_: bool,
    allow_sensitive: bool,
    allowed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Which List, Get and Describe operations are not cached, and why."""
    from boto_accel import botocache_context

    try:
        cache = botocache_context(
            cache="memory://", allow_sensitive=allow_sensitive or list(allowed)
        )
        decided = list(cache.decisions(services or None))
    except BotoAccelError as error:
        raise click.UsageError(str(error)) from error
    shown = [each for each in decided if each.reason or all_]
    if as_json:
        click.echo(json.dumps([each._asdict() for each in shown], indent=2))
        return
    table = _table("service", "operation", "cached", "sensitive")
    for each in shown:
        cached_ = f"no: {each.reason}" if each.reason else "yes"
        table.add_row(each.service, each.operation, cached_, _some(each.sensitive))
    _print(table)
    cached = sum(not each.reason for each in decided)
    click.echo(f"{cached:,} of {len(decided):,} are cached")


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")


_MOST_SHOWN = 3  # members of one operation; --json has all


def _entries(where: str) -> list[Any]:
    with _opened(where) as cache:
        return list(cache.entries())


@contextmanager
def _opened(where: str) -> Iterator[Any]:
    """The cache that is there. What it would go on without is an error for who looks at it."""
    cache, warnings = _made(cache=where), _Warnings()
    _check_file(cache.store, where)
    logger.addHandler(warnings)
    try:
        yield cache
    finally:
        cache.store.close()
        logger.removeHandler(warnings)
    if warnings.texts:
        raise click.ClickException("; ".join(warnings.texts))


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _check_file(store: Any, where: str) -> None:
    """A cache would make a file that is not there, and set a damaged one aside."""
    try:
        is_ours = not hasattr(store, "is_ours") or store.is_ours()
    except (FileNotFoundError, NotADirectoryError):
        raise click.ClickException(f"there is no cache at {where}") from None
    except OSError as error:
        raise click.ClickException(str(error)) from error
    if not is_ours:
        raise click.ClickException(f"{where} is no response cache, or a damaged one")


def _made(**options: Any) -> Any:
    from boto_accel import botocache_context

    try:
        # Looking is not bounding: another size would throw out what is beyond it.
        cache = botocache_context(cache_max_size=2**40, cache_max_bytes=None, **options)
        cache.store  # noqa: B018  opened here, where its errors have a place
    except BotoAccelError as error:
        raise click.ClickException(str(error)) from error
    return cache


def _table(*columns: str) -> Table:
    """Numbers stand at the right: their columns begin with >."""
    table = Table()
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left")
    return table


def _texts(values: Iterable[Any]) -> list[str]:
    return [f"{value:,}" if isinstance(value, int) else str(value) for value in values]


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _print(table: Table) -> None:
    # In a pipe there is no width to fit into.
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)
