"""`boto-accel table`: the rows of a table in S3."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table as Shown

from boto_accel.commands.endpoint import endpoint
from boto_accel.errors import BotoAccelError

DATABASE = click.argument("database", metavar="DATABASE")
TABLE = click.argument("table", metavar="TABLE")
VALUES = click.argument("values", nargs=-1, metavar="[COLUMN=VALUE]...")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
COLUMNS = click.option(
    "--columns",
    metavar="NAME[:TYPE],...",
    help="The columns, in order, where the table has no schema: id:int,year,day:date.",
)

TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (str, int, float, bool, date, datetime, Decimal, UUID)
}


@click.group()
def command() -> None:
    """Rows in S3: a DATABASE is a bucket, a TABLE its top-level folder."""


def connected(function: Callable[..., None]) -> Callable[..., None]:
    """With the options that a client is made of; the command is handed the database."""

    @DATABASE
    @endpoint("Another S3 than AWS.")
    @click.option("--profile", metavar="NAME", help="A profile of the AWS configuration.")
    @click.option("--region", metavar="NAME", help="The region of the bucket.")
    @wraps(function)
    def run(
        database: str,
        endpoint: str | None,
        profile: str | None,
        region: str | None,
        **rest: Any,
    ) -> None:
        with _told():
            function(_database(database, endpoint, profile, region), **rest)

    return run


@contextmanager
def _told() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except BotoAccelError as error:
        raise click.ClickException(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error


def _database(name: str, endpoint: str | None, profile: str | None, region: str | None) -> Any:
    from botocore.session import Session

    from boto_accel import Database

    session = Session(profile=profile)
    if region is not None:
        session.set_config_variable("region", region)
    return Database(name, session=session, endpoint_url=endpoint)


@command.command()
@connected
@AS_JSON
def ls(database: Any, as_json: bool) -> None:
    """The tables of DATABASE, and their columns where they have a schema."""
    from boto_accel import Table

    found = [{"table": name, **_schema(Table(name, database))} for name in database.tables]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for each in found:
        columns = ", ".join(f"{name}:{kind}" for name, kind in each["columns"].items())
        click.echo(f"{each['table']}  {columns}".rstrip())


def _schema(table: Any) -> dict[str, Any]:
    schema = table.schema
    columns = {} if schema is None else {name: k.name for name, k in schema.columns.items()}
    return {"columns": columns}


@command.command()
@connected
@TABLE
@VALUES
@COLUMNS
@AS_JSON
def get(
    database: Any, table: str, values: tuple[str, ...], columns: str | None, as_json: bool
) -> None:
    """Write the data of a row to standard output."""
    found = _table(database, table, columns)
    row = _row(found, values)
    data, etag = found.select_with_etag(**row)
    if as_json:
        shown = {**_plain(row), "etag": etag, **_data(data)}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        click.echo(data, nl=False)  # bytes as they are


@command.command()
@connected
@TABLE
@VALUES
@COLUMNS
@click.option("--data", help="The data of the row, as UTF-8.")
@click.option("--file", "source", type=click.File("rb"), help="Where to read it; - is stdin.")
@click.option("--if-absent", is_flag=True, help="Not over a row that is there.")
@click.option("--if-match", metavar="ETAG", help="Only over a row with this ETag.")
@AS_JSON
def put(
    database: Any,
    table: str,
    values: tuple[str, ...],
    columns: str | None,
    data: str | None,
    source: BinaryIO | None,
    if_absent: bool,
    if_match: str | None,
    as_json: bool,
) -> None:
    """Write a row."""
    if (data is None) is (source is None):
        raise click.UsageError("either --data or --file is needed")
    if if_absent and if_match:
        raise click.UsageError("--if-absent and --if-match do not go together")
    body = source.read() if source is not None else (data or "").encode()
    found = _table(database, table, columns)
    row = _row(found, values)
    if if_match:
        answer = found.update(body, if_match=if_match, **row)
    else:
        answer = found.insert(body, if_absent=if_absent, **row)
    etag: str = answer["ETag"]
    click.echo(json.dumps({"etag": etag}) if as_json else etag)


@command.command()
@connected
@TABLE
@VALUES
@COLUMNS
@click.option("--limit", type=click.IntRange(1), help="At most so many rows.")
@AS_JSON
def query(
    database: Any,
    table: str,
    values: tuple[str, ...],
    columns: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """The rows of TABLE whose columns have these values."""
    found = _table(database, table, columns)
    rows = islice(found.iter_query(**_row(found, values)), limit)
    if as_json:
        _print_json(rows)
        return
    shown = Shown(*found.columns)
    for row in rows:
        shown.add_row(*(str(value) for value in row.values()))
    # In a pipe there is no width to fit into.
    console = Console()
    Console(width=None if console.is_terminal else 200).print(shown)


@command.command()
@connected
@TABLE
@VALUES
@COLUMNS
@AS_JSON
def count(
    database: Any, table: str, values: tuple[str, ...], columns: str | None, as_json: bool
) -> None:
    """How many rows of TABLE have these values."""
    found = _table(database, table, columns)
    number = found.count(**_row(found, values))
    click.echo(json.dumps({"count": number}) if as_json else f"{number:,}")


def _table(database: Any, name: str, columns: str | None) -> Any:
    from boto_accel import Table

    return Table(name, database, _columns(columns))


def _columns(text: str | None) -> dict[str, type | None]:
    found: dict[str, type | None] = {}
    for each in text.split(",") if text else ():
        name, _, kind = each.partition(":")
        if name in found:
            raise click.UsageError(f"--columns has {name!r} twice")
        if kind and kind not in TYPES:
            known = ", ".join(TYPES)
            raise click.UsageError(f"--columns: {kind!r} is no type; there are {known}")
        found[name] = TYPES[kind] if kind else None
    return found


def _row(table: Any, values: tuple[str, ...]) -> dict[str, Any]:
    """The values of columns, of the types that these have."""
    if not values:
        return {}
    schema = table.schema
    row: dict[str, Any] = {}
    for each in values:
        name, equals, text = each.partition("=")
        if not equals or name in row:
            raise click.UsageError(f"{each!r} is not of the form COLUMN=VALUE, each column once")
        kind = schema.columns.get(name) if schema else None
        try:
            row[name] = kind.read(text) if kind else text
        except ValueError as error:
            raise click.UsageError(f"{name}: {error}") from error
    return row


def _print_json(rows: Iterator[Mapping[str, Any]]) -> None:
    """A list with a line a row, printed as they come."""
    separator = "["
    for row in rows:
        click.echo(separator)
        click.echo(f"  {json.dumps(_plain(row), ensure_ascii=False)}", nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON has no type for is text, as in the key."""
    kept = (str, bool, int)
    return {name: value if isinstance(value, kept) else str(value) for name, value in row.items()}


def _data(data: bytes) -> dict[str, str]:
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(data).decode()}
