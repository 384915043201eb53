"""The benchmark's server, http and https, started once a test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boto_accel.bench.target import Target, own_server


def _needed(scheme: str) -> None:
    if scheme == "https":
        pytest.importorskip("cryptography", reason="the certificate is made with cryptography")


@pytest.fixture(scope="module", params=["http", "https"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """An empty S3 that speaks the scheme of the parameter."""
    _needed(request.param)
    with own_server(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def http_target() -> Iterator[Target]:
    with own_server("http") as running:
        yield running
