"""
One call in two worlds: on a stock client, and on its twins inside `accelerate()`.

A `World` owns a server, a clock and, for each setup, clients of one flavour: a stock one, and one
for each HTTP engine. `compare` makes the same call with all and returns what was seen; tests assert
on that.
"""

from __future__ import annotations

import asyncio
import copy
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.model import OperationModel

from boto_accel import accelerate
from tests.generate.answers import RawAnswer
from tests.parity import bodies
from tests.parity.compare import differences
from tests.parity.configs import ClientSetup
from tests.parity.exchange import Exchange
from tests.parity.seen import Seen, number_ids, see_error
from tests.servers.clients import make_client
from tests.servers.engines import engines_of

OK = RawAnswer(headers=(("x-amz-request-id", "r"), ("x-amz-id-2", "h")))


@dataclass(frozen=True)
class Request:
    """
    What is called: a client method by name.

    *make_params* gives fresh parameters each time, since a body is used up by its call.
    """

    method: str
    make_params: Callable[[ExitStack], dict[str, Any]]
    answers: Sequence[RawAnswer] = (OK,)
    reading: str = "whole"


def request(model: OperationModel, params: dict[str, Any], **more: Any) -> Request:
    """The call of *model*'s operation with copies of *params*."""
    return Request(method_name(model), lambda stack: copy.deepcopy(params), **more)


def method_name(model: OperationModel) -> str:
    from botocore import xform_name

    return str(xform_name(model.name))


def stream_in(value: Any) -> str | None:
    """The member of a result that is a stream."""
    members = value.items() if isinstance(value, dict) else ()
    return next((name for name, member in members if hasattr(member, "read")), None)


@dataclass(frozen=True)
class Pair:
    """What was seen in each world, and whether the fast one really was fast with every engine."""

    stock: Seen
    by_engine: Mapping[str, Seen]
    went_fast: bool

    @property
    def fast(self) -> Seen:
        return self.by_engine["direct"]

    def differences(self) -> list[str]:
        return [
            f"{http}: {line}"
            for http, fast in self.by_engine.items()
            for line in differences(self.stock, fast)
        ]


@dataclass
class Tally:
    """Calls made and calls that went fast, by client method; *stats* is the patch's own count."""

    made: Counter[str] = field(default_factory=Counter)
    fast: Counter[str] = field(default_factory=Counter)
    stats: Any = None

    def count(self, method: str, before: int, stats: Any) -> bool:
        """Whether a fast call was counted since *before*."""
        went_fast = bool(stats.fast > before)
        self.made[method] += 1
        self.fast[method] += went_fast
        self.stats = stats
        return went_fast


class World:
    """Both worlds of one flavour; close it when done."""

    flavour: str

    def __init__(self, exchange: Exchange, patch: pytest.MonkeyPatch, clock: Any) -> None:
        self.exchange = exchange
        self.clock = clock
        self.patches = {http: accelerate(http=http) for http in engines_of(self.flavour)}
        for each in self.patches.values():
            each.stats = self.patches["direct"].stats  # one count of all
        self.tally = Tally()
        self._clients: dict[tuple[str, str], Any] = {}
        resolve_localhost(patch)

    def compare(self, setup: ClientSetup, call: Request) -> Pair:
        """The same call, stock then fast; the clock and the ids begin anew for each."""
        stock = self._see(self._client(setup, "stock"), call)
        fast = {}
        went_fast = True
        # The same ones for calls alike: clients learn of redirects.
        for http in engines_of(self.flavour, f"{call.method} {setup!r}"):
            with self.patches[http] as entered:
                before = entered.stats.fast
                fast[http] = self._see(self._client(setup, http), call)
                went_fast &= self.tally.count(call.method, before, entered.stats)
        return Pair(stock, fast, went_fast)

    def client(self, setup: ClientSetup) -> Any:
        """The stock client of *setup*, for what is no API call."""
        return self._client(setup, "stock")

    def _see(self, client: Any, call: Request) -> Seen:
        self.clock.reset()
        self.exchange.script(call.answers)
        with ExitStack() as stack:
            params = call.make_params(stack)
            value, error = self._outcome(client, call, params)
            place = bodies.left_at(params.get("Body"))
        return Seen(value, error, number_ids(self.exchange.take()), place)

    def _outcome(self, client: Any, call: Request, params: dict[str, Any]) -> tuple[Any, Any]:
        raise NotImplementedError

    def _client(self, setup: ClientSetup, twin: str) -> Any:
        name = (repr(setup), twin)
        if name not in self._clients:
            self._clients[name] = self._open(setup)
        return self._clients[name]

    def _open(self, setup: ClientSetup) -> Any:
        raise NotImplementedError

    def _options(self, setup: ClientSetup) -> dict[str, Any]:
        port = self.exchange.port(setup.scheme)
        # copied, for botocore changes the dicts that it is given, and so what a setup is known by
        return {"endpoint_url": setup.endpoint_url(port), **copy.deepcopy(setup.options)}


class SyncWorld(World):
    """boto3 clients."""

    flavour = "sync"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._stack = ExitStack()

    def _open(self, setup: ClientSetup) -> Any:
        made = make_client("sync", setup.service, **self._options(setup))
        return self._stack.enter_context(made)

    def _outcome(self, client: Any, call: Request, params: dict[str, Any]) -> tuple[Any, Any]:
        try:
            value = getattr(client, call.method)(**params)
            return self._read(value, call), None
        except Exception as error:
            return None, see_error(error)

    def _read(self, value: Any, call: Request) -> Any:
        name = stream_in(value)
        if name is None:
            return value
        return {**value, name: bodies.read_sync(value[name], bodies.READINGS[call.reading])}

    def close(self) -> None:
        self._stack.close()


class AsyncWorld(World):
    """aiobotocore clients, on one loop of their own."""

    flavour = "async"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()

    def _open(self, setup: ClientSetup) -> Any:
        made = make_client("async", setup.service, **self._options(setup))
        return self._loop.run_until_complete(self._stack.enter_async_context(made))

    def _outcome(self, client: Any, call: Request, params: dict[str, Any]) -> tuple[Any, Any]:
        return self._loop.run_until_complete(self._await_outcome(client, call, params))

    async def _await_outcome(self, client: Any, call: Request, params: Any) -> tuple[Any, Any]:
        try:
            value = await getattr(client, call.method)(**params)
            return await self._read(value, call), None
        except Exception as error:
            return None, see_error(error)

    async def _read(self, value: Any, call: Request) -> Any:
        name = stream_in(value)
        if name is None:
            return value
        seen = await bodies.read_async(value[name], bodies.READINGS[call.reading])
        return {**value, name: seen}

    def close(self) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        # aiohttp closes TLS transports in the turns after its session is closed
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()


FLAVOURS: dict[str, type[SyncWorld] | type[AsyncWorld]] = {"sync": SyncWorld, "async": AsyncWorld}


def resolve_localhost(patch: pytest.MonkeyPatch) -> None:
    """`*.localhost` is the loopback (RFC 6761, 6.3); not every C library knows."""
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        local = isinstance(host, str) and host.endswith(".localhost")
        return real("127.0.0.1" if local else host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", resolve)


@contextmanager
def opened(world: World) -> Iterator[World]:
    try:
        yield world
    finally:
        world.close()
