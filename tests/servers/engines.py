"""
The HTTP engines that tests of a world are run with.

The whole suite runs each test with `direct` and with one of the others, chosen by the name of the
test: the engines share all but the moving of bytes. BOTO_ACCEL_ALL_ENGINES=1 runs each with all
(`make test-engines`).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from zlib import crc32

ENGINES = ("direct", "aiohttp", "aiosonic")
OTHERS = ENGINES[1:]
ALL = os.environ.get("BOTO_ACCEL_ALL_ENGINES") == "1"


def is_installed(engine: str) -> bool:
    return engine == "direct" or find_spec(engine) is not None


def is_chosen(engine: str, name: str, turn: int = 0) -> bool:
    """Whether *engine* is one that the test *name* is run with; *turn* moves on to the next."""
    if ALL or engine == "direct":
        return True
    return engine == OTHERS[(crc32(name.encode()) + turn) % len(OTHERS)]


def engines_of(flavour: str, name: str | None = None, turn: int = 0) -> tuple[str, ...]:
    """Those for *name*, or all that are installed; the sync world has the one."""
    if flavour != "async":
        return ("direct",)
    installed = filter(is_installed, ENGINES)
    return tuple(each for each in installed if name is None or is_chosen(each, name, turn))
