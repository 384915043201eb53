"""The request on the wire is stock's: method, target, headers, body, and so the signature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generate.params import valid_params
from tests.parity.configs import SETUPS
from tests.parity.limits import assert_mostly_fast, bounded
from tests.parity.operations import FAST, operation_model
from tests.parity.worlds import World, request

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

# Setups that the fast path may hand to stock.
MAY_FALL_BACK = {"http, unvalidated", "http, odd path in the endpoint"}
SWEPT = [name for name in SETUPS if name != "http, odd path in the endpoint"]
# Reasons that valid parameters must never be given.
CATCH_ALLS = {
    "the plan differed from botocore",
    "parameters of an unusual kind",
    "parameters that botocore refuses",
}


@pytest.mark.parametrize("operation", FAST)
def test_valid_parameters_send_what_stock_sends(world: World, operation: str) -> None:
    """Any valid parameters, any setup: the same requests, and most of them fast."""
    model = operation_model(operation)

    @bounded(25)
    @given(name=st.sampled_from(SWEPT), params=valid_params(model))
    def check(name: str, params: dict[str, object]) -> None:
        pair = world.compare(SETUPS[name], request(model, params))
        assert pair.differences() == []

    check()
    assert_mostly_fast(world, operation)
    told = world.tally.stats.by_operation[f"s3.{operation}"]["reasons"]
    assert not CATCH_ALLS & told.keys(), told
    assert world.tally.stats.retired == 0


@pytest.mark.parametrize("name", list(SETUPS))
def test_every_setup_goes_fast(world: World, name: str) -> None:
    """Each way of setting a client up has its fast path: none is left to stock by accident."""
    params = {"Bucket": "my-bucket-1", "Key": "a key/ä"}
    for operation, more in (("GetObject", {}), ("HeadObject", {}), ("PutObject", {"Body": b"x"})):
        pair = world.compare(SETUPS[name], request(operation_model(operation), {**params, **more}))
        assert pair.differences() == []
        assert pair.stock.error is None
        assert len(pair.stock.requests) == 1
        assert pair.went_fast or name in MAY_FALL_BACK
