"""The short form of the soak; `make soak` is the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest

CALLS = 3000
WITHIN_S = 300  # seconds; the watchdog tells of a run in which nothing moves long before


@pytest.mark.parametrize("world", ["sync", pytest.param("async", marks=pytest.mark.aiobotocore)])
def test_a_soak(world: str) -> None:
    """
    Thousands of calls with faults, interruptions and closings: all answers are right, and no
    socket, task, thread or memory is left.

    In a process of its own, whose memory and descriptors are its own.
    """
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.soak", "--calm"]
    ran = subprocess.run(
        [*command, "--world", world, "--calls", str(CALLS)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
