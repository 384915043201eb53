"""
Any program comes out the same: calls, faults, bodies left half-read, handlers that come and go.

    make twins      5,000 programs in each world; a quarter of an hour
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.faults.calls import hurry
from tests.parity.compare import differences
from tests.servers.capture import CaptureServer
from tests.servers.clock import FrozenClock, freeze
from tests.twins.programs import Program, programs
from tests.twins.twin import Script, Twin, Warnings

LONG = "BOTO_ACCEL_TWINS"  # how many programs in each world, others each time; without, the same 50
PROGRAMS = int(os.environ.get(LONG, "50"))


@pytest.fixture(scope="module")
def unhurried() -> Iterator[FrozenClock]:
    """Time stands still, and nobody waits between attempts."""
    clock = FrozenClock()
    with pytest.MonkeyPatch.context() as patch:
        freeze(patch, clock)
        hurry(patch)
        yield clock


@pytest.mark.parametrize("world", ["sync", pytest.param("async", marks=pytest.mark.aiobotocore)])
# A socket that nobody closes is closed by the collector, who comes when he likes.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_program_is_the_same_on_both(unhurried: FrozenClock, world: str) -> None:
    script = Script()
    with CaptureServer(script) as server:

        @settings(
            max_examples=PROGRAMS,
            derandomize=LONG not in os.environ,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(programs(world))
        def check(program: Program) -> None:
            stock = seen(server, script, unhurried, world, program, fast=False)
            fast = seen(server, script, unhurried, world, program, fast=True)
            assert list(differences(stock, fast)) == []

        check()


def seen(
    server: CaptureServer,
    script: Script,
    clock: FrozenClock,
    world: str,
    program: Program,
    *,
    fast: bool,
) -> list[Any]:
    twin = Twin(server, script, clock)
    warnings = Warnings()
    root = logging.getLogger()
    root.addHandler(warnings)
    try:
        twin.run(world, program, fast=fast)
    finally:
        root.removeHandler(warnings)
    return [*twin.seen, warnings.texts]
