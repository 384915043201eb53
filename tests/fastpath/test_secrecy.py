"""No secret in what this package says."""

from __future__ import annotations

import gc
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from boto_accel import accelerate, explain
from boto_accel.errors import InvalidOptionError
from boto_accel.fastpath import sigv4
from tests.fastpath.callers import open_caller
from tests.fastpath.outcome import outcome
from tests.servers.capture import CaptureServer, Sleep, http_answer

SECRET = "s3cr3t-key-that-nobody-may-see"
TOKEN = "t0ken-that-nobody-may-see"
CUSTOMER_KEY = "customer-key-that-nobody-may-se!"
SIGNATURE = re.compile(rb"Signature=([0-9a-f]{64})")


@pytest.mark.parametrize("broken", [False, True], ids=["fast", "retired"])
def test_logs_and_reprs(
    flavour: str,
    capture: Callable[..., CaptureServer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    broken: bool,
) -> None:
    """Secret, token, customer key and signatures are in no log record, repr, stats or reason."""
    caplog.set_level(logging.DEBUG, logger="boto_accel")
    server = capture(lambda request: http_answer(404 if b"absent" in request.target else 200))
    if broken:
        monkeypatch.setattr(sigv4, "trimmed", lambda value: value + "!")
    options = {
        "endpoint_url": server.endpoint_url,
        "aws_secret_access_key": SECRET,
        "aws_session_token": TOKEN,
    }
    sse = {"SSECustomerKey": CUSTOMER_KEY, "SSECustomerAlgorithm": "AES256"}
    said: list[str] = []
    with open_caller(flavour, **options) as s3, accelerate(shadow=1.0) as patch:
        for key in ("k", "absent"):
            seen = outcome(s3, "get_object", Bucket="b", Key=key, **sse)
            said.append(str(seen.error))
        said.append(str(outcome(s3, "get_object", Bucket="b", Key=3).error))
        url = s3.run(s3.client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}))
        said += [repr(patch), str(patch), repr(patch.stats), str(patch.stats)]
        said += [repr(patch.stats.as_dict()), repr(explain(s3.client, "get_object"))]
        said.append(_refusal(s3.client))
        said.append(repr(vars(s3.client).get("_boto_accel")))
    assert patch.stats.fast + patch.stats.fallback >= 3
    assert bool(patch.stats.retired) == broken
    said += [
        record.getMessage() + repr(vars(record))
        for record in caplog.records
        if record.name.startswith("boto_accel")
    ]
    signatures = {match for r in server.requests for match in SIGNATURE.findall(r.head)}
    assert signatures
    hidden = [SECRET, TOKEN, CUSTOMER_KEY, *(each.decode() for each in signatures)]
    hidden.append(url.rpartition("Signature=")[2].partition("&")[0])
    for text in said:
        assert not [each for each in hidden if each in text], text


def test_objects_do_not_show_what_they_hold(
    flavour: str, capture: Callable[..., CaptureServer]
) -> None:
    """Whatever of ours is alive after calls and presigning: no `repr` has a secret in it."""
    server = capture(lambda request: [http_answer(200, b"", {"Content-Length": "9"}), Sleep(60)])
    options = {
        "endpoint_url": server.endpoint_url,
        "aws_secret_access_key": SECRET,
        "aws_session_token": TOKEN,
    }
    with open_caller(flavour, **options) as s3, accelerate() as patch:
        body = s3("get_object", Bucket="b", Key="k")["Body"]
        url = s3.run(s3.client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"}))
        hidden = {SECRET, TOKEN, url.rpartition("Signature=")[2].partition("&")[0]}
        hidden |= {m.decode() for r in server.requests for m in SIGNATURE.findall(r.head)}
        ours = [
            each for each in gc.get_objects() if str(type(each).__module__).startswith("boto_accel")
        ]
        shown = [f"{each!r} {each}" for each in ours]
        body.close()
    assert patch.stats.fast >= 1
    assert len(hidden) >= 4
    assert len(shown) > 10
    assert not [text for text in shown if any(each in text for each in hidden)]


def _refusal(client: Any) -> str:
    with pytest.raises(InvalidOptionError) as raised:
        explain(client, "nothing")
    return f"{raised.value!r} {raised.value} {vars(raised.value)}"


def test_exceptions_of_the_wire_say_what_stock_says(flavour: str) -> None:
    """A refused connection's error names the place, as stock's does, and nothing more."""
    options = {
        "endpoint_url": "http://127.0.0.1:1",
        "aws_secret_access_key": SECRET,
        "aws_session_token": TOKEN,
        "retries": {"mode": "standard", "total_max_attempts": 1},
    }
    with open_caller(flavour, **options) as s3:
        stock = outcome(s3, "head_object", Bucket="b", Key="k")
        with accelerate() as patch:
            fast = outcome(s3, "head_object", Bucket="b", Key="k")
    assert patch.stats.fast == 1
    assert fast == stock
    assert fast.error is not None
    assert TOKEN not in str(fast.error)
