"""
Errors of the network in the async world.

An engine raises what aiohttp would raise; `translated` is what `AIOHTTPSession.send` makes of it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, TransferEncodingError
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

from boto_accel.fastpath.transport.http1 import (
    AnswerReader,
    BadAnswerError,
    ShortAnswerError,
    content_length,
)
from boto_accel.fastpath.transport.wire import Wire

if sys.version_info >= (3, 11):
    from asyncio import timeout as time_limit
else:  # what aiohttp itself asks for there
    from async_timeout import timeout as time_limit  # pyright: ignore[reportMissingImports]

TIMEOUTS = (asyncio.TimeoutError, TimeoutError)  # one and the same from Python 3.11 on
# Methods that aiohttp sends once more where the server hung up without an answer (RFC 9112, 9.3.1).
# Before 3.10 it has no such table, and sends nothing again.
IDEMPOTENT: frozenset[str] = getattr(aiohttp.client, "IDEMPOTENT_METHODS", frozenset())


@asynccontextmanager
async def connecting(endpoint: Any, seconds: float | None) -> AsyncIterator[tuple[str, int]]:
    """
    Around the making of a connection, with its (host, port); raises aiohttp's errors.

    Source: `aiohttp.connector.TCPConnector._wrap_create_connection`, `aiohttp.ClientSession`.
    """
    parts = urlsplit(endpoint.origin)
    host = parts.hostname or ""
    port = parts.port or (443 if endpoint.https else 80)
    key: Any = SimpleNamespace(host=host, port=port, is_ssl=endpoint.https, ssl=True)
    try:
        # Not `wait_for`: up to Python 3.11, cancelled just as the connection is made, it
        # returns the connection, and the call goes on.
        async with time_limit(seconds):
            yield host, port
    except TIMEOUTS as error:
        if isinstance(error, OSError) and error.errno is not None:  # the kernel's own
            raise aiohttp.ClientConnectorError(key, error) from error
        raise aiohttp.ServerTimeoutError(f"Connection timeout to host {endpoint.url}") from error
    except ssl.CertificateError as error:
        raise aiohttp.ClientConnectorCertificateError(key, error) from error
    except ssl.SSLError as error:
        raise aiohttp.ClientConnectorSSLError(key, error) from error
    except socket.gaierror as error:  # before aiohttp 3.10 of the more general class
        kind = getattr(aiohttp, "ClientConnectorDNSError", aiohttp.ClientConnectorError)
        raise kind(key, error) from error
    except OSError as error:
        raise aiohttp.ClientConnectorError(key, error) from error


def read_timeout_error() -> aiohttp.ClientError:
    """Source: `ResponseHandler._on_read_timeout`; before aiohttp 3.10 of the more general class."""
    kind = getattr(aiohttp, "SocketTimeoutError", aiohttp.ServerTimeoutError)
    return kind("Timeout on reading data from socket")


def answer_error(error: BaseException, reader: AnswerReader) -> BaseException:
    """While the answer is waited for. Source: `aiohttp.client_proto.ResponseHandler`."""
    if reader.head_done:
        return payload_error(error, reader)
    if isinstance(error, ShortAnswerError):
        return aiohttp.ServerDisconnectedError()
    if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError):
        return _caused(aiohttp.ClientOSError(*error.args), error)
    return error


def payload_error(error: BaseException, reader: AnswerReader) -> BaseException:
    """In the middle of a body. Source: `ResponseHandler.connection_lost`, in aiohttp's words."""
    if isinstance(error, aiohttp.ClientError):
        return error
    if isinstance(error, BadAnswerError):
        return TransferEncodingError(str(error))
    length = content_length(reader.headers)
    missing: Exception = TransferEncodingError("Not enough data to satisfy transfer length header.")
    if length is not None:
        missing = ContentLengthError(
            "Not enough data to satisfy content length header "
            f"(received {reader.got} of {length} bytes)."
        )
    text = f"Response payload is not completed: {missing!r}"
    if not isinstance(error, ShortAnswerError):
        text = f"{text}. {error!r}"
    return _caused(aiohttp.ClientPayloadError(text), missing)


def _caused(raised: Exception, cause: BaseException) -> Exception:
    """Source: `aiohttp.helpers.set_exception`."""
    raised.__cause__ = cause
    return raised


def hung_up(error: Exception) -> bool:
    """Whether aiohttp would send the request once more."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return False
    return isinstance(error, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError))


def translated(error: Exception, wire: Wire) -> Exception:
    """Source: `aiobotocore.httpsession.AIOHTTPSession.send`."""
    url = wire.url
    if isinstance(error, aiohttp.ClientSSLError):
        return SSLError(endpoint_url=url, error=error)
    if isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)):
        return ConnectionClosedError(error=error, request=None, endpoint_url=url)
    if isinstance(error, aiohttp.ServerTimeoutError):
        if str(error).lower().startswith("connect"):
            return ConnectTimeoutError(endpoint_url=url, error=error)
        return ReadTimeoutError(endpoint_url=url, error=error)
    if isinstance(error, (aiohttp.ClientConnectionError, OSError)):
        return EndpointConnectionError(endpoint_url=url, error=error)
    return HTTPClientError(error=error)
