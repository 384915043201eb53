"""What a result was measured with: versions, Python, CPU, the garbage collector's state."""

from __future__ import annotations

import gc
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from boto_accel import __version__

PACKAGES = (
    "botocore",
    "boto3",
    "aiobotocore",
    "aioboto3",
    "s3transfer",
    "urllib3",
    "aiohttp",
    "aiosonic",
    "httptools",
    "uvloop",
    "obstore",
)


def installed_versions() -> dict[str, str | None]:
    """Version of every package that matters here; None where it is not installed."""
    return {"boto_accel": __version__, **{name: _version(name) for name in PACKAGES}}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def describe_python() -> str:
    """Such as `CPython 3.11.9`."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def describe_machine() -> dict[str, Any]:
    """CPU model and count, system, Python, and how the garbage collector is set."""
    return {
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": describe_python(),
        "gc": {"enabled": gc.isenabled(), "threshold": list(gc.get_threshold())},
    }


def cpu_model() -> str:
    """The CPU's name as Linux tells it, or what `platform` knows elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
