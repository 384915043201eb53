"""
When servers fail: the fast path ends as stock ends, after as many requests, and leaves nothing.

Each case makes five calls on one client (see `calls.CALLS`), in stock and inside `accelerate()`.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.faults.calls import Came, hurry, run
from tests.faults.faults import CASES, FAULTS, KINDER, MODES, STRICTER, Fault, answer
from tests.parity.compare import differences
from tests.servers.engines import engines_of
from tests.servers.tls import TLSFiles

pytestmark = pytest.mark.usefixtures("frozen_heap")


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.mark.parametrize(("flavour", "name", "mode"), CASES)
def test_faults_end_as_in_stock(flavour: str, name: str, mode: str, tls_files: TLSFiles) -> None:
    """
    With every HTTP engine, in one mode or the other; adaptive clients are stock's, and get as far
    as no engine.
    """
    make = FAULTS[name]
    stock = run(flavour, make(), mode, tls_files, http=None)
    assert stock.fast == 0
    engines = engines_of(flavour, name, MODES.index(mode)) if mode != "adaptive" else ("direct",)
    for http in engines:
        fast = run(flavour, make(), mode, tls_files, http=http)
        assert fast.retired == 0
        assert fast.left_open <= stock.left_open
        if mode == "adaptive":  # whose rate limiter sees each request before it is sent
            assert fast.fast == 0
        else:  # more where redirects ask for the bucket's region
            assert fast.fast >= len(fast.came)
        wanted = stock
        if mode != "adaptive" and name in KINDER[flavour, http]:
            wanted = run(flavour, FAULTS["nothing wrong"](), mode, tls_files, http=None)
        if mode != "adaptive" and name in STRICTER[flavour]:
            assert all(map(is_refused_or_equal, wanted.came, fast.came))
        else:
            assert (http, "\n".join(differences(wanted.came, fast.came))) == (http, "")


def is_refused_or_equal(stock: Came, fast: Came) -> bool:
    """Never another value than stock's, and never fewer attempts."""
    if len(fast.requests) < len(stock.requests):
        return False
    if without_attempts(fast) == without_attempts(stock):
        return True
    if fast.outcome[0] == "raised":
        return "ConnectionClosedError" in fast.outcome[1][0]
    body = fast.outcome[1]["Body"]
    return isinstance(body, tuple) and "ResponseStreamingError" in body[1][0]


def without_attempts(came: Came) -> Any:
    kind, value = came.outcome[:2]
    if kind == "raised":
        return came.outcome
    counts = {"RetryAttempts", "MaxAttemptsReached"}
    metadata = {k: v for k, v in value["ResponseMetadata"].items() if k not in counts}
    return kind, {**value, "ResponseMetadata": metadata}


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_connection_ends_as_in_stock(
    flavour: str, mode: str, tls_files: TLSFiles
) -> None:
    with socket.socket() as bound:  # bound and not listening: the kernel refuses
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        fault = Fault(lambda request: answer(request), client={"endpoint_url": url})
        ways = (None, *engines_of(flavour))
        stock, *others = [run(flavour, fault, mode, tls_files, http=http) for http in ways]
    assert "EndpointConnectionError" in stock.came[0].outcome[1][0]
    for fast in others:
        assert fast.fast == (0 if mode == "adaptive" else len(fast.came))
        assert "\n".join(differences(stock.came, fast.came)) == ""
