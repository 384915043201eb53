"""The cases that make clients: nothing is sent, and the memory is measured in processes."""

from __future__ import annotations

import sys

import pytest

from boto_accel.bench import making
from boto_accel.bench.cases import Tier, select_cases
from boto_accel.bench.measure import Pace
from boto_accel.bench.runner import Result, Settings, run
from tests.bench.test_runner import Listener

SHORT = Pace(rounds=1, round_s=0.01)


@pytest.mark.parametrize("client", ["boto3", "aiobotocore"])
def test_clients_are_made_stock_and_fast(client: str) -> None:
    pytest.importorskip(client)
    chosen = tuple(select_cases(Tier.FULL, (f"{client}/http/make-client/*",)))
    [outcome] = run(Settings(chosen, SHORT), Listener())
    assert isinstance(outcome, Result), outcome
    assert outcome.stock is not None
    assert outcome.fast is not None
    assert outcome.counts is not None
    assert (outcome.counts.fast, outcome.counts.fallback) == (0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_sessions_cost_a_fraction_of_the_memory() -> None:
    """Bytes, not seconds: the same on a busy machine. The goal is a fifth, at fifty sessions."""
    stock, _ = making.memory_of("stock", 6)
    fast, _ = making.memory_of("fast", 6)
    assert 0 < fast < stock / 2
