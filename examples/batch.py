"""`batch_puts()`: a thousand small puts, a few requests, and each object found by its key."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from boto_accel import batch_puts
from boto_accel.bench.target import own_server

PUTS = 1_000


def main() -> None:
    with own_server("http") as server, tempfile.TemporaryDirectory() as folder:
        s3 = boto3.client("s3", **server.client_arguments())
        s3.create_bucket(Bucket="my-bucket")
        patch = batch_puts(
            match="s3://my-bucket/events/*",
            into="s3://my-bucket/batches/",
            spool_dir=f"{folder}/spool",  # of a service: on a disk that outlives a crash
            max_delay=600,
        )
        with patch as batch:
            with ThreadPoolExecutor(16) as pool:
                list(pool.map(lambda number: put(s3, number), range(PUTS)))
            show(s3, "from the spool, before the upload")
            batch.flush()
            show(s3, "by a range of the tar, after it")
        savings = batch.savings()
        print(f"{savings.puts} puts were {savings.requests} requests")

        stored = s3.list_objects_v2(Bucket="my-bucket")["Contents"]
        print("in S3:", *sorted(each["Key"].rpartition(".")[2] for each in stored))
        s3.close()


def put(s3: Any, number: int) -> None:
    s3.put_object(Bucket="my-bucket", Key=f"events/{number:04}.json", Body=b'{"n": %d}' % number)


def show(s3: Any, where: str) -> None:
    body = s3.get_object(Bucket="my-bucket", Key="events/0007.json")["Body"].read()
    print(f"{where}: {body.decode()}")
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="my-bucket", Prefix="events/"):
        count += len(page["Contents"])
    print(f"listed: {count} objects")


if __name__ == "__main__":
    main()
