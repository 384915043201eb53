"""
Copies between two targets, through the client.

BOTO_ACCEL_BIG_COPY=1 copies an object of 1 GiB too, which takes minutes.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from boto_accel._conditions import failed_condition
from tests.fastpath.callers import open_caller
from tests.router.stores import KEYS, MAPPING, Stores
from tests.servers.clients import make_client

MIB = 1024 * 1024
ETAG = '"abc"'
THEN = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
EARLIER, LATER = THEN - datetime.timedelta(hours=1), THEN + datetime.timedelta(hours=1)
HEADER = "x-amz-copy-source-If-"


@pytest.fixture
def made(stores: Stores) -> Stores:
    stores.make_targets()
    return stores


@pytest.mark.parametrize(
    ("params", "failed"),
    [
        ({}, None),
        ({"IfMatch": ETAG}, None),
        ({"IfMatch": "abc"}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": '"x"'}, "Match"),
        ({"IfNoneMatch": '"x"'}, None),
        ({"IfNoneMatch": ETAG}, "None-Match"),
        ({"IfModifiedSince": EARLIER}, None),
        ({"IfModifiedSince": THEN}, "Modified-Since"),
        ({"IfModifiedSince": LATER}, "Modified-Since"),
        ({"IfUnmodifiedSince": LATER}, None),
        ({"IfUnmodifiedSince": THEN}, None),
        ({"IfUnmodifiedSince": EARLIER}, "Unmodified-Since"),
        ({"IfUnmodifiedSince": EARLIER.isoformat()}, "Unmodified-Since"),
        ({"IfUnmodifiedSince": "Wed, 31 Dec 2025 00:00:00 GMT"}, "Unmodified-Since"),
        ({"IfUnmodifiedSince": EARLIER.timestamp()}, "Unmodified-Since"),
        # S3 API, CopyObject: the entity tag decides.
        ({"IfMatch": ETAG, "IfUnmodifiedSince": EARLIER}, None),
        ({"IfNoneMatch": ETAG, "IfModifiedSince": EARLIER}, "None-Match"),
        ({"IfMatch": ETAG, "IfNoneMatch": ETAG}, "None-Match"),
    ],
)
def test_conditions(params: dict[str, Any], failed: str | None) -> None:
    given = {f"CopySource{name}": value for name, value in params.items()}
    expected = None if failed is None else HEADER + failed
    assert failed_condition(given, ETAG, THEN) == expected


@pytest.mark.parametrize(
    "condition",
    [
        {"CopySourceIfMatch": '"no"'},
        {"CopySourceIfUnmodifiedSince": EARLIER - datetime.timedelta(days=900)},
        {"CopySourceIfModifiedSince": LATER + datetime.timedelta(days=90000)},
    ],
)
def test_a_condition_that_fails(made: Stores, flavour: str, condition: dict[str, Any]) -> None:
    """412 with S3's code, and nothing is written."""
    with open_caller(flavour, **made.near.client_options) as s3, made.route():
        s3("put_object", Bucket="plain", Key="k", Body=b"x")
        for method, more in (
            ("copy_object", {}),
            ("upload_part_copy", {"UploadId": "any", "PartNumber": 1}),
        ):
            with pytest.raises(s3.client.exceptions.ClientError) as raised:
                s3(method, Bucket="moved", Key="k", CopySource="plain/k", **more, **condition)
            assert raised.value.response["Error"]["Code"] == "PreconditionFailed"
            assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert made.keys("far", "example-repo") == []


def test_a_long_object_is_copied_in_parts(made: Stores, flavour: str) -> None:
    """With what it was stored with; as is a long part, which is one request."""
    data = os.urandom(17 * MIB + 5)
    more: dict[str, Any] = {"ContentType": "text/x", "Metadata": {"m": "1"}, "Tagging": "a=b%20c"}
    with open_caller(flavour, **made.near.client_options) as s3, made.route():
        s3("put_object", Bucket="plain", Key="k", Body=data, **more)
        answer = s3("copy_object", Bucket="moved", Key="k", CopySource="plain/k")
        assert answer["CopyObjectResult"]["ETag"].endswith('-3"')
        assert answer["CopyObjectResult"]["LastModified"].tzinfo is not None
        found = s3("get_object", Bucket="moved", Key="k")
        assert s3.drain(found["Body"]) == data
        assert (found["ContentType"], found["Metadata"]) == ("text/x", {"m": "1"})
        tags = s3("get_object_tagging", Bucket="moved", Key="k")["TagSet"]
        assert tags == [{"Key": "a", "Value": "b c"}]
        names = {"Bucket": "moved", "Key": "parts"}
        names["UploadId"] = s3("create_multipart_upload", **names)["UploadId"]
        part = {"CopySource": "plain/k", "CopySourceRange": f"bytes=5-{12 * MIB}", "PartNumber": 1}
        etag = s3("upload_part_copy", **names, **part)["CopyPartResult"]["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        s3("complete_multipart_upload", **names, MultipartUpload=parts)
        assert s3.body(Bucket="moved", Key="parts") == data[5 : 12 * MIB + 1]


@pytest.mark.parametrize("wanted", ["bytes=2-20", "bytes=2-", "bytes=-2", "2-3"])
def test_a_range_that_is_not_within_the_object(made: Stores, wanted: str) -> None:
    with made.clients() as clients, made.route():
        s3 = clients["near"]
        s3.put_object(Bucket="plain", Key="k", Body=b"0123456789")
        with pytest.raises(s3.exceptions.ClientError) as raised:
            s3.upload_part_copy(
                Bucket="moved",
                Key="k",
                UploadId="any",
                PartNumber=1,
                CopySource="plain/k",
                CopySourceRange=wanted,
            )
        assert raised.value.response["Error"]["Code"] == "InvalidArgument"


def test_a_copy_that_fails_leaves_no_upload(made: Stores, flavour: str) -> None:
    """The error is the one that ended it, and the connection of the source is given up."""
    with open_caller(flavour, **made.near.client_options) as s3, made.route():
        s3.client.meta.events.register("before-call.s3.UploadPart", _fail)
        s3("put_object", Bucket="moved", Key="k", Body=bytes(9 * MIB))
        with pytest.raises(RuntimeError, match="no part"):
            s3("copy_object", Bucket="plain", Key="copy", CopySource="moved/k")
        assert "Uploads" not in s3("list_multipart_uploads", Bucket="plain")


def _fail(**_: Any) -> None:
    raise RuntimeError("no part")


@pytest.mark.aiobotocore
async def test_a_copy_that_is_cancelled(made: Stores) -> None:
    """`CancelledError` comes through, and the upload is aborted."""
    async with make_client("async", "s3", **made.near.client_options) as s3, made.route():
        await s3.put_object(Bucket="moved", Key="k", Body=bytes(9 * MIB))
        copying = asyncio.ensure_future(
            s3.copy_object(Bucket="plain", Key="copy", CopySource="moved/k")
        )
        begun = asyncio.Event()

        async def tell(**_: Any) -> None:
            begun.set()

        s3.meta.events.register("before-call.s3.UploadPart", tell)
        await begun.wait()
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert "Uploads" not in await s3.list_multipart_uploads(Bucket="plain")


COPY = """
import json, sys
import boto3
from boto_accel import route_s3

# In KiB. Not ru_maxrss, which begins with the peak of the process that started this one.
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

near, far, keys, mapping = json.loads(sys.argv[1])
s3 = boto3.client("s3", endpoint_url=near, **keys)
with route_s3({"far": {"endpoint_url": far, **keys}}, mapping):
    s3.copy_object(Bucket="moved", Key="warm", CopySource="plain/warm")
    before = peak()
    s3.copy_object(Bucket="moved", Key="big", CopySource="plain/big")
    after = peak()
print((after - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "size",
    [
        64 * MIB,
        pytest.param(
            1024 * MIB,
            marks=pytest.mark.skipif(
                os.environ.get("BOTO_ACCEL_BIG_COPY") != "1", reason="BOTO_ACCEL_BIG_COPY is not 1"
            ),
        ),
    ],
)
def test_memory_does_not_grow_with_the_object(made: Stores, size: int) -> None:
    """At most 64 MiB more than the process had; the copy is the object."""
    digest = _put_parts(made, "big", size)
    _put_parts(made, "warm", MIB)
    given = [made.near.endpoint_url, made.far.endpoint_url, KEYS, MAPPING]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COPY, json.dumps(given)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout)
    print(f"{size // MIB} MiB copied with {grown / MIB:.1f} MiB more")
    assert grown <= min(64 * MIB, size // 2)
    assert _digest(made, "main/big") == digest


def _put_parts(stores: Stores, key: str, size: int) -> str:
    """Parts that differ, so that their order shows."""
    sums = hashlib.sha256()
    with stores.clients() as clients:
        s3, names = clients["near"], {"Bucket": "plain", "Key": key}
        names["UploadId"] = s3.create_multipart_upload(**names)["UploadId"]
        parts = []
        for number in range(1, -(-size // (16 * MIB)) + 1):
            data = bytes([number % 251]) * min(16 * MIB, size - (number - 1) * 16 * MIB)
            sums.update(data)
            made = s3.upload_part(**names, PartNumber=number, Body=data)
            parts.append({"PartNumber": number, "ETag": made["ETag"]})
        s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    return sums.hexdigest()


def _digest(stores: Stores, key: str) -> str:
    sums = hashlib.sha256()
    with stores.clients() as clients:
        body = clients["far"].get_object(Bucket="example-repo", Key=key)["Body"]
        for chunk in body.iter_chunks(MIB):
            sums.update(chunk)
    return sums.hexdigest()
