"""
The engine `aiosonic`: its pool, its connections and their streams.

The bytes are ours, and so is the reading of answers: aiosonic adds headers to each request, takes
100 Continue for the final answer, and has no timeout for a body. TLS contexts are those that the
client's own aiohttp connector has; errors are aiohttp's, as stock's.
Source: `aiosonic.client._do_request`, `aiosonic.connection`, `aiosonic.pools.SmartPool`.

Guarding: a pool belongs to one event loop, and is touched from it alone.
"""

# aiosonic's connections have None for a reader and a writer until they are connected; ours are used
# connected only, and no check is paid for on the way of a call.
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false

from __future__ import annotations

import asyncio
import weakref
from math import inf
from typing import Any
from urllib.parse import ParseResult, urlparse

import aiohttp
from aiosonic.connection import Connection
from aiosonic.pools import PoolConfig, SmartPool
from aiosonic.utils import connection_key

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath.transport.asyncbody import RawBody, refusal_cut_off
from boto_accel.fastpath.transport.asyncerrors import (
    answer_error,
    connecting,
    payload_error,
    read_timeout_error,
)
from boto_accel.fastpath.transport.asyncpool import AsyncPool, Upload, keepalive_of
from boto_accel.fastpath.transport.http1 import (
    LIKE_AIOHTTP,
    AnswerReader,
    BadAnswerError,
    ShortAnswerError,
)
from boto_accel.fastpath.transport.wire import Reply, Wire

READ_BYTES = 64 * 1024  # bytes; one read of a stream, and half of what it holds unread
FAILURES = (OSError, aiohttp.ClientError, BadAnswerError, ShortAnswerError)


class Line(Connection):  # type: ignore[misc]
    """
    A connection of aiosonic's. Owned by one call or one body at a time, or idle.

    One timer ends a wait that takes too long, and an idleness that does.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self._pool: Pool  # set by `begin`
        self._answer: AnswerReader | None = None  # while it is owned
        self.pump: asyncio.Task[None] | None = None  # while a body comes
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0  # loop time
        self._since = 0.0  # loop time at which the peer last did something, or its turn began
        self._uploads = False  # a long body is on its way: the peer need not say anything

    # Called by the pool

    def reuse(self, urlparsed: ParseResult, verify: bool) -> bool:
        """Not where the peer has closed, or has sent what nobody asked for."""
        reader = self.reader
        return (
            super().reuse(urlparsed, verify)
            and not reader.at_eof()
            and not _compat.unread_of(reader)
        )

    def begin(self, pool: Pool, wire: Wire) -> None:
        """Take the connection for one exchange; `end` gives it back."""
        self._pool = pool
        self._answer = AnswerReader(wire.to_head, LIKE_AIOHTTP)

    async def dial(self, place: ParseResult, endpoint: Any) -> None:
        """Connect. By each address in turn: aiosonic's own takes one IPv4 address at random."""
        self.close()
        pool = self._pool
        async with connecting(endpoint, pool.connect_timeout) as (host, port):
            self.reader, self.writer = await asyncio.open_connection(
                host,
                port,
                limit=READ_BYTES,
                ssl=pool.tls if endpoint.https else None,
                server_hostname=host if endpoint.https else None,
            )
        self.temp_key = connection_key(place)

    async def exchange(self, wire: Wire) -> Reply:
        answer = self._answer
        assert answer is not None
        try:
            return await self._exchange(wire, answer)
        except Exception as error:
            refusal = refusal_cut_off(error, wire, answer.status, answer.headers)
            if refusal is None:
                raise
            self.end(False)
            return refusal

    async def _exchange(self, wire: Wire, answer: AnswerReader) -> Reply:
        body = wire.body
        sent = True
        if body is None:
            self.write(wire.head)
        elif not isinstance(body, bytes):
            sent = await self._send_pieces(wire, answer)
        elif not wire.expect:
            self.write(wire.head + body)
        else:
            sent = await self._send_when_asked(wire, body, answer)
        self._peers_turn()
        await self._read_answer(answer, wire.streams)
        answer.reusable = answer.reusable and sent
        return self._reply(wire, answer)

    async def _send_when_asked(self, wire: Wire, body: bytes, answer: AnswerReader) -> bool:
        """After 100 Continue; False where a final answer came in its place."""
        self.write(wire.head)
        self._peers_turn()
        while not (answer.interim or answer.head_done):
            await self._read_for(answer)
        if answer.head_done:
            return False
        self.write(body)
        return True

    async def _send_pieces(self, wire: Wire, answer: AnswerReader) -> bool:
        loop = self._pool.loop
        self._uploads = True
        upload = Upload(loop, self.writer.write, self.writer.drain, self._peers_turn)
        reading = loop.create_task(self._read_answer(answer, wire.streams, upload))
        sent = await upload.send(wire, reading)
        reading.result()
        return sent

    async def _read_answer(
        self, answer: AnswerReader, streams: bool, upload: Upload | None = None
    ) -> None:
        """Until it is whole, or its head is there where the body streams."""
        while not (answer.complete or (answer.head_done and streams and answer.status < 300)):
            await self._read_for(answer)
            if upload is not None and answer.interim:
                upload.go_on()

    async def _read_for(self, answer: AnswerReader) -> None:
        try:
            return await self._read_more(self.reader, answer)
        except FAILURES as error:
            failed = answer_error(error, answer)
        try:
            raise failed  # out of the handler above: it may be the same one
        finally:
            del failed

    async def _read_more(self, reader: asyncio.StreamReader, answer: AnswerReader) -> None:
        data = await reader.read(READ_BYTES)
        if data:
            answer.feed(data)
            self._since = self._pool.loop.time()
        else:
            answer.feed_eof()

    def _reply(self, wire: Wire, answer: AnswerReader) -> Reply:
        status, headers = answer.status, answer.headers
        if not answer.complete:
            raw = RawBody(wire.url, status, b"", self)
            self.pump = self._pool.loop.create_task(
                self._pump_body(weakref.ref(raw), answer, self.reader)
            )
            _compat.leave_pending(self.pump)  # where a body is never read to its end
            return Reply(status, headers, None, raw)
        data = answer.take()
        self.end(answer.reusable)
        if wire.streams and status < 300:
            return Reply(status, headers, None, RawBody(wire.url, status, data, None))
        return Reply(status, headers, data, None)

    async def _pump_body(
        self,
        body: weakref.ref[RawBody],
        answer: AnswerReader,
        reader: asyncio.StreamReader,
    ) -> None:
        """
        Read on as the body comes, while the user takes it.

        A body that the user drops ends this: its finalizer calls `end`.
        """
        try:
            while _passed_on(answer, body()):
                await self._may_read.wait()
                await self._read_more(reader, answer)
        except FAILURES as error:
            self._end_body(body(), payload_error(error, answer), answer)
        else:
            self._end_body(body(), None, answer)

    def _end_body(
        self, body: RawBody | None, error: BaseException | None, answer: AnswerReader
    ) -> None:
        if body is not None and error is None:
            body.feed_eof()
        elif body is not None and error is not None:
            body.fail(error)
        self.end(error is None and answer.complete and answer.reusable)

    def end(self, reusable: bool) -> None:
        """The exchange is over: back to aiosonic's pool."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        pump, self.pump = self.pump, None
        if pump is not None and pump is not asyncio.current_task(self._pool.loop):
            pump.cancel()
        self._may_read.set()
        self.keep = reusable and not answer.surplus and self._pool.ready
        self.key = self.temp_key if self.keep else None
        self._since = self._pool.loop.time()
        self.release()

    def close(self) -> None:
        super().close()
        self._may_read.set()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    @property
    def idle(self) -> bool:
        return self._answer is None

    # For aiohttp's StreamReader, which holds the peer back while the user does not read, and
    # looks at `_reading_paused` and `connected` of its protocol (aiohttp.base_protocol)

    @property
    def connected(self) -> bool:
        return self.writer is not None

    @property
    def _reading_paused(self) -> bool:
        return not self._may_read.is_set()

    def pause_reading(self) -> None:
        if self.connected:  # else the pump comes to its end: nobody would wake it
            self._may_read.clear()

    def resume_reading(self, resume_parser: bool = True) -> None:
        self._since = self._pool.loop.time()
        self._may_read.set()

    # Time

    def _peers_turn(self) -> None:
        """From now on the peer has `read_timeout` to send something."""
        self._uploads = False
        self._since = now = self._pool.loop.time()
        self._set_alarm(now + self._pool.tick)

    def _set_alarm(self, at: float) -> None:
        if self._alarm is not None:
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = self._pool.loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        pool = self._pool
        now = pool.loop.time()
        limit = pool.keepalive if self.idle else pool.read_timeout
        if not self.idle and (self._uploads or self._reading_paused):
            limit = None  # nobody waits for the peer
        due = inf if limit is None else self._since + limit
        if now < due:
            self._set_alarm(min(due, now + pool.tick))
        elif self.idle:
            self.close()
        elif self.reader is not None:
            self.reader.set_exception(read_timeout_error())


def _passed_on(answer: AnswerReader, body: RawBody | None) -> bool:
    """Give *body* what has come of it; whether there is more to come, and somebody to read it."""
    if body is None:
        return False
    for piece in answer.body:
        body.feed(piece)
    answer.body.clear()
    return not answer.complete


class Pool(AsyncPool):
    """
    aiosonic's pool for one client: at most `max_pool_connections` are open, and further calls wait,
    first come, first served.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        if not self._most:
            raise Declined("connections without a bound")
        self.keepalive = keepalive_of(self._session)
        self.tick = min(self.keepalive, self.read_timeout or self.keepalive)  # seconds
        self.tls: Any = None
        self._places: dict[str, ParseResult] = {}
        self._lines: weakref.WeakSet[Line] = weakref.WeakSet()
        self._connections = SmartPool(
            PoolConfig(
                size=self._most,
                max_conn_requests=None,
                max_conn_idle_ms=int(self.keepalive * 1000),
            ),
            Line,
        )

    def _opened(self, session: Any) -> None:
        self.tls = _compat.connector_ssl_of(session.connector)

    async def close(self) -> None:
        await super().close()
        await self._connections.cleanup()
        pumps = [line.pump for line in self._lines if line.pump is not None]
        for line in list(self._lines):
            line.close()
        await asyncio.gather(*pumps, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in callbacks

    def close_idle(self) -> None:
        for line in list(self._lines):
            if line.idle:
                line.close()

    async def _send(self, wire: Wire, endpoint: Any) -> Reply:
        place = self._places.get(endpoint.origin)
        if place is None:
            place = self._places[endpoint.origin] = urlparse(endpoint.origin)
        line = await self._connections.acquire(place)
        line.begin(self, wire)
        try:
            if not line.reuse(place, True):
                self._lines.add(line)
                await line.dial(place, endpoint)
            return await line.exchange(wire)
        except BaseException:
            line.end(False)
            raise
