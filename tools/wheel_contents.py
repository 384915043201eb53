"""
Lists the wheel in a folder and checks that it holds the package, whole, and nothing else.

    python tools/wheel_contents.py dist
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PACKAGE = "boto_accel"


def main() -> None:
    wheel = only_wheel(Path(sys.argv[1]))
    names = zipfile.ZipFile(wheel).namelist()
    problems = [*strangers(names), *missing(names)]
    print(wheel.name, *names, sep="\n  ")
    if problems:
        raise SystemExit("\n".join(problems))


def only_wheel(folder: Path) -> Path:
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"one wheel expected in {folder}, found {len(wheels)}")
    return wheels[0]


def strangers(names: list[str]) -> list[str]:
    return [
        f"does not belong into the wheel: {name}"
        for name in names
        if not (is_package_file(name) or ".dist-info/" in name)
    ]


def is_package_file(name: str) -> bool:
    return name.startswith(f"{PACKAGE}/") and name.endswith((".py", "/py.typed"))


def missing(names: list[str]) -> list[str]:
    wanted = {path.as_posix() for path in Path(PACKAGE).rglob("*.py")} | {f"{PACKAGE}/py.typed"}
    return [f"not in the wheel: {name}" for name in sorted(wanted - set(names))]


if __name__ == "__main__":
    main()
