"""
The connections of one client to Redis: `Link` in botocore, `AsyncLink` in aiobotocore.

Both have `execute`, `many` and `run`, which are coroutine functions in the second: a step of the
store asks for them with `Await`, and is written once.

At most `max_pool_connections` commands are under way; further ones wait in order. An async link
sends what has waited meanwhile as one pipeline: commands that wait for the same connection share
a round trip.

Guarding: redis-py's clients are safe to share between threads; a link of asyncio belongs to its
loop. A child of a fork makes a link of its own (`state.py`).
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

from boto_accel.errors import MissingExtraError
from boto_accel.redis_store.scripts import Script
from boto_accel.redis_store.settings import Settings
from boto_accel.redis_store.urls import Address
from boto_accel.redis_store.wires import (
    AsyncClientWire,
    AsyncWire,
    ClientWire,
    Command,
    Wire,
    has_client,
)

_MOST_TOGETHER = 64  # commands of one pipeline
_MOST_BYTES = 256 * 1024  # bytes of the arguments of one pipeline; more is sent alone


def check_redis() -> None:
    """Raise MissingExtraError where redis-py is not installed."""
    try:
        import redis  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("redis_s3", "redis", "redis") from error


def _is_missing(error: Any) -> bool:
    from redis.exceptions import NoScriptError

    return isinstance(error, NoScriptError)


def call_of(script: Script, keys: Sequence[Any], args: Sequence[Any]) -> Command:
    return ("EVALSHA", script.sha, len(keys), *keys, *args)


def _with_text(script: Script, command: Command) -> Command:
    return ("EVAL", script.text, *command[2:])


class Link:
    """
    For threads. It closes when nobody holds it any more: its client, a call or a body.

    By a finalizer, which comes before the sockets also where all of them are garbage at once.
    """

    def __init__(self, address: Address, settings: Settings) -> None:
        wire = ClientWire if has_client(address) else Wire
        self._wire: Wire | ClientWire = wire(address, settings)
        self.execute = self._wire.execute
        self.many = self._wire.many
        weakref.finalize(self, self._wire.close).atexit = False

    def run(self, script: Script, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        command = call_of(script, keys, args)
        try:
            return self.execute(*command)
        except Exception as error:
            if not _is_missing(error):
                raise
        return self.execute(*_with_text(script, command))

    def run_each(
        self, script: Script, calls: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    ) -> list[Any]:
        commands = [call_of(script, keys, args) for keys, args in calls]
        found = self.many(commands)
        for index, each in enumerate(found):
            if _is_missing(each):
                found[index] = self.execute(*_with_text(script, commands[index]))
        return found


class AsyncLink:
    """For the loop that it was made on."""

    def __init__(self, address: Address, settings: Settings) -> None:
        wire = AsyncClientWire if has_client(address) else AsyncWire
        self._wire: AsyncWire | AsyncClientWire = wire(address, settings)
        self._free = settings.most_connections
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._turns: deque[asyncio.Future[None]] = deque()
        self.loop = asyncio.get_running_loop()

    async def execute(self, *command: Any) -> Any:
        if self._free:
            self._free -= 1
            try:
                return await self._wire.execute(*command)
            finally:
                self._release()
        return await self._wait(command)

    async def _wait(self, command: Command) -> Any:
        future = self.loop.create_future()
        self._waiting.append((command, future))
        return await future

    async def many(self, commands: Sequence[Command]) -> list[Any]:
        if not self._free:
            turn = self.loop.create_future()
            self._turns.append(turn)
            try:
                await turn  # whoever releases a connection hands it over
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._release()
                raise
        else:
            self._free -= 1
        try:
            return await self._wire.many(commands)
        finally:
            self._release()

    async def run(self, script: Script, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        command = call_of(script, keys, args)
        try:
            return await self.execute(*command)
        except Exception as error:
            if not _is_missing(error):
                raise
        return await self.execute(*_with_text(script, command))

    async def run_each(
        self, script: Script, calls: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    ) -> list[Any]:
        commands = [call_of(script, keys, args) for keys, args in calls]
        found = await self.many(commands)
        for index, each in enumerate(found):
            if _is_missing(each):
                found[index] = await self.execute(*_with_text(script, commands[index]))
        return found

    async def close(self) -> None:
        await self._wire.close()

    # A connection is free again

    def _release(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
        if self._waiting:
            self._free -= 1
            task = self.loop.create_task(self._serve(self._taken()))
            _serving.add(task)
            task.add_done_callback(_serving.discard)

    def _taken(self) -> list[tuple[Command, asyncio.Future[Any]]]:
        """Some of those that wait; those who have gone meanwhile are left out."""
        taken: list[tuple[Command, asyncio.Future[Any]]] = []
        size = 0
        while self._waiting and len(taken) < _MOST_TOGETHER and size < _MOST_BYTES:
            command, future = self._waiting.popleft()
            if not future.done():
                taken.append((command, future))
                size += sum(len(each) for each in command if isinstance(each, bytes | memoryview))
        return taken

    async def _serve(self, taken: list[tuple[Command, asyncio.Future[Any]]]) -> None:
        try:
            answers = await self._wire.many([command for command, _ in taken]) if taken else []
        except Exception as error:
            answers = [error] * len(taken)
        except BaseException:  # the loop ends
            for _, future in taken:
                future.cancel()
            raise
        finally:
            self._release()
        for (_, future), answer in zip(taken, answers, strict=True):
            if future.done():
                continue  # its task was cancelled
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)


_serving: set[asyncio.Task[Any]] = set()  # a loop keeps its tasks weakly
