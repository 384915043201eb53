"""
What is run and timed: one class a kind of client, each with `run(calls)` and `close()`.

A subject is made before anything is timed, with its client, its threads or its event loop;
`run` does nothing but the calls.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any, Protocol

from boto_accel.bench.cases import CACHED_KEYS, LIST_KEYS, Case
from boto_accel.bench.errors import TargetUnfitError
from boto_accel.bench.services import CALLS
from boto_accel.bench.target import Target
from boto_accel.errors import MissingExtraError

# Connections for a thousand calls in flight: what a careful user sets, and not a thousand sockets.
MAX_CONNECTIONS = 100
SyncCall = Callable[[], object]
AsyncCall = Callable[[], Awaitable[object]]


class Subject(Protocol):
    """Something that makes calls."""

    def run(self, calls: int) -> None:
        """Make *calls* calls, as many of them at once as the case says."""

    def close(self) -> None:
        """Give back connections, threads and loops."""


def make_subject(case: Case, target: Target) -> Subject:
    """The subject of *case*; raises MissingExtraError where its library is not installed."""
    if case.makes_clients:
        from boto_accel.bench.making import making_subject

        return making_subject(case, target)
    return _KINDS[case.client](case, target)


def get_key(size: int) -> str:
    """Name of the object of *size* bytes that get and head cases read."""
    return f"get/{size}"


def put_key(size: int) -> str:
    return f"put/{size}"


def object_key(size: int, number: int) -> str:
    """Name of one of the many objects of *size* bytes."""
    return f"many/{size}/{number:06d}"


def list_prefix() -> str:
    """Prefix of the LIST_KEYS objects that list cases list."""
    return "list/"


# Synchronous ---------------------------------------------------------------------------------


class Threads:
    """The same synchronous call in one or more threads; one runs where it was called."""

    def __init__(self, case: Case, call: SyncCall, close: Callable[[], None]) -> None:
        self._threads = case.in_flight
        self._call = call
        self._close = close
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None

    def run(self, calls: int) -> None:
        if self._pool is None:
            self._repeat(calls)
            return
        shares = [calls // self._threads] * self._threads
        shares[0] += calls % self._threads
        for _ in self._pool.map(self._repeat, shares):
            pass

    def _repeat(self, calls: int) -> None:
        call = self._call
        for _ in range(calls):
            call()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._close()


def _config(case: Case) -> dict[str, Any]:
    """Arguments of botocore's Config; everything not named here is botocore's default."""
    settings: dict[str, Any] = {"s3": {"addressing_style": "path"}}
    if case.in_flight > 10:  # botocore's own default
        settings["max_pool_connections"] = min(case.in_flight, MAX_CONNECTIONS)
    if case.operation == "presign-s3v4":
        settings["signature_version"] = "s3v4"
    return settings


def _boto3(case: Case, target: Target) -> Subject:
    try:
        import boto3
    except ImportError as error:
        raise MissingExtraError(case.name, "boto3", "bench") from error
    from botocore.config import Config

    arguments = target.client_arguments()
    client = boto3.Session().client(case.service, config=Config(**_config(case)), **arguments)
    if case.batched:
        from boto_accel.bench import batched

        return Threads(case, batched.boto3_call(client, case, target), client.close)
    return Threads(case, boto3_call(client, case, target), client.close)


def boto3_call(client: Any, case: Case, target: Target) -> SyncCall:
    """One call of *case* through a boto3 client; a get reads its body."""
    method, params = request_of(case, target)
    bound = getattr(client, method)
    stream = stream_of(case)
    if stream:
        return lambda: bound(**params)[stream].read()
    return lambda: bound(**params)


def stream_of(case: Case) -> str | None:
    """The member of the results of *case* that is a stream, and read."""
    call = CALLS.get(case.operation)
    if call is not None:
        return call.payload
    return "Body" if case.operation == "get" else None


def request_of(case: Case, target: Target) -> tuple[str, dict[str, Any]]:
    """Client method and parameters of one call of *case*."""
    if case.operation in CALLS:
        call = CALLS[case.operation]
        return call.method, dict(call.params)
    bucket = {"Bucket": target.bucket}
    get = {**bucket, "Key": target.key(get_key(case.size))}
    match case.operation:
        case "get":
            return "get_object", get
        case "head":
            return "head_object", {**bucket, "Key": target.key(get_key(1024))}
        case "put" | "batched-put":
            key = target.key(put_key(case.size))
            return "put_object", {**bucket, "Key": key, "Body": bytes(case.size)}
        case "list" | "cached-memory" | "cached-sqlite":
            return "list_objects_v2", {
                **bucket,
                "Prefix": target.key(list_prefix()),
                "MaxKeys": CACHED_KEYS if case.cached else LIST_KEYS,
            }
        case _:
            return "generate_presigned_url", {"ClientMethod": "get_object", "Params": get}


# Asynchronous --------------------------------------------------------------------------------


class Tasks:
    """The same asynchronous call in one or more tasks, on an event loop of its own."""

    def __init__(self, case: Case, opened: Callable[[AsyncExitStack], Awaitable[AsyncCall]]):
        self._tasks = case.in_flight
        self._loop = _new_loop(case.loop)
        self._stack = AsyncExitStack()
        self._call = self._loop.run_until_complete(_opening(opened, self._stack))

    def run(self, calls: int) -> None:
        self._loop.run_until_complete(self._spread(calls))

    async def _spread(self, calls: int) -> None:
        if self._tasks == 1:
            await self._repeat(calls)
            return
        shares = [calls // self._tasks] * self._tasks
        for index in range(calls % self._tasks):
            shares[index] += 1
        await asyncio.gather(*(self._repeat(share) for share in shares if share))

    async def _repeat(self, calls: int) -> None:
        call = self._call
        for _ in range(calls):
            await call()

    def close(self) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _opening(
    opened: Callable[[AsyncExitStack], Awaitable[AsyncCall]], stack: AsyncExitStack
) -> AsyncCall:
    return await opened(stack)


def _new_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind != "uvloop":
        return asyncio.new_event_loop()
    try:
        import uvloop
    except ImportError as error:
        raise MissingExtraError("uvloop cases", "uvloop", "bench") from error
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _aiobotocore(case: Case, target: Target) -> Subject:
    try:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session
    except ImportError as error:
        raise MissingExtraError(case.name, "aiobotocore", "async") from error

    async def opened(stack: AsyncExitStack) -> AsyncCall:
        client = await stack.enter_async_context(
            get_session().create_client(
                case.service, config=AioConfig(**_config(case)), **target.client_arguments()
            )
        )
        return aiobotocore_call(client, case, target)

    return Tasks(case, opened)


def aiobotocore_call(client: Any, case: Case, target: Target) -> AsyncCall:
    """One call of *case* through an aiobotocore client; a get reads its body and releases it."""
    method, params = request_of(case, target)
    bound: Callable[..., Awaitable[object]] = getattr(client, method)

    stream = stream_of(case)

    async def read(**params: Any) -> bytes:
        reply: Any = await bound(**params)
        async with reply[stream] as body:
            data: bytes = await body.read()
            return data

    call = read if stream else bound
    if not case.objects:
        return lambda: call(**params)
    keys = cycle(target.key(object_key(case.size, number)) for number in range(case.objects))
    return lambda: call(**{**params, "Key": next(keys)})


# Beside them ---------------------------------------------------------------------------------


def _obstore(case: Case, target: Target) -> Subject:
    try:
        import obstore
    except ImportError as error:
        raise MissingExtraError(case.name, "obstore", "bench") from error
    store = _obstore_store(target)
    key = target.key(put_key(case.size) if case.operation == "put" else get_key(case.size))
    body = bytes(case.size)

    async def get_async() -> object:
        return await (await obstore.get_async(store, key)).bytes_async()

    async def opened(_: AsyncExitStack) -> AsyncCall:
        return get_async if case.operation == "get" else lambda: obstore.put_async(store, key, body)

    def get() -> object:
        return obstore.get(store, key).bytes()

    if case.loop:
        return Tasks(case, opened)
    call = get if case.operation == "get" else lambda: obstore.put(store, key, body)
    return Threads(case, call, lambda: None)


def _obstore_store(target: Target) -> Any:
    from obstore.store import S3Store

    return S3Store(
        target.bucket,
        endpoint=target.endpoint,
        region=target.region,
        virtual_hosted_style_request=False,
        **_obstore_credentials(target),
        # It takes no CA file; the benchmark's own certificate is known to no other.
        client_options={
            "allow_http": True,
            "allow_invalid_certificates": isinstance(target.verify, str) or not target.verify,
        },
    )


def _obstore_credentials(target: Target) -> dict[str, Any]:
    """The credentials that botocore finds, for a library with ways of its own to find them."""
    if target.access_key and target.secret_key:
        return {"access_key_id": target.access_key, "secret_access_key": target.secret_key}
    from botocore.session import Session

    found = Session().get_credentials()
    if found is None:
        raise TargetUnfitError("obstore", "no AWS credentials found")
    keys = found.get_frozen_credentials()
    names = {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key}
    return {**names, "session_token": keys.token} if keys.token else names


def _socket(case: Case, target: Target) -> Subject:
    """
    A request made ready beforehand, and an answer read and not looked at: the floor.

    A put waits for 100 Continue before it sends the body, as botocore does. Nothing is signed, so
    it runs against the benchmark's own server only.
    """
    if target.access_key is None:
        raise TargetUnfitError(case.name, "it signs nothing, and needs the benchmark's own server")
    connection = _connect(target)
    head = _head(case, target)
    body = bytes(case.size) if case.operation == "put" else b""

    def exchange() -> None:
        connection.sendall(head)
        data = connection.recv(65536)
        if body:
            connection.sendall(body)
            data = connection.recv(65536)
        while (missing := _missing(data)) > 0:
            data += connection.recv(missing)

    return Threads(case, exchange, connection.close)


def _connect(target: Target) -> socket.socket:
    host, _, port = target.endpoint.partition("://")[2].rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if target.scheme == "http":
        return connection
    context = ssl.create_default_context(cafile=str(target.verify))
    return context.wrap_socket(connection, server_hostname=host)


def _head(case: Case, target: Target) -> bytes:
    """A head as long as botocore's; the header values stand for a signature."""
    is_put = case.operation == "put"
    key = put_key(case.size) if is_put else get_key(case.size)
    lines = [
        f"{case.operation.upper()} /{target.bucket}/{target.key(key)} HTTP/1.1",
        f"Host: {target.endpoint.partition('://')[2]}",
        "User-Agent: boto-accel-bench " + "x" * 200,
        "X-Amz-Date: 20240101T000000Z",
        "X-Amz-Content-SHA256: " + "e" * 64,
        "Authorization: AWS4-HMAC-SHA256 " + "0" * 250,
        "amz-sdk-invocation-id: 00000000-0000-0000-0000-000000000000",
        "amz-sdk-request: attempt=1",
    ]
    if is_put:
        lines += ["Expect: 100-continue", f"Content-Length: {case.size}"]
    return "\r\n".join([*lines, "", ""]).encode()


def _missing(data: bytes) -> int:
    """Bytes of the answer that have not come; at least 1 before the length is known."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 65536
    start = data.index(b"Content-Length: ") + 16
    length = int(data[start : data.index(b"\r", start)])
    return end + 4 + length - len(data)


def _botocache(case: Case, target: Target) -> Subject:
    from boto_accel.bench.cached import botocache_subject

    return botocache_subject(case, target)


def _redis(case: Case, target: Target) -> Subject:
    from boto_accel.bench.onredis import bare_subject, redis_subject

    return bare_subject(case, target) if case.client == "redis-py" else redis_subject(case, target)


_KINDS: dict[str, Callable[[Case, Target], Subject]] = {
    "boto3": _boto3,
    "aiobotocore": _aiobotocore,
    "obstore": _obstore,
    "socket": _socket,
    "botocache": _botocache,
    "redis_s3": _redis,
    "redis-py": _redis,
}
