"""What is above and beside clients: resources, transfers, https, batches without a look at S3."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boto_accel.batch import BatchPatch
from tests.batch.memory import MemoryS3
from tests.batch.test_patch import S3, batch_at, open_s3, put
from tests.servers.moto_server import MotoServer
from tests.servers.tls import TLSFiles, server_context


def given_to(server: MotoServer) -> dict[str, Any]:
    keys = {"aws_access_key_id": "AKIDTEST", "aws_secret_access_key": "hush"}
    return {**server.client_options, **keys, "region_name": "us-east-1"}


@pytest.fixture
def resource(moto_server: MotoServer) -> Any:
    boto3 = pytest.importorskip("boto3")
    made = boto3.session.Session().resource("s3", **given_to(moto_server))
    made.create_bucket(Bucket="events")
    return made


def in_s3(resource: Any) -> list[str]:
    """What there is as plain objects; to be asked without a batch in force."""
    return [each.key for each in resource.Bucket("events").objects.filter(Prefix="raw/")]


def test_resources(resource: Any, tmp_path: Path) -> None:
    bucket = resource.Bucket("events")
    with batch_at(tmp_path) as batch:
        one = resource.Object("events", "raw/one")
        reply = one.put(Body=b"1", ContentType="text/plain", Metadata={"a": "b"})
        assert reply["BatchLocation"]["Size"] == 1
        bucket.put_object(Key="raw/two", Body="two")
        for _ in range(2):  # in the spool, in a batch
            assert one.get()["Body"].read() == b"1"
            one.reload()
            assert (one.content_length, one.content_type) == (1, "text/plain")
            assert (one.metadata, one.e_tag) == ({"a": "b"}, reply["ETag"])
            found = list(bucket.objects.filter(Prefix="raw/"))
            assert [(each.key, each.size) for each in found] == [("raw/one", 1), ("raw/two", 3)]
            assert [each.get()["Body"].read() for each in found] == [b"1", b"two"]
            assert {"raw/one", "raw/two"} <= {each.key for each in bucket.objects.all()}
            batch.flush()
        with pytest.raises(ClientError, match="404"):
            resource.Object("events", "raw/none").load()
        one.wait_until_exists()
        resource.Object("events", "raw/three").copy_from(CopySource="events/raw/two")
        assert resource.Object("events", "raw/three").get()["Body"].read() == b"two"
        one.delete()
        one.wait_until_not_exists()
        bucket.objects.filter(Prefix="raw/").delete()
        assert list(bucket.objects.filter(Prefix="raw/")) == []
        assert batch.stats.batched == 3
    assert in_s3(resource) == []


def test_transfers(resource: Any, tmp_path: Path) -> None:
    """Small ones are batched; large ones go straight, in parts, and are found as well."""
    bucket, file = resource.Bucket("events"), tmp_path / "file"
    large = bytes(range(256)) * 4096 * 9
    with batch_at(tmp_path) as batch:
        bucket.upload_fileobj(io.BytesIO(b"small"), "raw/small")
        file.write_bytes(b"from a file")
        extra = {"ContentType": "text/plain"}
        resource.Object("events", "raw/file").upload_file(str(file), ExtraArgs=extra)
        bucket.upload_fileobj(io.BytesIO(large), "raw/large")
        assert batch.stats.batched == 2
        contents = {"raw/small": b"small", "raw/file": b"from a file", "raw/large": large}
        for _ in range(2):
            for key, content in contents.items():
                into = io.BytesIO()
                bucket.download_fileobj(key, into)
                assert into.getvalue() == content
                bucket.download_file(key, str(tmp_path / "down"))
                assert (tmp_path / "down").read_bytes() == content
            assert resource.Object("events", "raw/file").content_type == "text/plain"
            batch.flush()
        bucket.copy({"Bucket": "events", "Key": "raw/small"}, "raw/copied")
        assert resource.Object("events", "raw/copied").get()["Body"].read() == b"small"
    assert in_s3(resource) == ["raw/large"]


@pytest.mark.aiobotocore
async def test_resources_of_aioboto3(moto_server: MotoServer, tmp_path: Path) -> None:
    if find_spec("aioboto3") is None:
        pytest.skip("aioboto3 is not installed")
    import aioboto3

    made = aioboto3.Session().resource("s3", **given_to(moto_server))
    async with made as resource, batch_at(tmp_path) as batch:
        bucket = await resource.create_bucket(Bucket="events")
        one = await resource.Object("events", "raw/one")
        assert (await one.put(Body=b"1"))["BatchLocation"]["Size"] == 1
        await bucket.upload_fileobj(io.BytesIO(b"two"), "raw/two")
        for _ in range(2):
            assert await (await one.get())["Body"].read() == b"1"
            found = [each.key async for each in bucket.objects.filter(Prefix="raw/")]
            assert found == ["raw/one", "raw/two"]
            into = io.BytesIO()
            await bucket.download_fileobj("raw/two", into)
            assert into.getvalue() == b"two"
            await batch.aflush()
        await bucket.objects.filter(Prefix="raw/").delete()
        assert [each.key async for each in bucket.objects.filter(Prefix="raw/")] == []


def memory_s3(flavour: str, server: MemoryS3, **options: Any) -> Any:
    return open_s3(flavour, endpoint_url=server.endpoint_url, **options)


async def _heads(s3: S3, server: MemoryS3, batch: BatchPatch) -> int:
    """Of the plain object, asked while objects in the spool and in a batch are read."""
    await put(s3, "raw/a", b"1")
    before = len(server.requests)
    assert await s3.read("raw/a") == b"1"
    await batch.aflush()
    assert await s3.read("raw/a") == b"1"
    assert (await s3.call("head_object", Bucket="events", Key="raw/a"))["ContentLength"] == 1
    asked = server.requests[before:]
    return sum(each.method == b"HEAD" for each in asked)


@pytest.mark.parametrize(("check_plain", "heads"), [(True, 3), (False, 0)])
async def test_the_plain_object_is_looked_at_where_that_is_asked_for(
    flavour: str, s3_server: MemoryS3, tmp_path: Path, check_plain: bool, heads: int
) -> None:
    async with (
        memory_s3(flavour, s3_server) as s3,
        batch_at(tmp_path, check_plain=check_plain) as batch,
    ):
        assert await _heads(s3, s3_server, batch) == heads


async def test_without_that_look_the_calls_of_the_process_itself_count(
    flavour: str, s3_server: MemoryS3, tmp_path: Path
) -> None:
    """What it puts past the batches and deletes is noted, and needs no look."""
    async with (
        memory_s3(flavour, s3_server) as s3,
        batch_at(tmp_path, check_plain=False, max_object_bytes=10) as batch,
    ):
        for key in ("raw/straight", "raw/deleted", "raw/again"):
            await put(s3, key, b"batched")
        await batch.aflush()
        await put(s3, "raw/straight", b"plain, and longer")
        await put(s3, "raw/again", b"plain, and longer")
        await put(s3, "raw/again", b"batched")
        await s3.call("delete_object", Bucket="events", Key="raw/deleted")
        for _ in range(2):
            assert await s3.read("raw/straight") == b"plain, and longer"
            assert await s3.read("raw/again") == b"batched"
            await s3.error("get_object", Bucket="events", Key="raw/deleted")
            assert await s3.keys(Prefix="raw/") == ["raw/again", "raw/straight"]
            await batch.aflush()


async def test_batches_are_uploaded_over_https(
    flavour: str, tls_files: TLSFiles, tmp_path: Path
) -> None:
    """By the same trust as that of the client which puts, also where a twin of it uploads."""
    with MemoryS3(server_context(tls_files)) as server:
        assert server.endpoint_url.startswith("https://")
        trusting = memory_s3(flavour, server, verify=str(tls_files.ca))
        async with trusting as s3, batch_at(tmp_path) as batch:
            await put(s3, "raw/a", b"1")
            assert await s3.read("raw/a") == b"1"
            await batch.aflush()
            assert await s3.read("raw/a") == b"1"
        [tar] = server.tars()
        assert [entry.key for entry in tar.entries] == ["raw/a"]
