"""What came of a soak: counts, faults, and a watchdog that ends a run in which nothing moves."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.soak.asks import Ask

STUCK_S = 120.0  # seconds without a call that ends: longer than all timeouts of one together
LOOKS_S = 1.0  # seconds between looks of the watchdog
MOST_SHOWN = 10  # faults that are told in full
# Of one call each: none may be left when all calls are over and all bodies are gone.
SHORT_LIVED = frozenset(
    ("AnswerReader", "Connection", "Prepared", "RawBody", "Reply", "Rest", "Wire")
)


class Ledger:
    """
    Counted by any thread.

    ended: calls that came to an end, of whatever kind. faults: what should not have happened.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.ended = 0
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def end(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1
            self.ended += 1

    def fault(self, text: str) -> None:
        with self._lock:
            self.counts["faults"] += 1
            if len(self.faults) < MOST_SHOWN:
                self.faults.append(text)

    def fault_of(self, ask: Ask, error: BaseException) -> None:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        self.fault(f"{ask.method} {ask.key} ({ask.reads})\n{''.join(lines)}")

    def check(self, holds: bool, text: str) -> None:
        if not holds:
            self.fault(text)


@contextlib.contextmanager
def watchdog(
    ledger: Ledger, loop_of: Callable[[], asyncio.AbstractEventLoop | None]
) -> Iterator[None]:
    """Within: if no call ends for STUCK_S, all stacks are printed and the process ends with 3."""
    over = threading.Event()

    def watch() -> None:
        seen, since = -1, time.monotonic()
        while not over.wait(LOOKS_S):
            if ledger.ended != seen:
                seen, since = ledger.ended, time.monotonic()
            elif time.monotonic() - since > STUCK_S:
                _tell_stacks(loop_of())
                os._exit(3)

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _tell_stacks(loop: asyncio.AbstractEventLoop | None) -> None:
    print("stuck: no call has ended for so long", file=sys.stderr)
    if loop is not None:
        for task in asyncio.all_tasks(loop):
            _tell_awaited(task)
    faulthandler.dump_traceback(all_threads=True)


def _tell_awaited(task: asyncio.Task[Any]) -> None:
    """Where *task* is, down to what it awaits; `Task.print_stack` tells its outermost frame."""
    print(f"{task.get_name()}:", file=sys.stderr)
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None:
            print(f"  {frame.f_code.co_filename}:{frame.f_lineno}", file=sys.stderr)
        else:
            print(f"  {awaited!r}", file=sys.stderr)
        awaited = getattr(awaited, "cr_await", None)


def resident_mib() -> float:
    """Resident memory of this process; 0 where the system does not tell."""
    path = Path("/proc/self/statm")
    if not path.exists():
        return 0.0
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_descriptors() -> dict[int, str]:
    """Descriptors of this process and what they are; none where the system does not tell."""
    folder = Path("/proc/self/fd")
    found = {}
    for name in os.listdir(folder) if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found[int(name)] = os.readlink(folder / name)
    return found


def left_alive() -> Counter[str]:
    """Objects of one call each that are alive after all is collected, by class."""
    while gc.collect():  # what a finaliser lets go of is for the next one
        pass
    return Counter(
        type(each).__qualname__
        for each in gc.get_objects()
        if type(each).__module__.startswith("boto_accel.")
        and type(each).__qualname__ in SHORT_LIVED
    )
