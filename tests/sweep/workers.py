"""The processes of a sweep, and the journal that it goes on from."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import botocore

from tests.sweep.cases import LONG, SHORT
from tests.sweep.clients import still_world
from tests.sweep.results import ServiceReport, report_of
from tests.sweep.service import Order, sweep_service

ROOT = Path(__file__).parents[2]
# What a result depends on: a journal of other code is not gone on from.
SOURCES = ("boto_accel", "tests/sweep", "tests/generate", "tests/parity", "tests/servers")
# seconds; client and server take turns in one process, and would wait for each other's slice
SWITCH_S = 0.0002
RECIPES = {"long": LONG, "short": SHORT}


class Job:
    """One service in one world."""

    def __init__(self, service: str, world: str, options: Namespace) -> None:
        self.key = f"{service} {world} {options.cases}"
        self.order = Order(
            service=service,
            seed=options.seed,
            # aiobotocore differs in what sends and reads; its parameters and models are the same
            recipes=RECIPES["short" if world == "async" else options.cases],
            flavour=world,
            all_errors=world == "sync" and options.cases == "long",
            operations=tuple(options.operation) if options.operation else None,
        )


class Journal:
    """Reports of an earlier run with the same seed and code, and of this one, a line each."""

    def __init__(self, folder: Path, seed: str, *, fresh: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{fingerprint(seed)}.jsonl"
        self.found: dict[str, ServiceReport] = {}
        if fresh:
            self._path.unlink(missing_ok=True)
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                kept = json.loads(line)
                self.found[kept["key"]] = report_of(kept["report"])

    def add(self, key: str, report: ServiceReport) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"key": key, "report": report.as_dict()}) + "\n")


def fingerprint(seed: str) -> str:
    """A digest of all that a report depends on."""
    digest = hashlib.sha256(f"{seed} {botocore.__version__}".encode())
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run_jobs(jobs: Iterable[Job], processes: int) -> Iterator[tuple[Job, ServiceReport]]:
    """Each job with its report, as they are done; those that take longest are begun first."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_begin) as pool:
        waiting = {pool.submit(_run, job.order): job for job in sorted(jobs, key=_size)}
        for done in as_completed(waiting):
            yield waiting[done], report_of(done.result())


def _size(job: Job) -> int:
    """Fewer for longer ones: by the size of the model."""
    folder = Path(botocore.__file__).parent / "data" / job.order.service
    return -sum(path.stat().st_size for path in folder.glob("*/service-2.json*"))


_process: dict[str, Any] = {}


def _begin() -> None:
    sys.setswitchinterval(SWITCH_S)
    stack = ExitStack()  # until the process ends
    _process.update(stack=stack, clock=stack.enter_context(still_world()))


def _run(order: Order) -> dict[str, Any]:
    return sweep_service(order, _process["clock"]).as_dict()
