"""
Patched clients keep the types of boto3-stubs and types-aiobotocore: checked by `make types`, never
run. Of boto3 and aiobotocore, the environment has the stubs alone.
"""

# pyright: reportMissingModuleSource=false

from __future__ import annotations

from collections.abc import Iterator

import boto3
from aiobotocore.session import get_session
from mypy_boto3_s3 import S3Client
from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef
from types_aiobotocore_s3 import S3Client as AsyncS3Client
from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef as AsyncGetObjectOutputTypeDef
from typing_extensions import assert_type

from boto_accel import (
    AsyncDatabase,
    BatchReader,
    Database,
    S3BatchPutClient,
    accelerate,
    batch_puts,
    botocache_context,
    explain,
    redis_s3,
    route_s3,
)


def contexts() -> None:
    """Neither a client that is made under a patch nor its answers become `Any`."""
    with accelerate(), botocache_context(100, 900):
        s3 = boto3.client("s3")
        assert_type(s3, S3Client)
        assert_type(s3.get_object(Bucket="b", Key="k"), GetObjectOutputTypeDef)
        s3.get_object(Bucket="b")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with batch_puts("s3://b/raw/*", "s3://b/batches/", spool_dir="spool", ack="upload"):
        s3.put_object(Bucket="b", Key="raw/k", Body=b"")
    with route_s3({"far": s3}, [{"bucket_name": "*", "client": "far"}]), redis_s3():
        assert_type(boto3.Session().client("s3"), S3Client)


async def async_contexts() -> None:
    async with accelerate(), get_session().create_client("s3") as s3:
        assert_type(s3, AsyncS3Client)
        assert_type(await s3.get_object(Bucket="b", Key="k"), AsyncGetObjectOutputTypeDef)


@accelerate()
def plain(s3: S3Client, key: str) -> GetObjectOutputTypeDef:
    return s3.get_object(Bucket="b", Key=key)


@accelerate()
def generator(s3: S3Client) -> Iterator[GetObjectOutputTypeDef]:
    yield plain(s3, "k")


@accelerate(services=["s3"])
async def coroutine(s3: AsyncS3Client, key: str) -> AsyncGetObjectOutputTypeDef:
    return await s3.get_object(Bucket="b", Key=key)


async def decorated(s3: S3Client, async_s3: AsyncS3Client) -> None:
    """A decorated function keeps its signature."""
    assert_type(plain(s3, "k"), GetObjectOutputTypeDef)
    assert_type(generator(s3), Iterator[GetObjectOutputTypeDef])
    assert_type(await coroutine(async_s3, "k"), AsyncGetObjectOutputTypeDef)
    plain(async_s3, "k")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def taken(s3: S3Client, async_s3: AsyncS3Client) -> None:
    """Clients with types are taken wherever clients are."""
    accelerate(clients=[s3, async_s3])
    explain(s3, "get_object")
    Database("b", client=s3)
    AsyncDatabase("b", client=async_s3)
    S3BatchPutClient(s3, bucket="b", key_prefix="x/", spool_dir="spool")
    BatchReader(s3, "s3://b/x/")
