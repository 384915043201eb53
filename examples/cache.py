"""`botocache_context()`: what was read before is answered here, until a write makes it stale."""

from __future__ import annotations

import tempfile
from typing import Any

import boto3

from boto_accel import botocache_context
from boto_accel.bench.target import own_server


def main() -> None:
    with own_server("http") as server, tempfile.TemporaryDirectory() as folder:
        s3 = boto3.client("s3", **server.client_arguments())
        s3.create_bucket(Bucket="my-bucket")
        s3.put_object(Bucket="my-bucket", Key="a", Body=b"first")

        with botocache_context(cache_ttl=900, cache_path=folder) as cache:
            for _ in range(3):
                show(s3, "read")
            s3.put_object(Bucket="my-bucket", Key="a", Body=b"second")
            show(s3, "read after a write")
            with cache.bypass():
                show(s3, "read past the cache")
            print(cache.stats)

        # Another client, later: the folder is the cache.
        other = boto3.client("s3", **server.client_arguments())
        with botocache_context(cache_ttl=900, cache_path=folder):
            show(other, "read by another client")
        s3.close()
        other.close()


def show(s3: Any, what: str) -> None:
    reply = s3.get_object(Bucket="my-bucket", Key="a")
    source = "cache" if "BotoAccelCache" in reply["ResponseMetadata"] else "server"
    print(f"{what}: {reply['Body'].read()!r}, from the {source}")


if __name__ == "__main__":
    main()
