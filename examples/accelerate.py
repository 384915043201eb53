"""`accelerate()` with boto3: the same calls, stock and fast, and what they cost."""

from __future__ import annotations

import time
from typing import Any

import boto3

from boto_accel import accelerate, explain
from boto_accel.bench.target import own_server

CALLS = 500


def main() -> None:
    with own_server("http") as server:  # an S3 in memory, in a process of its own
        s3 = boto3.client("s3", **server.client_arguments())
        s3.create_bucket(Bucket="my-bucket")
        print("get_object would be", explain(s3, "get_object"))
        print("select_object_content would be", explain(s3, "select_object_content"))

        put_and_get(s3)  # not measured: opens the connection
        stock = put_and_get(s3)
        with accelerate() as fast:
            put_and_get(s3)  # not measured: the first calls are compared with botocore's
            accelerated = put_and_get(s3)
        print(f"CPU per call: stock {stock:,.0f} us, accelerated {accelerated:,.0f} us")
        print(fast.stats)
        s3.close()


def put_and_get(s3: Any) -> float:
    """Microseconds of CPU for one call."""
    began = time.process_time()
    for number in range(CALLS // 2):
        body = f"object {number}".encode()
        s3.put_object(Bucket="my-bucket", Key=f"{number}", Body=body)
        found = s3.get_object(Bucket="my-bucket", Key=f"{number}")["Body"].read()
        assert found == body
    return (time.process_time() - began) / CALLS * 1e6


if __name__ == "__main__":
    main()
