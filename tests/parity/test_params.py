"""Bad parameters: the same error with the same text, and nothing sent where stock sends nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generate.spoilt import BAD_BUCKETS, BAD_HEADERS, Spoilt, spoilt_params
from tests.parity.configs import SETUPS
from tests.parity.limits import bounded
from tests.parity.operations import FAST, operation_model
from tests.parity.worlds import World, request

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

SPOILT_ON = st.sampled_from(
    [SETUPS[name] for name in ("http, path", "http, virtual host", "http, unvalidated")]
)
PLAIN = SETUPS["http, path"]
REFUSED = "botocore.exceptions.ParamValidationError"


@pytest.mark.parametrize("operation", FAST)
def test_spoilt_parameters_fail_as_in_stock(world: World, operation: str) -> None:
    model = operation_model(operation)

    @bounded(60)
    @given(setup=SPOILT_ON, spoilt=spoilt_params(model))
    def check(setup: Any, spoilt: Spoilt) -> None:
        pair = world.compare(setup, request(model, spoilt.params))
        assert pair.differences() == [], spoilt.how

    check()


@pytest.mark.parametrize("bucket", BAD_BUCKETS)
def test_bad_bucket_names_are_refused_before_anything_is_sent(world: World, bucket: str) -> None:
    pair = world.compare(PLAIN, request(operation_model("HeadBucket"), {"Bucket": bucket}))
    assert pair.differences() == []
    if bucket != "bucket\n":  # `$` in botocore's pattern matches before a last newline
        assert pair.fast.error is not None
        assert pair.fast.error.bases[0] == REFUSED
        assert pair.fast.requests == ()


@pytest.mark.parametrize("bad", BAD_HEADERS)
@pytest.mark.parametrize("member", ["ContentType", "CacheControl", "Metadata", "Tagging"])
def test_header_values_that_no_header_can_carry(world: World, member: str, bad: str) -> None:
    """CR and LF must never reach the wire; what else is odd ends as it ends in stock."""
    value = {"name": bad} if member == "Metadata" else bad
    params = {"Bucket": "bucket", "Key": "k", "Body": b"x", member: value}
    pair = world.compare(PLAIN, request(operation_model("PutObject"), params))
    assert pair.differences() == []
    assert not any("x-added" in dict(sent.headers) for sent in pair.fast.requests)


MISUSES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("GetObject", {}),
    ("GetObject", {"Bucket": "bucket"}),
    ("GetObject", {"Bucket": 7, "Key": "k"}),
    ("GetObject", {"Bucket": None, "Key": "k"}),
    ("GetObject", {"Bucket": "bucket", "Key": None}),
    ("GetObject", {"Bucket": "bucket", "Key": ""}),
    ("GetObject", {"Bucket": "bucket", "Key": b"k"}),
    ("GetObject", {"Bucket": "bucket", "Key": "k", "IfModifiedSince": "yesterday-ish"}),
    ("GetObject", {"Bucket": "bucket", "Key": "k", "PartNumber": True}),
    ("PutObject", {"Bucket": "bucket", "Key": "k", "Body": 7}),
    ("PutObject", {"Bucket": "bucket", "Key": "k", "Body": {"a": 1}}),
    ("PutObject", {"Bucket": "bucket", "Key": "k", "Metadata": {"n": "ä"}}),
    ("PutObject", {"Bucket": "bucket", "Key": "k", "Metadata": {"ä": "n"}}),
    ("PutObject", {"Bucket": "bucket", "Key": "k", "Metadata": {1: "n"}}),
    ("PutObject", {"Bucket": "bucket", "Key": "k", "Metadata": {"n": None}}),
    ("DeleteObjects", {"Bucket": "bucket", "Delete": {}}),
    ("DeleteObjects", {"Bucket": "bucket", "Delete": {"Objects": [{"Key": None}]}}),
    ("DeleteObjects", {"Bucket": "bucket", "Delete": {"Objects": [{"Name": "k"}, 7]}}),
    ("CopyObject", {"Bucket": "bucket", "Key": "k", "CopySource": {"Bucket": "bucket"}}),
    ("CopyObject", {"Bucket": "bucket", "Key": "k", "CopySource": 7}),
    ("ListObjectsV2", {"Bucket": "bucket", "MaxKeys": "10"}),
    ("ListObjectsV2", {"Bucket": "bucket", "maxKeys": 10}),
    ("UploadPart", {"Bucket": "bucket", "Key": "k", "PartNumber": 1.5, "UploadId": "u"}),
)


@pytest.mark.parametrize("number", range(len(MISUSES)))
def test_common_misuses(world: World, number: int) -> None:
    operation, params = MISUSES[number]
    pair = world.compare(PLAIN, request(operation_model(operation), params))
    assert pair.differences() == []
