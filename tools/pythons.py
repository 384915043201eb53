"""Finds the CPython interpreters of this machine: those on PATH, and those that pyenv keeps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 10)
NEWEST_MINOR_LOOKED_FOR = 20  # python3.20: far enough ahead, and each name costs one look at PATH

_ASK = (
    "import json, platform, sys, sysconfig;"
    "print(json.dumps([list(sys.version_info[:3]), platform.python_implementation(),"
    " sys.version_info.releaselevel, bool(sysconfig.get_config_var('Py_GIL_DISABLED'))]))"
)


@dataclass(frozen=True)
class Python:
    """An interpreter that can be run; *version* is (major, minor, micro)."""

    path: str
    version: tuple[int, int, int]

    @property
    def series(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


def find_pythons() -> list[Python]:
    """The newest release of each minor version from 3.10 on, oldest first."""
    found: dict[tuple[int, int], Python] = {}
    for path in _candidates():
        python = probe(path)
        if python is None or python.version[:2] < OLDEST:
            continue
        known = found.get(python.version[:2])
        if known is None or known.version < python.version:
            found[python.version[:2]] = python
    return [found[series] for series in sorted(found)]


def probe(path: str) -> Python | None:
    """None if *path* does not run (as a shim of pyenv may) or is no released CPython with a GIL."""
    try:
        answer = subprocess.run(
            [path, "-c", _ASK], capture_output=True, check=True, stdin=subprocess.DEVNULL
        )
        version, implementation, level, free_threaded = json.loads(answer.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    if implementation != "CPython" or level != "final" or free_threaded:
        return None
    return Python(path, tuple(version))


def _candidates() -> Iterator[str]:
    yield sys.executable
    for minor in range(OLDEST[1], NEWEST_MINOR_LOOKED_FOR + 1):
        if path := shutil.which(f"python3.{minor}"):
            yield path
    for root in _pyenv_roots():
        yield from map(str, sorted(root.glob("versions/*/bin/python3")))


def _pyenv_roots() -> Iterator[Path]:
    if root := os.environ.get("PYENV_ROOT"):
        yield Path(root)
    elif pyenv := shutil.which("pyenv"):
        answer = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())


if __name__ == "__main__":
    for each in find_pythons():
        print(each.series, each.path)
