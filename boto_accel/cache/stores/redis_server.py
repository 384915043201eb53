"""The client of a Redis or Valkey server that a URL names, by redis-py."""

from __future__ import annotations

import inspect
import threading
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from boto_accel.errors import InvalidOptionError, MissingExtraError

PREFIX = "boto-accel"
TIMEOUT_S = 0.5  # seconds; to connect, and for an answer, if the URL does not say otherwise
_OWN = ("cluster", "prefix", "decode_responses")  # options that redis-py must not see

_of_parents: list[Any] = []  # not closed in a child, where another thread may have had its locks


class Server:
    """
    name: for logs, without user and password. prefix: what the names of keys begin with.
    trouble: what a call may raise for what is wrong with the server or the network.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError as error:
            raise MissingExtraError("a cache on redis://", "redis", "redis") from error
        self._redis: Any = redis
        parts = _split(url)
        query = dict(parse_qsl(parts.query))
        self._is_cluster = query.get("cluster", "").lower() in ("1", "true", "yes")
        self.prefix = f"{query.get('prefix', PREFIX)}:".encode()
        self.name = f"{parts.scheme}://{parts.hostname or 'localhost'}:{parts.port or 6379}"
        self._url = self._without_own(parts, query)
        self.trouble = (
            redis.exceptions.RedisError,
            redis.exceptions.RedisClusterException,
            OSError,
        )
        self._lock = threading.Lock()  # held while a client is made, which may ask a cluster
        self._client: Any = None

    def client(self) -> Any:
        """Made at the first call; a cluster is asked for its nodes then."""
        client = self._client
        if client is not None:
            return client
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is None:
            return
        if self._is_cluster:
            client.disconnect_connection_pools()  # `close` leaves those of the nodes open
        client.close()

    def forget(self) -> None:
        """In a forked child: the client, and whoever makes one, are the parent's."""
        _of_parents.append(self._client)
        self._client = None
        self._lock = threading.Lock()

    def _make(self) -> Any:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        kind = self._redis.RedisCluster if self._is_cluster else self._redis.Redis
        # Once more, for a kept connection that the server has closed meanwhile; a server that
        # does not answer is not waited for twice.
        retry = Retry(NoBackoff(), 1, supported_errors=(self._redis.exceptions.ConnectionError,))
        return kind.from_url(
            self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=retry
        )

    def _without_own(self, parts: SplitResult, query: dict[str, str]) -> str:
        rest = {name: value for name, value in query.items() if name not in _OWN}
        known = inspect.signature(self._redis.Redis.__init__).parameters
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
