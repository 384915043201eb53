"""The HTTP engines that tests of a world are run with: all that are installed."""

from __future__ import annotations

from importlib.util import find_spec

ENGINES = ("direct", "aiohttp", "aiosonic")


def is_installed(engine: str) -> bool:
    return engine == "direct" or find_spec(engine) is not None


def engines_of(flavour: str) -> tuple[str, ...]:
    """The sync world has the one."""
    return tuple(filter(is_installed, ENGINES)) if flavour == "async" else ("direct",)
