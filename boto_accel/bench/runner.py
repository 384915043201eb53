"""Running a benchmark from beginning to end, with what the user sees left to a listener."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from boto_accel.bench.batched import open_batch
from boto_accel.bench.cached import open_cache
from boto_accel.bench.cases import LIST_KEYS, Case
from boto_accel.bench.errors import TargetUnfitError
from boto_accel.bench.measure import Figures, Pace, Sample, Side, measure_sides, median_ratio
from boto_accel.bench.subjects import get_key, list_prefix, make_subject, object_key
from boto_accel.bench.target import Target, own_server
from boto_accel.errors import BotoAccelError
from boto_accel.stats import Stats

STOCK, FAST = "stock", "fast"


@dataclass(frozen=True, slots=True)
class Settings:
    """What to run; *endpoint* None means the benchmark's own server, http and https."""

    cases: tuple[Case, ...]
    pace: Pace = field(default_factory=Pace)
    engines: tuple[str, ...] = ("direct",)
    endpoint: str | None = None
    bucket: str | None = None
    region: str = "us-east-1"
    verify: str | bool = True
    pin: bool = True
    stock_only: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How the calls of the fast side went: fast, or handed to stock for these reasons."""

    fast: int
    fallback: int
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class Result:
    """One case measured; *stock* and *fast* where it is compared, *alone* where it is not."""

    case: Case
    engine: str = ""
    stock: Figures | None = None
    fast: Figures | None = None
    alone: Figures | None = None
    counts: Counts | None = None

    @property
    def cpu_ratio(self) -> float | None:
        return self._ratio(lambda sample: sample.cpu_us)

    @property
    def wall_ratio(self) -> float | None:
        return self._ratio(lambda sample: sample.wall_us)

    def _ratio(self, measure: Callable[[Sample], float]) -> float | None:
        if self.stock is None or self.fast is None:
            return None
        return median_ratio(self.stock, self.fast, measure)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case that could not be run, and why."""

    case: Case
    engine: str
    reason: str


Outcome = Result | Skipped


class Listener(Protocol):
    """Told what happens, from the thread that runs the benchmark."""

    def case_started(self, case: Case, engine: str) -> None: ...

    def round_done(self) -> None: ...

    def case_done(self, outcome: Outcome) -> None: ...


def run(settings: Settings, listener: Listener) -> list[Outcome]:
    """Run every case of *settings*; cases that cannot run are in the answer with their reason."""
    outcomes: list[Outcome] = []
    with _pinned(settings) as server_cpu, _targets(settings, server_cpu) as target_for:
        for case in settings.cases:
            for engine in engines_of(case, settings.engines):
                listener.case_started(case, engine)
                outcome = _run_case(case, engine, settings, target_for, listener)
                outcomes.append(outcome)
                listener.case_done(outcome)
    return outcomes


def engines_of(case: Case, engines: tuple[str, ...]) -> tuple[str, ...]:
    """Those of *engines* that *case* is run with: what has but one is run once, by that one."""
    if not case.compared:
        return ("",)
    return engines if case.has_engines else ("direct",)


def _run_case(
    case: Case,
    engine: str,
    settings: Settings,
    target_for: Callable[[str], Target],
    listener: Listener,
) -> Outcome:
    try:
        target = target_for(case.scheme)
    except BotoAccelError as error:  # no https here; the other cases can still run
        return Skipped(case, engine, str(error))
    # A case may need a library or an engine that is not there, and its calls may fail: a finding
    # to be shown with its reason, and none to lose the cases measured before it for.
    try:
        return _measure_case(case, engine, settings, target, listener)
    except BotoAccelError as error:
        return Skipped(case, engine, str(error))
    except Exception as error:
        return Skipped(case, engine, f"{type(error).__name__}: {error}")


def _measure_case(
    case: Case, engine: str, settings: Settings, target: Target, listener: Listener
) -> Result:
    with ExitStack() as stack:
        patch = None
        if case.compared and not settings.stock_only:
            patch = _open_patch(case, engine, target, stack)
        sides = _sides(case, target, patch, stack)
        measured = measure_sides(
            sides, settings.pace, case.in_flight, listener.round_done, case.objects
        )
        return Result(
            case,
            engine,
            stock=measured.get(STOCK),
            fast=measured.get(FAST),
            alone=measured.get(case.client),
            counts=None if patch is None else read_counts(patch),
        )


def _sides(case: Case, target: Target, patch: Any, stack: ExitStack) -> list[Side]:
    """Each side has a client of its own, so that neither inherits the other's connections."""

    def side(name: str, around: Callable[[], AbstractContextManager[object]]) -> Side:
        subject = make_subject(case, target)
        stack.callback(subject.close)
        return Side(name, subject, around)

    if not case.compared:
        return [side(case.client, nullcontext)]
    sides = [side(STOCK, nullcontext)]
    if patch is not None:
        sides.append(side(FAST, lambda: patch))
    return sides


def _open_patch(case: Case, engine: str, target: Target, stack: ExitStack) -> Any:
    if case.cached:
        return open_cache(case, stack)
    return open_batch(target, stack) if case.batched else _patch(engine)


def _patch(engine: str) -> Any:
    # Imported when needed: what is measured stock must not depend on it.
    from boto_accel import accelerate

    return accelerate(http=engine)


def read_counts(patch: Any) -> Counts:
    """The patch's counters as plain numbers."""
    stats = patch.stats
    if isinstance(stats, Stats):
        return Counts(stats.fast, stats.fallback, dict(stats.reasons))
    if hasattr(stats, "straight"):
        return Counts(stats.batched, sum(stats.straight.values()), dict(stats.straight))
    reasons = dict(stats.uncached)
    return Counts(stats.hits, sum(reasons.values()), reasons)


# Servers and objects ---------------------------------------------------------------------------


@contextmanager
def _targets(settings: Settings, cpu: int | None) -> Iterator[Callable[[str], Target]]:
    """A function from scheme to target, which starts servers when they are first asked for."""
    ready: dict[str, Target | BotoAccelError] = {}
    with ExitStack() as stack:

        def open_target(scheme: str) -> Target | BotoAccelError:
            try:
                target = _open_target(settings, scheme, cpu, stack)
            except BotoAccelError as error:
                return error
            stack.enter_context(_objects(target, settings))
            return target

        def target_for(scheme: str) -> Target:
            if scheme not in ready:
                ready[scheme] = open_target(scheme)
            found = ready[scheme]
            if isinstance(found, BotoAccelError):  # told once a case, tried once
                raise found
            return found

        yield target_for


def _open_target(settings: Settings, scheme: str, cpu: int | None, stack: ExitStack) -> Target:
    if settings.endpoint is None:
        return stack.enter_context(own_server(scheme, cpu))
    target = Target(
        region=settings.region,
        endpoint=settings.endpoint.rstrip("/"),
        bucket=settings.bucket or "",
        prefix=f"boto-accel-bench/{uuid4().hex[:8]}/",
        verify=settings.verify,
    )
    if target.scheme != scheme:
        raise TargetUnfitError(scheme, f"the endpoint speaks {target.scheme}")
    return target


@contextmanager
def _objects(target: Target, settings: Settings) -> Iterator[None]:
    """The objects that the cases read, put there and taken away by stock boto3."""
    from botocore.session import Session

    client = Session().create_client("s3", **target.client_arguments())
    try:
        _find_bucket(client, target)
        try:
            _fill(client, target, settings.cases)
            yield
        finally:
            _remove(client, target)
    finally:
        client.close()


def _find_bucket(client: Any, target: Target) -> None:
    """Make the own server's bucket; raises botocore's ClientError if the user's is not there."""
    if target.access_key is not None:
        client.create_bucket(Bucket=target.bucket)
    else:  # some servers make a bucket on the first write: not one with a misspelt name
        client.head_bucket(Bucket=target.bucket)


def _fill(client: Any, target: Target, cases: tuple[Case, ...]) -> None:
    wanted = {1024: 1024, **{case.size: case.size for case in cases if case.operation == "get"}}
    bodies = {get_key(size): bytes(size) for size in wanted}
    for case in cases:
        if case.operation == "get":
            bodies |= {object_key(case.size, n): bytes(case.size) for n in range(case.objects)}
    if any(case.operation == "list" or case.cached for case in cases):
        bodies |= {f"{list_prefix()}{number:06d}": b"x" for number in range(LIST_KEYS)}

    def put(item: tuple[str, bytes]) -> None:
        client.put_object(Bucket=target.bucket, Key=target.key(item[0]), Body=item[1])

    with ThreadPoolExecutor(10) as pool:
        for _ in pool.map(put, bodies.items()):
            pass


def _remove(client: Any, target: Target) -> None:
    """Delete what this run has put; nothing on the own server, which goes away itself."""
    if target.access_key is not None:
        return
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=target.bucket, Prefix=target.prefix
    )
    for page in pages:
        keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
        if keys:
            client.delete_objects(Bucket=target.bucket, Delete={"Objects": keys, "Quiet": True})


# CPUs ------------------------------------------------------------------------------------------


@contextmanager
def _pinned(settings: Settings) -> Iterator[int | None]:
    """
    Give the own server a CPU to itself and this process the others; yields the server's.

    None where there is one CPU, no such call, a server elsewhere, or the user wants none of it.
    """
    if not settings.pin or settings.endpoint or not hasattr(os, "sched_setaffinity"):
        yield None
        return
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        yield None
        return
    server_cpu = max(allowed)
    os.sched_setaffinity(0, allowed - {server_cpu})
    try:
        yield server_cpu
    finally:
        os.sched_setaffinity(0, allowed)
