"""
Killing a process that puts, again and again, and looking for what it was told was safe.

    python -m tests.batch.crash --kills 200 --seed 1

Each process goes on with the spool of the one before. It dies by a real SIGKILL, at a point that
the seed chooses: after some acknowledgements, within a write to the spool, or when the server has
got, or has stored, a tar or an index.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from boto_accel.batch import BatchReader
from boto_accel.batch.recovery import recover
from tests.batch.memory import MemoryS3, is_index, is_tar
from tests.batch.writing import body_of
from tests.servers.recorded import Recorded
from tests.servers.steps import Answer, Reset

POINTS = ("acks", "write", "tar got", "tar stored", "index got", "index stored")


@dataclass
class Report:
    """acknowledged: keys. lost, wrong, twice: what must be empty. points: where it was killed."""

    acknowledged: set[str] = field(default_factory=set)
    points: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.wrong or self.twice or self.unsound)


def run(kills: int, seed: int, folder: Path, told: Callable[[str], None] = print) -> Report:
    report, chosen = Report(), random.Random(seed)
    spool = folder / "spool"
    with MemoryS3() as server:
        for number in range(kills):
            point = chosen.choice(POINTS)
            status = _write_and_die(server, spool, number, point, chosen, report)
            report.points[point if status == -signal.SIGKILL else "survived"] += 1
            told(f"{number + 1}/{kills} {point}: {len(report.acknowledged)} acknowledged")
        server.fault, server.after = lambda request: None, lambda request: None
        with server.client() as client:
            recover(client, spool)
            _look(server, client, report)
        if list(spool.glob("*.tar*")):
            report.unsound.append("something is left in the spool")
    return report


def _write_and_die(
    server: MemoryS3,
    spool: Path,
    number: int,
    point: str,
    chosen: random.Random,
    report: Report,
) -> int:
    """One process, until it is dead; its status."""
    settings = {
        "spool": str(spool),
        "endpoint_url": server.endpoint_url,
        "run": number,
        "ack": chosen.choice(["spool", "spool", "spool", "upload"]),
        "torn": chosen.randrange(1, 60) if point == "write" else 0,
        "seed": chosen.random(),
    }
    acks = chosen.randrange(1, 400) if point == "acks" else 0
    with subprocess.Popen(
        [sys.executable, "-m", "tests.batch.writing", json.dumps(settings)],
        stdout=subprocess.PIPE,
    ) as child:
        _set_trap(server, point, chosen.randrange(1, 8), child.pid)
        assert child.stdout is not None
        for got, line in enumerate(child.stdout, 1):
            if not line.endswith(b"\n"):
                break
            report.acknowledged.add(line.decode().strip())
            if got == acks:
                child.kill()
    return child.returncode


def _set_trap(server: MemoryS3, point: str, number: int, pid: int) -> None:
    """The server kills the process at the *number*-th tar or index, before or after storing it."""
    what, _, when = point.partition(" ")
    asked = is_tar if what == "tar" else is_index
    left = [number]

    def is_it(request: Recorded) -> bool:
        if when and asked(request):
            left[0] -= 1
            return left[0] == 0
        return False

    def before(request: Recorded) -> Answer | None:
        if when == "got" and is_it(request):
            os.kill(pid, signal.SIGKILL)
            return Reset()
        return None

    def after(request: Recorded) -> None:
        if when == "stored" and is_it(request):
            os.kill(pid, signal.SIGKILL)

    server.fault, server.after = before, after


def _look(server: MemoryS3, client: object, report: Report) -> None:
    with BatchReader(client, "s3://events/batches/", refresh_after=3600.0) as reader:
        found = {each.entry.key: each for each in reader.entries()}
        report.lost = sorted(report.acknowledged - found.keys())
        # By the ranges that the indexes tell, and, of some, through the client as well.
        ranges = {key: server.content_of(each) for key, each in found.items()}
        report.wrong = [key for key, body in ranges.items() if body != body_of(key)]
        some = sorted(found)[:: max(1, len(found) // 100)]
        report.wrong += [key for key in some if reader.get(key) != body_of(key)]
    counts: Counter[str] = Counter()
    indexes = server.indexes()
    for tar in server.tars():
        counts.update(entry.key for entry in tar.entries)
        if indexes.get(tar.batch) != tar:
            report.unsound.append(f"{tar.batch}: the index is not that of the tar")
    report.twice = [key for key, number in counts.items() if number > 1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.batch.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="boto-accel-crash-") as folder:
        report = run(options.kills, options.seed, Path(folder))
    print(f"{len(report.acknowledged)} acknowledged; killed at {dict(report.points)}")
    for name in ("lost", "wrong", "twice", "unsound"):
        print(f"{name}: {len(getattr(report, name))} {getattr(report, name)[:5]}")
    sys.exit(not report.is_good)


if __name__ == "__main__":
    main()
