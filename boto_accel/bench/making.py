"""
Making sessions and clients: its CPU, as a case of the benchmark, and its memory.

    python -m boto_accel.bench.making

tells the memory of SESSIONS sessions with a client of each of SERVICES, stock and accelerated, each
in a process of its own. Resident memory is what a container is charged for; it is read from /proc,
and so on Linux alone.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from boto_accel.bench.cases import Case
from boto_accel.bench.subjects import AsyncCall, Subject, Tasks, Threads
from boto_accel.bench.target import Target
from boto_accel.errors import MissingExtraError

SESSIONS = 50
SERVICES = ("s3", "dynamodb", "sqs")
CREDENTIALS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "secret"}


def making_subject(case: Case, target: Target) -> Subject:
    """A call is a new session, a client for S3 of it, and the client's end."""
    return _sync_subject(case, target) if case.client == "boto3" else _async_subject(case, target)


def _sync_subject(case: Case, target: Target) -> Subject:
    try:
        import boto3
    except ImportError as error:
        raise MissingExtraError(case.name, "boto3", "bench") from error

    def make() -> None:
        boto3.Session().client("s3", **target.client_arguments()).close()

    return Threads(case, make, lambda: None)


def _async_subject(case: Case, target: Target) -> Subject:
    try:
        from aiobotocore.session import get_session
    except ImportError as error:
        raise MissingExtraError(case.name, "aiobotocore", "async") from error

    async def make() -> None:
        async with get_session().create_client("s3", **target.client_arguments()):
            pass

    async def opened(_: AsyncExitStack) -> AsyncCall:
        return make

    return Tasks(case, opened)


# Memory, in a child process ----------------------------------------------------------------------


def memory_of(side: str, sessions: int = SESSIONS) -> tuple[float, float]:
    """(MiB of resident memory, seconds of CPU) that *sessions* cost; *side*: "stock" or "fast"."""
    program = [sys.executable, "-m", "boto_accel.bench.making", side, str(sessions)]
    ran = subprocess.run(program, capture_output=True, text=True, check=True)
    mib, seconds = ran.stdout.split()
    return float(mib), float(seconds)


def _keep_sessions(side: str, sessions: int) -> tuple[float, float]:
    """Imports, and what any first client brings, are there before anything is measured."""
    import boto3

    from boto_accel import accelerate

    _make_clients(boto3).clear()
    patch = accelerate()
    if side == "fast":
        patch.install()
    gc.collect()
    before, cpu = _resident_mib(), time.process_time()
    kept = [_make_clients(boto3) for _ in range(sessions)]
    cpu = time.process_time() - cpu
    gc.collect()
    grown = _resident_mib() - before
    kept.clear()
    return grown, cpu


def _make_clients(boto3: Any) -> list[Any]:
    session = boto3.Session(region_name="us-east-1", **CREDENTIALS)
    return [session, *(session.client(service) for service in SERVICES)]


def _resident_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    [resident] = [line for line in lines if line.startswith("VmRSS:")]
    return int(resident.split()[1]) / 1024


def main(arguments: list[str]) -> None:
    if arguments:
        print(*_keep_sessions(arguments[0], int(arguments[1])))
        return
    stock, fast = memory_of("stock"), memory_of("fast")
    print(f"{SESSIONS} sessions, each with {', '.join(SERVICES)}:")
    for name, (mib, seconds) in (("stock", stock), ("accelerate()", fast)):
        print(f"  {name:13} {mib:7.1f} MiB {seconds:7.2f} s CPU")
    print(f"  {'ratio':13} {stock[0] / fast[0]:7.1f}     {stock[1] / fast[1]:7.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
