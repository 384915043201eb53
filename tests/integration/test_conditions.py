"""Ranges, conditions, checksums and the errors that servers answer with."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from boto_accel import accelerate
from tests.fastpath.callers import all_fast, open_caller
from tests.fastpath.outcome import outcome

DATA = bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("bytes=0-0", DATA[:1]),
        ("bytes=10-99", DATA[10:100]),
        ("bytes=2000-", DATA[2000:]),
        ("bytes=-5", DATA[-5:]),
    ],
)
def test_ranges(flavour: str, server: Any, bucket: str, given: str, expected: bytes) -> None:
    """A range is read fast, with the headers of a range."""
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        s3("put_object", Bucket=bucket, Key="k", Body=DATA)
        with all_fast(1):
            answer = s3("get_object", Bucket=bucket, Key="k", Range=given)
            assert s3.drain(answer["Body"]) == expected
        assert answer["ContentLength"] == len(expected)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"].endswith(f"/{len(DATA)}")


FUTURE = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=2)
PAST = datetime(2020, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize("method", ["get_object", "head_object"])
@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"IfNoneMatch": "ETAG"}, 304),
        ({"IfModifiedSince": FUTURE}, 304),
        ({"IfMatch": '"0123456789abcdef0123456789abcdef"'}, 412),
        ({"IfUnmodifiedSince": PAST}, 412),
        ({"IfMatch": "ETAG"}, 200),
        ({"IfNoneMatch": '"0123456789abcdef0123456789abcdef"'}, 200),
        ({"IfModifiedSince": PAST}, 200),
    ],
)
def test_conditions(
    flavour: str, server: Any, bucket: str, method: str, condition: dict[str, Any], status: int
) -> None:
    """304 and 412 raise what stock raises, and the call that met them was fast."""
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        etag = s3("put_object", Bucket=bucket, Key="k", Body=DATA)["ETag"]
        params = {k: etag if v == "ETAG" else v for k, v in condition.items()}
        params.update(Bucket=bucket, Key="k")
        stock = outcome(s3, method, **params)
        if (stock.error is None) != (status < 300):
            pytest.skip(f"the server does not know {next(iter(condition))} on {method}")
        with all_fast(1):
            fast = outcome(s3, method, **params)
    _same_but_for_the_exchange(fast, stock, status)


def _same_but_for_the_exchange(fast: Any, stock: Any, status: int) -> None:
    if status < 300:
        assert fast.error is None
        assert fast.answer["ResponseMetadata"]["HTTPStatusCode"] == status
        assert {k: v for k, v in fast.answer.items() if k != "ResponseMetadata"} == {
            k: v for k, v in stock.answer.items() if k != "ResponseMetadata"
        }
        return
    assert fast.error[0] is stock.error[0]
    assert fast.error[1] == stock.error[1]
    assert fast.error[2]["Error"].keys() == stock.error[2]["Error"].keys()
    assert fast.error[2]["Error"]["Code"] == stock.error[2]["Error"]["Code"]
    assert fast.error[2]["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize(
    ("method", "more", "status"),
    [
        ("get_object", {"Key": "k", "Range": "bytes=99999-"}, 416),
        ("get_object", {"Key": "absent"}, 404),
        ("head_object", {"Key": "absent"}, 404),
        ("list_parts", {"Key": "k", "UploadId": "00000000000000000000000000000000"}, 404),
        ("put_object", {"Bucket": "absent-bucket-of-nobody", "Key": "k", "Body": b"x"}, 404),
        ("list_objects_v2", {"Bucket": "absent-bucket-of-nobody"}, 404),
        ("head_bucket", {"Bucket": "absent-bucket-of-nobody"}, 404),
    ],
)
def test_errors(
    flavour: str, server: Any, bucket: str, method: str, more: dict[str, Any], status: int
) -> None:
    """What the server refuses raises stock's exception: class, text, code, number of attempts."""
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        s3("put_object", Bucket=bucket, Key="k", Body=DATA)
        params = {"Bucket": bucket, **more}
        stock = outcome(s3, method, **params)
        with all_fast(1):
            fast = outcome(s3, method, **params)
    if stock.error is None:  # e.g. a server that makes the bucket of a put
        assert fast.error is None
        return
    _same_but_for_the_exchange(fast, stock, stock.error[2]["ResponseMetadata"]["HTTPStatusCode"])
    assert fast.error is not None
    attempts = [each.error[2]["ResponseMetadata"]["RetryAttempts"] for each in (stock, fast)]
    assert attempts == [0, 0]


def test_a_wrong_signature_is_refused_as_stock_is(flavour: str, seaweed: Any, bucket: str) -> None:
    """The server does check signatures: with a wrong secret the fast call is refused as stock's."""
    options = {**seaweed.client_options, "aws_secret_access_key": "wrong"}
    with open_caller(flavour, **options) as s3:
        stock = outcome(s3, "list_objects_v2", Bucket=bucket)
        with all_fast(1):
            fast = outcome(s3, "list_objects_v2", Bucket=bucket)
    assert stock.error is not None
    assert stock.error[2]["Error"]["Code"] == "SignatureDoesNotMatch"
    _same_but_for_the_exchange(fast, stock, 403)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksum_algorithms(flavour: str, server: Any, bucket: str, algorithm: str) -> None:
    """An explicit algorithm is computed, accepted by the server, and checked when read."""
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        params = {"Bucket": bucket, "Key": "k"}
        stock = s3("put_object", **params, Body=DATA, ChecksumAlgorithm=algorithm)
        with all_fast(2):
            put = s3("put_object", **params, Body=DATA, ChecksumAlgorithm=algorithm)
            assert s3.body(**params, ChecksumMode="ENABLED") == DATA
        assert put.get(f"Checksum{algorithm}") == stock.get(f"Checksum{algorithm}")
        assert s3.body(**params) == DATA


@pytest.mark.parametrize("setting", ["when_supported", "when_required"])
def test_checksum_settings(flavour: str, server: Any, bucket: str, setting: str) -> None:
    """Both settings of request and response checksums go fast, in headers and in trailers."""
    more = {"request_checksum_calculation": setting, "response_checksum_validation": setting}
    with open_caller(flavour, **server.client_options, **more) as s3:
        s3("create_bucket", Bucket=bucket)
        with all_fast(2):
            s3("put_object", Bucket=bucket, Key="k", Body=DATA)
            assert s3.body(Bucket=bucket, Key="k") == DATA
        assert s3.body(Bucket=bucket, Key="k") == DATA


@pytest.mark.parametrize("condition", [{"IfNoneMatch": "*"}, {"IfMatch": '"00"'}])
def test_conditional_puts(
    flavour: str, server: Any, bucket: str, condition: dict[str, str]
) -> None:
    """A put that may not overwrite is refused for the fast path as for stock; the data stays."""
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        s3("put_object", Bucket=bucket, Key="k", Body=b"first")
        params = {"Bucket": bucket, "Key": "k", "Body": b"second", **condition}
        stock = outcome(s3, "put_object", **params)
        with accelerate() as patch:
            fast = outcome(s3, "put_object", **params)
        assert patch.stats.fast == 1
        assert patch.stats.fallback == 0
        assert stock.error is not None
        _same_but_for_the_exchange(fast, stock, 412)
        assert s3.body(Bucket=bucket, Key="k") == b"first"
