"""Two stores, each moto's server in a process of its own, and a router between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boto_accel import _hook
from tests.conftest import _missing
from tests.router.stores import Stores
from tests.servers.moto_server import has_moto, run_moto_server


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture(autouse=True)
def _hurried(no_backoff: None) -> None:
    """moto answers some of the errors with 500, which botocore tries five times."""


@pytest.fixture(scope="session")
def _servers() -> Iterator[Stores]:
    if not has_moto():
        _missing("moto[server]")
    with run_moto_server() as near, run_moto_server() as far:
        yield Stores(near, far)


@pytest.fixture
def stores(_servers: Stores) -> Stores:
    """Both emptied for this test."""
    _servers.reset()
    return _servers
