"""Stores to keep tables in, and no patch that outlives a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from boto_accel import _hook
from boto_accel.bench.target import BUCKET, Target, own_server
from tests.datastore.worlds import STORES, World, open_world
from tests.servers.moto_server import MotoServer


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, moto_server: MotoServer, flavour: str) -> Iterator[World]:
    """An empty database of each store, in each world."""
    with (
        STORES[request.param].around(),
        open_world(flavour, **moto_server.client_options) as world,
    ):
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
    with open_world("sync", BUCKET, **options) as world:
        yield world
        for table in world.database.tables:
            world.database.drop_table(table)
