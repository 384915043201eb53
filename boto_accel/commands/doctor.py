"""`boto-accel doctor`: what is installed, and whether the usual S3 calls would be fast."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from boto_accel.bench.machine import describe_python, installed_versions
from boto_accel.errors import BotoAccelError

ENGINES = ("direct", "aiohttp", "aiosonic")
OPERATIONS = ("get_object", "put_object", "head_object", "list_objects_v2")
# Used where the user's own configuration names none: explaining sends nothing anywhere.
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one thing is as wished, and why not."""

    client: str
    name: str
    good: bool
    reason: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(as_json: bool) -> None:
    """Show versions, HTTP engines, and whether S3 calls of a default client would be fast."""
    findings = {
        "python": describe_python(),
        "versions": installed_versions(),
        "engines": [asdict(finding) for finding in find_engines()],
        "operations": [asdict(finding) for finding in find_operations()],
    }
    if as_json:
        click.echo(json.dumps(findings, indent=2))
    else:
        _print(findings, Console())


def find_engines() -> list[Finding]:
    """Each HTTP engine, good if `accelerate(http=…)` takes it here."""
    return [_engine(name) for name in ENGINES]


def _engine(name: str) -> Finding:
    from boto_accel import accelerate

    try:
        accelerate(http=name)
    except BotoAccelError as error:
        return Finding("", name, False, str(error))
    return Finding("", name, True, "")


def find_operations() -> list[Finding]:
    """The usual S3 operations of a client made with the user's own configuration."""
    return [*_botocore_operations(), *_aiobotocore_operations()]


def _botocore_operations() -> list[Finding]:
    from botocore.session import Session

    session = Session()
    client = session.create_client("s3", region_name=_region(session))
    try:
        return _explained("botocore", client)
    finally:
        client.close()


def _aiobotocore_operations() -> list[Finding]:
    try:
        from aiobotocore.session import get_session
    except ImportError:
        return []

    async def explained() -> list[Finding]:
        session = get_session()
        async with session.create_client("s3", region_name=_region(session)) as client:
            return _explained("aiobotocore", client)

    return asyncio.run(explained())


def _region(session: Any) -> str:
    return session.get_config_variable("region") or REGION


def _explained(kind: str, client: Any) -> list[Finding]:
    from boto_accel import explain

    answers = [(name, explain(client, name)) for name in OPERATIONS]
    return [Finding(kind, name, answer.fast, answer.reason) for name, answer in answers]


def _print(findings: dict[str, Any], console: Console) -> None:
    versions = Table(title=findings["python"], show_header=False)
    for name, version in findings["versions"].items():
        versions.add_row(name, version or "[dim]not installed[/dim]")
    console.print(versions)
    console.print(_table("HTTP engines", ("yes", "no"), findings["engines"]))
    console.print(_table("S3, default client", ("fast", "stock"), findings["operations"]))


def _table(title: str, words: tuple[str, str], findings: list[dict[str, Any]]) -> Table:
    """One line a finding; *words* are what good and not good are called here."""
    table = Table(title=title, show_header=False)
    for finding in findings:
        name = f"{finding['client']} {finding['name']}".strip()
        word = f"[green]{words[0]}[/green]" if finding["good"] else f"[red]{words[1]}[/red]"
        table.add_row(name, word, finding["reason"])
    return table
