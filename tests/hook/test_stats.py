"""Counters, and the price of importing the package."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from boto_accel import stats as module
from boto_accel.stats import Stats


@pytest.mark.parametrize("gil", [True, False])
def test_no_count_is_lost(monkeypatch: pytest.MonkeyPatch, gil: bool) -> None:
    """Four threads count while the counts are read; reading changes nothing."""
    monkeypatch.setattr(module, "_has_gil", lambda: gil)
    stats = Stats()

    def work() -> None:
        count = stats.fast_counter("s3", "GetObject")
        for turn in range(5000):
            count()
            if not turn % 500:
                assert stats.fast >= 0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stats.fast, stats.fast] == [20000, 20000]


def test_reads() -> None:
    stats = Stats()
    stats.fast_counter("s3", "GetObject")()
    stats.count_fallback("s3", "GetObject", "proxy")
    stats.count_fallback("s3", "PutObject", "proxy")
    stats.count_fallback("s3", "PutObject", "body")
    stats.count_shadow(different=False)
    stats.count_shadow(different=True)
    stats.count_proved()
    stats.count_retired()
    assert json.loads(json.dumps(stats.as_dict())) == {
        "fast": 1,
        "fallback": 3,
        "by_operation": {
            "s3.GetObject": {"fast": 1, "fallback": 1, "reasons": {"proxy": 1}},
            "s3.PutObject": {"fast": 0, "fallback": 2, "reasons": {"proxy": 1, "body": 1}},
        },
        "reasons": {"proxy": 2, "body": 1},
        "shadow_checked": 2,
        "shadow_different": 1,
        "proved": 1,
        "retired": 1,
    }
    assert str(stats).splitlines() == [
        "operation     fast  fallback  why",
        "s3.GetObject     1         1  proxy (1)",
        "s3.PutObject     0         2  proxy (1), body (1)",
        "all              1         3",
        "plans: 1 proved, 1 retired",
        "shadow: 2 compared, 1 different",
    ]


def test_import_costs_next_to_nothing() -> None:
    """Neither botocore nor asyncio nor our own modules are loaded by `import boto_accel`."""
    code = (
        "import sys, boto_accel; heavy = {'botocore', 'asyncio', 'boto_accel._hook'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "boto_accel.Stats, boto_accel.PatchStateError; assert 'botocore' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
