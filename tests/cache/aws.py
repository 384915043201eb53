"""
An AWS without a network: a sender that answers each call from a function, and counts.

The clients, the hook, the stack and the drivers are the real ones; nothing but the last step is
not.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from boto_accel import botocache_context
from boto_accel._patch import Patch
from boto_accel._stack import Layer
from boto_accel.cache import CachePatch

Answer = Callable[[str, Any], Any]


class Aws(Patch):
    """*answer* is given operation and parameters; what it returns is awaited in async calls."""

    layer = Layer.SEND

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer
        self.calls: list[tuple[str, Any]] = []

    def send(self, client: Any, operation: str, params: Any, stock: Any) -> Any:
        self.calls.append((operation, dict(params)))
        return self.answer(operation, params)

    async def asend(self, client: Any, operation: str, params: Any, stock: Any) -> Any:
        self.calls.append((operation, dict(params)))
        answer = self.answer(operation, params)
        return await answer if inspect.isawaitable(answer) else answer

    @property
    def count(self) -> int:
        return len(self.calls)


class Counting:
    """An answer that is another each time: {"n": 1}, {"n": 2}, and so on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n = 0

    def __call__(self, operation: str, params: Any) -> dict[str, Any]:
        with self._lock:
            self._n += 1
            return reply(n=self._n, of=operation)


def reply(**members: Any) -> dict[str, Any]:
    metadata = {"HTTPStatusCode": 200, "HTTPHeaders": {"a": "b"}, "RetryAttempts": 0}
    return {**members, "ResponseMetadata": metadata}


def is_hit(found: Any) -> bool:
    return "BotoAccelCache" in found["ResponseMetadata"]


def error(client: Any, code: str, operation: str, status: int = 404) -> ClientError:
    """As `_make_api_call` raises it."""
    response = {
        "Error": {"Code": code, "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    made: ClientError = client.exceptions.from_code(code)(response, operation)
    return made


class Clock:
    """Stands still until it is moved. Seconds."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def cached(clock: Clock | None = None, **options: Any) -> Iterator[CachePatch]:
    """A cache in memory, by *clock*."""
    cache = make_cache(clock, **options)
    with cache:
        yield cache


def make_cache(clock: Clock | None = None, **options: Any) -> CachePatch:
    made = botocache_context(**{"cache": "memory://", **options})
    if clock is None:
        return made
    from boto_accel.cache.stores.memory import MemoryStore

    store = MemoryStore(max_entries=1000, clock=clock)
    return CachePatch(lambda: store, made.options, clock=clock)


def make_client(service: str = "iam", key: str = "AKIAONE", **options: Any) -> Any:
    """A client of botocore's; nobody listens where it would send to."""
    session = botocore.session.Session()
    session._credentials = Credentials(key, "secret")
    options = {"region_name": "eu-west-1", "endpoint_url": "http://127.0.0.1:1", **options}
    return session.create_client(service, **options)


async def make_async_client(
    stack: Any, service: str = "iam", key: str = "AKIAONE", **options: Any
) -> Any:
    """The same of aiobotocore's, for an AsyncExitStack to close."""
    from aiobotocore.session import AioSession

    options = {"region_name": "eu-west-1", "endpoint_url": "http://127.0.0.1:1", **options}
    credentials = {"aws_access_key_id": key, "aws_secret_access_key": "secret"}
    client = AioSession().create_client(service, **credentials, **options)
    return await stack.enter_async_context(client)
