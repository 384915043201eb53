"""
The `direct` engine for boto3: blocking sockets, a pool a client and origin.

Connections are made by botocore's own urllib3 pool (`_new_conn`, `connect`), so that name
resolution, socket options, TLS and its verification are stock's; the bytes are ours.

Guarding: `_idle` is a deque, whose append and pop are atomic (also in free-threaded CPython,
where they lock the deque); a connection is owned by one call or one body at a time.
"""

from __future__ import annotations

import errno
import http.client
import io
import logging
import os
import select
import socket
import ssl
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from urllib3 import exceptions as urllib3_errors
from urllib3.util.timeout import Timeout

from boto_accel import _compat
from boto_accel.fastpath.transport.http1 import (
    AnswerReader,
    BadAnswerError,
    ShortAnswerError,
    content_length,
)
from boto_accel.fastpath.transport.rawbody import (
    REFUSES_SHORT_BODIES,
    Broken,
    RawBody,
    cut_short,
    incomplete,
)
from boto_accel.fastpath.transport.wire import Reply, Wire

RECV_BYTES = 64 * 1024  # bytes; one read of a head, and of a chunked body
EXPECT_WAIT_S = 1.0  # seconds; botocore.awsrequest.AWSConnection._send_output
POOL_IS_FULL = "Connection pool is full, discarding connection: %s. Connection pool size: %s"

logger = logging.getLogger("urllib3.connectionpool")  # whose warning tells who needs larger pools

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


class Connection:
    """
    One kept-alive connection, around the urllib3 connection that made it.

    recv, send: as the socket's `recv` and `sendall`.
    """

    __slots__ = ("_http", "_poll", "lent", "recv", "send", "sock")

    def __init__(self, http_connection: Any) -> None:
        self._http = http_connection
        self.sock = sock = http_connection.sock
        self.lent = False  # whether somebody was given the socket, and may have set its timeout
        self.recv: Callable[[int], bytes] = sock.recv
        self.send: Callable[[bytes | memoryview], object] = sock.sendall
        if isinstance(sock, ssl.SSLSocket):  # what these come to, three functions further in
            self.recv = sock.read
            self.send = partial(_write_all, sock)
        self._poll: Any = None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(self.sock, select.POLLIN)

    def readable(self, timeout_s: float) -> bool:
        """Whether bytes, or the end of the stream, can be read within *timeout_s*."""
        if self._poll is not None:
            return bool(self._poll.poll(timeout_s * 1000))
        return bool(select.select([self.sock], [], [], timeout_s)[0])

    def holds_bytes(self) -> bool:
        """
        Whether TLS has bytes that came in one record with those that were read: no poll shows them.
        """
        if isinstance(self.sock, ssl.SSLSocket):
            return self.sock.pending() > 0
        return not isinstance(self.sock, socket.socket)  # another TLS (pyOpenSSL): not known

    def close(self) -> None:
        self._http.close()


class Pool:
    """
    The connections of one client to one origin.

    As in stock, `max_pool_connections` bounds those that are kept, not those in use
    (urllib3's `block=False`).
    """

    def __init__(self, urllib3_pool: Any, timeout: Any, most_kept: int) -> None:
        self._urllib3_pool = urllib3_pool
        self._connect_timeout, self._read_timeout = _timeouts(timeout)
        self._most_kept = most_kept
        self._idle: deque[Connection] = deque()
        weakref.finalize(self, _close_all, self._idle)
        _pools.add(self)

    def take(self) -> Connection:
        """An idle connection that the server has not closed, or a new one."""
        idle = self._idle
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                break
            if not connection.readable(0):
                return connection
            connection.close()  # readable while idle: closed by the server, or out of step
        return self._connect()

    def give(self, connection: Connection) -> None:
        """Keep *connection* for the next call, or close it where enough are kept."""
        if len(self._idle) < self._most_kept:
            self._idle.append(connection)
        else:
            logger.warning(POOL_IS_FULL, self._urllib3_pool.host, len(self._idle))
            connection.close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        _close_all(self._idle)

    def forget(self) -> None:
        """After a fork, in the child: the sockets are the parent's. Nothing is sent on them."""
        inherited, self._idle = self._idle, deque()
        weakref.finalize(self, _close_all, self._idle)
        _close_all(inherited)

    def _connect(self) -> Connection:
        made = self._urllib3_pool._new_conn()
        made.timeout = self._connect_timeout
        try:
            made.connect()
            _compat.warn_of_unverified(self._urllib3_pool, made)
        except BaseException:
            made.close()
            raise
        made.sock.settimeout(self._read_timeout)
        return Connection(made)

    def exchange(self, wire: Wire) -> Reply:
        """
        Send *wire*, read the answer. Raises botocore's exceptions, as `URLLib3Session.send` does.
        """
        try:
            connection = self.take()
        except Exception as error:
            failed = connect_error(error, wire, self._urllib3_pool)
        else:
            try:
                return self._exchange_on(connection, wire)
            except BaseException as error:
                connection.close()
                if not isinstance(error, Exception):
                    raise
                failed = exchange_error(error, wire, self._urllib3_pool)
        try:
            raise failed  # out of the handlers above, for its context is urllib3's
        finally:
            del failed  # else it would refer to itself, by its traceback and this frame

    def _exchange_on(self, connection: Connection, wire: Wire) -> Reply:
        reader = AnswerReader(wire.to_head)
        if self._connect_timeout == self._read_timeout and not connection.lent:
            sent = _send(connection, wire, reader)
        else:  # urllib3 sends under the connect timeout, and reads under the other
            connection.sock.settimeout(self._connect_timeout)
            sent = _send(connection, wire, reader)
            connection.sock.settimeout(self._read_timeout)
        recv = connection.recv
        while not reader.head_done:
            data = recv(RECV_BYTES)
            if not data:
                reader.feed_eof()
            reader.feed(data)
        reusable = reader.reusable and sent
        if reader.complete:
            body = reader.take()
            if reusable and not reader.surplus:
                self.give(connection)
            else:
                connection.close()
            if wire.streams and reader.status < 300:
                raw = RawBody(body, None, reader)
                return Reply(reader.status, reader.headers, None, raw)
            return Reply(reader.status, reader.headers, body, None)
        source = Rest(self, connection, reader, reusable)
        if not wire.streams:
            body = source.read_whole(reader.take())
            return Reply(reader.status, reader.headers, body, None)
        raw = RawBody(reader.take(), source, reader)
        if reader.status < 300:
            return Reply(reader.status, reader.headers, None, raw)
        try:
            return Reply(reader.status, reader.headers, b"".join(raw.stream()), None)
        except urllib3_errors.HTTPError as error:
            # Stock reads it where no attempt is made again: it is for stock to raise.
            raw = RawBody(b"", Broken(source.as_streamed(error)), reader)
            return Reply(reader.status, reader.headers, None, raw)


class Rest:
    """The part of a body that is still on the connection (`rawbody.Source`)."""

    __slots__ = (
        "_broken",
        "_connection",
        "_left",
        "_length",
        "_pool",
        "_reader",
        "_reusable",
        "drained",
    )

    def __init__(
        self, pool: Pool, connection: Connection, reader: AnswerReader, reusable: bool
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._reader = reader
        self._reusable = reusable
        self.drained = False
        self._length = length = content_length(reader.headers)
        # With a length the parser is not needed any more: bytes are counted, not copied.
        self._left = None if length is None else length - sum(map(len, reader.body))
        self._broken: Broken | None = None  # what the next read is to end in

    @property
    def socket(self) -> Any:
        self._connection.lent = True
        return self._connection.sock

    def read(self, amount: int | None, before: bytes) -> bytes:
        if self._broken is not None:
            return self._broken.read(amount, before)
        if self.drained:
            return before
        try:
            if self._left is None:
                return self._read_parsed(amount, before)
            return self._read_counted(amount, before)
        except TimeoutError as error:
            self.abandon()
            raise urllib3_errors.ReadTimeoutError(
                self._pool._urllib3_pool, None, "Read timed out."
            ) from error
        except urllib3_errors.HTTPError:
            self.abandon()
            raise
        except (OSError, BadAnswerError) as error:
            self.abandon()
            raise urllib3_errors.ProtocolError(f"Connection broken: {error!r}", error) from error
        except BaseException:
            self.abandon()
            raise

    def read_whole(self, before: bytes) -> bytes:
        """
        *before* and all of the rest, for an answer that is parsed whole.

        Where stock does not check its length, a body that is shorter is handed on as it is: such
        answers are read in pieces (`AWSResponse.content`), where http.client does not check it.
        """
        if self._left is None:
            try:
                return self._read_parsed(None, before)
            except urllib3_errors.HTTPError as error:
                raise self.as_streamed(error) from None
        data = self._read_counted(self._left, before)
        self.abandon()  # where it is shorter
        if self._left and self._length and REFUSES_SHORT_BODIES:
            raise cut_short(self._length - self._left, self._length).error
        return data

    def _read_counted(self, amount: int | None, before: bytes) -> bytes:
        left = self._left
        assert left is not None
        wanted = left if amount is None else min(amount, left)
        source = _Received(self._connection.sock, before)
        data = io.BufferedReader(source, 1).read(len(before) + wanted)
        got = len(data) - len(before)
        self._left = left - got
        if got < wanted:
            return self._cut_short(data, before, amount)
        if self._left == 0:
            self._finish()
        return data

    def _cut_short(self, data: bytes, before: bytes, amount: int | None) -> bytes:
        """
        What a read gives that comes to the end of the connection before that of the body.

        Source: `http.client.HTTPResponse.read`, which checks the length where it is asked for all,
        and `urllib3.HTTPResponse._raw_read`, which does where there is nothing left to give.
        """
        assert self._length is not None
        assert self._left is not None
        if data and amount is not None:
            return data  # the next read comes to the end as well, and may be of all
        self.abandon()
        if REFUSES_SHORT_BODIES:
            self._broken = cut_short(self._length - self._left - len(data), self._length)
        if amount is None:
            raise incomplete(http.client.IncompleteRead(data, self._left))
        if self._broken is not None:
            raise self._broken.error
        return data

    def _read_parsed(self, amount: int | None, before: bytes) -> bytes:
        reader = self._reader
        pieces = [before]
        got = len(before)
        if amount is not None:
            amount += got
        while True:
            piece = reader.take()
            if piece:
                pieces.append(piece)
                got += len(piece)
            if reader.complete or (amount is not None and got >= amount):
                break
            self._feed(reader, pieces)
        data = b"".join(pieces)
        if amount is not None and got > amount:
            reader.body.append(data[amount:])
            data = data[:amount]
        elif reader.complete:
            self._finish()
        return data

    def _feed(self, reader: AnswerReader, before: list[bytes]) -> None:
        data = self._connection.recv(RECV_BYTES)
        try:
            if data:
                reader.feed(data)
            else:
                reader.feed_eof()
        except ShortAnswerError:
            # http.client counts the chunks that are complete
            read = b"".join(before) + reader.take()
            error = http.client.IncompleteRead(read[: len(read) - reader.got + reader.in_chunks])
            raise urllib3_errors.ProtocolError(f"Connection broken: {error!r}", error) from None
        except BadAnswerError as bad:
            raise urllib3_errors.ProtocolError(f"Connection broken: {bad!r}", bad) from None

    def as_streamed(self, error: Exception) -> Exception:
        """*error* as `urllib3.HTTPResponse.stream` has it, which reads chunks by itself."""
        reader = self._reader
        is_short = isinstance(error.args[-1], http.client.IncompleteRead)
        if is_short and self._left is None and reader.got == reader.in_chunks:
            return urllib3_errors.ProtocolError("Response ended prematurely")
        return error

    def _finish(self) -> None:
        self.drained = True
        surplus = self._reader.surplus or self._connection.holds_bytes()
        if self._reusable and not surplus:
            self._pool.give(self._connection)
        else:
            self._connection.close()

    def abandon(self) -> None:
        if not self.drained:
            self.drained = True
            self._connection.close()


class _Received(io.RawIOBase):
    """
    *before*, then a socket, as a raw file. Under a `BufferedReader` without a buffer to speak
    of, it fills the bytes that are returned in place: a body is neither copied nor joined.
    """

    def __init__(self, sock: Any, before: bytes) -> None:
        self._recv_into = sock.recv_into
        self._before = before

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        before = self._before
        if before:
            taken = min(len(before), len(buffer))
            buffer[:taken] = before[:taken]
            self._before = before[taken:]
            return taken
        return self._recv_into(buffer)


def _send(connection: Connection, wire: Wire, reader: AnswerReader) -> bool:
    """
    Send the request; True when all of it was sent.

    A peer that stops reading may still have answered, so a broken pipe is not an error here.
    Source: urllib3's `HTTPConnectionPool._make_request`.
    """
    send = connection.send
    body = wire.body
    try:
        if body is None:
            send(wire.head)
            return True
        if isinstance(body, bytes) and not wire.expect:
            send(wire.head + body)
            return True
        send(wire.head)
        if wire.expect and not _may_continue(connection, reader):
            return False
        for piece in (body,) if isinstance(body, bytes) else body():
            send(piece)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE):
            raise
        return False
    return True


def _may_continue(connection: Connection, reader: AnswerReader) -> bool:
    """
    Whether to send the body: the server said 100, or nothing in time; False on a final answer.

    Source: RFC 9110, 10.1.1; `botocore.awsrequest.AWSConnection._send_output`.
    """
    if not connection.readable(EXPECT_WAIT_S):
        return True
    while not reader.interim and not reader.head_done:
        data = connection.recv(RECV_BYTES)
        if not data:
            reader.feed_eof()
        reader.feed(data)
    return not reader.head_done


def _write_all(sock: ssl.SSLSocket, data: bytes | memoryview) -> None:
    """`SSLSocket.sendall`, which as a rule is one write; OpenSSL does not define that of b""."""
    if not data:
        return
    written = sock.write(data)
    if written < len(data):
        sock.sendall(memoryview(data)[written:])


def connect_error(error: Exception, wire: Wire, pool: Any) -> Exception:
    """botocore's exception for a connection that could not be made."""
    url = wire.url
    # In this order: urllib3's NewConnectionError is a ConnectTimeoutError, too.
    if isinstance(error, urllib3_errors.NewConnectionError):
        return _after(EndpointConnectionError(endpoint_url=url, error=error), error)
    if isinstance(error, urllib3_errors.ConnectTimeoutError):
        return _after(ConnectTimeoutError(endpoint_url=url, error=error), error)
    return exchange_error(error, wire, pool)


def exchange_error(error: Exception, wire: Wire, pool: Any) -> Exception:
    """
    botocore's exception for an exchange that failed.

    Source: `urllib3.HTTPConnectionPool.urlopen`, then `botocore.httpsession.URLLib3Session.send`.
    """
    url = wire.url
    if isinstance(error, (ssl.SSLError, urllib3_errors.SSLError)) or _is_certificate(error):
        return _after(SSLError(endpoint_url=url, error=urllib3_errors.SSLError(error)), error)
    if isinstance(error, TimeoutError):
        timeout = urllib3_errors.ReadTimeoutError(
            pool, url, f"Read timed out. (read timeout={_read_timeout(pool)})"
        )
        return _after(ReadTimeoutError(endpoint_url=url, error=timeout), error)
    if isinstance(error, ShortAnswerError):
        error = http.client.RemoteDisconnected("Remote end closed connection without response")
    elif isinstance(error, BadAnswerError):
        error = http.client.BadStatusLine(str(error))
    if isinstance(error, urllib3_errors.ProtocolError):
        return _after(ConnectionClosedError(error=error, endpoint_url=url, request=None), error)
    if isinstance(error, (OSError, http.client.HTTPException)):
        broken = urllib3_errors.ProtocolError("Connection aborted.", error)
        return _after(ConnectionClosedError(error=broken, endpoint_url=url, request=None), error)
    return _after(HTTPClientError(error=error), error)


def _after(raised: BotoCoreError, first: Exception) -> BotoCoreError:
    """*raised* as it is when botocore has met urllib3's exception, and that one *first*."""
    met: Exception = raised.kwargs["error"]
    if met is not first:
        met.__context__ = first
    raised.__context__ = met
    return raised


def _is_certificate(error: Exception) -> bool:
    return type(error).__name__ == "CertificateError"  # urllib3's and ssl's differ by version


def _read_timeout(pool: Any) -> Any:
    return getattr(pool.timeout, "read_timeout", pool.timeout)


def _timeouts(timeout: Any) -> tuple[float | None, float | None]:
    """(connect, read) in seconds; None waits for ever."""
    if isinstance(timeout, Timeout):
        connect, read = timeout.connect_timeout, timeout.read_timeout
        return _plain(connect), _plain(read)
    return timeout, timeout


def _plain(seconds: Any) -> float | None:
    return seconds if isinstance(seconds, (int, float)) else None


def _close_all(idle: deque[Connection]) -> None:
    while True:
        try:
            connection = idle.pop()
        except IndexError:
            return
        connection.close()


def _all_pools() -> list[Pool]:
    """Those that there are; looked at anew where another thread makes one meanwhile."""
    while True:
        try:
            return list(_pools)
        except RuntimeError:  # "Set changed size during iteration"
            continue


def _forget_all() -> None:
    for pool in _all_pools():
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def close_idle_connections() -> None:
    """Close the idle connections of all pools."""
    for pool in _all_pools():
        pool.close()
