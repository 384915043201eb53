"""
The engine `aiohttp`: the connector and the parser of the client's own aiohttp session.

Connections, their bounds, TLS and timeouts are stock's by construction. What is left out is what
aiohttp does around them for each request: `ClientRequest` and `ClientResponse`. The bytes are ours.
Source: `aiohttp.ClientSession._request`, `ClientRequest.send`, `ClientResponse.start`.

Guarding: a pool belongs to one event loop, and is touched from it alone.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp.http_writer import StreamWriter
from yarl import URL

from boto_accel import _compat
from boto_accel.fastpath.transport.asyncbody import READ_BYTES, RawBody, refusal_cut_off
from boto_accel.fastpath.transport.asyncpool import AsyncPool, Upload
from boto_accel.fastpath.transport.wire import Reply, Wire


class StreamedBody(RawBody):
    """
    A body that is still coming: *payload* is aiohttp's stream of it.

    *connection* gives itself back at the end of *payload*.
    """

    def __init__(self, url: str, status: int, payload: Any, connection: Any) -> None:
        super().__init__(url, status, b"", None)
        self.content = payload
        self._connection = connection

    @property
    def closed(self) -> bool:
        return bool(self._connection.closed)

    def _disconnect(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._connection.close()


class Pool(AsyncPool):
    """The connector of the client's own session, which closes it."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._client_session: Any = None
        self._connector: Any = None
        self._places: dict[str, aiohttp.ClientRequest] = {}

    def _opened(self, session: Any) -> None:
        self._client_session = session
        self._connector = session.connector
        self._stop_timeout = _compat.read_timeout_stopper()

    def _place(self, origin: str) -> aiohttp.ClientRequest:
        """A request to *origin*, of which the connector reads where to connect to, and how."""
        place = self._places.get(origin)
        if place is None:
            place = aiohttp.ClientRequest(
                "GET", URL(origin), loop=self.loop, session=self._client_session
            )
            self._places[origin] = place
        return place

    async def _send(self, wire: Wire, endpoint: Any) -> Reply:
        place = self._place(endpoint.origin)
        try:
            connection = await self._connector.connect(place, [], self._timeouts)
            while connection.protocol.should_close:  # an answer came that nobody had asked for
                connection.close()
                connection = await self._connector.connect(place, [], self._timeouts)
        except asyncio.TimeoutError as error:
            raise aiohttp.ServerTimeoutError(f"Connection timeout to host {wire.url}") from error
        try:
            return await self._exchange_on(connection, wire)
        except BaseException:
            connection.close()
            raise

    async def _exchange_on(self, connection: Any, wire: Wire) -> Reply:
        protocol = connection.protocol
        if protocol.transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            skip_payload=wire.to_head,
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self.read_timeout,
            read_bufsize=READ_BYTES,
        )
        write = protocol.transport.write
        body = wire.body
        if body is None:
            write(wire.head)
        elif not isinstance(body, bytes):
            return await self._send_pieces(connection, wire)
        elif not wire.expect:
            write(wire.head + body)
        else:
            write(wire.head)
            message, payload = await protocol.read()
            if not _is_interim(message):
                return await self._reply(connection, wire, message, payload, False)
            write(body)
        protocol.start_timeout()
        message, payload = await _final(protocol)
        return await self._reply(connection, wire, message, payload, True)

    async def _send_pieces(self, connection: Any, wire: Wire) -> Reply:
        protocol = connection.protocol
        writer = StreamWriter(protocol, self.loop)
        upload = Upload(self.loop, protocol.transport.write, writer.drain, protocol.start_timeout)
        answer = self.loop.create_task(_final(protocol, upload))
        sent = await upload.send(wire, answer)
        message, payload = answer.result()
        return await self._reply(connection, wire, message, payload, sent)

    async def _reply(
        self, connection: Any, wire: Wire, message: Any, payload: Any, sent: bool
    ) -> Reply:
        status, headers = message.code, list(message.raw_headers)
        streams = wire.streams and status < 300
        done = connection.release if sent else connection.close
        if not payload.is_eof():
            if streams:
                payload.on_eof(done)
                raw = StreamedBody(wire.url, status, payload, connection)
                return Reply(status, headers, None, raw)
            try:
                data = await payload.read()
            except Exception as error:
                refusal = refusal_cut_off(error, wire, status, headers)
                if refusal is None:
                    raise
                connection.close()
                return refusal
        else:
            data = payload.read_nowait()
            # aiohttp stops it at the end of an answer; this one may have ended before it started.
            self._stop_timeout(connection.protocol)
        done()
        if streams:
            return Reply(status, headers, None, RawBody(wire.url, status, data, None))
        return Reply(status, headers, data, None)


def _is_interim(message: Any) -> bool:
    return 100 <= message.code < 200 and message.code != 101


async def _final(protocol: Any, upload: Upload | None = None) -> tuple[Any, Any]:
    """The head of the final answer, and the stream of its body."""
    while True:
        message, payload = await protocol.read()
        if not _is_interim(message):
            return message, payload
        if upload is not None:
            upload.go_on()
