"""What was acknowledged outlives SIGKILL. The long form is `make crash`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch import crash


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_acknowledged_is_there_once_after_kills(seed: int, tmp_path: Path) -> None:
    """Five processes on one spool, each killed at a point that the seed chooses."""
    report = crash.run(5, seed, tmp_path)
    assert report.is_good, report
    assert report.acknowledged
    assert sum(report.points.values()) == 5
