"""
The store on a server: Redis or Valkey, one or a cluster, for users on many machines.

    redis://[user:password@]host[:port][/db][?option=value&...]
    rediss://...    the same over TLS

Options: `cluster=true`; `prefix=name`, what the names of keys begin with; and those of redis-py
(`socket_timeout`, `ssl_ca_certs`, `ssl_certfile`, ...).

What is done there is in `redis_steps.py`; here it is run, by threads and by event loops.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from boto_accel.cache.drive import arun, run
from boto_accel.cache.store import Entry, Ticket
from boto_accel.cache.stores.forks import watch_forks
from boto_accel.cache.stores.notices import Notices
from boto_accel.cache.stores.owed import Names
from boto_accel.cache.stores.redis_index import chunks
from boto_accel.cache.stores.redis_server import Address, AsyncServer, Server
from boto_accel.cache.stores.redis_steps import LEAD_S, RedisSteps


class RedisStore:
    """
    For threads; a call waits for one or two round trips, and at most for the timeouts of the
    connection (`redis_server.py`). `aio` is the same for event loops.
    """

    def __init__(
        self,
        url: str,
        *,
        max_entries: int,
        max_bytes: int | None = None,
        lead_s: float = LEAD_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        address = Address(url)
        self._name = address.name
        self._server = Server(address)
        self._steps = RedisSteps(
            address.prefix,
            address.trouble,
            Notices(address.name),
            max_entries=max_entries,
            max_bytes=max_bytes,
            lead_s=lead_s,
            clock=clock,
        )
        self.aio = AsyncRedisStore(self._steps, AsyncServer(address))
        watch_forks(self)

    def __repr__(self) -> str:
        return f"<RedisStore {self._name}>"

    def peek(self, key: bytes) -> Entry | None:
        return None  # nothing is at hand

    def get(self, key: bytes) -> Entry | None:
        return run(self._steps.get(key), self._server)

    def entries(self) -> Iterator[tuple[bytes, Entry]]:
        for some in chunks(run(self._steps.keys_by_use(), self._server)):
            yield from run(self._steps.fetch(some), self._server).items()

    def ticket(self, tags: Iterable[str]) -> Ticket:
        return run(self._steps.ticket(tags), self._server)

    def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool:
        return run(self._steps.put(key, entry, ticket), self._server)

    def drop(self, key: bytes) -> None:
        run(self._steps.forget(Names(keys=frozenset([key]))), self._server)

    def invalidate(self, tags: Iterable[str]) -> int:
        return run(self._steps.invalidate(tags), self._server)

    def clear(self) -> int:
        return run(self._steps.forget(Names(everything=True)), self._server)

    def lead(self, key: bytes) -> bool:
        return run(self._steps.lead(key), self._server)

    def done(self, key: bytes) -> None:
        run(self._steps.done(key), self._server)

    def close(self) -> None:
        run(self._steps.flush(), self._server)
        self._server.close()
        self.aio.server.close()
        self._steps.close()

    def before_fork(self) -> None:
        self._steps.before_fork()

    def after_fork_in_parent(self) -> None:
        self._steps.after_fork_in_parent()

    def after_fork_in_child(self, *, is_prepared: bool) -> None:
        self._steps.after_fork_in_child(is_prepared=is_prepared)
        self._server.forget()
        self.aio.server.forget()


class AsyncRedisStore:
    """What a call in an event loop asks of the store, over redis.asyncio."""

    def __init__(self, steps: RedisSteps, server: AsyncServer) -> None:
        self._steps = steps
        self.server = server

    async def get(self, key: bytes) -> Entry | None:
        return await arun(self._steps.get(key), self.server)

    async def ticket(self, tags: Iterable[str]) -> Ticket:
        return await arun(self._steps.ticket(tags), self.server)

    async def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool:
        return await arun(self._steps.put(key, entry, ticket), self.server)

    async def drop(self, key: bytes) -> None:
        await arun(self._steps.forget(Names(keys=frozenset([key]))), self.server)

    async def invalidate(self, tags: Iterable[str]) -> int:
        return await arun(self._steps.invalidate(tags), self.server)

    async def lead(self, key: bytes) -> bool:
        return await arun(self._steps.lead(key), self.server)

    async def done(self, key: bytes) -> None:
        await arun(self._steps.done(key), self.server)

    async def close(self) -> None:
        """The connections of the running loop."""
        await arun(self._steps.flush(), self.server)
        await self.server.aclose()
