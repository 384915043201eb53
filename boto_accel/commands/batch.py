"""`boto-accel batch`: what is in batches, and what to do with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import wraps
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from boto_accel.commands.endpoint import endpoint
from boto_accel.errors import BotoAccelError

WHERE = click.argument("where", metavar="s3://BUCKET/PREFIX/")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


@click.group()
def command() -> None:
    """Batches of small objects, as `batch_puts()` makes them."""


def _connected(function: Callable[..., None]) -> Callable[..., None]:
    """With the options of a client, and its errors as messages."""

    @endpoint("Another S3 than AWS.")
    @click.option("--region", help="Region.")
    @click.option("--profile", help="Profile of the AWS configuration.")
    @wraps(function)
    def run(endpoint: str | None, region: str | None, profile: str | None, **given: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session

        try:
            session = Session(profile=profile)
            client = session.create_client("s3", region_name=region, endpoint_url=endpoint)
            function(client=client, **given)
        except (BotoAccelError, BotoCoreError, ClientError) as error:
            raise click.ClickException(str(error)) from error

    return run


@contextmanager
def _reader(client: Any, where: str) -> Iterator[Any]:
    from boto_accel import BatchReader

    with BatchReader(client, where) as reader:
        with _progress("reading indexes") as progress:
            reader.refresh(progress=progress)
        yield reader


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on the standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, wanted: bar.update(task, completed=done, total=wanted)


def _rows_of(found: Any) -> dict[str, Any]:
    entry = found.entry
    modified = datetime.fromtimestamp(entry.stamp / 1e9, timezone.utc)
    return {
        "key": entry.key,
        "size": entry.size,
        "modified": modified.isoformat(timespec="milliseconds"),
        "etag": entry.etag,
        "batch": found.batch,
        "offset": entry.offset,
    }


@command.command()
@WHERE
@click.option("--prefix", default="", help="Only keys that begin with it.")
@click.option("--batches", is_flag=True, help="The batches, and not the objects in them.")
@AS_JSON
@_connected
def ls(client: Any, where: str, prefix: str, batches: bool, as_json: bool) -> None:
    """The objects in batches, the newest of each key; or the batches. JSON is one object a line."""
    with _reader(client, where) as reader:
        if batches:
            for each in reader.iter_batches():
                shown = f"{each.length:>14,} {each.entries:>9,} {each.batch}"
                click.echo(json.dumps(each._asdict()) if as_json else shown)
            return
        for found in reader.entries(prefix):
            row = _rows_of(found)
            shown = f"{row['modified']} {row['size']:>12,} {row['key']}"
            click.echo(json.dumps(row) if as_json else shown)


@command.command()
@WHERE
@click.argument("key")
@_connected
def cat(client: Any, where: str, key: str) -> None:
    """Write the content of an object to the standard output."""
    with _reader(client, where) as reader:
        sys.stdout.buffer.write(reader.get(key))
        sys.stdout.buffer.flush()


@command.command()
@WHERE
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--prefix", default="", help="Only keys that begin with it.")
@_connected
def extract(client: Any, where: str, folder: Path, prefix: str) -> None:
    """Write the objects to files under FOLDER, and nothing outside of it."""
    with _reader(client, where) as reader, _progress("extracting") as progress:
        folder.mkdir(parents=True, exist_ok=True)  # now that there is something to read
        problems = reader.extract(folder, prefix, progress)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise click.ClickException(f"{len(problems):,} objects could not be written")


@command.command()
@click.argument("spool", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--storage-class", help="Of the tars.")
@AS_JSON
@_connected
def recover(client: Any, spool: Path, storage_class: str | None, as_json: bool) -> None:
    """Upload what a process that crashed has left in its spool folder."""
    from boto_accel import S3BatchPutClient

    stats = S3BatchPutClient.recover(client, spool, storage_class)
    row = {
        "recovered": stats.recovered,
        "batches": stats.batches,
        "bytes": stats.uploaded_bytes,
    }
    shown = f"{row['recovered']:,} entries in {row['batches']:,} batches, {row['bytes']:,} bytes"
    click.echo(json.dumps(row) if as_json else f"uploaded {shown}")


@command.command()
@WHERE
@click.option("--all", "all_", is_flag=True, help="Also those that are there.")
@AS_JSON
@_connected
def reindex(client: Any, where: str, all_: bool, as_json: bool) -> None:
    """Make the indexes that are missing from the tars themselves."""
    from boto_accel import BatchReader

    with BatchReader(client, where) as reader, _progress("reading tars") as progress:
        done = reader.reindex(all_=all_, progress=progress)
    if as_json:
        click.echo(json.dumps(done._asdict(), indent=2))
    else:
        click.echo(f"{len(done.made):,} indexes made")
    for problem in done.damaged:
        click.echo(problem, err=True)
    if done.damaged:
        raise click.ClickException(f"{len(done.damaged):,} tars are damaged")


@command.command()
@WHERE
@click.option(
    "--max-bytes", type=click.IntRange(2**16), default=2**26, show_default=True, help="Of a batch."
)
@AS_JSON
@_connected
def compact(client: Any, where: str, max_bytes: int, as_json: bool) -> None:
    """Join small batches, without what is overwritten. The old ones are deleted at the end."""
    with _reader(client, where) as reader, _progress("joining") as progress:
        done = reader.compact(max_bytes=max_bytes, progress=progress)
    if as_json:
        click.echo(json.dumps(done._asdict(), indent=2))
        return
    click.echo(
        f"{done.joined:,} batches joined into {done.made:,}, {done.dropped:,} entries dropped"
    )


@command.command()
@WHERE
@click.option(
    "--price",
    type=click.FloatRange(0),
    default=0.005,
    show_default=True,
    help="Of 1,000 PutObject.",
)
@AS_JSON
@_connected
def savings(client: Any, where: str, price: float, as_json: bool) -> None:
    """How many PutObject calls, and how much money, the batches have saved."""
    with _reader(client, where) as reader:
        row = reader.savings(price)
    if as_json:
        click.echo(json.dumps(row, indent=2))
        return
    click.echo(
        f"{row['objects']:,} puts in {row['batches']:,} batches took {row['requests']:,} requests: "
        f"{row['saved_requests']:,} saved, {row['saved_money']:,.2f} at {price} for 1,000"
    )
