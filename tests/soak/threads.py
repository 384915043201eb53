"""The soak of boto3: threads that share clients, interrupted at any place."""

from __future__ import annotations

import ctypes
import gc
import random
import sys
import threading
import time
from contextlib import AbstractContextManager
from typing import Any

from tests.servers.clients import make_client
from tests.soak.asks import READ_BYTES, Ask, check_answer, check_body, draw_ask, is_due
from tests.soak.fates import fate_of
from tests.soak.ledger import Ledger

THREADS = 16
CLIENTS = 4
CLOSES = 0.001  # share of calls before which a client is closed and another opened
# Where finalisers in C call Python, of responses and sockets, and hear nothing of what it raises.
FINALISERS = ("in closed", "in close", "in _real_close", "in __repr__", "in __del__")
COLLECTS = 0.002  # share of calls after which garbage is collected


class Interrupted(BaseException):
    """As KeyboardInterrupt: raised in a thread from without, at whatever place it is."""


class Clients:
    """Some clients that are closed and opened anew while others use them, as stock allows."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._slots = [self._open() for _ in range(CLIENTS)]

    def _open(self) -> tuple[AbstractContextManager[Any], Any]:
        opening: Any = make_client("sync", "s3", **self._options)
        return opening, opening.__enter__()

    def pick(self, rng: random.Random) -> Any:
        return rng.choice(self._slots)[1]

    def exchange(self, rng: random.Random) -> None:
        index = rng.randrange(CLIENTS)
        opening, _ = self._slots[index]
        self._slots[index] = self._open()
        opening.__exit__(None, None, None)

    def close(self) -> None:
        for opening, _ in self._slots:
            opening.__exit__(None, None, None)
        self._slots.clear()


class Worker(threading.Thread):
    """
    Makes its calls one after another.

    armed: it may be thrown at, once a call. awaited: it was, and has not met the Interrupted yet.
    waits: it is in a call that the server takes its time for.
    """

    def __init__(
        self, ledger: Ledger, clients: Clients, seed: str, calls: range, calm: bool
    ) -> None:
        super().__init__(name=f"soak-{seed}")
        self._ledger = ledger
        self._clients = clients
        self._rng = random.Random(seed)
        self._numbers = iter(calls)
        self._calm = calm
        self.lock = threading.Lock()
        self.armed = self.awaited = self.waits = False
        self.thrown_at = ""

    def run(self) -> None:
        while True:
            try:
                self._work()
                # Whoever throws holds the lock; what is thrown already comes at the next step.
                for _ in range(100):
                    time.sleep(0)
                swallowed = self.awaited and not self.thrown_at.endswith(FINALISERS)
                self._ledger.check(not swallowed, f"swallowed, thrown at {self.thrown_at}")
                return
            except Interrupted:
                self._ledger.end("interrupted")
                self.awaited = False

    def _work(self) -> None:
        for number in self._numbers:
            self._step(draw_ask(self._rng, number, self._calm))
        with self.lock:
            self.armed = False

    def _step(self, ask: Ask) -> None:
        rng = self._rng
        self.armed = not self.awaited
        if rng.random() < CLOSES:
            self._clients.exchange(rng)
        self.waits = fate_of(ask.key) == "late"
        try:
            self._call(ask)
        except Exception as error:
            if not is_due(ask, error):
                self._ledger.fault_of(ask, error)
            self._ledger.end("failed")
        else:
            self._ledger.end("answered")
        self.waits = False
        if rng.random() < COLLECTS:
            gc.collect()

    def _call(self, ask: Ask) -> None:
        method = getattr(self._clients.pick(self._rng), ask.method)
        answer = method(**ask.params())
        check_answer(ask, answer)
        if "Body" in answer:
            check_body(ask, read_body(answer["Body"], ask.reads))

    def throw(self) -> None:
        """From another thread: Interrupted, in the middle of what this one does."""
        with self.lock:
            if self.armed:
                self.armed, self.awaited = False, True
                frame = sys._current_frames()[self.ident or 0]
                code = frame.f_code  # no more: the frames below are another thread's
                self.thrown_at = f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
                del frame
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.ident or 0), ctypes.py_object(Interrupted)
                )


def read_body(body: Any, reads: str) -> bytes:
    if reads == "pieces":
        return b"".join(body.iter_chunks(READ_BYTES))
    if reads == "not":
        return b""  # and dropped without being closed
    data: bytes = body.read(READ_BYTES) if reads == "half" else body.read()
    body.close()
    return data


def soak(ledger: Ledger, options: dict[str, Any], calls: int, seed: int, calm: bool) -> None:
    """
    *calls* calls from THREADS threads.

    Threads are interrupted wherever they are, which may be where the standard library has just
    taken a lock and `with` does not know of it yet; *calm*: where a call waits for the server.
    """
    clients = Clients(options)
    workers = [
        Worker(ledger, clients, f"{seed}-{n}", range(n, calls, THREADS), calm)
        for n in range(THREADS)
    ]
    sys.unraisablehook, before = _unraisable(ledger, workers), sys.unraisablehook
    for worker in workers:
        worker.start()
    rng = random.Random(f"{seed}-interrupts")
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.01)
        worker = rng.choice(workers)
        if worker.waits or (not calm and rng.random() < 0.5):
            worker.throw()
    for worker in workers:
        worker.join()
    clients.close()
    sys.unraisablehook = before


def _unraisable(ledger: Ledger, workers: list[Worker]) -> Any:
    """An Interrupted that came in a finaliser ends there; all else that comes here is a fault."""

    def hook(told: Any) -> None:
        if isinstance(told.exc_value, Interrupted):
            for worker in workers:
                if worker.ident == threading.get_ident():
                    worker.awaited = False
            ledger.note("interrupted in a finaliser")
        else:
            ledger.fault(f"unraisable: {told.exc_value!r} in {told.object!r}")

    return hook
