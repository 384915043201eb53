"""
The datastore against s3aads: inserts and selects of the same rows.

    python -m boto_accel.bench.datastore --rows 5000 --json

Against the benchmark's S3, in a process of its own; each side in one of its own, too. s3aads is
measured where it is installed. Times are of the process that calls: CPU of all its threads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

from boto_accel.bench.target import BUCKET, Target, own_server

COLUMNS = ["id", "year", "month", "day"]
DATA = b'["a", "b"]'
SIDES = ("s3aads", "stock", "accelerated")
REPORTED = ("boto3", "botocore", "s3aads")


@dataclass(frozen=True)
class Figure:
    """One way to do one thing with all rows; seconds for all of them together."""

    side: str
    what: str
    cpu_s: float
    wall_s: float


def rows_of(number: int) -> list[dict[str, Any]]:
    return [{"id": each, "year": 2020, "month": "01", "day": "01"} for each in range(number)]


def timed(side: str, what: str, work: Callable[[], object]) -> Figure:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Figure(side, what, time.process_time() - cpu, time.perf_counter() - wall)


def measure(side: str, number: int, workers: int) -> list[Figure]:
    """In the process of the side: the default client's endpoint and keys are in the environment."""
    # Imported when needed: what is measured stock must not depend on it.
    if side == "s3aads":
        return _measured(side, import_module("s3aads").Table, number, [])
    from boto_accel import Table, accelerate

    with accelerate() if side == "accelerated" else nullcontext():
        return _measured(side, Table, number, [workers])


def _measured(side: str, kind: Any, number: int, workers: Sequence[int]) -> list[Figure]:
    rows = rows_of(number)
    table = kind(name=f"of-{side}", database=BUCKET, columns=COLUMNS)
    for row in rows[:20]:  # connections, and what is learned by the first calls
        table.insert(**row, data=DATA)
        table.select(**row)

    def insert_each() -> None:
        for row in rows:
            table.insert(**row, data=DATA)

    def select_each() -> None:
        for row in rows:
            assert table.select(**row) == DATA

    found = [timed(side, "insert", insert_each), timed(side, "select", select_each)]
    for each in workers:
        given = [{**row, "data": DATA} for row in rows]
        found.append(
            timed(side, "insert_many", lambda: table.insert_many(given, workers=each))  # noqa: B023
        )
        found.append(
            timed(side, "select_many", lambda: table.select_many(rows, workers=each))  # noqa: B023
        )
    return found


def run_side(side: str, target: Target, number: int, workers: int) -> list[Figure]:
    """In a process of its own."""
    command = [sys.executable, "-m", "boto_accel.bench.datastore", "--side", side]
    command += ["--rows", str(number), "--workers", str(workers)]
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL_S3": target.endpoint,
        "AWS_ACCESS_KEY_ID": target.access_key or "",
        "AWS_SECRET_ACCESS_KEY": target.secret_key or "",
        "AWS_DEFAULT_REGION": target.region,
    }
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return [Figure(**each) for each in json.loads(done.stdout)]


def compare(number: int, workers: int) -> dict[str, Any]:
    """The figures of all sides, and what ran."""
    figures = []
    with own_server("http") as target:
        _make_bucket(target)
        for side in SIDES:
            if side != "s3aads" or find_spec("s3aads") is not None:
                figures += run_side(side, target, number, workers)
    versions = {name: _version(name) for name in REPORTED}
    return {
        "rows": number,
        "workers": workers,
        "python": platform.python_version(),
        "versions": versions,
        "figures": [asdict(each) for each in figures],
    }


def _make_bucket(target: Target) -> None:
    from botocore.session import Session

    client = Session().create_client("s3", **target.client_arguments())
    client.create_bucket(Bucket=BUCKET)
    client.close()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m boto_accel.bench.datastore")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=0, help="of insert_many; 0: connections")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.side:
        found = measure(options.side, options.rows, options.workers)
        print(json.dumps([asdict(each) for each in found]))
        return
    report = compare(options.rows, options.workers)
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{report['rows']:,} rows, Python {report['python']}, {report['versions']}")
    for each in report["figures"]:
        print(
            f"{each['side']:12} {each['what']:12} {each['cpu_s']:8.2f} s CPU"
            f" {each['wall_s']:8.2f} s wall"
        )


if __name__ == "__main__":
    main()
