"""
Entering the patches that the environment asks for.

`activate` is called while an interpreter starts, by `shim/sitecustomize.py` or by the hook in
site-packages. It imports nothing of botocore: the patches are made and entered when the program
has imported `botocore.client`, before its importer goes on. So a program that never does pays next
to nothing, and one that has a botocore of its own (AWS CLI v1) gets that one patched.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from boto_accel._imports import ImportWatch
from boto_accel.errors import InvalidOptionError
from boto_accel.startup.settings import (
    PROGRAM,
    VARIABLES,
    Settings,
    default_cache_path,
    read_settings,
)

if TYPE_CHECKING:
    from boto_accel._patch import Patch
    from boto_accel.startup.report import Report

_activated = False


def activate() -> None:
    """
    See above. Only the first call in a process counts.

    A wrong setting is one line on stderr, and nothing is patched: the interpreter starts.
    """
    global _activated
    if _activated:
        return
    _activated = True
    is_program = os.environ.pop(PROGRAM, "") == str(os.getpid())
    try:
        settings = read_settings(os.environ)
    except InvalidOptionError as error:
        _warn(error)
        return
    if not settings.is_off:
        _wait(settings, _started_report(is_program) if settings.stats else None)


def _started_report(is_program: bool) -> Report:
    import atexit

    from boto_accel.startup.report import Report

    report = Report(is_program)
    atexit.register(report.print)
    return report


def _wait(settings: Settings, report: Report | None) -> None:
    """Enter once botocore.client has been imported; now where it has."""
    if "botocore.client" in sys.modules:
        _enter(settings, report)
        return

    def arrived() -> None:
        botocore.stop()
        aiobotocore.stop()  # from now on `_hook` waits for it
        _enter(settings, report)

    botocore = ImportWatch("botocore.client", arrived)
    # It may be aiobotocore.client that imports botocore.client: too late then to wait for it.
    aiobotocore = ImportWatch("aiobotocore.client", _hook_aiobotocore)
    botocore.start()
    aiobotocore.start()


def _hook_aiobotocore() -> None:
    from boto_accel import _hook

    _hook.on_aiobotocore()


def make_patches(settings: Settings) -> list[Patch]:
    """Those that *settings* ask for, not entered. Raises what making them raises, and OSError."""
    from boto_accel import accelerate, botocache_context, route_s3

    made: list[Patch] = []
    if settings.accelerate:
        made.append(accelerate(http=settings.http))
    if settings.cache is not None:
        path = settings.cache_path or default_cache_path(os.environ, sys.platform)
        if "://" not in path:
            path = os.path.expanduser(path)
        made.append(botocache_context(cache_ttl=settings.cache, cache_path=path))
    if settings.route:
        made.append(route_s3(os.path.expanduser(settings.route)))
    return made


def _enter(settings: Settings, report: Report | None) -> None:
    entered: list[Patch] = []
    try:
        for patch in make_patches(settings):
            patch.install()
            entered.append(patch)
    # Whatever it is: the program imports botocore, and has not asked for any of this.
    except Exception as error:
        for patch in reversed(entered):
            patch.uninstall()
        entered.clear()
        _warn(error)
    if report is not None:
        report.entered(entered)


def _warn(error: Exception) -> None:
    name = "" if isinstance(error, InvalidOptionError) else f"{type(error).__name__}: "
    given = ", ".join(variable for variable in VARIABLES if os.environ.get(variable))
    if sys.stderr is not None:
        line = f"boto-accel: {name}{error}; nothing is patched (see {given})"
        print(" ".join(line.split()), file=sys.stderr)
