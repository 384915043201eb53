"""
What the environment says, read and written. Pure: the environment is an argument.

    BOTO_ACCEL              accelerate,cache,route: which patches; "off" or nothing for none
    BOTO_ACCEL_HTTP         direct, aiohttp or aiosonic
    BOTO_ACCEL_CACHE        15m: how long a reply is fresh
    BOTO_ACCEL_CACHE_PATH   a folder, a SQLite file or a URL
    BOTO_ACCEL_ROUTE        a file of routes
    BOTO_ACCEL_STATS        1: print statistics when the process ends

BOTO_ACCEL is the switch: where it is off, the others mean nothing. Where it is on, a duration or a
file of routes is as good as its patch's name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from boto_accel.errors import InvalidOptionError

SWITCH = "BOTO_ACCEL"
HTTP = "BOTO_ACCEL_HTTP"
CACHE = "BOTO_ACCEL_CACHE"
CACHE_PATH = "BOTO_ACCEL_CACHE_PATH"
ROUTE = "BOTO_ACCEL_ROUTE"
STATS = "BOTO_ACCEL_STATS"
VARIABLES = (SWITCH, HTTP, CACHE, CACHE_PATH, ROUTE, STATS)
# The process that `boto-accel run` has become the program in, as text. Not for users.
PROGRAM = "BOTO_ACCEL_PROGRAM_PID"

PATCHES = ("accelerate", "cache", "route")
OFF = ("", "0", "off")
DEFAULT_HTTP = "direct"
DEFAULT_CACHE_S = 900.0  # seconds; as `botocache_context`

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)", re.ASCII)
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds
_TRUTHS = {"": False, "0": False, "false": False, "no": False, "off": False,
           "1": True, "true": True, "yes": True, "on": True}  # fmt: skip


class Settings(NamedTuple):
    """
    Which patches, and how. cache: seconds that a reply is fresh; None for no cache.

    cache_path: "" for `default_cache_path`. route: a file of routes; "" for none.
    """

    accelerate: bool = False
    http: str = DEFAULT_HTTP
    cache: float | None = None
    cache_path: str = ""
    route: str = ""
    stats: bool = False

    @property
    def is_off(self) -> bool:
        return not self.accelerate and self.cache is None and not self.route


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises InvalidOptionError, which names the variable."""
    given = {name: environment.get(name, "").strip() for name in VARIABLES}
    stats = _truth(STATS, given[STATS])
    names = _names(given[SWITCH])
    if not names:
        return Settings(stats=stats)
    if "route" in names and not given[ROUTE]:
        raise InvalidOptionError(ROUTE, given[ROUTE], f"a file of routes, for {SWITCH} has 'route'")
    cache = parse_duration(CACHE, given[CACHE]) if given[CACHE] else None
    if cache is None and "cache" in names:
        cache = DEFAULT_CACHE_S
    return Settings(
        accelerate="accelerate" in names,
        http=given[HTTP] or DEFAULT_HTTP,
        cache=cache,
        cache_path=given[CACHE_PATH],
        route=given[ROUTE],
        stats=stats,
    )


def write_settings(settings: Settings) -> dict[str, str]:
    """What `read_settings` reads as *settings*; a variable that is not here is not set."""
    chosen = (settings.accelerate, settings.cache is not None, bool(settings.route))
    names = [name for name, wanted in zip(PATCHES, chosen, strict=True) if wanted]
    written = {
        SWITCH: ",".join(names) or "off",
        HTTP: settings.http,
        CACHE: "" if settings.cache is None else f"{settings.cache:.3f}s",
        CACHE_PATH: settings.cache_path,
        ROUTE: settings.route,
        STATS: "1" if settings.stats else "",
    }
    return {name: value for name, value in written.items() if value}


def parse_duration(name: str, text: str) -> float:
    """
    Seconds: "90s", "15m", "2h", "1d"; a plain number is of seconds.

    Raises InvalidOptionError, which calls the option *name*.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    if seconds < 0.001:
        raise InvalidOptionError(name, text, "a duration: 90s, 15m, 2h or 1d, and more than 0")
    return seconds


def default_cache_path(environment: Mapping[str, str], platform: str) -> str:
    """
    The user's folder for caches, and in it ours; *platform* is `sys.platform`.

    Source: XDG Base Directory Specification; File System Programming Guide (macOS).
    """
    home = os.path.expanduser("~")
    if platform == "win32":
        base = environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = environment.get("XDG_CACHE_HOME") or ""
        # "All paths set in these environment variables must be absolute", else ignored.
        base = base if os.path.isabs(base) else os.path.join(home, ".cache")
    return os.path.join(base, "boto_accel")


def _names(text: str) -> frozenset[str]:
    if text.lower() in OFF:
        return frozenset()
    names = frozenset(filter(None, (name.strip().lower() for name in text.split(","))))
    if not names or not names <= set(PATCHES):
        raise InvalidOptionError(SWITCH, text, f"off, or names of {', '.join(PATCHES)}")
    return names


def _truth(name: str, text: str) -> bool:
    found = _TRUTHS.get(text.lower())
    if found is None:
        raise InvalidOptionError(name, text, "1 or 0")
    return found
