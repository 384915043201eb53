"""The cases of batched puts: measured from the batch, and nothing left behind."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from boto_accel.bench.cases import Tier, select_cases
from boto_accel.bench.measure import Pace
from boto_accel.bench.runner import Result, Settings, run
from tests.bench.test_runner import Listener


@pytest.mark.parametrize("client", ["boto3", "aiobotocore"])
def test_the_fast_side_is_batched(
    client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(client)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    [case] = select_cases(Tier.FULL, (f"{client}/http/batched-put/*",))
    few = replace(case, in_flight=4, objects=20)
    [outcome] = run(Settings((few,), Pace(rounds=2)), Listener())
    assert isinstance(outcome, Result), outcome
    assert outcome.counts is not None
    assert outcome.counts.fast >= 40
    assert outcome.counts.reasons == {}
    assert outcome.wall_ratio is not None
    assert not list(tmp_path.glob("boto-accel-bench-*"))
