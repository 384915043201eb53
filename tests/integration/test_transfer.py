"""boto3's resources and transfers, accelerated: the same data, progress and threads."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig

from tests.fastpath.callers import all_fast, open_caller

MIB = 1024 * 1024
DATA = bytes(range(251)) * (12 * MIB // 251)
CONFIG = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)


class Progress:
    """Adds up what a transfer reports; called from its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.total = 0

    def __call__(self, amount: int) -> None:
        with self._lock:
            self.total += amount


@pytest.fixture
def s3(weed: Any, bucket: str) -> Iterator[Any]:
    with open_caller("sync", **weed.client_options) as caller:
        caller.client.create_bucket(Bucket=bucket)
        yield caller.client


@pytest.mark.parametrize("size", [0, 10, MIB, len(DATA)])
def test_files(s3: Any, bucket: str, tmp_path: Path, size: int) -> None:
    """upload_file and download_file go fast; progress adds up to what stock reports."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(DATA[:size])
    stock = _there_and_back(s3, bucket, source, target)
    with all_fast():
        fast = _there_and_back(s3, bucket, source, target)
    assert target.read_bytes() == DATA[:size]
    assert fast == stock == (size, size)


def _there_and_back(s3: Any, bucket: str, source: Path, target: Path) -> tuple[int, int]:
    up, down = Progress(), Progress()
    s3.upload_file(str(source), bucket, "k", Config=CONFIG, Callback=up)
    s3.download_file(bucket, "k", str(target), Config=CONFIG, Callback=down)
    return up.total, down.total


@pytest.mark.parametrize("size", [10, len(DATA)])
def test_file_objects(s3: Any, bucket: str, size: int) -> None:
    """upload_fileobj and download_fileobj go fast, in one part and in several."""
    with all_fast():
        up = Progress()
        s3.upload_fileobj(io.BytesIO(DATA[:size]), bucket, "k", Config=CONFIG, Callback=up)
        into = io.BytesIO()
        s3.download_fileobj(bucket, "k", into, Config=CONFIG)
    assert up.total == size
    assert hashlib.sha256(into.getvalue()).digest() == hashlib.sha256(DATA[:size]).digest()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA[:size]


@pytest.mark.parametrize("size", [10, len(DATA)])
def test_managed_copy(s3: Any, bucket: str, size: int) -> None:
    """copy() goes fast, by CopyObject and by parts."""
    s3.put_object(Bucket=bucket, Key="from", Body=DATA[:size])
    with all_fast():
        s3.copy({"Bucket": bucket, "Key": "from"}, bucket, "to", Config=CONFIG)
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == DATA[:size]


def test_resources(weed: Any, bucket: str) -> None:
    """Object.put/get, bucket.objects.all/filter/delete, copy_from: fast, with stock's objects."""
    options = weed.client_options
    resource = boto3.resource("s3", **options)
    try:
        with all_fast():
            made = resource.create_bucket(Bucket=bucket)
            for n in range(5):
                made.put_object(Key=f"a/{n}", Body=b"%d" % n)
            resource.Object(bucket, "b/x").put(Body="text", Metadata={"m": "1"})
            found = resource.Object(bucket, "b/x").get()
            assert found["Body"].read() == b"text"
            assert resource.Object(bucket, "b/x").metadata == {"m": "1"}
            resource.Object(bucket, "b/y").copy_from(CopySource=f"{bucket}/b/x")
            everything = [each.key for each in made.objects.all()]
            assert everything == [*(f"a/{n}" for n in range(5)), "b/x", "b/y"]
            assert [each.key for each in made.objects.filter(Prefix="b/")] == ["b/x", "b/y"]
            assert [each.key for each in made.objects.limit(2)] == ["a/0", "a/1"]
            assert [len(page) for page in made.objects.page_size(3).pages()] == [3, 3, 1]
            made.objects.filter(Prefix="a/").delete()
            assert [each.key for each in made.objects.all()] == ["b/x", "b/y"]
            made.objects.all().delete()
            made.delete()
            assert resource.Bucket(bucket).creation_date is None
    finally:
        resource.meta.client.close()
