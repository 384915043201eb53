"""What is built on clients goes through the router as calls do."""

from __future__ import annotations

import base64
import io
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig

from boto_accel import UnroutableError, accelerate
from tests.fastpath.callers import open_caller
from tests.router.stores import KEYS, USER_BUCKETS, Stores

MIB = 1024 * 1024
SPLIT = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)


@pytest.fixture
def made(stores: Stores) -> Stores:
    """The stores, with the buckets that the rules lead to."""
    stores.make_targets()
    return stores


@contextmanager
def one_or_two(stores: Stores, routed: bool) -> Iterator[None]:
    """What is within sees the same either way: one store, or two with a router between."""
    if not routed:
        with stores.clients() as clients:
            for bucket in USER_BUCKETS:
                clients["near"].create_bucket(Bucket=bucket)
        yield
        return
    stores.make_targets()
    with stores.route():
        yield


both = pytest.mark.parametrize("routed", [False, True], ids=["one store", "two"])


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        data: bytes = answer.read()
        return data


def test_presigned_urls(made: Stores, flavour: str) -> None:
    """They are of the target and for it: anybody can use them, without a router."""
    with open_caller(flavour, **made.near.client_options) as s3:
        with made.route():
            s3("put_object", Bucket="moved", Key="k v", Body=b"data")
            params = {"Bucket": "moved", "Key": "k v"}
            url = s3.run(s3.client.generate_presigned_url("get_object", Params=params))
            plain = {"Bucket": "plain", "Key": "k"}
            near = s3.run(s3.client.generate_presigned_url("put_object", Params=plain))
            listing = {"Bucket": "split", "Prefix": "dev/"}
            page = s3.run(s3.client.generate_presigned_url("list_objects_v2", Params=listing))
            with pytest.raises(UnroutableError, match=r"mapping\[1\]"):
                s3.run(
                    s3.client.generate_presigned_url("list_objects_v2", Params={"Bucket": "split"})
                )
        assert url.startswith(f"{made.far.endpoint_url}/example-repo/main/k%20v?")
        assert near.startswith(f"{made.near.endpoint_url}/plain/k?")
        assert f"{made.far.endpoint_url}/dev-repo?" in page
        assert "prefix=branch%2Fdev%2F" in page
        assert fetched(url) == b"data"


def test_presigned_posts(made: Stores, flavour: str) -> None:
    with open_caller(flavour, **made.near.client_options) as s3, made.route():
        form = s3.run(
            s3.client.generate_presigned_post(
                "moved",
                "up/${filename}",
                Fields={"acl": "private"},
                Conditions=[["starts-with", "$key", "up/"], {"acl": "private"}],
            )
        )
    assert form["url"] == f"{made.far.endpoint_url}/example-repo"
    assert form["fields"]["key"] == "main/up/${filename}"
    policy = base64.b64decode(form["fields"]["policy"]).decode()
    assert '"starts-with", "$key", "main/up/"' in policy
    assert '{"bucket": "example-repo"}' in policy


@both
def test_waiters(stores: Stores, flavour: str, routed: bool) -> None:
    with open_caller(flavour, **stores.near.client_options) as s3, one_or_two(stores, routed):
        s3("put_object", Bucket="split", Key="dev/k", Body=b"")
        s3.wait("bucket_exists", Bucket="moved")
        s3.wait("object_exists", Bucket="split", Key="dev/k")
        s3("delete_object", Bucket="split", Key="dev/k")
        s3.wait("object_not_exists", Bucket="split", Key="dev/k")


@both
def test_resources_and_transfers(stores: Stores, routed: bool) -> None:
    """upload, download and copy, in threads; objects of a bucket; all under the code's names."""
    resource = boto3.resource("s3", endpoint_url=stores.near.endpoint_url, **KEYS)
    s3 = resource.meta.client
    data = bytes(range(256)) * (6 * MIB // 256)
    with one_or_two(stores, routed), accelerate():
        s3.upload_fileobj(io.BytesIO(data), "moved", "big", Config=SPLIT)
        into = io.BytesIO()
        s3.download_fileobj("moved", "big", into, Config=SPLIT)
        assert into.getvalue() == data
        s3.copy({"Bucket": "moved", "Key": "big"}, "plain", "big", Config=SPLIT)
        assert s3.get_object(Bucket="plain", Key="big")["Body"].read() == data
        resource.Object("split", "dev/x").put(Body=b"x")
        resource.Object("split", "dev/y").copy_from(CopySource="split/dev/x")
        resource.Object("split", "z").copy_from(CopySource={"Bucket": "split", "Key": "dev/x"})
        bucket = resource.Bucket("split")
        assert [each.key for each in bucket.objects.filter(Prefix="dev/")] == ["dev/x", "dev/y"]
        assert [each.bucket_name for each in bucket.objects.all()] == ["split"] * 3
        bucket.objects.filter(Prefix="dev/x").delete()
        bucket.delete_objects(Delete={"Objects": [{"Key": "dev/y"}, {"Key": "z"}]})
        assert list(bucket.objects.all()) == []
        assert resource.Bucket("moved").creation_date is not None
    if routed:
        assert stores.keys("far", "example-repo") == ["main/big"]
    assert stores.keys("near", "plain") == ["big"]
    s3.close()


@both
@pytest.mark.aiobotocore
def test_s3fs(stores: Stores, routed: bool) -> None:
    s3fs = pytest.importorskip("s3fs")
    filesystem = s3fs.S3FileSystem(
        key=KEYS["aws_access_key_id"],
        secret=KEYS["aws_secret_access_key"],
        client_kwargs={"endpoint_url": stores.near.endpoint_url, "region_name": "us-east-1"},
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    data = bytes(range(256)) * (6 * MIB // 256)
    with one_or_two(stores, routed), accelerate():
        with filesystem.open("moved/d/big", "wb", block_size=5 * MIB) as file:
            file.write(data)
        filesystem.pipe("split/dev/small", b"small")
        filesystem.pipe("split/top", b"top")
        assert filesystem.cat("split/dev/small") == b"small"
        with filesystem.open("moved/d/big", "rb") as file:
            file.seek(MIB)
            assert file.read(1000) == data[MIB : MIB + 1000]
        assert sorted(filesystem.ls("split", detail=False)) == ["split/dev", "split/top"]
        assert sorted(filesystem.find("split")) == ["split/dev/small", "split/top"]
        filesystem.copy("moved/d/big", "plain/copied")
        assert filesystem.info("plain/copied")["size"] == len(data)
        filesystem.rm("split/dev", recursive=True)
        assert filesystem.find("split") == ["split/top"]
        assert sorted(filesystem.ls("", detail=False)) == USER_BUCKETS
    if routed:
        assert stores.keys("far", "example-repo") == ["main/d/big"]
    s3fs.S3FileSystem.close_session(filesystem.loop, filesystem.s3)


@pytest.mark.aiobotocore
@pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed")
def test_pandas(made: Stores) -> None:
    pandas = pytest.importorskip("pandas")
    options: dict[str, Any] = {
        "key": KEYS["aws_access_key_id"],
        "secret": KEYS["aws_secret_access_key"],
        "client_kwargs": {"endpoint_url": made.near.endpoint_url},
    }
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    with made.route():
        frame.to_csv("s3://moved/t.csv", index=False, storage_options=options)
        found = pandas.read_csv("s3://moved/t.csv", storage_options=options)
    assert found.equals(frame)
    assert made.keys("far", "example-repo") == ["main/t.csv"]
