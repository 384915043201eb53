"""How much each parity test draws, and how much of it must have gone fast."""

from __future__ import annotations

from botocore import xform_name
from hypothesis import HealthCheck, settings

from tests.parity.worlds import World

LEAST_FAST = 0.6  # share of an operation's calls that must not have fallen back to stock


def bounded(examples: int) -> settings:
    """Always the same *examples*: a failure found once is found by everyone."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def assert_mostly_fast(world: World, operation: str, least: float = LEAST_FAST) -> None:
    """Parity by always falling back would prove nothing."""
    method = xform_name(operation)
    share = world.tally.fast[method] / world.tally.made[method]
    assert share >= least, f"{operation}: {share:.0%} fast; {world.tally.stats}"
