"""One sequence of calls against one fault, in one world; what came of it as plain data."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from boto_accel import accelerate
from tests.faults.faults import Fault
from tests.parity.configs import PATH
from tests.servers.capture import CaptureServer
from tests.servers.clients import make_client
from tests.servers.tls import TLSFiles, server_context

FILE = bytes(range(256)) * 4096  # 1 MiB
PLACE = {"Bucket": "b", "Key": "k"}
PUT_FILE = {"Bucket": "b", "Key": "file"}
# Name to (client method, what makes its parameters). The body of a file is made for each call.
CALLS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "get_object": ("get_object", lambda: PLACE),
    "head_object": ("head_object", lambda: PLACE),
    "list_objects_v2": ("list_objects_v2", lambda: {"Bucket": "b"}),
    "put_object": ("put_object", lambda: {**PLACE, "Body": b"x" * 1000}),
    "put_object, file": ("put_object", lambda: {**PUT_FILE, "Body": BytesIO(FILE)}),
}
# Ports, addresses and ids: not the same from one run to the next.
_MASKED = re.compile(r"0x[0-9a-f]+|(?<=:)\d{4,5}\b|(?<=port=)\d+|_ssl\.c:\d+")
_BAD_HTTP = re.compile(r"(An HTTP Client raised an unhandled exception:).*", re.DOTALL)
TURNS = 10  # of the loop; what has arrived by then has been looked at, over TLS too


@dataclass(frozen=True)
class Came:
    """Of one call: its result or exception, and the requests that it made."""

    call: str
    outcome: Any
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """All calls; *fast*: how many of them the fast path counted."""

    came: tuple[Came, ...]
    fast: int
    retired: int
    left_open: int


def masked(text: str) -> str:
    # what aiohttp says of an answer that is no HTTP quotes it, and points into it
    return _BAD_HTTP.sub(r"\1 #", _MASKED.sub("#", text))


def told(error: BaseException) -> Any:
    """The exception by its class, bases and text."""
    bases = [f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__]
    return ("raised", bases, masked(str(error)), getattr(error, "response", None))


def run(flavour: str, fault: Fault, mode: str, tls: TLSFiles, *, http: str | None) -> Run:
    """Every call of CALLS in order, on one client and one server; stock if *http* is None."""
    gc.collect()
    before = open_sockets()
    patch = accelerate(http=http or "direct")
    with ExitStack() as stack:
        if fault.scheme == "https":
            context = server_context(tls)
            server = CaptureServer(fault.script, tls=context, **fault.server)
        else:
            server = CaptureServer(fault.script, **fault.server)
        stack.enter_context(server)
        if http:
            stack.enter_context(patch)
        options = client_options(fault, mode, server.port, tls)
        calls = _sync if flavour == "sync" else _async
        came = calls(options, server)
    gc.collect()
    return Run(came, patch.stats.fast, patch.stats.retired, open_sockets() - before)


def client_options(fault: Fault, mode: str, port: int, tls: TLSFiles) -> dict[str, Any]:
    options = {"read_timeout": 5, "connect_timeout": 5, **fault.client}
    if "verify" in options:
        options["verify"] = str(getattr(tls, options["verify"]))
    return {
        "endpoint_url": f"{fault.scheme.split()[0]}://{fault.host}:{port}",
        "retries": {"mode": mode, "total_max_attempts": 2},
        "s3": dict(PATH),
        **options,
    }


def _sync(options: dict[str, Any], server: Any) -> tuple[Came, ...]:
    with make_client("sync", "s3", **options) as client:
        came = []
        for name, (method, make_params) in CALLS.items():
            start = len(server.requests)
            try:
                value = getattr(client, method)(**make_params())
                outcome = _result(value, _read(value.get("Body")))
                del value
            except Exception as error:
                outcome = told(error)
            assert server.wait_until_quiet()  # what it does after an answer has arrived then
            came.append(Came(name, outcome, requests_of(server, start)))
        return tuple(came)


def _async(options: dict[str, Any], server: Any) -> tuple[Came, ...]:
    return asyncio.run(_await_calls(options, server))


async def _await_calls(options: dict[str, Any], server: Any) -> tuple[Came, ...]:
    async with make_client("async", "s3", **options) as client:
        came = []
        for name, (method, make_params) in CALLS.items():
            start = len(server.requests)
            try:
                value = await getattr(client, method)(**make_params())
                outcome = _result(value, await _aread(value.get("Body")))
                del value
            except Exception as error:
                outcome = told(error)
            await _settle(server)
            came.append(Came(name, outcome, requests_of(server, start)))
    await _settle(server)  # aiohttp closes TLS transports in the turns that follow
    return tuple(came)


async def _settle(server: Any) -> None:
    assert await asyncio.to_thread(server.wait_until_quiet)
    for _ in range(TURNS):
        await asyncio.sleep(0)


def _result(value: dict[str, Any], body: Any) -> Any:
    return ("returned", {**value, "Body": body})


def _read(body: Any) -> Any:
    if body is None:
        return None
    try:
        return body.read()
    except Exception as error:
        return told(error)
    finally:
        body.close()


async def _aread(body: Any) -> Any:
    if body is None:
        return None
    try:
        return await body.read()
    except Exception as error:
        return told(error)
    finally:
        body.close()


def requests_of(server: Any, start: int) -> tuple[str, ...]:
    return tuple(f"{one.method.decode()} {one.target.decode()}" for one in server.requests[start:])


def open_sockets() -> int:
    """How many descriptors of this process are sockets; 0 where the system does not tell."""
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        return 0
    count = 0
    for name in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return count


def hurry(patch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts, in either world; names that end in .localhost are ours."""
    import botocore.endpoint
    from botocore.retries.bucket import TokenBucket

    real_time = botocore.endpoint.time
    quick = SimpleNamespace(**{**vars(real_time), "sleep": lambda _: None})
    patch.setattr(botocore.endpoint, "time", quick)
    patch.setattr(TokenBucket, "acquire", lambda bucket, amount=1, block=True: True)
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        local = isinstance(host, str) and host.endswith(".localhost")
        return real("127.0.0.1" if local else host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", resolve)
    hurry_async(patch)


def hurry_async(patch: pytest.MonkeyPatch) -> None:
    try:
        import aiobotocore.endpoint
        from aiobotocore.retries.bucket import AsyncTokenBucket
    except ImportError:
        return

    async def no_sleep(_: float) -> None:
        return None

    async def acquire(bucket: Any, amount: int = 1, block: bool = True) -> bool:
        return True

    quick = SimpleNamespace(**{**vars(asyncio), "sleep": no_sleep})
    patch.setattr(aiobotocore.endpoint, "asyncio", quick)
    patch.setattr(AsyncTokenBucket, "acquire", acquire)
