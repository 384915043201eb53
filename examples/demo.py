"""
Thousands of small objects, written, listed, read back and verified: stock and accelerated.

Starts a real S3 server (SeaweedFS) on this machine and does the same job four times, with boto3
(some threads) and with aiobotocore (32 calls in flight), each without and with `accelerate()`.
The objects are pieces of Python's own standard library. `make demo` runs it; Ctrl-C stops it.

CPU is that of this process, user and system; the server is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import sysconfig
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.config import Config
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from boto_accel import accelerate
from boto_accel.bench.seaweedfs import SeaweedFS

OBJECTS = 3_000  # in each of the four runs
PIECE_BYTES = 4_096  # the size of an object, at most
LIST_ROUNDS = 10  # a listing is few calls; with more rounds its CPU can be told
THREADS = 8
IN_FLIGHT = 32
WARM_UP_OBJECTS = 8  # not measured: opening connections, and the fast path proving its plans

Bodies = dict[str, bytes]
Advance = Callable[[], None]


class WrongAnswerError(Exception):
    """What was read back is not what was written."""


@dataclass(frozen=True)
class Cost:
    """What *calls* calls of one kind took, in seconds of CPU and of time."""

    calls: int
    cpu_s: float
    wall_s: float

    @property
    def cpu_us_per_call(self) -> float:
        return self.cpu_s / self.calls * 1e6

    @property
    def calls_per_s(self) -> float:
        return self.calls / self.wall_s


Costs = dict[str, Cost]  # by the name of the step: put, list, get


@dataclass(frozen=True)
class Run:
    """One of the four runs; *patch* is None in a stock one."""

    library: str
    costs: Costs
    patch: Any


class Meter:
    """Measures the steps of one run, and shows how they get on."""

    def __init__(self, progress: Progress, title: str) -> None:
        self.costs: Costs = {}
        self._progress = progress
        self._title = title

    @contextmanager
    def step(self, name: str, calls: int) -> Iterator[Advance]:
        task = self._progress.add_task(f"{self._title}  {name}", total=calls)
        cpu, wall = time.process_time(), time.perf_counter()
        yield lambda: self._progress.advance(task)
        cost = Cost(calls, time.process_time() - cpu, time.perf_counter() - wall)
        self.costs[name] = cost
        if not self._progress.disable and not self._progress.console.is_terminal:
            # Where no bar moves, a line tells.
            self._progress.console.print(f"{self._title}  {name}: {calls} in {cost.wall_s:.1f} s")


# The job with boto3 --------------------------------------------------------------------------


def run_sync(server: SeaweedFS, bucket: str, bodies: Bodies, meter: Meter) -> None:
    session = boto3.Session()
    config = Config(max_pool_connections=THREADS)
    client = session.client("s3", config=config, **client_options(server))
    try:
        client.create_bucket(Bucket=bucket)
        warm_up = first(WARM_UP_OBJECTS, bodies)
        job_sync(client, bucket, warm_up, Meter(Progress(disable=True), ""))
        job_sync(client, bucket, bodies, meter)
    finally:
        client.close()


def job_sync(client: Any, bucket: str, bodies: Bodies, meter: Meter) -> None:
    def put(key: str) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=bodies[key])

    def get(key: str) -> None:
        check_body(key, bodies, client.get_object(Bucket=bucket, Key=key)["Body"].read())

    with meter.step("put", len(bodies)) as advance:
        in_threads(put, bodies, advance)
    with meter.step("list", pages(bodies) * LIST_ROUNDS) as advance:
        for _ in range(LIST_ROUNDS):
            check_keys(bodies, list_sync(client, bucket, advance))
    with meter.step("get", len(bodies)) as advance:
        in_threads(get, bodies, advance)


def list_sync(client: Any, bucket: str, advance: Advance) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from (each["Key"] for each in page.get("Contents", ()))
        advance()


def in_threads(call: Callable[[str], None], keys: Iterable[str], advance: Advance) -> None:
    """Call it with every key. The first error, or Ctrl-C, ends all after the calls under way."""

    def work(key: str) -> None:
        call(key)
        advance()

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            futures = [pool.submit(work, key) for key in keys]
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


# The job with aiobotocore --------------------------------------------------------------------


async def run_async(server: SeaweedFS, bucket: str, bodies: Bodies, meter: Meter) -> None:
    config = AioConfig(max_pool_connections=IN_FLIGHT)
    options = client_options(server)
    async with get_session().create_client("s3", config=config, **options) as client:
        await client.create_bucket(Bucket=bucket)
        warm_up = first(WARM_UP_OBJECTS, bodies)
        await job_async(client, bucket, warm_up, Meter(Progress(disable=True), ""))
        await job_async(client, bucket, bodies, meter)


async def job_async(client: Any, bucket: str, bodies: Bodies, meter: Meter) -> None:
    async def put(key: str) -> None:
        await client.put_object(Bucket=bucket, Key=key, Body=bodies[key])

    async def get(key: str) -> None:
        reply = await client.get_object(Bucket=bucket, Key=key)
        async with reply["Body"] as body:
            check_body(key, bodies, await body.read())

    with meter.step("put", len(bodies)) as advance:
        await in_flight(put, bodies, advance)
    with meter.step("list", pages(bodies) * LIST_ROUNDS) as advance:
        for _ in range(LIST_ROUNDS):
            check_keys(bodies, await list_async(client, bucket, advance))
    with meter.step("get", len(bodies)) as advance:
        await in_flight(get, bodies, advance)


async def list_async(client: Any, bucket: str, advance: Advance) -> list[str]:
    keys = []
    async for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys += [each["Key"] for each in page.get("Contents", ())]
        advance()
    return keys


async def in_flight(
    call: Callable[[str], Awaitable[None]], keys: Iterable[str], advance: Advance
) -> None:
    """Await it for every key, IN_FLIGHT at a time. The first error ends all."""
    waiting = iter(keys)

    async def work() -> None:
        for key in waiting:  # shared: each worker takes the next one
            await call(key)
            advance()

    workers = [asyncio.ensure_future(work()) for _ in range(IN_FLIGHT)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


# What both share -----------------------------------------------------------------------------


def client_options(server: SeaweedFS) -> dict[str, Any]:
    return {
        "endpoint_url": server.endpoint_url,
        "region_name": server.region,
        "aws_access_key_id": server.access_key,
        "aws_secret_access_key": server.secret_key,
    }


def make_bodies(count: int) -> Bodies:
    """Key to body: the standard library of this Python, cut into *count* pieces."""
    bodies = dict(islice(standard_library_pieces(), count))
    if len(bodies) < count:
        raise SystemExit(f"the standard library gives {len(bodies)} objects, not {count}")
    return bodies


def standard_library_pieces() -> Iterator[tuple[str, bytes]]:
    root = Path(sysconfig.get_path("stdlib"))
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root)
        if "site-packages" in name.parts:
            continue
        content = file.read_bytes()
        for start in range(0, len(content), PIECE_BYTES):
            key = f"{name.as_posix()}/{start:08d}"
            yield key, content[start : start + PIECE_BYTES]


def first(count: int, bodies: Bodies) -> Bodies:
    return dict(islice(bodies.items(), count))


def pages(bodies: Bodies) -> int:
    """How many calls list *bodies*: S3 gives 1,000 keys at a time."""
    return -(-len(bodies) // 1_000)


def check_body(key: str, bodies: Bodies, found: bytes) -> None:
    if found != bodies[key]:
        raise WrongAnswerError(f"{key}: {len(found)} bytes came back, and not those written")


def check_keys(bodies: Bodies, found: Iterable[str]) -> None:
    # S3 lists keys in the order of their UTF-8 bytes.
    if list(found) != sorted(bodies, key=str.encode):
        raise WrongAnswerError("the listing is not that of the keys written")


# The four runs, and the table ----------------------------------------------------------------


def run_all(server: SeaweedFS, bodies: Bodies, console: Console) -> list[Run]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, refresh_per_second=4) as progress:
        return [
            run_one(server, library, patch, bodies, progress)
            for library in ("boto3", "aiobotocore")
            for patch in (None, accelerate())
        ]


def run_one(server: SeaweedFS, library: str, patch: Any, bodies: Bodies, progress: Progress) -> Run:
    side = "stock" if patch is None else "fast"
    meter = Meter(progress, f"{library:<11}  {side:<5}")
    bucket = f"{library}-{side}"
    context: AbstractContextManager[Any] = nullcontext() if patch is None else patch
    with context as entered:
        if library == "boto3":
            run_sync(server, bucket, bodies, meter)
        else:
            asyncio.run(run_async(server, bucket, bodies, meter))
    return Run(library, meter.costs, entered)


def make_table(runs: list[Run]) -> Table:
    table = Table(title="CPU per call in microseconds, and calls per second", box=SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for header in ("calls", "stock us", "fast us", "ratio", "stock /s", "fast /s", "ratio"):
        table.add_column(header, justify="right")
    for stock, fast in zip(runs[::2], runs[1::2], strict=True):
        for step, cost in stock.costs.items():
            table.add_row(f"{stock.library} {step}", *figures(cost, fast.costs[step]))
        table.add_section()
    return table


def figures(stock: Cost, fast: Cost) -> tuple[str, ...]:
    return (
        f"{stock.calls:,}",
        f"{stock.cpu_us_per_call:,.0f}",
        f"{fast.cpu_us_per_call:,.0f}",
        f"[bold green]{stock.cpu_us_per_call / fast.cpu_us_per_call:.1f}x",
        f"{stock.calls_per_s:,.0f}",
        f"{fast.calls_per_s:,.0f}",
        f"{fast.calls_per_s / stock.calls_per_s:.1f}x",
    )


def print_outcome(runs: list[Run], console: Console) -> None:
    console.print(make_table(runs))
    for run in runs:
        if run.patch is not None:
            stats = run.patch.stats
            console.print(
                f"{run.library}: {stats.fast:,} calls went fast, {stats.fallback:,} fell back"
            )
            console.print(str(stats), highlight=False)
    console.print("Every object was read back and is what was written.")


def main() -> int:
    parser = argparse.ArgumentParser(description="The main job, stock and accelerated.")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="objects in each run")
    options = parser.parse_args()
    console = Console()
    try:
        bodies = make_bodies(options.objects)
        console.print("starting SeaweedFS, an S3 server, on this machine ...")
        with SeaweedFS() as server:
            runs = run_all(server, bodies, console)
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    print_outcome(runs, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
