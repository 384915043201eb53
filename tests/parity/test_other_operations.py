"""Every other operation of S3 that goes fast: requests and answers are stock's, too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generate.answers import RawAnswer, success_answers
from tests.generate.choices import SeededChoices
from tests.generate.params import TOKEN, make_params
from tests.parity.configs import SETUPS
from tests.parity.limits import bounded
from tests.parity.operations import FAST, operation_model, service_model
from tests.parity.worlds import World, request

PLAIN = SETUPS["http, path"]
EVENT_STREAMS = {"SelectObjectContent"}
OTHERS = sorted({*service_model().operation_names} - {*FAST} - EVENT_STREAMS)


@pytest.mark.parametrize("operation", OTHERS)
def test_requests_and_answers_are_stocks(world: World, operation: str) -> None:
    model = operation_model(operation)

    @bounded(7)
    @given(answer=success_answers(model), seed=st.integers(0, 9))
    def check(answer: RawAnswer, seed: int) -> None:
        params = make_params(SeededChoices(f"{operation} {seed}"), model)
        for name in model.idempotent_members:  # made at random otherwise, in each world its own
            params.setdefault(name, TOKEN)
        if "RequestRoute" in params:  # aiohttp takes a host of digits alone for a bad address
            params["RequestRoute"] = "route"
        pair = world.compare(PLAIN, request(model, params, answers=[answer]))
        assert pair.differences() == []

    check()
