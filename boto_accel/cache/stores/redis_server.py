"""
The clients of a Redis or Valkey server that a URL names, by redis-py: one for threads, and one for
each event loop.

A round trip is `one` command, or `many` as a pipeline: functions here, coroutine functions there.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit
from weakref import WeakKeyDictionary

from boto_accel.errors import InvalidOptionError, MissingExtraError

PREFIX = "boto-accel"
TIMEOUT_S = 0.5  # seconds; to connect, and for an answer, if the URL does not say otherwise
MOST_CONNECTIONS = 16  # of an event loop to a server, unless the URL wants fewer; others wait
_OWN = ("cluster", "prefix", "decode_responses")  # options that redis-py must not see

Command = tuple[Any, ...]

_of_parents: list[Any] = []  # not closed in a child, where another thread may have had its locks


class Address:
    """
    What a URL says. Raises MissingExtraError, or InvalidOptionError for an option that is none.

    name: for logs, without user and password. prefix: what the names of keys begin with.
    trouble: what a round trip may raise for what is wrong with the server or the network.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis.exceptions
        except ImportError as error:
            raise MissingExtraError("a cache on redis://", "redis", "redis") from error
        parts = _split(url)
        query = dict(parse_qsl(parts.query))
        self.is_cluster = query.get("cluster", "").lower() in ("1", "true", "yes")
        self.prefix = f"{query.get('prefix', PREFIX)}:".encode()
        self.name = f"{parts.scheme}://{parts.hostname or 'localhost'}:{parts.port or 6379}"
        self.most = _most_connections(query)
        self.trouble: tuple[type[BaseException], ...] = (
            redis.exceptions.RedisError,
            redis.exceptions.RedisClusterException,
            OSError,
        )
        self._url = _without_own(redis.Redis, parts, query)

    def make(self, world: str) -> Any:
        """A client; *world* is "redis" or "redis.asyncio"."""
        module: Any = import_module(world)
        no_backoff = import_module("redis.backoff").NoBackoff()
        lost = import_module("redis.exceptions").ConnectionError
        # Once more, for a kept connection that the server has closed meanwhile; a server that
        # does not answer is not waited for twice.
        retry = import_module(f"{world}.retry").Retry(no_backoff, 1, supported_errors=(lost,))
        kind = module.RedisCluster if self.is_cluster else module.Redis
        return kind.from_url(
            self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=retry
        )


class Server:
    """For threads."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()  # held while a client is made, which may ask a cluster
        self._client: Any = None

    def one(self, command: Command) -> Any:
        return self.client().execute_command(*command)

    def many(self, commands: Sequence[Command]) -> list[Any]:
        replies: list[Any] = _pipeline(self.client(), commands).execute()
        return replies

    def client(self) -> Any:
        """Made at the first call; a cluster is asked for its nodes then."""
        client = self._client
        if client is not None:
            return client
        with self._lock:
            if self._client is None:
                self._client = self._address.make("redis")
            return self._client

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is None:
            return
        if self._address.is_cluster:
            client.disconnect_connection_pools()  # `close` leaves those of the nodes open
        client.close()

    def forget(self) -> None:
        """In a forked child: the client, and whoever makes one, are the parent's."""
        _of_parents.append(self._client)
        self._client = None
        self._lock = threading.Lock()


class AsyncServer:
    """
    For event loops: a client for each, which is closed with it.

    Guarding: what is of a loop is touched by it alone.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()

    async def one(self, command: Command) -> Any:
        kept = await self._of_loop()
        return await kept.ask(lambda client: client.execute_command(*command))

    async def many(self, commands: Sequence[Command]) -> list[Any]:
        kept = await self._of_loop()
        replies: list[Any] = await kept.ask(lambda client: _pipeline(client, commands).execute())
        return replies

    async def _of_loop(self) -> _Kept:
        loop = asyncio.get_running_loop()
        kept = self._kept.get(loop)
        if kept is None or kept.is_closed:
            kept = self._kept[loop] = _Kept(self._address)
            await kept.open()
        return kept

    def close(self) -> None:
        """Each loop that runs closes its own, soon; one that has ended has done so."""
        for loop, kept in list(self._kept.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(kept.close_soon)

    async def aclose(self) -> None:
        """That of the running loop."""
        kept = self._kept.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.close()

    def forget(self) -> None:
        """In a forked child: the loops are the parent's."""
        _of_parents.append(self._kept)
        self._kept = WeakKeyDictionary()


class _Kept:
    """
    The client of one loop, held open by an asynchronous generator.

    A loop that ends closes its asynchronous generators, and so the client: `asyncio.run`,
    `loop.shutdown_asyncgens`. It may do so at any moment, also while `close` is about it, whose
    task it has then cancelled, or does not wait for.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client = address.make("redis.asyncio")
        self._turns = asyncio.Semaphore(address.most)
        self._holder: Any = self._hold()
        self._closing: Any = None
        self._ending = asyncio.Lock()
        self._has_ended = False
        self.is_closed = False

    async def _hold(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self.is_closed = True  # the loop may be the one that closes it
            await self._end()

    async def _end(self) -> None:
        async with self._ending:
            if self._has_ended:
                return
            self._has_ended = True
            try:
                await self._client.aclose()
            except asyncio.CancelledError:
                await self._disconnect()  # what was not come to
                raise

    async def _disconnect(self) -> None:
        if self._address.is_cluster:
            for nodes in ("nodes_cache", "startup_nodes"):
                await self._client.nodes_manager.aclose(nodes)
        else:
            await self._client.connection_pool.disconnect()

    async def open(self) -> None:
        """Connects to nothing yet."""
        await self._holder.__anext__()

    async def ask(self, what: Any) -> Any:
        async with self._turns:
            try:
                return await what(self._client)
            except AttributeError as error:
                if not self._address.is_cluster:
                    raise
                # Where a connection of a cluster breaks, redis-py closes all, also under those
                # who use them: they find None where the stream was.
                lost = import_module("redis.exceptions").ConnectionError
                raise lost(f"Closed: {error.name}") from error

    async def close(self) -> None:
        """When those who use it have done so; whoever comes from now on makes another one."""
        self.close_soon()
        await asyncio.shield(self._closing)

    def close_soon(self) -> None:
        if self._closing is None:
            self.is_closed = True
            self._closing = asyncio.ensure_future(self._close())

    async def _close(self) -> None:
        for _ in range(self._address.most):
            await self._turns.acquire()
        await self._end()
        if not self._holder.ag_running:  # by the loop, which has waited for this
            await self._holder.aclose()


def _pipeline(client: Any, commands: Sequence[Command]) -> Any:
    pipe = client.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    return pipe


def _most_connections(query: dict[str, str]) -> int:
    given = query.get("max_connections", "")
    return min(int(given), MOST_CONNECTIONS) if given.isdigit() else MOST_CONNECTIONS


def _without_own(client: Any, parts: SplitResult, query: dict[str, str]) -> str:
    rest = {name: value for name, value in query.items() if name not in _OWN}
    known = inspect.signature(client.__init__).parameters
    for name in rest:
        if name not in known:
            raise InvalidOptionError(name, rest[name], "an option of redis.Redis")
    return parts._replace(query=urlencode(rest)).geturl()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Not the URL itself: there may be a password in it.
        raise InvalidOptionError("cache", "redis://...", "redis://host:port/db") from None
    return parts
