"""
All patches at once, around code that knows none of them.

The layers have their order, whatever the order of entering is: route, cache, batch, Redis, and
the fast path as the last.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Any

import boto3

from boto_accel import (
    Table,
    accelerate,
    batch_puts,
    botocache_context,
    redis_s3,
    route_s3,
)
from boto_accel.bench.target import own_server


def main() -> None:
    with ExitStack() as stack:
        main_store = stack.enter_context(own_server("http"))
        other_store = stack.enter_context(own_server("http"))
        folder = stack.enter_context(tempfile.TemporaryDirectory())

        other = boto3.client("s3", **other_store.client_arguments())
        other.create_bucket(Bucket="lake")
        s3 = boto3.client("s3", **main_store.client_arguments())
        s3.create_bucket(Bucket="events")
        s3.create_bucket(Bucket="tables")

        targets = {
            "lakefs": other_store.client_arguments(),
            "valkey": {"endpoint_url": "redis+embedded://local", "region_name": "us-east-1"},
        }
        mapping = [
            {"bucket_name": "reports", "client": "lakefs", "mapped_bucket_name": "lake",
             "key_prefix": "main/"},
            {"bucket_name": "scratch", "client": "valkey"},
            {"bucket_name": "*", "client": "s3"},
        ]  # fmt: skip
        fast = stack.enter_context(accelerate())
        stack.enter_context(redis_s3(default_ttl=600))
        batch = stack.enter_context(
            batch_puts(
                match="s3://events/raw/*",
                into="s3://events/batches/",
                spool_dir=f"{folder}/spool",
                max_delay=600,
                client=s3,
            )
        )
        cache = stack.enter_context(botocache_context(cache_path=f"{folder}/cache"))
        stack.enter_context(route_s3(targets, mapping))

        application(s3)

        batch.flush()
        print("batched:", batch.savings().puts, "puts,", batch.savings().requests, "requests")
        print("cached:", cache.stats.hits, "hits")
        print("fast:", fast.stats.fast > 0, "- fell back:", fast.stats.fallback)
        found = other.list_objects_v2(Bucket="lake")["Contents"]
        print("in the other store:", [each["Key"] for each in found])
        s3.close()
        other.close()


def application(s3: Any) -> None:
    """One client of boto3, as the program had it before."""
    s3.put_object(Bucket="reports", Key="june.csv", Body=b"1,2")  # lakeFS, say
    for _ in range(3):
        body = s3.get_object(Bucket="reports", Key="june.csv")["Body"].read()
    print("reports/june.csv:", body)

    s3.create_bucket(Bucket="scratch")  # Valkey
    s3.put_object(Bucket="scratch", Key="step-1", Body=b"half done")
    print("scratch/step-1:", s3.get_object(Bucket="scratch", Key="step-1")["Body"].read())

    for number in range(100):  # one tar and its index
        s3.put_object(Bucket="events", Key=f"raw/{number:03}", Body=b"event")
    listed = s3.list_objects_v2(Bucket="events", Prefix="raw/")
    print("events/raw/:", listed["KeyCount"], "objects")

    table = Table("orders", "tables", columns={"shop": str, "number": int}, client=s3)
    table.insert(b"tea", shop="Oslo", number=1)
    print("orders:", table.select(shop="Oslo", number=1))


if __name__ == "__main__":
    main()
