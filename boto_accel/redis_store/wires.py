"""
What commands go over: connections of one server, or redis-py's clients of clusters and sentinels.

For one server redis-py's connections are used directly, one command or one pipeline at a time:
its client spends on each command more than half as much again (locks, callbacks, observability).
An answer is what the server said; only HGETALL is a dict through one way and a list through the
other (`as_dict`).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from boto_accel.redis_store import embedded
from boto_accel.redis_store.settings import Settings, connection_arguments, unreadable
from boto_accel.redis_store.urls import Address

_CLUSTER_RETRIES = 5  # redirections, and asking anew where the slots are
_FRESH_S = 1.0  # seconds; a connection that was idle longer is looked at before it is used
Command = tuple[Any, ...]


def as_dict(found: Any) -> dict[bytes, bytes]:
    """The answer to HGETALL."""
    return found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))


def _as_values(answers: Sequence[Any]) -> list[Any]:
    """Errors among them without the frames that they would keep alive."""
    return [
        each.with_traceback(None) if isinstance(each, BaseException) else each for each in answers
    ]


class Wire:
    """
    Connections of one server, for threads; at most *most* of them, and who finds none waits.

    Guarding: `_free` has a connection or None (one may be made) for each that may be in use; a
    deque's pop and append are atomic, so there is no lock where one is free. Who finds none counts
    itself among those that wait, and looks again, before it sleeps; who gives one back does so
    before it looks whether somebody waits. So no wake-up is lost.
    """

    def __init__(self, address: Address, settings: Settings) -> None:
        self._address = address
        self._settings = settings
        self._free: deque[Any] = deque([None] * settings.most_connections)
        self._waiting = 0
        self._changed = threading.Condition()
        self._make: Any = None
        self._response_error: Any = import_module("redis.exceptions").ResponseError

    def execute(self, *command: Any) -> Any:
        connection = self._take()
        try:
            connection.send_command(*command)
            return connection.read_response()
        except BaseException as error:
            if not isinstance(error, self._response_error):
                connection.disconnect()  # in the middle of an answer
            raise
        finally:
            self._give(connection)

    def many(self, commands: Sequence[Command]) -> list[Any]:
        """What each answers, or the error that it does."""
        connection = self._take()
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            return [self._read(connection) for _ in commands]
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._give(connection)

    def _read(self, connection: Any) -> Any:
        try:
            return connection.read_response()
        except self._response_error as error:
            return error.with_traceback(None)  # a value: it must not keep frames alive

    def _take(self) -> Any:
        try:
            found = self._free.pop()
        except IndexError:
            found = self._wait()
        try:
            if found is None:
                return self._new()
            connection, used = found
            if time.monotonic() - used > _FRESH_S and _is_stale(connection):
                connection.disconnect()  # and connects again when it sends
            return connection
        except BaseException:
            self._give(None)
            raise

    def _wait(self) -> Any:
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    try:
                        return self._free.pop()
                    except IndexError:
                        self._changed.wait()
            finally:
                self._waiting -= 1

    def _give(self, connection: Any) -> None:
        self._free.append(None if connection is None else (connection, time.monotonic()))
        if self._waiting:
            with self._changed:
                self._changed.notify()

    def _new(self) -> Any:
        make = self._make
        if make is None:
            make = self._make = maker("redis", self._address, self._settings)
        return make()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when the collector comes to it."""
        kept: list[Any] = []
        while True:
            try:
                kept.append(self._free.pop())
            except IndexError:
                break
        for found in kept:
            if found is not None:
                found[0].disconnect()
            self._give(None)


def _is_stale(connection: Any) -> bool:
    """Whether the server has closed it, or it is out of step."""
    try:
        return bool(connection.can_read())
    except Exception:
        return True


class AsyncWire:
    """Connections of one server on one loop; whoever uses it sees to how many are in use."""

    def __init__(self, address: Address, settings: Settings) -> None:
        self._address = address
        self._settings = settings
        self._free: list[tuple[Any, float]] = []
        self._is_closed = False
        self._make: Any = None
        self._response_error: Any = import_module("redis.exceptions").ResponseError

    async def execute(self, *command: Any) -> Any:
        connection = await self._take()
        try:
            await connection.send_command(*command)
            return await connection.read_response()
        except BaseException as error:
            if not isinstance(error, self._response_error):
                await connection.disconnect(nowait=True)
            raise
        finally:
            self._free.append((connection, time.monotonic()))
            if self._is_closed:
                await self.close()

    async def many(self, commands: Sequence[Command]) -> list[Any]:
        connection = await self._take()
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            return [await self._read(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            self._free.append((connection, time.monotonic()))
            if self._is_closed:
                await self.close()

    async def _read(self, connection: Any) -> Any:
        try:
            return await connection.read_response()
        except self._response_error as error:
            return error.with_traceback(None)  # a value: it must not keep frames alive

    async def _take(self) -> Any:
        if not self._free:
            if self._make is None:
                self._make = maker("redis.asyncio", self._address, self._settings)
            return self._make()
        connection, used = self._free.pop()
        if time.monotonic() - used > _FRESH_S:
            await _disconnect_stale(connection)
        return connection

    async def close(self) -> None:
        """Close what is idle; what is in use is closed by who gives it back."""
        self._is_closed = True
        free, self._free = self._free, []
        try:
            for connection, _ in free:
                await connection.disconnect()
        finally:
            for connection, _ in free:  # where it is cancelled, those that it has not come to
                await connection.disconnect(nowait=True)


async def _disconnect_stale(connection: Any) -> None:
    has_can_read = hasattr(connection, "can_read")  # redis-py 8, which deprecates the other
    is_stale = True
    try:
        look = connection.can_read if has_can_read else connection.can_read_destructive
        is_stale = await look()
    except Exception:
        pass
    finally:  # where it is cancelled, too
        if is_stale:
            await connection.disconnect(nowait=True)


class ClientWire:
    """A client of redis-py, for threads: of a cluster, or of the primary that sentinels name."""

    def __init__(self, address: Address, settings: Settings) -> None:
        self._address = address
        self._settings = settings
        self._slots = threading.BoundedSemaphore(settings.most_connections)
        self._making = threading.Lock()
        self._client: Any = None

    def execute(self, *command: Any) -> Any:
        with self._slots:
            return self._made().execute_command(*command)

    def many(self, commands: Sequence[Command]) -> list[Any]:
        with self._slots:
            pipe = self._made().pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return _as_values(pipe.execute(raise_on_error=False))

    def _made(self) -> Any:
        client = self._client
        if client is not None:
            return client
        with self._making:  # held while a cluster is asked for its nodes
            if self._client is None:
                self._client = make_client("redis", self._address, self._settings)
            return self._client

    def close(self) -> None:
        with self._making:
            client, self._client = self._client, None
        if client is None:
            return
        if self._address.kind == "cluster":
            client.disconnect_connection_pools()  # `close` leaves those of the nodes open
        else:
            for sentinel in client.connection_pool.sentinel_manager.sentinels:
                sentinel.close()
            client.connection_pool.disconnect()
        client.close()


class AsyncClientWire:
    """The same on one loop."""

    def __init__(self, address: Address, settings: Settings) -> None:
        self._address = address
        self._settings = settings
        self._client: Any = None
        self._users = 0
        self._is_closed = False

    async def execute(self, *command: Any) -> Any:
        async with self._used() as client:
            return await client.execute_command(*command)

    async def many(self, commands: Sequence[Command]) -> list[Any]:
        async with self._used() as client:
            pipe = client.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return _as_values(await pipe.execute(raise_on_error=False))

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[Any]:
        if self._client is None:
            self._client = make_client("redis.asyncio", self._address, self._settings)
        self._users += 1
        try:
            yield self._client
        except AttributeError as error:
            raise _closed_by_another(error) from error
        finally:
            self._users -= 1
            if self._is_closed:
                await self.close()

    async def close(self) -> None:
        """
        At once, or when nobody uses it any more.

        To its end, also where who waits for it is cancelled: redis-py would stop in the middle.
        """
        self._is_closed = True
        if self._users:
            return
        client, self._client = self._client, None
        if client is None:
            return
        closing = asyncio.ensure_future(self._end(client))
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
        await asyncio.shield(closing)

    async def _end(self, client: Any) -> None:
        try:
            await self._disconnect(client)
        except asyncio.CancelledError:  # the loop ends
            await self._disconnect(client)  # what it has not come to
            raise

    async def _disconnect(self, client: Any) -> None:
        await client.aclose()
        if self._address.kind == "cluster":
            for nodes in ("nodes_cache", "startup_nodes"):  # `aclose` does so once only
                await client.nodes_manager.aclose(nodes)
            return
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()
        await client.connection_pool.disconnect()


_closing: set[asyncio.Future[None]] = set()  # a loop keeps its tasks weakly


def _closed_by_another(error: AttributeError) -> Exception:
    """
    What redis-py would say, had it not taken the connection away.

    Where one connection of a cluster breaks, `RedisCluster.aclose` closes all, also under those who
    use them: they find None where the stream was.
    """
    broken: Exception = import_module("redis.exceptions").ConnectionError(f"Closed: {error.name}")
    return broken


def has_client(address: Address) -> bool:
    return address.kind in ("cluster", "sentinel")


# What redis-py makes ---------------------------------------------------------------------------


def maker(world: str, given: Address, settings: Settings) -> Any:
    """
    A function that makes a connection; *world* is "redis" or "redis.asyncio".

    Raises InvalidOptionError.
    """
    address = embedded.resolved(given)
    module: Any = import_module(f"{world}.connection")
    arguments = connection_arguments(address, settings)
    arguments["retry"] = _retry(world, 0)
    if address.kind == "unix":
        del arguments["socket_keepalive"]
        arguments["path"] = address.path
        kind = module.UnixDomainSocketConnection
    else:
        arguments["host"], arguments["port"] = address.hosts[0]
        kind = module.SSLConnection if address.tls else module.Connection
    try:
        kind(**arguments)  # connects when it sends
    except TypeError:
        raise unreadable(given) from None
    return lambda: kind(**arguments)


def make_client(world: str, address: Address, settings: Settings) -> Any:
    """A client of a cluster, or of the primary that sentinels name."""
    module: Any = import_module(world)
    arguments = connection_arguments(address, settings)
    if address.kind == "cluster":
        node = import_module(f"{world}.cluster").ClusterNode
        nodes = [node(*host) for host in address.hosts]
        arguments["retry"] = _retry(world, _CLUSTER_RETRIES)
        return module.RedisCluster(startup_nodes=nodes, ssl=address.tls, **arguments)
    arguments["retry"] = _retry(world, 0)
    # The sentinels are asked without the user and password of the servers; over TLS as these.
    left_out = ("db", "username", "password", "retry")
    plain = {name: value for name, value in arguments.items() if name not in left_out}
    sentinel = import_module(f"{world}.sentinel").Sentinel(
        list(address.hosts), sentinel_kwargs={**plain, "ssl": address.tls}
    )
    return sentinel.master_for(address.service, ssl=address.tls, **arguments)


def _retry(world: str, times: int) -> Any:
    no_backoff = import_module("redis.backoff").NoBackoff()
    return import_module(f"{world}.retry").Retry(no_backoff, times)
