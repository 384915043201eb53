"""
A long mix of calls, with faults, interruptions, cancellations and closings.

Ends with 0 where nothing leaked, got stuck or was answered wrongly; prints a short report.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import botocore.endpoint

from boto_accel import accelerate
from tests.parity.configs import PATH
from tests.soak import tasks, threads
from tests.soak.ledger import Ledger, left_alive, open_descriptors, resident_mib, watchdog

WARM_UP = 2000  # calls before memory is measured
MOST_GROWTH_MIB = 48  # of resident memory, from the warm-up to the end
TIMEOUT_S = 3  # of reads
CALM_TIMEOUT_S = 20
HASTE = 0.02  # share of botocore's pauses between attempts that is really slept


def main() -> int:
    options = parse()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of futures that nobody waits for
    hurry()
    with fault_server() as port:
        faults = [run(world, port, options) for world in options.worlds]
    return 1 if any(faults) else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000, help="in each world")
    parser.add_argument("--world", choices=("sync", "async", "both"), default="both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--http", default="direct", help="engine of accelerate()")
    parser.add_argument("--stock", action="store_true", help="without accelerate(), to compare")
    parser.add_argument(
        "--calm",
        action="store_true",
        help="nothing that a busy machine may do as well, or a lock of the standard library: no "
        "timeouts, and threads are interrupted in calls that wait for the server alone",
    )
    options = parser.parse_args()
    options.worlds = ("sync", "async") if options.world == "both" else (options.world,)
    return options


def hurry() -> None:
    """Pauses between attempts are short, in both worlds."""
    modules: list[tuple[Any, str]] = [(botocore.endpoint, "time")]
    with contextlib.suppress(ImportError):
        import aiobotocore.endpoint

        modules.append((aiobotocore.endpoint, "asyncio"))
    for module, name in modules:
        real = getattr(module, name)
        quick = SimpleNamespace(**vars(real))
        quick.sleep = lambda seconds, real=real: real.sleep(seconds * HASTE)
        setattr(module, name, quick)


@contextlib.contextmanager
def fault_server() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.soak.server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


def run(world: str, port: int, options: argparse.Namespace) -> bool:
    """Whether there were faults."""
    settings = {
        "endpoint_url": f"http://127.0.0.1:{port}",
        "retries": {"mode": "standard", "total_max_attempts": 4},
        "read_timeout": CALM_TIMEOUT_S if options.calm else TIMEOUT_S,
        "connect_timeout": 20,
        "max_pool_connections": 20,
        "s3": dict(PATH),
    }
    patch = contextlib.nullcontext() if options.stock else accelerate(http=options.http)
    with patch:
        soak_once(world, Ledger(), settings, min(WARM_UP, options.calls // 2), options)
        gc.collect()
        gc.freeze()
        started, ledger = time.monotonic(), Ledger()
        before = (open_descriptors(), threading.active_count(), resident_mib())
        soak_once(world, ledger, settings, options.calls, options)
        took = time.monotonic() - started
        alive = left_alive()
    growth = resident_mib() - before[2]
    ledger.check(not alive, f"alive after all calls: {dict(alive)}")
    opened = open_descriptors()
    ledger.check(len(opened) <= len(before[0]), f"descriptors: {before[0]}, then {opened}")
    ledger.check(threading.active_count() <= before[1], f"threads: {threading.enumerate()}")
    ledger.check(growth < MOST_GROWTH_MIB, f"memory grew by {growth:.1f} MiB")
    served = stats_of(port)
    ledger.check(not served.get("wrong bodies"), f"the server saw: {served}")
    if patch is not None and not options.stock:
        check_stats(ledger, patch)
    print(f"{world}: {options.calls:,} calls in {took:.0f} s, seed {options.seed}")
    print(f"  {dict(ledger.counts)}")
    print(f"  memory {before[2]:.0f} MiB, {growth:+.1f}; descriptors {len(opened)}")
    print(f"  the server, from its start: {served}")
    for text in ledger.faults:
        print(text)
    gc.unfreeze()
    return bool(ledger.faults)


def soak_once(
    world: str, ledger: Ledger, settings: dict[str, Any], calls: int, options: argparse.Namespace
) -> None:
    if world == "sync":
        with watchdog(ledger, lambda: None):
            threads.soak(ledger, settings, calls, options.seed, options.calm)
    else:
        soak = tasks.Soak(ledger, settings, calls, options.seed, options.calm)
        with watchdog(ledger, lambda: soak.loop):
            soak.run()


def check_stats(ledger: Ledger, patch: Any) -> None:
    stats = patch.stats
    ledger.check(stats.retired == 0, f"plans retired\n{stats}")
    fell_back = stats.reasons.keys() - {"a closed client"}
    ledger.check(stats.fast > 0 and not fell_back, f"calls that fell back\n{stats}")


def stats_of(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/b/stats", timeout=30) as answer:
        found: dict[str, int] = json.load(answer)
    return found


if __name__ == "__main__":
    sys.exit(main())
