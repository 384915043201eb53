"""`accelerate()` with aiobotocore: a hundred calls in flight."""

from __future__ import annotations

import asyncio
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from boto_accel import accelerate
from boto_accel.bench.target import Target, own_server

IN_FLIGHT = 100


def main() -> None:
    with own_server("http") as server:  # an S3 in memory, in a process of its own
        asyncio.run(work(server))


async def work(server: Target) -> None:
    config = AioConfig(max_pool_connections=IN_FLIGHT)
    options = server.client_arguments()
    async with (
        accelerate(http="direct") as fast,
        get_session().create_client("s3", config=config, **options) as s3,
    ):
        await s3.create_bucket(Bucket="my-bucket")
        await asyncio.gather(*(put(s3, number) for number in range(IN_FLIGHT)))
        bodies = await asyncio.gather(*(get(s3, number) for number in range(IN_FLIGHT)))
    assert bodies == [f"object {number}".encode() for number in range(IN_FLIGHT)]
    print(f"{len(bodies)} objects came back as they were written")
    print(f"{fast.stats.fast} calls went fast, {fast.stats.fallback} fell back")


async def put(s3: Any, number: int) -> None:
    await s3.put_object(Bucket="my-bucket", Key=f"{number}", Body=f"object {number}".encode())


async def get(s3: Any, number: int) -> bytes:
    reply = await s3.get_object(Bucket="my-bucket", Key=f"{number}")
    async with reply["Body"] as body:
        found: bytes = await body.read()
        return found


if __name__ == "__main__":
    main()
