"""The cases of the response cache: measured from the cache, and nothing left behind."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from boto_accel.bench.cases import Tier, select_cases
from boto_accel.bench.measure import Pace
from boto_accel.bench.runner import Result, Settings, Skipped, run
from tests.bench.test_runner import Listener

pytestmark = pytest.mark.usefixtures("frozen_heap")  # each round collects garbage first

SHORT = Pace(rounds=2, round_s=0.01)


@pytest.mark.parametrize("client", ["boto3", "aiobotocore"])
@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_fast_side_is_answered_from_the_cache(
    client: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(client)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    chosen = tuple(select_cases(Tier.FULL, (f"{client}/http/cached-{store}/*",)))
    [outcome] = run(Settings(chosen, SHORT), Listener())
    assert isinstance(outcome, Result), outcome
    assert outcome.counts is not None
    assert outcome.counts.fast > 0
    assert outcome.counts.reasons == {}
    assert outcome.cpu_ratio is not None
    assert not list(tmp_path.glob("boto-accel-bench-*"))


def test_botocache_stands_beside_it_where_it_is_installed() -> None:
    [outcome] = run(Settings(tuple(select_cases(Tier.FULL, ("botocache/*",))), SHORT), Listener())
    if find_spec("botocache") is None:
        assert isinstance(outcome, Skipped)
        assert "botocache is not installed" in outcome.reason
    else:
        assert isinstance(outcome, Result)
        assert outcome.alone is not None
