"""Each program of `examples/` runs as it is, and shows what it is there to show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.servers.valkey import STRICT

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
ASYNC = {"accelerate_async.py", "demo.py"}  # they need an aiobotocore

# What a program has to print, in this order; numbers that it measures are left out.
ESSENTIALS: dict[str, tuple[str, ...]] = {
    "accelerate.py": (
        "get_object would be fast",
        "select_object_content would be stock: event streams",
        "CPU per call: stock ",
        "s3.GetObject   500         0",
        "s3.PutObject   500         0",
        "plans: 2 proved, 0 retired",
    ),
    "accelerate_async.py": (
        "100 objects came back as they were written",
        "201 calls went fast, 0 fell back",
    ),
    "all_together.py": (
        "reports/june.csv: b'1,2'",
        "scratch/step-1: b'half done'",
        "events/raw/: 100 objects",
        "orders: b'tea'",
        "batched: 100 puts, 2 requests",
        "cached: 2 hits",
        "fast: True - fell back: 0",
        "in the other store: ['main/june.csv']",
    ),
    "batch.py": (
        'from the spool, before the upload: {"n": 7}',
        "listed: 1000 objects",
        'by a range of the tar, after it: {"n": 7}',
        "listed: 1000 objects",
        "1000 puts were 2 requests",
        "in S3: gz tar",
    ),
    "cache.py": (
        "read: b'first', from the server",
        "read: b'first', from the cache",
        "read: b'first', from the cache",
        "read after a write: b'second', from the server",
        "read past the cache: b'second', from the server",
        "hits     2",
        "misses   2",
        "read by another client: b'second', from the cache",
    ),
    "datastore.py": (
        "shops: ['Oslo', 'Rome']",
        "orders of Oslo: 10",
        "one of them: b'Oslo 7'",
        "all with number 7: ['Oslo', 'Rome']",
        "there is one already, and it is not overwritten",
        "0 calls fell back",
    ),
    "demo.py": (
        "boto3: 1",  # at least a hundred
        "0 fell back",
        "aiobotocore: 1",
        "0 fell back",
        "Every object was read back and is what was written.",
    ),
    "redis_store.py": (
        "b'Valkey' bytes 7-12/13 {'from': 'here'}",
        "folders: ['a/']",
        "written once only: PreconditionFailed",
    ),
    "route.py": (
        "under the patch: reports ['2026/june.csv']",
        "an error, as ever: NoSuchKey",
        "old store, reports: []",
        "old store, logs: ['today']",
        "new store, lake: ['main/2026/june.csv']",
    ),
}
ARGUMENTS = {"demo.py": ["--objects", "50"]}


def run(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """As a user does: in a folder of its own, without settings for AWS."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, *STRICT, str(program), *ARGUMENTS.get(program.name, [])],
        env={**inherited, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def in_order(essentials: tuple[str, ...], printed: str) -> bool:
    return re.search(".*".join(map(re.escape, essentials)), printed, re.DOTALL) is not None


@pytest.mark.parametrize("name", ESSENTIALS)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    """Exit code 0, no warning, its essentials, and nothing left in its folder."""
    if name in ASYNC and find_spec("aiobotocore") is None:
        pytest.skip("aiobotocore is not installed")
    done = run(EXAMPLES / name, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert in_order(ESSENTIALS[name], done.stdout), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_example_is_run_and_told_of() -> None:
    assert {each.name for each in EXAMPLES.glob("*.py")} == set(ESSENTIALS)
    told = re.findall(
        r"^\| `(\w+\.py)` \|", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(told) == sorted(ESSENTIALS)


def test_essentials_have_an_order() -> None:
    assert in_order(("a", "b"), "a\nb\n")
    assert not in_order(("b", "a"), "a\nb\n")
    assert not in_order(("a", "c"), "a\nb\n")
