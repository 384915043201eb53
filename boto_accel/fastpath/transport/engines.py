"""
The HTTP engines by name, and what each needs to be installed.

The async world sends by the chosen one; the sync world by `sync.py`, whichever is chosen.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from boto_accel.errors import InvalidOptionError, MissingExtraError


class Engine(NamedTuple):
    """*module* of this folder has its `Pool`; *package* comes with the extra *extra*."""

    module: str
    package: str
    extra: str


ENGINES = {
    # What "direct" needs for aiobotocore comes with aiobotocore; for boto3 it needs nothing.
    "direct": Engine("aio", "", ""),
    "aiohttp": Engine("aiohttp", "aiohttp", "async"),
    "aiosonic": Engine("aiosonic", "aiosonic", "aiosonic"),
}


def check(http: str) -> None:
    """Raises InvalidOptionError for no engine, MissingExtraError for one that is not installed."""
    engine = ENGINES.get(http) if type(http) is str else None
    if engine is None:
        raise InvalidOptionError("http", http, f"one of {', '.join(ENGINES)}")
    if engine.package and find_spec(engine.package) is None:
        raise MissingExtraError(f"http={http!r}", engine.package, engine.extra)


def open_pool(http: str, client: Any) -> Any:
    """A pool of the engine *http* for an aiobotocore client, on the running loop."""
    # Imported when first needed, as each needs libraries that are optional.
    module = import_module(f"{__package__}.{ENGINES[http].module}")
    return module.Pool(client)
