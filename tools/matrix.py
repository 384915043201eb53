"""
Runs the tests with several versions of botocore, aiobotocore and Python, for `make test-matrix`.

    python tools/matrix.py [--list] [--only TEXT] [-- PYTEST ARGUMENTS...]

Each cell has an environment of its own below .venvs/, which is kept for the next run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from environment import python_of
from pythons import Python, find_pythons, probe

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = Path(".venvs")  # relative to ROOT, where all commands run

TEST = "-e .[test]"
TEST_ASYNC = "-e .[test,test-async]"

LIBRARIES = {
    "boto3-newest": (TEST,),
    "aiobotocore-newest": (TEST_ASYNC,),
    "aioboto3-15.5.0": (TEST_ASYNC, "aioboto3==15.5.0"),
    "botocore-oldest": (TEST, "botocore==1.40.46", "boto3==1.40.46"),
}
# What the other interpreters run: it has the most to import, and covers sync and async.
ON_EVERY_PYTHON = "aiobotocore-newest"

REPORTED = ("boto3", "botocore", "aiobotocore")

_ASK_VERSIONS = """
import json, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"
print(json.dumps([version(name) for name in sys.argv[1:]]))
"""


@dataclass(frozen=True)
class Cell:
    """One environment to test in."""

    python: Python
    libraries: str

    @property
    def name(self) -> str:
        return f"py{self.python.series}-{self.libraries}"

    @property
    def folder(self) -> str:
        return str(FOLDER / self.name)


@dataclass(frozen=True)
class Outcome:
    """*versions* as in REPORTED; *verdict* is pytest's last line, or what went wrong before it."""

    cell: Cell
    passed: bool
    verdict: str
    versions: tuple[str, ...]
    seconds: float


def main() -> int:
    options = parse_arguments()
    cells = [cell for cell in plan_cells() if options.only in cell.name]
    if not cells:
        raise SystemExit(f"no cell of the matrix has {options.only!r} in its name")
    if options.list:
        print(*(cell.name for cell in cells), sep="\n")
        return 0
    outcomes = [run(cell, options.pytest) for cell in cells]
    print_summary(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the tests in several environments.")
    parser.add_argument("--only", default="", help="cells with this text in their name")
    parser.add_argument("--list", action="store_true", help="print the names of the cells")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    return parser.parse_args()


def plan_cells() -> list[Cell]:
    """Every set of libraries on this Python, then one set on every other."""
    this = probe(sys.executable)
    if this is None:
        raise SystemExit(f"{sys.executable} is no released CPython")
    others = [python for python in find_pythons() if python.series != this.series]
    return [Cell(this, name) for name in LIBRARIES] + [
        Cell(python, ON_EVERY_PYTHON) for python in others
    ]


def run(cell: Cell, pytest_arguments: list[str]) -> Outcome:
    print(f"\n=== {cell.name} ===", flush=True)
    started = time.monotonic()
    status, verdict = install(cell)
    versions = ("-",) * len(REPORTED)
    if status == 0:
        versions = installed_versions(cell)
        print(*map(" ".join, zip(REPORTED, versions, strict=True)), sep=", ", flush=True)
        status, verdict = test(cell, pytest_arguments)
    return Outcome(cell, status == 0, verdict, versions, time.monotonic() - started)


def install(cell: Cell) -> tuple[int, str]:
    # One run of pip, so that all are resolved together: a later one could undo an earlier pin.
    requirements = [word for line in LIBRARIES[cell.libraries] for word in line.split()]
    command = [cell.python.path, str(HERE / "environment.py"), cell.folder, "--"]
    done = subprocess.run([*command, "--upgrade", *requirements], cwd=ROOT, check=False)
    return done.returncode, "" if done.returncode == 0 else "not installed"


def installed_versions(cell: Cell) -> tuple[str, ...]:
    command = [python_of(cell.folder), "-c", _ASK_VERSIONS, *REPORTED]
    answer = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return tuple(json.loads(answer.stdout))


def test(cell: Cell, arguments: list[str]) -> tuple[int, str]:
    """pytest's status (5, no tests collected, is a failure as any other) and its last line."""
    # Each cell has its own cache: two versions would take turns in spoiling a shared one.
    cache = f"cache_dir={cell.folder}/.pytest_cache"
    workers = ["-n", "auto", "--dist", "worksteal"]
    command = [python_of(cell.folder), "-m", "pytest", *workers, "-o", cache, *arguments]
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip("= \n") or last
    return process.returncode, last


def print_summary(outcomes: list[Outcome]) -> None:
    header = ("", "environment", *REPORTED, "seconds", "pytest")
    print("\n" + format_table([header, *map(summary_row, outcomes)]), flush=True)


def summary_row(outcome: Outcome) -> tuple[str, ...]:
    mark = "ok" if outcome.passed else "FAILED"
    seconds = f"{outcome.seconds:.0f}"
    return (mark, outcome.cell.name, *outcome.versions, seconds, outcome.verdict)


def format_table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
