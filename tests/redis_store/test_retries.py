"""Failures are tried again as botocore tries them again: stock stands beside."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from redis import Redis

from boto_accel import _compat, redis_s3
from boto_accel._effects import Sleep
from boto_accel.redis_store import patch as patch_module
from tests.fastpath.callers import Caller, open_caller
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.recorded import Recorded
from tests.servers.valkey import Valkey

MODES = [
    {"mode": "legacy"},
    {"mode": "legacy", "total_max_attempts": 2},
    {"mode": "standard"},
    {"mode": "standard", "total_max_attempts": 10},
    {"mode": "adaptive", "total_max_attempts": 10},
]
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>reduce</Message></Error>"
Start = Callable[..., Valkey]
Turn = Callable[[bool], object]


@pytest.fixture(autouse=True)
def _nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_module, "Sleep", lambda seconds: Sleep(0))
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda seconds: None))


@contextmanager
def stock(retries: dict[str, Any]) -> Iterator[tuple[Caller, Turn]]:
    """A client of an S3, and what makes it answer SlowDown, or well again."""
    slow = [False]

    def answer(request: Recorded) -> bytes:
        return http_answer(503, SLOW_DOWN) if slow[0] else http_answer(200, headers={"ETag": '"e"'})

    def turn(to_slow: bool) -> None:
        slow[0] = to_slow

    with (
        CaptureServer(answer) as server,
        open_caller("sync", endpoint_url=server.endpoint_url, retries=retries) as s3,
    ):
        yield s3, turn


@contextmanager
def on_redis(
    flavour: str, server: Valkey, retries: dict[str, Any]
) -> Iterator[tuple[Caller, Turn]]:
    """The same of a Redis, whose memory is full at times."""
    with (
        Redis(port=server.port) as redis,
        redis_s3(),
        open_caller(flavour, endpoint_url=server.url, retries=retries) as s3,
    ):
        s3("create_bucket", Bucket="one")
        yield s3, lambda to_slow: redis.config_set("maxmemory", "1" if to_slow else "0")


@contextmanager
def refusing() -> Iterator[int]:
    """A port that is taken, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def told(s3: Caller) -> tuple[Any, ...]:
    """What a put says of its attempts."""
    try:
        metadata = s3("put_object", Bucket="one", Key="k", Body=b"x")["ResponseMetadata"]
        code = "good"
    except ClientError as error:
        metadata, code = error.response["ResponseMetadata"], error.response["Error"]["Code"]
    names = ("HTTPStatusCode", "RetryAttempts", "MaxAttemptsReached", "RetryQuotaReached")
    return code, *(metadata.get(name) for name in names)


def limiter_of(s3: Caller) -> Any:
    """Of a client in the adaptive mode: botocore's, or aiobotocore's twin of it."""
    handlers = _compat.handlers_of(_compat.emitter_of(s3.client), "before-send.s3.PutObject")
    found = [each.__self__ for each in handlers if "RateLimiter" in each.__qualname__]
    assert len(found) == 1
    return found[0]


@contextmanager
def at_any_rate(s3: Caller) -> Iterator[list[str]]:
    """The limiter holds nobody back; what it is asked and told is noted."""
    limiter = limiter_of(s3)
    noted: list[str] = []
    record = limiter._rate_clocker.record

    def acquire(*_: Any, **__: Any) -> Any:
        noted.append("acquire")
        return resolved() if s3.is_async else None

    async def resolved() -> None:
        pass

    def recorded(*args: Any) -> Any:
        noted.append("answer")
        return record(*args)

    limiter._token_bucket.acquire = acquire
    limiter._rate_clocker.record = recorded
    yield noted


def run(s3: Caller, turn: Turn, mode: str) -> list[Any]:
    """Failures that empty a quota of 500 tokens; good answers, which fill it again; failures."""
    if mode != "adaptive":
        return _run(s3, turn)
    with at_any_rate(s3) as noted:
        seen = _run(s3, turn)
    return [*seen, noted]


def _run(s3: Caller, turn: Turn) -> list[Any]:
    seen: list[Any] = []
    for to_slow, calls in ((False, 1), (True, 14), (False, 12), (True, 2)):
        turn(to_slow)
        seen += [told(s3) for _ in range(calls)]
    turn(False)
    return [*seen, told(s3)]


@pytest.mark.parametrize("retries", MODES, ids=lambda each: "-".join(map(str, each.values())))
def test_attempts_quota_and_rate_are_those_of_stock(
    own_valkey: Start, flavour: str, retries: dict[str, Any]
) -> None:
    with stock(retries) as (s3, turn):
        expected = run(s3, turn, retries["mode"])
    with on_redis(flavour, own_valkey(), retries) as (s3, turn):
        assert run(s3, turn, retries["mode"]) == expected
    if retries.get("total_max_attempts") == 10:  # else the test shows less than it says
        assert any(each[4] for each in expected[:-1])


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_without_a_server_too(flavour: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exceptions draw on the quota as answers do."""
    retries = {"mode": mode, "total_max_attempts": 10}
    expected = delays_without_a_server("sync", "http", retries, monkeypatch)
    assert delays_without_a_server(flavour, "redis", retries, monkeypatch) == expected
    assert (expected[-1] < 9) == (mode == "standard")


def delays_without_a_server(
    flavour: str, scheme: str, retries: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """How often each of 14 calls waits before another attempt."""
    slept: list[float] = []

    def sleep(seconds: float) -> Sleep:
        slept.append(seconds)
        return Sleep(0)

    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(patch_module, "Sleep", sleep)
    counts = []
    with (
        refusing() as port,
        redis_s3(),
        open_caller(flavour, endpoint_url=f"{scheme}://127.0.0.1:{port}", retries=retries) as s3,
    ):
        for _ in range(14):
            before = len(slept)
            with pytest.raises(EndpointConnectionError):
                s3("put_object", Bucket="one", Key="k", Body=b"x")
            counts.append(len(slept) - before)
    return counts


def test_a_handler_of_the_users_decides_as_well(valkey: Valkey, flavour: str) -> None:
    """It is told of good answers and refusals alike, with the context of one request."""
    told_of: list[tuple[int, int]] = []
    contexts = []

    def again(response: Any, attempts: int, request_dict: Any, **_: Any) -> int | None:
        told_of.append((response[0].status_code, attempts))
        contexts.append(request_dict["context"])
        return 0 if attempts < 3 else None

    with redis_s3(), open_caller(flavour, endpoint_url=valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        s3.client.meta.events.register("needs-retry.s3.HeadObject", again)
        s3("put_object", Bucket="one", Key="k", Body=b"x")
        assert s3("head_object", Bucket="one", Key="k")["ResponseMetadata"]["RetryAttempts"] == 2
        with pytest.raises(ClientError):
            s3("head_object", Bucket="one", Key="other")
    assert told_of == [(200, 1), (200, 2), (200, 3), (404, 1), (404, 2), (404, 3)]
    assert contexts[0] is contexts[2]
    assert contexts[0] is not contexts[3]
    assert contexts[0]["client_region"] == "us-east-1"


def test_a_handler_of_after_call_error(flavour: str) -> None:
    seen: list[Exception] = []

    def failed(exception: Exception, **_: Any) -> None:
        seen.append(exception)

    retries = {"total_max_attempts": 1}
    with (
        refusing() as port,
        redis_s3(),
        open_caller(flavour, endpoint_url=f"redis://127.0.0.1:{port}", retries=retries) as s3,
    ):
        s3.client.meta.events.register("after-call-error.s3", failed)
        with pytest.raises(EndpointConnectionError) as caught:
            s3("get_object", Bucket="one", Key="k")
    assert seen == [caught.value]


def test_nothing_is_redirected_to_another_region(cluster: str, flavour: str) -> None:
    """A 400 to a HEAD makes botocore ask for the region of the bucket, where it is told of it."""
    alone = cluster.replace("redis+cluster", "redis")
    retries = {"mode": "adaptive"}
    with redis_s3(), open_caller(flavour, endpoint_url=alone, retries=retries) as s3:
        codes = set()
        for number in range(64):
            with pytest.raises(ClientError) as caught:
                s3("head_object", Bucket=f"b{number}", Key="k")
            codes.add(caught.value.response["Error"]["Code"])
    assert "400" in codes
