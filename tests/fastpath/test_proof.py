"""A plan proves itself, and shadowing goes on proving it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from boto_accel import accelerate
from boto_accel.fastpath import sigv4
from boto_accel.fastpath.lanes import rest
from tests.fastpath.callers import open_caller
from tests.fastpath.outcome import outcome, stock_and_accelerated
from tests.servers.capture import CaptureServer, Recorded, http_answer

LISTING = b"<ListBucketResult><Name>%b</Name></ListBucketResult>"


def test_a_wrong_signature_retires_the_plan(
    flavour: str,
    capture: Callable[..., CaptureServer],
    frozen_clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    A compiled signer that differs from botocore's is found out before anything is sent: the call
    is stock's, one warning is logged, it is counted, and later calls are stock's as well.
    """
    genuine = sigv4.signing_key

    def elsewhere(secret_key: str, date: str, region: str, service: str) -> Any:
        return genuine(secret_key, date, "moon-1", service)

    monkeypatch.setattr(sigv4, "signing_key", elsewhere)
    server = capture(http_answer(200))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        stock, fast, stats = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, "head_object", Bucket="b", Key="k")
        )
        with accelerate() as later:
            assert outcome(s3, "head_object", Bucket="b", Key="k").error is None
    assert fast == stock
    assert (stats.fast, stats.fallback, stats.retired, stats.proved) == (0, 1, 1, 0)
    assert (later.stats.fast, later.stats.fallback, later.stats.retired) == (0, 1, 0)
    records = [each for each in caplog.records if each.name == "boto_accel"]
    assert [each.levelno for each in records] == [logging.WARNING]
    assert "s3.HeadObject" in records[0].getMessage()
    assert "header authorization" in records[0].getMessage()
    assert len(server.requests) == 3


def test_a_wrong_answer_retires_the_plan(
    flavour: str,
    capture: Callable[..., CaptureServer],
    frozen_clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A compiled parser that differs is found out: the caller gets stock's answer."""
    from boto_accel.fastpath.replies import Answers

    genuine = Answers.read

    def worse(self: Any, *args: Any, **rest: Any) -> Any:
        return {**genuine(self, *args, **rest), "Name": "wrong"}

    monkeypatch.setattr(Answers, "read", worse)
    server = capture(http_answer(200, LISTING % b"right"))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        stock, fast, stats = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, "list_objects_v2", Bucket="b")
        )
    assert fast == stock
    assert fast.answer["Name"] == "right"
    assert len(fast.requests) == 1  # nothing is sent again for it
    assert stats.retired == 1
    assert [each.levelno for each in caplog.records if each.name == "boto_accel"] == [
        logging.WARNING
    ]


def test_a_wrong_path_retires_only_its_plan(
    flavour: str,
    capture: Callable[..., CaptureServer],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A difference costs the operation that showed it, and no other."""
    genuine = rest.encode_path
    monkeypatch.setattr(rest, "encode_path", lambda text: genuine(text).lower())
    server = capture(http_answer(200, LISTING % b"x"))
    with (
        open_caller(flavour, endpoint_url=server.endpoint_url) as s3,
        accelerate() as patch,
    ):
        for _ in range(3):
            s3("delete_object", Bucket="b", Key="Key")
            s3("list_objects_v2", Bucket="b")
    assert patch.stats.retired == 1
    counts = patch.stats.by_operation
    assert counts["s3.DeleteObject"]["fallback"] == 3
    assert counts["s3.ListObjectsV2"] == {"fast": 3, "fallback": 0, "reasons": {}}
    assert {request.target for request in server.requests if request.method == b"DELETE"} == {
        b"/b/Key"
    }
    assert len(caplog.records) == 1


def test_shadow_counts_and_reports(
    flavour: str, capture: Callable[..., CaptureServer], caplog: pytest.LogCaptureFixture
) -> None:
    """
    With shadow=1.0 each read is sent through botocore too: equal answers are counted, a different
    one is reported without its values, and the caller has the answer of the fast call.
    """
    numbers = itertools.count(1)

    def answer(request: Recorded) -> bytes:
        number = next(numbers)  # the fourth differs: botocore's second
        return http_answer(200, LISTING % (b"secret" if number == 4 else b"same"))

    server = capture(answer)
    with (
        open_caller(flavour, endpoint_url=server.endpoint_url) as s3,
        accelerate(shadow=1.0) as patch,
    ):
        names = [s3("list_objects_v2", Bucket="b")["Name"] for _ in range(3)]
    assert names == ["same"] * 3
    assert len(server.requests) == 6
    stats = patch.stats
    assert (stats.fast, stats.fallback) == (3, 0)
    assert (stats.shadow_checked, stats.shadow_different) == (3, 1)
    assert len(caplog.records) == 1
    assert "Name" in caplog.text
    assert "secret" not in caplog.text


def test_shadow_leaves_writes_and_streams_alone(
    flavour: str, capture: Callable[..., CaptureServer]
) -> None:
    """Writes are sent once; the body of a shadowed read is whole."""
    server = capture(
        lambda request: http_answer(200, b"b" * 300_000 if request.method == b"GET" else b"")
    )
    with (
        open_caller(flavour, endpoint_url=server.endpoint_url) as s3,
        accelerate(shadow=1.0) as patch,
    ):
        outcome(s3, "put_object", Bucket="b", Key="k", Body=b"x")
        assert len(server.requests) == 1
        assert s3.body(Bucket="b", Key="k") == b"b" * 300_000
        assert len(server.requests) == 3
    assert (patch.stats.shadow_checked, patch.stats.shadow_different) == (1, 0)


def test_a_shadow_that_fails_is_no_error_of_the_caller(
    flavour: str, capture: Callable[..., CaptureServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Where botocore's own call fails, the caller still has the good answer; it is counted."""
    server = capture([http_answer(200), http_answer(404, b"")])
    with (
        open_caller(flavour, endpoint_url=server.endpoint_url) as s3,
        accelerate(shadow=1.0) as patch,
    ):
        s3("head_object", Bucket="b", Key="k")
    assert (patch.stats.shadow_checked, patch.stats.shadow_different) == (1, 1)
    assert len(caplog.records) == 1
