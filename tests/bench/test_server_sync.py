"""The benchmark's server answers stock boto3 as S3 would."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

from boto_accel.bench.target import Target

BUCKET = "answers"
SIZES = (0, 1, 100, 1024, 70_000, 8 * 1024 * 1024)


@pytest.fixture(scope="module")
def client(target: Target) -> Iterator[Any]:
    settings = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    made = Session().create_client("s3", config=settings, **target.client_arguments())
    made.create_bucket(Bucket=BUCKET)
    yield made
    made.close()


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_the_bytes_that_are_put_are_got_with_their_md5_and_crc32(client: Any, size: int) -> None:
    """botocore itself checks the CRC32 of the answer against the body."""
    body = some_bytes(size)
    put = client.put_object(Bucket=BUCKET, Key="k", Body=body)
    got = client.get_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"]
    assert got["ContentLength"] == size


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_arrives_whole_whether_or_not_it_is_sent_with_a_trailer(
    client: Any, size: int
) -> None:
    """Over https botocore sends a stream as aws-chunked with the checksum behind it."""
    body = some_bytes(size)
    put = client.put_object(Bucket=BUCKET, Key="stream", Body=io.BytesIO(body))
    got = client.get_object(Bucket=BUCKET, Key="stream")
    assert got["Body"].read() == body
    assert got["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"]


def test_a_wrong_checksum_is_refused(client: Any) -> None:
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket=BUCKET, Key="wrong", Body=b"x", ChecksumCRC32="AAAAAA==")
    assert caught.value.response["Error"]["Code"] == "BadDigest"
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=BUCKET, Key="wrong")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=5-9", 5, 9), ("bytes=90-", 90, 99), ("bytes=-7", 93, 99)],
)
def test_a_range_gives_just_its_bytes(client: Any, asked: str, first: int, last: int) -> None:
    body = some_bytes(100)
    client.put_object(Bucket=BUCKET, Key="ranged", Body=body)
    got = client.get_object(Bucket=BUCKET, Key="ranged", Range=asked)
    assert got["Body"].read() == body[first : last + 1]
    assert got["ContentRange"] == f"bytes {first}-{last}/100"
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_outside_the_object_is_an_error(client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="short", Body=b"abc")
    with pytest.raises(ClientError, match="InvalidRange"):
        client.get_object(Bucket=BUCKET, Key="short", Range="bytes=3-9")


def test_head_tells_what_get_tells(client: Any) -> None:
    client.put_object(
        Bucket=BUCKET, Key="h", Body=b"abc", ContentType="text/plain", Metadata={"colour": "red"}
    )
    head = client.head_object(Bucket=BUCKET, Key="h")
    got = client.get_object(Bucket=BUCKET, Key="h")
    assert got.pop("Body").read() == b"abc"
    assert head["ContentType"] == "text/plain"
    assert head["Metadata"] == {"colour": "red"}
    for name in ("ContentLength", "ETag", "LastModified", "ContentType", "Metadata"):
        assert head[name] == got[name]


@pytest.mark.parametrize("key", ["a b", "ü/ß", "a+b&c=d", "100%", "q?x=1", "/lead", "end/"])
def test_odd_keys_are_kept_as_they_are(client: Any, key: str) -> None:
    client.put_object(Bucket=BUCKET, Key=f"odd/{key}", Body=key.encode())
    assert client.get_object(Bucket=BUCKET, Key=f"odd/{key}")["Body"].read() == key.encode()
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"odd/{key}")
    assert [item["Key"] for item in listed["Contents"]] == [f"odd/{key}"]


def test_missing_things_raise_their_own_errors(client: Any) -> None:
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=BUCKET, Key="missing")
    with pytest.raises(client.exceptions.NoSuchBucket):
        client.list_objects_v2(Bucket="missing")
    with pytest.raises(ClientError) as caught:
        client.head_object(Bucket=BUCKET, Key="missing")
    assert caught.value.response["Error"]["Code"] == "404"


def test_conditions_hold(client: Any) -> None:
    etag = client.put_object(Bucket=BUCKET, Key="c", Body=b"1")["ETag"]
    assert client.get_object(Bucket=BUCKET, Key="c", IfMatch=etag)["Body"].read() == b"1"
    with pytest.raises(ClientError, match="304"):
        client.get_object(Bucket=BUCKET, Key="c", IfNoneMatch=etag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.get_object(Bucket=BUCKET, Key="c", IfMatch='"other"')


def test_what_is_not_done_is_said(client: Any) -> None:
    """An operation taken for another would be measured as if it worked."""
    client.put_object(Bucket=BUCKET, Key="tagged", Body=b"x")
    with pytest.raises(ClientError, match="NotImplemented"):
        client.get_object_tagging(Bucket=BUCKET, Key="tagged")
    with pytest.raises(ClientError, match="NotImplemented"):
        client.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/tagged")


class TestListing:
    """Listings of one prefix with keys at two levels."""

    KEYS = tuple(f"tree/{number % 7}/{number:03d}" for number in range(40))

    @pytest.fixture(autouse=True)
    def _tree(self, client: Any) -> None:
        for key in self.KEYS:
            client.put_object(Bucket=BUCKET, Key=key, Body=b"leaf")

    def pages(self, client: Any, **asked: Any) -> list[dict[str, Any]]:
        paginator = client.get_paginator("list_objects_v2")
        return list(paginator.paginate(Bucket=BUCKET, Prefix="tree/", **asked))

    @pytest.mark.parametrize("size", [1, 7, 39, 40, 41, 1000])
    def test_pages_hold_each_key_once_and_in_order(self, client: Any, size: int) -> None:
        pages = self.pages(client, PaginationConfig={"PageSize": size})
        keys = [item["Key"] for page in pages for item in page["Contents"]]
        assert keys == sorted(self.KEYS)
        assert [page["KeyCount"] for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]

    @pytest.mark.parametrize("size", [1, 3, 7, 1000])
    def test_a_delimiter_folds_each_group_once(self, client: Any, size: int) -> None:
        pages = self.pages(client, Delimiter="/", PaginationConfig={"PageSize": size})
        folded = [group["Prefix"] for page in pages for group in page.get("CommonPrefixes", [])]
        assert folded == [f"tree/{number}/" for number in range(7)]
        assert not any("Contents" in page for page in pages)

    def test_start_after_leaves_out_what_comes_before(self, client: Any) -> None:
        first, *rest = sorted(self.KEYS)
        [page] = self.pages(client, StartAfter=first)
        assert [item["Key"] for item in page["Contents"]] == rest

    def test_entries_tell_size_etag_and_time(self, client: Any) -> None:
        [page] = self.pages(client)
        head = client.head_object(Bucket=BUCKET, Key=self.KEYS[0])
        item = page["Contents"][0]
        assert (item["Size"], item["ETag"]) == (4, head["ETag"])
        assert item["LastModified"] == head["LastModified"]

    def test_a_listing_follows_writes_and_deletes(self, client: Any) -> None:
        client.put_object(Bucket=BUCKET, Key="tree/new", Body=b"longer")
        [page] = self.pages(client)
        assert page["Contents"][-1]["Size"] == 6
        client.delete_object(Bucket=BUCKET, Key="tree/new")
        [page] = self.pages(client)
        assert len(page["Contents"]) == len(self.KEYS)

    def test_a_foreign_token_is_refused(self, client: Any) -> None:
        with pytest.raises(ClientError, match="InvalidArgument"):
            client.list_objects_v2(Bucket=BUCKET, ContinuationToken="not hex")


def test_delete_objects_deletes_those_and_no_others(client: Any) -> None:
    for name in "abc":
        client.put_object(Bucket=BUCKET, Key=f"gone/{name} &", Body=b"")
    asked = {"Objects": [{"Key": "gone/a &"}, {"Key": "gone/b &"}]}
    deleted = client.delete_objects(Bucket=BUCKET, Delete=asked)
    assert [item["Key"] for item in deleted["Deleted"]] == ["gone/a &", "gone/b &"]
    left = client.list_objects_v2(Bucket=BUCKET, Prefix="gone/")
    assert [item["Key"] for item in left["Contents"]] == ["gone/c &"]
    quiet = {"Objects": [{"Key": "gone/c &"}], "Quiet": True}
    assert "Deleted" not in client.delete_objects(Bucket=BUCKET, Delete=quiet)


def test_buckets_are_made_listed_and_deleted(client: Any) -> None:
    client.create_bucket(Bucket="short-lived")
    client.put_object(Bucket="short-lived", Key="k", Body=b"")
    assert "short-lived" in [item["Name"] for item in client.list_buckets()["Buckets"]]
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        client.delete_bucket(Bucket="short-lived")
    client.delete_object(Bucket="short-lived", Key="k")
    client.delete_bucket(Bucket="short-lived")
    with pytest.raises(ClientError) as caught:
        client.head_bucket(Bucket="short-lived")
    assert caught.value.response["Error"]["Code"] == "404"
