"""
What the async engines have in common.

A pool is one client's, on one loop. It opens once, sends again what aiohttp would send again, and
raises what `AIOHTTPSession.send` raises.

Guarding: a pool belongs to one event loop, and is touched from it alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from weakref import WeakSet

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath.transport.asyncerrors import IDEMPOTENT, hung_up, translated
from boto_accel.fastpath.transport.wire import Piece, Reply, Wire

_pools: WeakSet[AsyncPool] = WeakSet()


def keepalive_of(http_session: Any) -> float:
    """
    Seconds that an idle connection is kept.

    For engines that connect by themselves: declines any other argument of aiohttp's connector.
    """
    arguments = _compat.connector_arguments_of(http_session)
    if not arguments.keys() <= {"keepalive_timeout"}:
        raise Declined("connector arguments of the user's")
    keepalive: float = arguments.get("keepalive_timeout", 15.0)
    return keepalive


class AsyncPool:
    """The connections of one client on one loop; `_opened` and `_send` are the engine's."""

    def __init__(self, client: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.ready = False
        self._session = _compat.endpoint_of(client).http_session
        self._timeouts, self._most = _compat.session_settings(self._session)
        # Seconds. A timeout of 0 is none: `aiohttp.helpers.ceil_timeout`, `ResponseHandler`.
        self.connect_timeout: float | None = self._timeouts.sock_connect or None
        self.read_timeout: float | None = self._timeouts.sock_read or None
        self._opening_lock = asyncio.Lock()
        _pools.add(self)

    async def open(self) -> None:
        """
        Make the client's own aiohttp session, whose settings are taken over.

        Declines a client that is closed, so that stock says what it says then.
        """
        async with self._opening_lock:
            if not self.ready:
                session = await _compat.aiohttp_session_of(self._session)
                if session is None or session.connector is None:
                    raise Declined("a closed client")
                self._opened(session)
                _compat.exit_stack_of(self._session).push_async_callback(self.close)
                self.ready = True

    def _opened(self, session: Any) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Called when the client is closed, before its own session is."""
        self.ready = False

    def close_idle(self) -> None:
        """Close what no call is using, and is not stock's as well."""

    async def exchange(self, wire: Wire, endpoint: Any) -> Reply:
        """
        Send *wire*, read the answer. Raises botocore's exceptions, as `AIOHTTPSession.send` does.
        """
        again = wire.method in IDEMPOTENT and not wire.chunked
        while True:
            try:
                return await self._send(wire, endpoint)
            except Exception as error:
                if again and self.ready and hung_up(error):
                    again = False
                    continue
                # Not "from": as in stock, the cause is the context.
                raise translated(error, wire)  # noqa: B904

    async def _send(self, wire: Wire, endpoint: Any) -> Reply:
        """One attempt; raises what aiohttp would raise."""
        raise NotImplementedError


async def next_piece(
    loop: asyncio.AbstractEventLoop, pieces: Iterator[Piece], wire: Wire
) -> Piece | None:
    """The next piece; a file is read in a thread, as aiohttp does, not to stall the loop."""
    if wire.reads_file:
        return await loop.run_in_executor(None, next, pieces, None)
    return next(pieces, None)


class Upload:
    """
    A body that is sent in pieces while its answer is waited for.

    *answer* is a task that ends with the head of the final answer; it calls `go_on` when an interim
    one comes. *write* takes a piece, *drain* waits for room; *all_sent* is told the end.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        write: Callable[[Piece], object],
        drain: Callable[[], Awaitable[object]],
        all_sent: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._write = write
        self._drain = drain
        self._all_sent = all_sent
        self._continue: asyncio.Future[None] = loop.create_future()

    def go_on(self) -> None:
        if not self._continue.done():
            self._continue.set_result(None)

    async def send(self, wire: Wire, answer: asyncio.Task[Any]) -> bool:
        """Send until the answer is there; True when all was sent by then."""
        try:
            self._write(wire.head)
            if wire.expect:
                await asyncio.wait((answer, self._continue), return_when=asyncio.FIRST_COMPLETED)
            sent = await self._send_body(wire, answer)
            await asyncio.wait((answer,))
        finally:
            # Where this call was cancelled, or its body cannot be read; else it is done.
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # looked at
        return sent

    async def _send_body(self, wire: Wire, answer: asyncio.Task[Any]) -> bool:
        body = wire.body
        assert callable(body)
        pieces = body()
        while not answer.done():
            piece = await next_piece(self._loop, pieces, wire)
            if piece is None:
                self._all_sent()
                return True
            self._write(piece)
            await self._make_room(answer)
        return False

    async def _make_room(self, answer: asyncio.Task[Any]) -> None:
        room = asyncio.ensure_future(self._drain())
        try:
            await asyncio.wait((room, answer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not room.done():
                room.cancel()
            elif not room.cancelled():
                room.exception()  # looked at: a connection that is lost ends the answer too


def _all_pools() -> list[Any]:
    """Those that there are; looked at anew where another thread makes one meanwhile."""
    while True:
        try:
            return list(_pools)
        except RuntimeError:  # "Set changed size during iteration"
            continue


def close_idle_connections() -> None:
    """Close the idle connections of all pools, each on its own loop."""
    for pool in _all_pools():
        if pool.loop.is_closed():
            continue
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is pool.loop:
            pool.close_idle()
        else:
            pool.loop.call_soon_threadsafe(pool.close_idle)
