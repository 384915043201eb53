"""
Clients of one service: a stock one and a twin for each endpoint, and the server that they reach.

Nothing leaves the machine. Every host name is the loopback, and port 80 is the server's, so that
clients without an `endpoint_url` go where the endpoint rules of their service say.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.eventstream import EventStream
from botocore.retries.standard import ExponentialBackoff

from tests.generate.answers import RawAnswer
from tests.generate.params import fresh
from tests.parity import bodies
from tests.parity.configs import ONE_ATTEMPT, PATH
from tests.parity.exchange import Exchange
from tests.parity.seen import Seen, SeenBody, number_ids, see_error
from tests.parity.worlds import method_name, stream_in
from tests.servers.clients import make_client
from tests.servers.clock import FrozenClock, freeze
from tests.sweep.cases import Case

HTTP_PORT = 80
# Long, for on a machine that has much to do a timeout would be a difference.
TIMEOUTS = {"read_timeout": 120, "connect_timeout": 120}
ACCOUNT = "123456789012"  # DynamoDB has endpoints for accounts
RETRIES = {"mode": "standard", "total_max_attempts": 3}
# name -> (whether with an endpoint_url, options of the client)
ENDPOINTS: dict[str, tuple[bool, dict[str, Any]]] = {
    "resolved": (False, {"use_ssl": False}),
    "retrying": (False, {"use_ssl": False, "retries": RETRIES, "aws_account_id": ACCOUNT}),
    "own": (True, {"aws_session_token": "token/with+odd=chars"}),
    "own, no prefix": (True, {"inject_host_prefix": False}),
}


@contextmanager
def still_world() -> Iterator[FrozenClock]:
    """
    A clock that stands, no pauses between attempts, nothing of the user's settings.

    For the whole process: enter it once.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("AWS_") or name.upper().endswith("_PROXY"):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        clock = FrozenClock()
        freeze(patch, clock)
        patch.setattr(random, "random", lambda: 0.0)
        patch.setattr(ExponentialBackoff, "delay_amount", lambda backoff, context: 0.0)
        yield clock


@contextmanager
def all_hosts_are_here(port: int) -> Iterator[None]:
    """Names resolve to the loopback, and port 80 to *port*."""
    real = socket.getaddrinfo

    def resolve(host: Any, asked: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1", port if asked == HTTP_PORT else asked, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


class Clients:
    """The clients of one service and flavour; made when first asked for, closed with `with`."""

    flavour: str

    def __init__(self, service: str, exchange: Exchange, clock: FrozenClock) -> None:
        self.service = service
        self.exchange = exchange
        self.clock = clock
        self._made: dict[tuple[str, str], Any] = {}

    def see(self, twin: str, model: Any, case: Case) -> Seen:
        """*case* on the client called *twin*: what came back and what was sent."""
        client = self.client(twin, case.endpoint)
        self.clock.reset()
        self.exchange.script([self._answer(each) for each in case.answers])
        params = fresh(case.params)
        value, error = self._outcome(client, method_name(model), params)
        return Seen(value, error, number_ids(self.exchange.take()))

    def client(self, twin: str, endpoint: str) -> Any:
        found = self._made.get((twin, endpoint))
        if found is None:
            found = self._made[twin, endpoint] = self._open(self._options(endpoint))
        return found

    def _answer(self, answer: RawAnswer) -> RawAnswer:
        return answer

    def _options(self, endpoint: str) -> dict[str, Any]:
        own, options = ENDPOINTS[endpoint]
        options = {"retries": ONE_ATTEMPT, **TIMEOUTS, **options}
        if own:
            port = self.exchange.port("http")
            options |= {"endpoint_url": f"http://own.localhost:{port}", "s3": PATH}
        return options

    def _open(self, options: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _outcome(self, client: Any, method: str, params: dict[str, Any]) -> tuple[Any, Any]:
        raise NotImplementedError


class SyncClients(Clients):
    """boto3's."""

    flavour = "sync"

    def __enter__(self) -> SyncClients:
        self._stack = ExitStack()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _open(self, options: dict[str, Any]) -> Any:
        return self._stack.enter_context(make_client("sync", self.service, **options))

    def _outcome(self, client: Any, method: str, params: dict[str, Any]) -> tuple[Any, Any]:
        try:
            return self._read(getattr(client, method)(**params)), None
        except Exception as error:
            return None, see_error(error)

    def _read(self, value: Any) -> Any:
        name = stream_in(value)
        if name is not None:
            value = {**value, name: bodies.read_sync(value[name], bodies.READINGS["whole"])}
        return {key: _events(member) for key, member in value.items()}


def _events(value: Any) -> Any:
    """The events of an event stream, and what ended it."""
    if not isinstance(value, EventStream):
        return value
    events: list[Any] = []
    try:
        events.extend(value)
    except Exception as error:
        events.append(see_error(error))
    finally:
        value.close()
    return SeenBody(type(value).__qualname__, tuple(events))


class AsyncClients(Clients):
    """aiobotocore's, on a loop of their own."""

    flavour = "async"

    def __enter__(self) -> AsyncClients:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _open(self, options: dict[str, Any]) -> Any:
        made: Any = make_client("async", self.service, **options)
        return self._loop.run_until_complete(self._stack.enter_async_context(made))

    def _outcome(self, client: Any, method: str, params: dict[str, Any]) -> tuple[Any, Any]:
        return self._loop.run_until_complete(self._await_outcome(client, method, params))

    def _answer(self, answer: RawAnswer) -> RawAnswer:
        """Without cookies: aiohttp's jar is not consulted (docs/architecture.md)."""
        headers = [each for each in answer.headers if each[0].lower() != "set-cookie"]
        return replace(answer, headers=tuple(headers))

    async def _await_outcome(self, client: Any, method: str, params: Any) -> tuple[Any, Any]:
        try:
            return await self._read(await getattr(client, method)(**params)), None
        except Exception as error:
            return None, see_error(error)

    async def _read(self, value: Any) -> Any:
        name = stream_in(value)
        if name is not None:
            seen = await bodies.read_async(value[name], bodies.READINGS["whole"])
            value = {**value, name: seen}
        return {key: await _awaited_events(member) for key, member in value.items()}


async def _awaited_events(value: Any) -> Any:
    if not isinstance(value, EventStream):
        return value
    events: list[Any] = []
    try:
        events.extend([event async for event in value])
    except Exception as error:
        events.append(see_error(error))
    finally:
        value.close()
    return SeenBody(type(value).__qualname__, tuple(events))


FLAVOURS: dict[str, Any] = {"sync": SyncClients, "async": AsyncClients}
