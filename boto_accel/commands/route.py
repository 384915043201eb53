"""`boto-accel route`: what a file of routes does with a bucket and a key."""

from __future__ import annotations

import json
from pathlib import Path

import click

from boto_accel.errors import BotoAccelError


@click.group()
def command() -> None:
    """Routes of S3 calls, as `route_s3()` takes them from a file."""


@command.command()
@click.argument("routes", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("location", metavar="s3://BUCKET/KEY")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def explain(routes: Path, location: str, as_json: bool) -> None:
    """
    Print which rule of ROUTES takes a key, and where it goes. Sends nothing.

    For s3://BUCKET, or a prefix that ends with "*", all places where its keys may be.
    """
    from boto_accel import route_s3

    bucket, key = _split(location)
    try:
        found = route_s3(routes).explain(bucket, key)
    except BotoAccelError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=2))
        return
    for each in found:
        click.echo(f"{each.location} at {each.where}")
        click.echo(f"  by {each.rule}")


def _split(location: str) -> tuple[str, str]:
    scheme, _, path = location.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise click.UsageError(f"{location!r} is not of the form s3://BUCKET/KEY")
    return bucket, key
