"""
Running the steps of the datastore: `run` and `iterate` block, `arun` and `aiterate` await.

What is raised while an effect is performed is thrown into the steps.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from boto_accel.datastore.effects import (
    Done,
    Effect,
    Emit,
    Fetch,
    Send,
    Steps,
    Together,
    assert_never,
)

FEWEST_WORKERS = 1
# Seconds; the longest that a Ctrl-C waits where a wait for a lock does not end for it: on Windows.
WAKE_S = 0.5


def run(client: Any, steps: Steps) -> Any:
    """What *steps* return, with their calls made on *client*."""
    try:
        effect = next(steps)
        while True:
            try:
                outcome = _perform(client, effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()


def iterate(client: Any, steps: Steps) -> Iterator[Any]:
    """What *steps* emit, made as it is asked for."""
    try:
        effect = next(steps)
        while True:
            if isinstance(effect, Emit):
                yield from effect.values
                effect = steps.send(None)
                continue
            try:
                outcome = _perform(client, effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration:
        return
    finally:
        steps.close()


def _perform(client: Any, effect: Effect) -> Any:
    match effect:
        case Send(method, params):
            return getattr(client, method)(**params)
        case Fetch(params):
            reply = client.get_object(**params)
            return _read(reply["Body"]), reply
        case Together():
            return _Crew(client, effect).work()
        case Emit():
            raise AssertionError("these steps emit, and are not to be run but iterated")
        case _:
            assert_never(effect)


def _read(body: Any) -> bytes:
    try:
        # Not `with body`: that is the stream within, which does not check the length.
        return body.read()
    finally:
        body.close()


def workers_of(client: Any, effect: Together) -> int:
    """More than there are connections would wait for one, or open some that are not kept."""
    workers = effect.workers or client.meta.config.max_pool_connections
    return max(min(workers, len(effect.tasks)), FEWEST_WORKERS)


class _Crew:
    """
    Threads that take the next task each until none is left.

    Whoever waits for them may be interrupted: they then end after the call that they are in, and
    are not waited for. They are daemons, so the interpreter does not wait for that call either.
    """

    def __init__(self, client: Any, effect: Together) -> None:
        self._client = client
        self._effect = effect
        self._results: list[Done | None] = [None] * len(effect.tasks)
        self._next = iter(enumerate(effect.tasks))
        self._lock = threading.Lock()
        self._stopped = False
        # The size of each finished task, where progress is asked for; None from a thread that ends.
        self._news: SimpleQueue[BaseException | int | None] = SimpleQueue()

    def work(self) -> list[Done]:
        workers = workers_of(self._client, self._effect)
        try:
            for _ in range(workers):
                context = contextvars.copy_context()
                args = (self._take_all,)
                threading.Thread(target=context.run, args=args, daemon=True).start()
            self._wait(workers)
        finally:
            self._stopped = True
        return [each for each in self._results if each is not None]

    def _wait(self, workers: int) -> None:
        done = 0
        while workers:
            try:
                news = self._news.get(timeout=WAKE_S)
            except Empty:
                continue
            if isinstance(news, BaseException):
                raise news
            if news is None:
                workers -= 1
            else:
                done += news
                self._effect.tell(done)

    def _take_all(self) -> None:
        try:
            while not self._stopped:
                with self._lock:
                    number, task = next(self._next, (-1, None))
                if task is None:
                    break
                self._results[number] = self._done(task())
                if self._effect.progress is not None:
                    self._news.put(self._effect.size(number))
        except BaseException as error:
            self._news.put(error)
        else:
            self._news.put(None)

    def _done(self, steps: Steps) -> Done:
        try:
            return Done(run(self._client, steps))
        except Exception as error:
            return Done(error=error)


async def arun(client: Any, steps: Steps) -> Any:
    """`run` for a client of aiobotocore."""
    try:
        effect = next(steps)
        while True:
            try:
                outcome = await _aperform(client, effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return stop.value
    finally:
        steps.close()


async def aiterate(client: Any, steps: Steps) -> AsyncGenerator[Any, None]:
    """`iterate` for a client of aiobotocore."""
    try:
        effect = next(steps)
        while True:
            if isinstance(effect, Emit):
                for value in effect.values:
                    yield value
                effect = steps.send(None)
                continue
            try:
                outcome = await _aperform(client, effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration:
        return
    finally:
        steps.close()


async def _aperform(client: Any, effect: Effect) -> Any:
    match effect:
        case Send(method, params):
            return await getattr(client, method)(**params)
        case Fetch(params):
            reply = await client.get_object(**params)
            return await _aread(reply["Body"]), reply
        case Together():
            return await _atogether(client, effect)
        case Emit():
            raise AssertionError("these steps emit, and are not to be run but iterated")
        case _:
            assert_never(effect)


async def _aread(body: Any) -> bytes:
    try:
        return await body.read()
    finally:
        body.close()


async def _atogether(client: Any, effect: Together) -> list[Done]:
    results: list[Done] = [Done()] * len(effect.tasks)
    left = iter(enumerate(effect.tasks))
    done = 0

    async def take_all() -> None:
        nonlocal done
        for number, task in left:
            try:
                results[number] = Done(await arun(client, task()))
            except Exception as error:
                results[number] = Done(error=error)
            done += effect.size(number)
            effect.tell(done)

    crew = [asyncio.ensure_future(take_all()) for _ in range(workers_of(client, effect))]
    try:
        await asyncio.gather(*crew)
    finally:
        for each in crew:
            each.cancel()
        await asyncio.gather(*crew, return_exceptions=True)
    return results
