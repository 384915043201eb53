"""
What redis-py raises, as botocore says it. The one place where the two meet.

| of Redis                                     | of botocore                                  |
| cannot connect                               | EndpointConnectionError, ConnectTimeoutError |
| TLS                                          | SSLError                                     |
| the connection breaks; no answer in time     | ConnectionClosedError, ReadTimeoutError      |
| password, ACL                                | ClientError AccessDenied, 403                |
| OOM                                          | ClientError SlowDown, 503                    |
| LOADING, READONLY, CLUSTERDOWN, TRYAGAIN, …  | ClientError ServiceUnavailable, 503          |
| MOVED and others, of a URL of another kind   | ClientError InvalidRequest, 400              |
| another error                                | ClientError InternalError, 500               |

What is tried again is for the client's retry handlers to say (`retrying.py`).
"""

from __future__ import annotations

import asyncio
import re
import ssl

from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from boto_accel.redis_store.records import DamagedError
from boto_accel.redis_store.semantics import Refusal
from boto_accel.redis_store.urls import Address

# What a script says that looks for a key of its slot which has been moved to another node already.
_ON_THE_WAY = "access a non local key"
# What a server says to which the URL does not fit: what would do is in endpoint_url.
_UNFIT = {
    "Cluster mode is not enabled": "This server is of no cluster; use redis:// in endpoint_url.",
    "DB index": "This server has no database of the number in endpoint_url.",
    "unknown command": "This server lacks a command; is it what endpoint_url says that it is?",
}
_WORD = re.compile(r"[A-Z]{2,20}\b")


def kinds_of_trouble() -> tuple[type[BaseException], ...]:
    """What a command may raise for what is wrong with the server or the network."""
    from redis.exceptions import RedisClusterException, RedisError

    return RedisError, RedisClusterException, OSError, DamagedError


def translated(error: BaseException, address: Address) -> BotoCoreError | Refusal:
    """What is to be raised for *error*; nothing of the command that met it is in there."""
    from redis import exceptions as redis

    for each in _chain(error):
        if isinstance(each, ssl.SSLError):
            return SSLError(endpoint_url=address.shown, error=each)
    for said, text in _UNFIT.items():
        if isinstance(error, redis.ResponseError | redis.RedisClusterException) and said in str(
            error
        ):
            return Refusal("InvalidRequest", 400, text)
    match error:
        case DamagedError():
            return Refusal("InternalError", 500, "A key of Redis is no record of this store.")
        case redis.AuthenticationError() | redis.AuthorizationError() | redis.NoPermissionError():
            return _denied(error)
        case redis.OutOfMemoryError():
            return Refusal("SlowDown", 503, "Redis has reached its maxmemory: reduce what is kept.")
        case redis.BusyLoadingError() | redis.ReadOnlyError() | redis.TryAgainError():
            return _unavailable(error)
        case redis.ClusterDownError() | redis.SlotNotCoveredError():
            return _unavailable(error)
        case redis.ClusterError():  # too many redirections and TRYAGAINs
            return _unavailable(error)
        case redis.MovedError() | redis.AskError():
            text = "This server is a node of a cluster; use redis+cluster:// in endpoint_url."
            return Refusal("InvalidRequest", 400, text)
        case redis.TimeoutError() | asyncio.TimeoutError() | TimeoutError():
            if "connecting" in str(error).lower():
                return ConnectTimeoutError(endpoint_url=address.shown, error=_word(error))
            return ReadTimeoutError(endpoint_url=address.shown, error=_word(error))
        case redis.ResponseError():
            return _answered(error)
        case redis.ConnectionError() | redis.RedisClusterException() | OSError():
            if _is_at_connecting(error):
                return EndpointConnectionError(endpoint_url=address.shown, error=_word(error))
            return ConnectionClosedError(endpoint_url=address.shown, error=_word(error))
    return Refusal("InternalError", 500, f"redis-py: {type(error).__name__}")


def _answered(error: BaseException) -> Refusal:
    """An error answer of which redis-py has no class; its first word tells which."""
    word = _word(error)
    if word in ("NOAUTH", "WRONGPASS", "NOPERM"):
        return _denied(error)
    if word == "OOM":
        return Refusal("SlowDown", 503, "Redis has reached its maxmemory: reduce what is kept.")
    if word in ("LOADING", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS",
                "MISCONF", "BUSY", "UNBLOCKED"):  # fmt: skip
        return _unavailable(error)
    if _ON_THE_WAY in str(error):
        return _unavailable(error)
    return Refusal("InternalError", 500, f"Redis answered {word}")


def _denied(error: BaseException) -> Refusal:
    return Refusal("AccessDenied", 403, f"Redis: {_word(error)}: user, password or ACL")


def _unavailable(error: BaseException) -> Refusal:
    return Refusal("ServiceUnavailable", 503, f"Redis: {_word(error)}. Please try again.")


def _is_at_connecting(error: BaseException) -> bool:
    from redis.exceptions import RedisClusterException

    text = str(error)
    return (
        isinstance(error, RedisClusterException | OSError)
        or text.startswith("No master found")  # a class of its own in each world
        or "connecting to" in text
        or "Redis Cluster cannot be connected" in text
    )


def _word(error: BaseException) -> str:
    """The error's own word ("OOM"), else the name of its class: the rest may hold a command."""
    found = _WORD.match(str(error))
    return found.group() if found else type(error).__name__


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
