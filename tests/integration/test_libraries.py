"""Libraries above botocore: aioboto3, s3fs, the AWS CLI."""

from __future__ import annotations

import io
import os
import subprocess
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.fastpath.callers import all_fast, open_caller

MIB = 1024 * 1024


def _aioboto3() -> Any:
    if find_spec("aioboto3") is None or int(metadata.version("aioboto3").split(".")[0]) < 12:
        pytest.skip("aioboto3 12 or newer is not installed")
    import aioboto3

    return aioboto3


@pytest.mark.aiobotocore
async def test_aioboto3(seaweed: Any, bucket: str) -> None:
    """Client, resource and transfers of aioboto3 go fast."""
    session = _aioboto3().Session()
    with all_fast():
        async with session.client("s3", **seaweed.client_options) as s3:
            await s3.create_bucket(Bucket=bucket)
            await s3.upload_fileobj(io.BytesIO(b"m" * 9 * MIB), bucket, "big")
            into = io.BytesIO()
            await s3.download_fileobj(bucket, "big", into)
            assert into.getvalue() == b"m" * 9 * MIB
        async with session.resource("s3", **seaweed.client_options) as resource:
            made = await resource.Bucket(bucket)
            await made.put_object(Key="small", Body=b"x")
            one = await resource.Object(bucket, "small")
            assert await (await one.get())["Body"].read() == b"x"
            assert [each.key async for each in made.objects.all()] == ["big", "small"]
            await made.objects.filter(Prefix="small").delete()
            assert [each.key async for each in made.objects.all()] == ["big"]


@pytest.mark.aiobotocore
def test_s3fs(seaweed: Any, bucket: str) -> None:
    """s3fs writes, reads, seeks, lists and removes, fast."""
    s3fs = pytest.importorskip("s3fs")
    options = seaweed.client_options
    filesystem = s3fs.S3FileSystem(
        key=options["aws_access_key_id"],
        secret=options["aws_secret_access_key"],
        client_kwargs={"endpoint_url": options["endpoint_url"], "region_name": "us-east-1"},
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    data = bytes(range(256)) * (6 * MIB // 256)
    with all_fast():
        filesystem.mkdir(bucket)
        with filesystem.open(f"{bucket}/d/big", "wb", block_size=5 * MIB) as file:
            file.write(data)
        filesystem.pipe(f"{bucket}/d/small", b"small")
        assert filesystem.cat(f"{bucket}/d/small") == b"small"
        with filesystem.open(f"{bucket}/d/big", "rb") as file:
            file.seek(MIB)
            assert file.read(1000) == data[MIB : MIB + 1000]
        assert sorted(filesystem.ls(f"{bucket}/d")) == [f"{bucket}/d/big", f"{bucket}/d/small"]
        assert filesystem.info(f"{bucket}/d/big")["size"] == len(data)
        filesystem.rm(f"{bucket}/d", recursive=True)
        assert not filesystem.exists(f"{bucket}/d/small")
    s3fs.S3FileSystem.close_session(filesystem.loop, filesystem.s3)


CLI = """
import sys, warnings
warnings.simplefilter("ignore")
from awscli.clidriver import create_clidriver
from boto_accel import accelerate
with accelerate() as patch:
    status = create_clidriver().main(sys.argv[1:])
print(patch.stats, file=sys.stderr)
print(f"fast={patch.stats.fast} fallback={patch.stats.fallback}", file=sys.stderr)
sys.exit(status)
"""


def test_the_aws_cli(aws_cli: Path, seaweed: Any, bucket: str, tmp_path: Path) -> None:
    """`aws s3 cp`, `ls`, `rm` and `aws s3api` of the AWS CLI v1, in process, go fast."""
    aws = partial(_aws, aws_cli / "python", seaweed)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"c" * (9 * MIB))
    with open_caller("sync", **seaweed.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        aws("s3", "cp", str(source), f"s3://{bucket}/k", "--only-show-errors")
        assert s3.body(Bucket=bucket, Key="k") == b"c" * (9 * MIB)
        aws("s3", "cp", f"s3://{bucket}/k", str(target), "--only-show-errors")
        assert target.read_bytes() == b"c" * (9 * MIB)
        assert aws("s3", "ls", f"s3://{bucket}/").split()[2:] == [str(9 * MIB), "k"]
        head = aws("s3api", "head-object", "--bucket", bucket, "--key", "k")
        assert f'"ContentLength": {9 * MIB}' in head
        aws("s3", "rm", f"s3://{bucket}/k", "--only-show-errors")
        assert "Contents" not in s3("list_objects_v2", Bucket=bucket)


def _aws(python: Path, server: Any, *arguments: str) -> str:
    """What the command prints; checked to have been fast."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": server.region,
    }
    done = subprocess.run(
        [str(python), "-c", CLI, "--endpoint-url", server.endpoint_url, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "fast=0 " not in done.stderr, done.stderr
    assert "fallback=0" in done.stderr, done.stderr
    return done.stdout
