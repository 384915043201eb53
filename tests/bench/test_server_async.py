"""The benchmark's server answers stock aiobotocore as S3 would."""

from __future__ import annotations

import asyncio
import io
import random

import pytest

pytest.importorskip("aiobotocore")

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from boto_accel.bench.target import Target

BUCKET = "answers-async"


def test_bytes_and_streams_come_back_thirty_two_at_once(target: Target) -> None:
    """aiohttp frames aws-chunked bodies once more in HTTP chunks: both framings are undone."""
    asyncio.run(_round_trips(target))


async def _round_trips(target: Target) -> None:
    config = AioConfig(s3={"addressing_style": "path"}, max_pool_connections=32)
    client_made = get_session().create_client("s3", config=config, **target.client_arguments())
    async with client_made as client:
        await client.create_bucket(Bucket=BUCKET)

        async def round_trip(number: int) -> None:
            body = random.Random(number).randbytes(number * 997)
            sent = io.BytesIO(body) if number % 2 else body
            key = f"{number:04d}"
            await client.put_object(Bucket=BUCKET, Key=key, Body=sent)
            reply = await client.get_object(Bucket=BUCKET, Key=key)
            async with reply["Body"] as stream:
                assert await stream.read() == body

        await asyncio.gather(*(round_trip(number) for number in range(32)))
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, PaginationConfig={"PageSize": 10}
        )
        keys = [item["Key"] async for page in pages for item in page["Contents"]]
        assert keys == [f"{number:04d}" for number in range(32)]
        await client.delete_objects(
            Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]}
        )
        assert (await client.list_objects_v2(Bucket=BUCKET))["KeyCount"] == 0
