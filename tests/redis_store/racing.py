"""
A process that takes part in races, one after another: `python -m tests.redis_store.racing NUMBER`.

A line of its standard input names each: URL, task, rounds, and what else the task wants. It prints
"ready" when its client is made, begins with the next line, and prints "done" at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from boto_accel import redis_s3

SIZES = (3, 40_000, 5_000_000)  # the last in pieces


def body_of(writer: int, turn: int) -> bytes:
    """Every byte tells who wrote it, and the length when: a mixture is seen."""
    return bytes([writer]) * (SIZES[turn % len(SIZES)] + turn)


def is_whole(body: bytes) -> bool:
    return body == body[:1] * len(body) and len(body) > 0


def overwrite(s3: Any, number: int, rounds: int) -> None:
    """Put, copy and delete one key, and read it: each body is one writer's, with its ETag."""
    for turn in range(rounds):
        s3.put_object(Bucket="race", Key="k", Body=body_of(number, turn))
        read(s3, "k")
        if turn % 3 == 1:
            ignoring(("NoSuchKey", "404"), s3.copy_object, Bucket="race", Key="copy",
                     CopySource="race/k")  # fmt: skip
            read(s3, "copy")
        if turn % 4 == 3:
            s3.delete_object(Bucket="race", Key="k")


def read(s3: Any, key: str) -> None:
    answer = ignoring(("NoSuchKey",), s3.get_object, Bucket="race", Key=key)
    if answer is not None:
        body = answer["Body"].read()  # checked against the checksum, and for its length
        if not is_whole(body):
            raise AssertionError(f"a mixture of {set(body)}")


def ignoring(codes: tuple[str, ...], call: Callable[..., Any], **params: Any) -> Any:
    try:
        return call(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise
        return None


def only_new(s3: Any, number: int, rounds: int) -> None:
    """`If-None-Match: *`: of all processes one makes each object."""
    for turn in range(rounds):
        made = ignoring(
            ("PreconditionFailed",), s3.put_object, Bucket="race", Key=f"n{turn}",
            Body=bytes([number]), IfNoneMatch="*",
        )  # fmt: skip
        print("made" if made else "lost", turn)


def buckets(s3: Any, number: int, rounds: int) -> None:
    """Even ones make and delete the bucket, odd ones put: what was put is there, or refused."""
    for turn in range(rounds):
        if number % 2 == 0:
            s3.create_bucket(Bucket="coming")
            ignoring(
                ("BucketNotEmpty", "NoSuchBucket", "OperationAborted"),
                s3.delete_bucket, Bucket="coming",
            )  # fmt: skip
            continue
        key = f"{number}-{turn}"
        put = ignoring(("NoSuchBucket",), s3.put_object, Bucket="coming", Key=key, Body=b"x")
        if put is not None:
            if s3.get_object(Bucket="coming", Key=key)["Body"].read() != b"x":
                raise AssertionError(key)
            listed = s3.list_objects_v2(Bucket="coming", Prefix=key)
            if listed["KeyCount"] != 1:
                raise AssertionError(f"{key} is not listed")
            s3.delete_object(Bucket="coming", Key=key)
            print("put", key)


def parts(s3: Any, number: int, rounds: int, upload_id: str) -> None:
    """All complete the same upload while its part is replaced: the object is one of them."""
    upload = {"Bucket": "race", "Key": "m", "UploadId": upload_id}
    for turn in range(rounds):
        made = ignoring(("NoSuchUpload",), s3.upload_part, **upload, PartNumber=1,
                        Body=body_of(number, turn))  # fmt: skip
        if made is None:
            break
        named = {"Parts": [{"PartNumber": 1, "ETag": made["ETag"]}]}
        if turn == rounds - 1:
            ignoring(
                ("InvalidPart", "NoSuchUpload"),
                s3.complete_multipart_upload, **upload, MultipartUpload=named,
            )  # fmt: skip
    read(s3, "m")


TASKS: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (overwrite, only_new, buckets, parts)
}


def main() -> None:
    number = int(sys.argv[1])
    while line := sys.stdin.readline():
        url, task, rounds, *more = line.split()
        race(url, TASKS[task], number, int(rounds), *more)


def race(url: str, task: Callable[..., None], number: int, rounds: int, *more: str) -> None:
    """With a client of its own: what a client learns is learned in the race."""
    s3 = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x",
        aws_secret_access_key="x", config=Config(read_timeout=300, connect_timeout=300),
    )  # fmt: skip
    with redis_s3():
        print("ready", flush=True)
        sys.stdin.readline()  # all begin at once
        task(s3, number, rounds, *more)
    s3.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
