"""The soak of aiobotocore: tasks that share clients, cancelled at any step, loop after loop."""

from __future__ import annotations

import asyncio
import gc
import random
import signal
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.servers.clients import make_client
from tests.soak.asks import READ_BYTES, Ask, check_answer, check_body, draw_ask, is_due
from tests.soak.ledger import Ledger
from tests.soak.threads import CLOSES, COLLECTS

TASKS = 256
CLIENTS = 4
LOOPS = 4
MOST = 0.9  # share of the calls of a round, of which one is broken off
CANCELLED = 0.01  # share of calls that are cancelled, after a random time
MOST_TURNS = 40  # of the loop, before a call is cancelled ...
LOOKS_S = 5.0  # seconds between looks at whether the client of a body is still open
MOST_PATIENCE_S = 0.05  # ... or seconds


class Slot:
    """A client, and the calls that use it."""

    def __init__(self, opening: AbstractAsyncContextManager[Any], client: Any) -> None:
        self.opening = opening
        self.client = client
        self.closed = False


class Clients:
    """Some clients that are closed and opened anew in the middle of calls that use them."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._slots: list[Slot] = []

    async def open(self) -> None:
        for _ in range(CLIENTS):
            self._slots.append(await self._open())

    async def _open(self) -> Slot:
        opening: Any = make_client("async", "s3", **self._options)
        return Slot(opening, await opening.__aenter__())

    def pick(self, rng: random.Random) -> Slot:
        return rng.choice(self._slots)

    async def exchange(self, rng: random.Random) -> None:
        made = await self._open()
        index = rng.randrange(CLIENTS)
        slot, self._slots[index] = self._slots[index], made
        slot.closed = True
        await slot.opening.__aexit__(None, None, None)

    async def close(self) -> None:
        for slot in self._slots:
            slot.closed = True
            await slot.opening.__aexit__(None, None, None)
        self._slots.clear()


class Worker:
    """One task, that makes its calls one after another."""

    def __init__(self, ledger: Ledger, clients: Clients, seed: str, calm: bool) -> None:
        self._ledger = ledger
        self._clients = clients
        self._rng = random.Random(seed)
        self._calm = calm

    async def run(self, numbers: Any) -> None:
        for number in numbers:
            await self._step(draw_ask(self._rng, number, self._calm))

    async def _step(self, ask: Ask) -> None:
        rng = self._rng
        if rng.random() < CLOSES:
            await self._clients.exchange(rng)
        slot = self._clients.pick(rng)
        try:
            if rng.random() < CANCELLED:
                await self._cancelled(slot, ask)
            else:
                await self._call(slot, ask)
        except asyncio.CancelledError:
            # aiohttp's connector, when it is closed, cancels those who wait for a connection.
            if not slot.closed or is_cancelled():
                raise
            self._ledger.end("closed")
        except Exception as error:
            # What a client says that is closed under a call is its own affair.
            if not (slot.closed or is_due(ask, error)):
                self._ledger.fault_of(ask, error)
            self._ledger.end("closed" if slot.closed else "failed")
        else:
            self._ledger.end("answered")
        if rng.random() < COLLECTS:
            gc.collect()

    async def _cancelled(self, slot: Slot, ask: Ask) -> None:
        task = asyncio.ensure_future(self._call(slot, ask))
        try:
            if self._rng.random() < 0.5:
                for _ in range(self._rng.randrange(MOST_TURNS)):
                    await asyncio.sleep(0)
            else:
                await asyncio.sleep(self._rng.random() * MOST_PATIENCE_S)
            task.cancel()
            await task
        except asyncio.CancelledError:
            if not task.cancelled():  # this one itself is cancelled, with all that it has begun
                task.cancel()
                raise
            self._ledger.note("cancelled")

    async def _call(self, slot: Slot, ask: Ask) -> None:
        answer = await getattr(slot.client, ask.method)(**ask.params())
        check_answer(ask, answer)
        if "Body" in answer:
            check_body(ask, await self._read(slot, answer["Body"], ask.reads))

    async def _read(self, slot: Slot, body: Any, reads: str) -> bytes:
        """
        Read *body*; given up where its client was closed meanwhile.

        aiohttp never wakes who reads from a connection that its connector closes: stock, and the
        engine of that name, wait for ever then.
        """
        reading = asyncio.ensure_future(read_body(body, reads))
        try:
            while not (await asyncio.wait([reading], timeout=LOOKS_S))[0]:
                if slot.closed:
                    raise ConnectionError("the client was closed")
            return await reading
        finally:
            reading.cancel()


def is_cancelled() -> bool:
    """Whether it is the running task that somebody cancels; never known on Python 3.10."""
    task: Any = asyncio.current_task()
    return not hasattr(task, "cancelling") or task.cancelling() > 0


async def read_body(body: Any, reads: str) -> bytes:
    if reads == "pieces":
        return b"".join([piece async for piece in body.iter_chunks(READ_BYTES)])
    if reads == "not":
        return b""  # and dropped without being closed
    data: bytes = await (body.read(READ_BYTES) if reads == "half" else body.read())
    body.close()
    return data


class Soak:
    """All calls, from TASKS tasks, on LOOPS loops one after another."""

    def __init__(
        self, ledger: Ledger, options: dict[str, Any], calls: int, seed: int, calm: bool
    ) -> None:
        self._ledger = ledger
        self._options = options
        self._each = calls // LOOPS
        self._seed = seed
        self._calm = calm
        self.loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        for number in range(LOOPS):
            try:
                asyncio.run(self._round(number, interrupted=number % 2 == 1))
            except KeyboardInterrupt:
                self._ledger.note("loops ended by Ctrl-C")
            self.loop = None

    async def _round(self, number: int, interrupted: bool) -> None:
        self.loop = asyncio.get_running_loop()
        clients = Clients(self._options)
        await clients.open()
        start = number * self._each
        tasks = [
            asyncio.ensure_future(
                Worker(self._ledger, clients, f"{self._seed}-{number}-{n}", self._calm).run(
                    range(start + n, start + self._each, TASKS)
                )
            )
            for n in range(TASKS)
        ]
        try:
            if interrupted:
                await self._almost(self._ledger.ended)
                signal.raise_signal(signal.SIGINT)
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await clients.close()
            await self._check_tasks()

    async def _almost(self, before: int) -> None:
        """Wait until most calls of this round have ended."""
        while self._ledger.ended < before + self._each * MOST:  # noqa: ASYNC110 counted elsewhere
            await asyncio.sleep(0.01)

    async def _check_tasks(self) -> None:
        for _ in range(10):  # what is cancelled needs a turn of the loop to end
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        self._ledger.check(not left, f"tasks left: {left}")
