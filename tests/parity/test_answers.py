"""What comes back is stock's: values, types, order, metadata, bodies, exceptions, attempts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generate.answers import (
    RawAnswer,
    digests,
    error_answers,
    hostile_answers,
    make_error_inside_200,
    success_answers,
)
from tests.generate.choices import SeededChoices, drawn
from tests.generate.params import make_params
from tests.parity.bodies import READINGS
from tests.parity.configs import RETRYING, SETUPS
from tests.parity.limits import assert_mostly_fast, bounded
from tests.parity.operations import FAST, operation_model
from tests.parity.worlds import OK, World, request

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

PLAIN = SETUPS["http, path"]
ANSWERED = st.sampled_from(
    [SETUPS[name] for name in ("http, path", "https, path", "http, checksums when required")]
)
READ = st.sampled_from(list(READINGS))


def required_params(operation: str) -> dict[str, Any]:
    """One fixed valid choice of parameters: here the answer is what varies."""
    return make_params(SeededChoices(f"answers {operation}"), operation_model(operation))


@pytest.mark.parametrize("operation", FAST)
def test_successes_are_read_as_stock_reads_them(world: World, operation: str) -> None:
    model, params = operation_model(operation), required_params(operation)

    @bounded(40)
    @given(setup=ANSWERED, answer=success_answers(model), reading=READ)
    def check(setup: Any, answer: RawAnswer, reading: str) -> None:
        call = request(model, params, answers=[answer], reading=reading)
        assert world.compare(setup, call).differences() == []

    check()
    assert_mostly_fast(world, operation)


@pytest.mark.parametrize("operation", FAST)
def test_errors_are_raised_as_stock_raises_them(world: World, operation: str) -> None:
    model, params = operation_model(operation), required_params(operation)

    @bounded(25)
    @given(answer=error_answers(model))
    def check(answer: RawAnswer) -> None:
        pair = world.compare(PLAIN, request(model, params, answers=[answer]))
        assert pair.differences() == []

    check()
    assert_mostly_fast(world, operation)


@pytest.mark.parametrize("operation", FAST)
def test_hostile_answers_end_as_they_end_in_stock(world: World, operation: str) -> None:
    model, params = operation_model(operation), required_params(operation)

    @bounded(25)
    @given(answer=hostile_answers(model), reading=READ)
    def check(answer: RawAnswer, reading: str) -> None:
        call = request(model, params, answers=[answer], reading=reading)
        assert world.compare(PLAIN, call).differences() == []

    check()
    assert_mostly_fast(world, operation)


@pytest.mark.parametrize("mode", list(RETRYING))
@pytest.mark.parametrize("operation", FAST)
def test_attempts_are_stock_s(world: World, mode: str, operation: str) -> None:
    """Errors, some of them retried, then a success: as many requests, with the same headers."""
    model, params = operation_model(operation), required_params(operation)
    bad = st.one_of(error_answers(model), drawn(make_error_inside_200, model))

    @bounded(8)
    @given(first=bad, second=st.one_of(bad, st.just(OK)))
    def check(first: RawAnswer, second: RawAnswer) -> None:
        call = request(model, params, answers=[first, second, OK])
        assert world.compare(RETRYING[mode], call).differences() == []

    check()


def test_server_errors_are_tried_again(world: World) -> None:
    """The scripted retries really happen: the comparison above is not of single attempts."""
    model = operation_model("GetObject")
    down = RawAnswer(status=500, body=b"<Error><Code>InternalError</Code></Error>")
    call = request(model, {"Bucket": "bucket", "Key": "k"}, answers=[down, down, OK])
    pair = world.compare(RETRYING["legacy"], call)
    assert pair.differences() == []
    assert len(pair.stock.requests) == 3
    assert pair.stock.value["ResponseMetadata"]["RetryAttempts"] == 2


REDIRECTS = (
    RawAnswer(
        status=301,
        headers=(("x-amz-bucket-region", "eu-west-1"),),
        body=b"<Error><Code>PermanentRedirect</Code><Endpoint>e</Endpoint></Error>",
    ),
    RawAnswer(
        status=400,
        headers=(("x-amz-bucket-region", "eu-west-1"),),
        body=b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
    ),
    RawAnswer(status=301, headers=(("x-amz-bucket-region", "eu-west-1"),)),
    RawAnswer(status=307, headers=(("Location", "http://127.0.0.1:9/elsewhere"),)),
    RawAnswer(status=400, headers=(("x-amz-bucket-region", "eu-west-1"),)),
)


@pytest.mark.parametrize("number", range(len(REDIRECTS)))
@pytest.mark.parametrize("operation", ["GetObject", "HeadObject", "PutObject", "HeadBucket"])
def test_redirects_lead_where_stock_goes(world: World, operation: str, number: int) -> None:
    params = {"Bucket": f"redirected-{number}-{operation.lower()}"}
    if operation != "HeadBucket":
        params["Key"] = "k"
    for _ in range(2):  # the second call knows the region from the first
        call = request(operation_model(operation), params, answers=[REDIRECTS[number], OK])
        assert world.compare(PLAIN, call).differences() == []


CHECKED = ("crc32", "sha1", "sha256")


@pytest.mark.parametrize("reading", list(READINGS))
@pytest.mark.parametrize("algorithm", CHECKED)
def test_response_checksums(world: World, algorithm: str, reading: str) -> None:
    """Right, wrong, of parts, unreadable: the same bytes or the same error at the same read."""
    body = b"a line\nand another\n" * 20
    right, wrong = digests(body)[algorithm], digests(b"other")[algorithm]
    model = operation_model("GetObject")
    for value in (right, wrong, right + "-3", "%%%", ""):
        answer = replace(OK, headers=((f"x-amz-checksum-{algorithm}", value),), body=body)
        for more in ({}, {"ChecksumMode": "ENABLED"}, {"Range": "bytes=0-9"}):
            params = {"Bucket": "bucket", "Key": "k", **more}
            call = request(model, params, answers=[answer], reading=reading)
            for setup in (PLAIN, SETUPS["http, checksums when required"]):
                pair = world.compare(setup, call)
                assert pair.differences() == []
                assert pair.went_fast
