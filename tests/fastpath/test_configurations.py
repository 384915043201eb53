"""Client configurations: the same requests, answers, errors and attempts as stock, fast."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore import UNSIGNED

from tests.fastpath.callers import Caller, open_caller
from tests.fastpath.outcome import Outcome, outcome, stock_and_accelerated
from tests.servers.capture import CaptureServer, http_answer


@pytest.fixture
def everywhere(
    capture: Callable[..., CaptureServer], monkeypatch: pytest.MonkeyPatch
) -> CaptureServer:
    """A server that every name resolves to: real host names, loopback only."""
    server = capture(http_answer(200, b"", {"ETag": '"e"'}))
    genuine = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **rest: Any) -> Any:
        return genuine("127.0.0.1", server.port, *args, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return server


ACCESS_POINT = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"
HOSTS: list[tuple[dict[str, Any], str, bytes]] = [
    ({}, "bucket-one", b"bucket-one.s3.us-west-2.amazonaws.com"),
    ({"addressing_style": "path"}, "bucket-one", b"s3.us-west-2.amazonaws.com"),
    ({"addressing_style": "virtual"}, "bucket-one", b"bucket-one.s3.us-west-2.amazonaws.com"),
    ({"addressing_style": "auto"}, "bucket.dots", b"s3.us-west-2.amazonaws.com"),
    ({"use_accelerate_endpoint": True}, "bucket-one", b"bucket-one.s3-accelerate.amazonaws.com"),
    (
        {"use_dualstack_endpoint": True},
        "bucket-one",
        b"bucket-one.s3.dualstack.us-west-2.amazonaws.com",
    ),
    (
        {"use_fips_endpoint": True},
        "bucket-one",
        b"bucket-one.s3-fips.us-west-2.amazonaws.com",
    ),
    ({}, ACCESS_POINT, b"mine-123456789012.s3-accesspoint.us-west-2.amazonaws.com"),
    ({"payload_signing_enabled": True}, "bucket-one", b"bucket-one.s3.us-west-2.amazonaws.com"),
]


@pytest.mark.parametrize(("s3_options", "bucket", "host"), HOSTS)
def test_hosts(
    flavour: str,
    everywhere: CaptureServer,
    frozen_clock: Any,
    s3_options: dict[str, Any],
    bucket: str,
    host: bytes,
) -> None:
    """Addressing styles, accelerate, dualstack, FIPS, access points: stock's request, fast."""
    s3_options = dict(s3_options)
    options: dict[str, Any] = {"region_name": "us-west-2", "use_ssl": False}
    for name in ("use_dualstack_endpoint", "use_fips_endpoint"):
        if name in s3_options:
            options[name] = s3_options.pop(name)
    if s3_options:
        options["s3"] = s3_options
    with open_caller(flavour, **options) as s3:
        stock, fast, stats = stock_and_accelerated(
            everywhere,
            frozen_clock,
            lambda: outcome(s3, "put_object", Bucket=bucket, Key="k", Body=b"x"),
        )
    assert fast == stock
    assert fast.error is None
    # A request names the host that it is for, but for the port that nobody writes.
    assert dict(fast.requests[0].headers)[b"host"] == host
    if bucket == "bucket-one" or "." in bucket:
        assert (stats.fast, stats.fallback, stats.retired) == (1, 0, 0), f"\n{stats}"


RETRIES: list[dict[str, Any]] = [
    {"mode": "legacy", "max_attempts": 1},
    {"mode": "standard", "total_max_attempts": 3},
    {"mode": "standard", "total_max_attempts": 1},
    {"mode": "adaptive", "total_max_attempts": 2},
]


@pytest.mark.parametrize("retries", RETRIES, ids=lambda each: "-".join(map(str, each.values())))
@pytest.mark.parametrize("status", [200, 500, 503, 429, 400])
def test_retry_modes(
    flavour: str,
    capture: Callable[..., CaptureServer],
    frozen_clock: Any,
    no_waiting: None,
    retries: dict[str, Any],
    status: int,
) -> None:
    """The same number of attempts, the same headers on each, the same outcome."""
    server = capture(lambda request: http_answer(status, b""))
    with open_caller(flavour, endpoint_url=server.endpoint_url, retries=retries) as s3:
        stock, fast, stats = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, "delete_object", Bucket="b", Key="k")
        )
    assert fast == stock
    assert (fast.error is None) == (status == 200)
    if retries["mode"] == "adaptive":  # its rate limiter watches request-level events
        assert stats.fast + stats.fallback == 1
    else:
        assert (stats.fast, stats.fallback, stats.retired) == (1, 0, 0)


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("get_object", {"Bucket": "b", "Key": "k"}),
    ("put_object", {"Bucket": "b", "Key": "k", "Body": b"data"}),
    ("list_objects_v2", {"Bucket": "b"}),
]


@pytest.mark.parametrize(("method", "params"), CALLS)
def test_anonymous(
    flavour: str, capture: Any, frozen_clock: Any, method: str, params: dict[str, Any]
) -> None:
    """Unsigned calls are stock's byte for byte, and fast."""
    body = b"<ListBucketResult/>" if method.startswith("list") else b""
    server = capture(http_answer(200, body))
    with open_caller(flavour, endpoint_url=server.endpoint_url, signature_version=UNSIGNED) as s3:
        stock, fast, stats = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, method, **params)
        )
    assert fast == stock
    assert b"authorization" not in dict(fast.requests[0].headers)
    assert (stats.fast, stats.fallback) == (1, 0)


@pytest.mark.parametrize("version", ["s3", "s3v4", "v4"])
def test_signature_versions(flavour: str, capture: Any, frozen_clock: Any, version: str) -> None:
    """Version 4 is fast; the older one is stock's, and its reason is counted."""
    server = capture(http_answer(200))
    with open_caller(flavour, endpoint_url=server.endpoint_url, signature_version=version) as s3:
        stock, fast, stats = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, "head_object", Bucket="b", Key="k")
        )
    assert fast == stock
    assert stats.fast + stats.fallback == 1
    if version == "s3v4":
        assert stats.fast == 1
    if version == "s3":
        assert stats.fallback == 1
        assert dict(fast.requests[0].headers)[b"authorization"].startswith(b"AWS ")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (
            "put_object",
            {"Body": b"x", "SSECustomerKey": "k" * 32, "SSECustomerAlgorithm": "AES256"},
        ),
        ("get_object", {"SSECustomerKey": b"b" * 32, "SSECustomerAlgorithm": "AES256"}),
        ("head_object", {"SSECustomerKey": b"b" * 32, "SSECustomerAlgorithm": "AES256"}),
        (
            "copy_object",
            {
                "CopySource": "b/from",
                "CopySourceSSECustomerKey": "s" * 32,
                "CopySourceSSECustomerAlgorithm": "AES256",
            },
        ),
        ("put_object", {"Body": b"x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "id"}),
    ],
)
def test_keys_of_the_customer(
    flavour: str, capture: Any, frozen_clock: Any, method: str, params: dict[str, Any]
) -> None:
    """SSE-C and SSE-KMS headers, with the digest of the key, are stock's, and the call is fast."""
    body = b"<CopyObjectResult/>" if method == "copy_object" else b""
    server = capture(http_answer(200, body))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:

        def call() -> Outcome:
            return outcome(s3, method, Bucket="b", Key="k", **params)

        first_stock, first_fast, stats = stock_and_accelerated(server, frozen_clock, call)
        stock, fast, again = stock_and_accelerated(server, frozen_clock, call)
    assert first_fast == first_stock
    assert fast == stock
    assert (stats.fast, stats.fallback, again.fast) == (1, 0, 1)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("get_object", {"Bucket": "b"}),
        ("get_object", {"Bucket": "", "Key": "k"}),
        ("get_object", {"Bucket": "b", "Key": ""}),
        ("get_object", {"Bucket": "bad bucket!", "Key": "k"}),
        ("get_object", {"Bucket": "b", "Key": 7}),
        ("get_object", {"Bucket": "b", "Key": "k", "Rnage": "bytes=0-"}),
        ("put_object", {"Bucket": "b", "Key": "k", "Metadata": {"a": "ä"}}),
        ("put_object", {"Bucket": "b", "Key": "k", "ContentType": "a\r\nx: y"}),
        ("put_object", {"Bucket": "b", "Key": "k", "Body": 17}),
        ("put_object", {"Bucket": "b", "Key": "k", "Body": b"x", "ChecksumAlgorithm": "MD4"}),
        ("delete_objects", {"Bucket": "b", "Delete": {"Objects": "k"}}),
        ("list_objects_v2", {"Bucket": "b", "MaxKeys": "ten"}),
    ],
)
def test_bad_parameters(
    flavour: str, capture: Any, frozen_clock: Any, method: str, params: dict[str, Any]
) -> None:
    """What stock refuses is refused with the same exception, and nothing more is sent."""
    server = capture(http_answer(200))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        stock, fast, _ = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, method, **params)
        )
    assert fast == stock


def test_subclasses_and_copies_of_text(flavour: str, capture: Any, frozen_clock: Any) -> None:
    """A key that is a subclass of str is sent as stock sends it."""

    class Text(str):
        def __str__(self) -> str:
            return "other"

    server = capture(http_answer(200))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        stock, fast, _ = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, "head_object", Bucket="b", Key=Text("k"))
        )
    assert fast == stock


def test_options_of_the_caller_are_kept(capture: Any) -> None:
    """The caller's own parameters are not changed by an accelerated call."""
    server = capture(http_answer(200))
    with open_caller("sync", endpoint_url=server.endpoint_url) as s3:
        _check_untouched(s3)


def _check_untouched(s3: Caller) -> None:
    from boto_accel import accelerate

    source = {"Bucket": "b", "Key": "from"}
    params = {"Bucket": "b", "Key": "k", "Metadata": {"a": "b"}, "Body": bytearray(b"x")}
    with accelerate() as patch:
        s3("put_object", **params)
        outcome(s3, "copy_object", Bucket="b", Key="k", CopySource=source)
    assert params == {"Bucket": "b", "Key": "k", "Metadata": {"a": "b"}, "Body": bytearray(b"x")}
    assert source == {"Bucket": "b", "Key": "from"}
    assert patch.stats.fast == 2
