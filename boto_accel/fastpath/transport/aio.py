"""
The `direct` engine for aiobotocore: asyncio transports, a pool a client, bound to its loop.

Errors are aiohttp's where aiobotocore lets them out, else botocore's as `AIOHTTPSession.send`
translates them; TLS contexts are those that the client's own aiohttp connector has.

Guarding: a pool belongs to one event loop, and is touched from it alone.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from boto_accel import _compat
from boto_accel.fastpath.transport.asyncbody import RawBody, refusal_cut_off
from boto_accel.fastpath.transport.asyncerrors import (
    answer_error,
    connecting,
    payload_error,
    read_timeout_error,
)
from boto_accel.fastpath.transport.asyncpool import AsyncPool, keepalive_of, next_piece
from boto_accel.fastpath.transport.http1 import (
    LIKE_AIOHTTP,
    AnswerReader,
    BadAnswerError,
    ShortAnswerError,
)
from boto_accel.fastpath.transport.wire import Piece, Reply, Wire

READ_BYTES = 64 * 1024  # bytes; one read of a connection
WATCHES = 20  # looks at the clock a read timeout; a timeout comes at most 1/20 late
SHORTEST_WATCH_S = 0.01  # seconds
LONGEST_WATCH_S = 1.0  # seconds

Turn: TypeAlias = "asyncio.Future[Connection | None]"


class Connection(asyncio.BufferedProtocol):
    """
    One kept-alive connection. Owned by one call or one body at a time, or idle.

    A `BufferedProtocol`: the loop reads into one buffer of the pool's, which is parsed at once,
    instead of allocating 256 KiB for each read.
    """

    def __init__(self, pool: Pool, origin: str) -> None:
        self._pool = pool
        self.origin = origin
        self.idle_since = 0.0  # loop time
        self.expires = 0.0  # loop time at which waiting for the peer has taken too long
        self.lost = False
        self.write: Callable[[Piece], object]
        self._transport: Any = None
        self._reader: AnswerReader | None = None
        # Done when the answer is there: whole, or its head where the body streams
        self._answer: asyncio.Future[None] | None = None
        self._streams = False
        self._body: RawBody | None = None
        self._may_write: asyncio.Future[None] | None = None
        self._writing_paused = False
        self._reading_paused = False
        self.uploads = False  # a long body is on its way: the peer need not say anything
        self._buffer = pool.buffer()

    # Called by the event loop

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        reader = self._reader
        if reader is None:  # bytes that nobody asked for: the connection is out of step
            self.close()
            return
        try:
            reader.feed(self._buffer[:nbytes])
        except BadAnswerError as error:
            self._fail(error)
            self.close()
            return
        if not reader.complete:
            self.expires = self._pool.deadline()
        if self._body is not None:
            self._pass_on(reader)
        elif reader.complete or (reader.head_done and self._streams and reader.status < 300):
            self._wake()
        elif reader.interim:  # 100 Continue
            self._go_on_writing()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.write = transport.write

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True
        self._fail(exc)

    def eof_received(self) -> None:
        self.lost = True
        self._fail(None)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._go_on_writing()

    # Called by the pool

    def begin(self, wire: Wire, expires: float) -> tuple[AnswerReader, asyncio.Future[None]]:
        """Take the connection for one exchange; the future is done when the answer is there."""
        self._reader = reader = AnswerReader(wire.to_head, LIKE_AIOHTTP)
        self._streams = wire.streams
        self._answer = answer = self._pool.loop.create_future()
        self.expires = expires
        return reader, answer

    async def drain(self) -> None:
        """Wait while the transport's buffer is full, unless the answer has come already."""
        if self._writing_paused and not self.answered:
            await self.wait_to_write()

    async def wait_to_write(self) -> None:
        """Wait for 100 Continue, for room in the buffer, for the answer or for an error."""
        self._may_write = self._pool.loop.create_future()
        try:
            await self._may_write
        finally:
            self._may_write = None

    def _go_on_writing(self) -> None:
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)

    @property
    def answered(self) -> bool:
        return self._answer is not None and self._answer.done()

    def hand_over(self, body: RawBody) -> None:
        """From here on, what comes goes to *body*, which gives the connection back."""
        self._body = body
        assert self._reader is not None
        self._pass_on(self._reader)

    def end(self, reusable: bool) -> None:
        """The exchange is over."""
        reader, self._reader = self._reader, None
        self._body = self._answer = None
        surplus = reader is None or reader.surplus
        if reusable and not surplus and not self.lost and not self._writing_paused:
            self._pool.give_back(self)
        else:
            self.close()
            self._pool.release(self)

    def close(self) -> None:
        """Close at once, whatever is in its buffers."""
        self.lost = True
        # A loop that is closed takes no callback; its transports close with their last reference.
        if self._transport is not None and not self._pool.loop.is_closed():
            self._transport.abort()

    def time_out(self) -> None:
        """Nothing came for too long."""
        self._fail(read_timeout_error())

    # For aiohttp's StreamReader, which holds the peer back while the user does not read, and
    # looks at `_reading_paused` and `connected` of its protocol (aiohttp.base_protocol)

    @property
    def connected(self) -> bool:
        return not self.lost

    def pause_reading(self) -> None:
        self._reading_paused = True
        if not self.lost:
            self._transport.pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        self._reading_paused = False
        self.expires = self._pool.deadline()
        if not self.lost:
            self._transport.resume_reading()

    @property
    def waits(self) -> bool:
        """Whether it is the peer that has to do something."""
        return self._reader is not None and not self._reading_paused and not self.uploads

    def _pass_on(self, reader: AnswerReader) -> None:
        body = self._body
        assert body is not None
        for piece in reader.body:
            body.feed(piece)
        reader.body.clear()
        if reader.complete:
            body.feed_eof()
            self.end(reader.reusable)

    def _wake(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)
        if self._may_write is not None:
            self._go_on_writing()

    def _fail(self, error: BaseException | None) -> None:
        """The connection is gone, or the answer is bad: tell who waits for it."""
        reader = self._reader
        if reader is None:
            return
        if error is None:
            try:
                reader.feed_eof()
            except ShortAnswerError as short:
                error = short
            else:
                if self._body is not None:
                    self._pass_on(reader)
                else:
                    self._wake()
                return
        if self._body is not None:
            body = self._body
            self._body = None
            body.fail(payload_error(error, reader))
            self.end(False)
        elif self._answer is not None and not self._answer.done():
            self._answer.set_exception(answer_error(error, reader))
            self._answer.exception()  # looked at: nobody may be waiting any more
            self._go_on_writing()


class Pool(AsyncPool):
    """
    The connections of one client on one loop.

    As in aiohttp, at most `max_pool_connections` are open at a time; further calls wait, first
    come, first served.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._patience = self.read_timeout or math.inf  # seconds that a call waits for the peer
        self._keepalive = keepalive_of(self._session)
        self._ssl: Any = None
        self._idle: defaultdict[str, deque[Connection]] = defaultdict(deque)
        self._busy: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[tuple[Turn, str]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._shared = memoryview(bytearray(READ_BYTES))

    def buffer(self) -> memoryview:
        """
        Where a connection is read into.

        One for all: a loop fills it and hands it over without doing anything in between. But for
        the proactor of Windows, which fills the buffers of several connections at a time.
        """
        if "Proactor" in type(self.loop).__name__:
            return memoryview(bytearray(READ_BYTES))
        return self._shared

    def _opened(self, session: Any) -> None:
        self._ssl = _compat.connector_ssl_of(session.connector)

    async def close(self) -> None:
        """Close every connection, as the client's own session does when the client is closed."""
        await super().close()
        self.close_idle()
        for connection in list(self._busy):
            connection.close()
        await asyncio.sleep(0)  # transports close in callbacks

    def close_idle(self) -> None:
        """Close what no call is using."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def deadline(self) -> float:
        return self.loop.time() + self._patience

    # Connections

    async def _send(self, wire: Wire, endpoint: Any) -> Reply:
        now = self.loop.time()
        connection = self._take_idle(endpoint.origin, now)
        if connection is None:
            connection = await self._connect(endpoint)
            now = self.loop.time()
        reader, answer = connection.begin(wire, now + self._patience)
        body = wire.body
        sent = True
        try:
            if body is None:
                connection.write(wire.head)
            elif isinstance(body, bytes) and not wire.expect:
                connection.write(wire.head + body)
            else:
                sent = await self._send_long(connection, wire)
            await answer
            reader.reusable = reader.reusable and sent
            if reader.complete:
                data = reader.take()
                connection.end(reader.reusable)
                if not wire.streams or reader.status >= 300:
                    return Reply(reader.status, reader.headers, data, None)
                raw = RawBody(wire.url, reader.status, data, None)
            else:
                raw = RawBody(wire.url, reader.status, b"", connection)
                connection.hand_over(raw)
        except BaseException as error:
            connection.end(False)
            refusal = refusal_cut_off(error, wire, reader.status, reader.headers)
            if refusal is None:
                raise
            return refusal
        return Reply(reader.status, reader.headers, None, raw)

    async def _send_long(self, connection: Connection, wire: Wire) -> bool:
        """A body that has to wait for 100 Continue, or comes in pieces; True when all is sent."""
        connection.write(wire.head)
        if wire.expect:
            await connection.wait_to_write()
        body = wire.body
        assert body is not None
        if isinstance(body, bytes):
            if connection.answered:
                return False
            connection.write(body)
            return True
        connection.uploads = True  # aiohttp starts the read timeout when all is sent
        try:
            return await self._send_pieces(connection, wire, body())
        finally:
            connection.uploads = False
            connection.expires = self.deadline()

    async def _send_pieces(
        self, connection: Connection, wire: Wire, pieces: Iterator[Piece]
    ) -> bool:
        while not connection.answered:
            piece = await next_piece(self.loop, pieces, wire)
            if piece is None:
                return True
            connection.write(piece)
            await connection.drain()
        return False

    def _take_idle(self, origin: str, now: float) -> Connection | None:
        idle = self._idle.get(origin)
        if not idle:
            return None
        oldest = now - self._keepalive
        while idle:
            connection = idle.pop()
            if not connection.lost and connection.idle_since >= oldest:
                self._busy.add(connection)
                if self._watch is None:
                    self._look_out()
                return connection
            connection.close()
        return None

    async def _connect(self, endpoint: Any) -> Connection:
        """A new connection, or one that came free while this call waited for its place."""
        if self._most and self._count() >= self._most and not self._drop_idle():
            connection = await self._wait_for_place(endpoint.origin)
            if connection is not None:
                return connection
        else:
            self._opening += 1
        try:
            connection = await self._open_connection(endpoint)
        except BaseException:
            self._opening -= 1
            self._pass_place_on()
            raise
        self._opening -= 1
        self._busy.add(connection)
        self._look_out()
        return connection

    async def _wait_for_place(self, origin: str) -> Connection | None:
        """
        Wait until it is this call's turn: for a connection to *origin* that came free, or for
        None, the place to open one. The place is counted as one that is opening.
        """
        turn: Turn = self.loop.create_future()
        self._waiting.append((turn, origin))
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it came too late
                connection = turn.result()
                if connection is None:
                    self._opening -= 1
                    self._pass_place_on()
                else:
                    self.give_back(connection)
            raise

    def _count(self) -> int:
        return len(self._busy) + self._opening + sum(map(len, self._idle.values()))

    def _drop_idle(self) -> bool:
        """Make room for another origin."""
        for idle in self._idle.values():
            if idle:
                idle.popleft().close()
                return True
        return False

    async def _open_connection(self, endpoint: Any) -> Connection:
        async with connecting(endpoint, self.connect_timeout) as (host, port):
            _, connection = await self.loop.create_connection(
                lambda: Connection(self, endpoint.origin),
                host,
                port,
                ssl=self._ssl if endpoint.https else None,
                server_hostname=host if endpoint.https else None,
            )
        return connection

    def give_back(self, connection: Connection) -> None:
        """Hand *connection* to the call that waits for one, or keep it for the next."""
        if not self.ready:
            connection.close()
            self.release(connection)
            return
        turn, origin = self._next_in_line() if self._waiting else (None, "")
        if turn is None:
            connection.idle_since = self.loop.time()
            self._busy.discard(connection)
            self._idle[connection.origin].append(connection)
        elif origin == connection.origin:
            turn.set_result(connection)
        else:
            connection.close()
            self._busy.discard(connection)
            self._opening += 1
            turn.set_result(None)

    def release(self, connection: Connection) -> None:
        """*connection* is closed: its place is free."""
        if connection in self._busy:
            self._busy.discard(connection)
            self._pass_place_on()

    def _pass_place_on(self) -> None:
        turn, _ = self._next_in_line()
        if turn is not None:
            self._opening += 1
            turn.set_result(None)

    def _next_in_line(self) -> tuple[Turn | None, str]:
        while self._waiting:
            turn, origin = self._waiting.popleft()
            if not turn.done():
                return turn, origin
        return None, ""

    # Time: one timer a pool, while there are calls under way or connections to let go

    def _look_out(self) -> None:
        if self._watch is None:
            tick = min(max(self._patience / WATCHES, SHORTEST_WATCH_S), LONGEST_WATCH_S)
            reference: weakref.ref[Pool] = weakref.ref(self)
            self._watch = self.loop.call_later(tick, _tick, reference)

    def tick(self) -> None:
        self._watch = None
        now = self.loop.time()
        for connection in list(self._busy):
            if connection.waits and now > connection.expires:
                connection.time_out()
        for idle in self._idle.values():
            while idle and (idle[0].lost or now - idle[0].idle_since > self._keepalive):
                idle.popleft().close()
        if self._busy or any(self._idle.values()):
            self._look_out()


def _tick(reference: weakref.ref[Pool]) -> None:
    pool = reference()
    if pool is not None:
        pool.tick()
