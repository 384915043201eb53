"""The worlds of a module: one server, one frozen clock, clients made when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

from tests.parity.exchange import Exchange
from tests.parity.worlds import FLAVOURS, World, opened
from tests.servers.clock import FrozenClock, freeze
from tests.servers.tls import server_context, write_tls_files

PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="session")
def parity_tls(tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory: Path = tmp_path_factory.mktemp("parity-tls")
    return server_context(write_tls_files(directory))


@pytest.fixture(scope="module")
def frozen() -> Iterator[tuple[pytest.MonkeyPatch, FrozenClock]]:
    """A clock that stands, random backoff of zero seconds, and no proxy of the machine's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in PROXY_NAMES:
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        clock = FrozenClock()
        freeze(patch, clock)
        # no waiting between attempts: legacy's backoff is random() seconds, standard's its own
        patch.setattr("random.random", lambda: 0.0)
        patch.setattr(ExponentialBackoff, "delay_amount", lambda backoff, context: 0.0)
        yield patch, clock


@pytest.fixture(scope="module", params=list(FLAVOURS))
def world(request: pytest.FixtureRequest, parity_tls: Any, frozen: Any) -> Iterator[World]:
    """Both worlds, of boto3 and of aiobotocore."""
    if request.param == "async":
        pytest.importorskip("aiobotocore")
    patch, clock = frozen
    flavour = FLAVOURS[request.param]
    with Exchange(parity_tls) as exchange, opened(flavour(exchange, patch, clock)) as made:
        yield made
