"""
Any calls in any order are what they are on a plain dict: a state machine of hypothesis.

    make redis-machine      2,000 runs on one server, 200 on a cluster; ten minutes
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from boto_accel import redis_s3
from boto_accel.redis_store import keys as keys_module
from boto_accel.redis_store import records, semantics, taking
from tests.redis_store.model import Model, Refused
from tests.servers.clients import ACCESS_KEY, SECRET_KEY
from tests.servers.valkey import Valkey

RUNS = int(os.environ.get("BOTO_ACCEL_MACHINE_RUNS", "15"))
BUCKETS = st.sampled_from(["one", "two"])
KEYS = st.sampled_from(["a", "a/", "a/b", "a/b/c", "a-b", "b/ü", "b/日", "\U0001f600", "z"])
# Pieces have 64 bytes here: so all of it is met with little data.
BODIES = st.one_of(st.binary(max_size=20), st.integers(30, 300).map(lambda size: bytes(size)))
PREFIXES = st.sampled_from(["", "a", "a/", "b/", "c"])
DELIMITERS = st.sampled_from(["", "/", "b", "/b"])


class Machine(RuleBasedStateMachine):
    client: Any
    uploads = Bundle("uploads")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        for bucket in self.same("list_buckets", lambda: None, compare=False)["Buckets"]:
            self.empty(bucket["Name"])

    def empty(self, bucket: str) -> None:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", ()):
                self.client.delete_object(Bucket=bucket, Key=each["Key"])
        self.client.delete_bucket(Bucket=bucket)

    def same(self, method: str, expected: Any, *, compare: bool = True, **params: Any) -> Any:
        """Call, and hold the outcome to what the model says: a value, or a code of an error."""
        try:
            answer = getattr(self.client, method)(**params)
        except ClientError as error:
            found: Any = error.response["Error"]["Code"]
        else:
            found = answer
        wanted = outcome(expected)
        if isinstance(wanted, str) or isinstance(found, str):
            assert found == wanted, (method, params)
            return None
        if compare and wanted is not None:
            assert {name: found.get(name) for name in wanted} == wanted, (method, params)
        return found

    @rule(bucket=BUCKETS)
    def create_bucket(self, bucket: str) -> None:
        self.same("create_bucket", lambda: self.model.create(bucket), Bucket=bucket)

    @rule(bucket=BUCKETS)
    def delete_bucket(self, bucket: str) -> None:
        self.same("delete_bucket", lambda: self.model.drop(bucket), Bucket=bucket)

    @rule(bucket=BUCKETS, key=KEYS, body=BODIES, none=st.booleans())
    def put(self, bucket: str, key: str, body: bytes, none: bool) -> None:
        more = {"IfNoneMatch": "*"} if none else {}
        self.same(
            "put_object",
            lambda: self.model.put(bucket, key, body, only_new=none),
            Bucket=bucket, Key=key, Body=body, **more,
        )  # fmt: skip

    @rule(bucket=BUCKETS, key=KEYS, data=st.data())
    def get(self, bucket: str, key: str, data: Any) -> None:
        found = self.same("get_object", lambda: self.model.get(bucket, key), Bucket=bucket, Key=key)
        if found is None:
            return
        body = self.model.body(bucket, key)
        assert found["Body"].read() == body
        if body:
            first = data.draw(st.integers(0, len(body) - 1))
            last = data.draw(st.integers(first, len(body) + 5))
            part = self.client.get_object(Bucket=bucket, Key=key, Range=f"bytes={first}-{last}")
            assert part["Body"].read() == body[first : last + 1]

    @rule(bucket=BUCKETS, key=KEYS)
    def delete(self, bucket: str, key: str) -> None:
        params = {"Bucket": bucket, "Key": key}
        self.same("delete_object", lambda: self.model.delete(bucket, key), **params)

    @rule(bucket=BUCKETS, key=KEYS, source=KEYS)
    def copy(self, bucket: str, key: str, source: str) -> None:
        if key != source:
            self.same(
                "copy_object",
                lambda: self.model.copy(bucket, source, key),
                Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": source},
            )  # fmt: skip

    @rule(
        bucket=BUCKETS, prefix=PREFIXES, delimiter=DELIMITERS, size=st.integers(1, 4),
        after=st.sampled_from(["", "a", "a/b", "b/", "zz"]),
    )  # fmt: skip
    def list_pages(self, bucket: str, prefix: str, delimiter: str, size: int, after: str) -> None:
        params = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": size}
        token: dict[str, str] = {"StartAfter": after}
        names: list[str] = []
        while True:
            page = self.same("list_objects_v2", lambda: self.model.known(bucket), **params, **token)
            if page is None:
                return
            shown = [each["Key"] for each in page.get("Contents", ())]
            shown += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
            assert len(shown) <= size
            names += sorted(shown, key=str.encode)
            if not page["IsTruncated"]:
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        assert names == self.model.names(bucket, prefix, delimiter, after)

    @rule(target=uploads, bucket=BUCKETS, key=KEYS)
    def begin(self, bucket: str, key: str) -> Any:
        found = self.same(
            "create_multipart_upload", lambda: self.model.known(bucket), Bucket=bucket, Key=key
        )
        upload_id = found["UploadId"] if found else None
        if upload_id:
            self.model.uploads[upload_id] = (bucket, key, {})
        return bucket, key, upload_id

    @rule(upload=uploads, number=st.integers(1, 3), body=BODIES)
    def upload_part(self, upload: Any, number: int, body: bytes) -> None:
        bucket, key, upload_id = upload
        if upload_id:
            self.same(
                "upload_part",
                lambda: self.model.part(bucket, upload_id, number, body),
                Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body,
            )  # fmt: skip

    @rule(upload=consumes(uploads))
    def complete(self, upload: Any) -> None:
        bucket, key, upload_id = upload
        parts = self.model.parts(upload_id)
        if not upload_id or not parts:
            return
        named = [
            {"PartNumber": number, "ETag": f'"{hashlib.md5(body).hexdigest()}"'}
            for number, body in sorted(parts.items())
        ]
        self.same(
            "complete_multipart_upload",
            lambda: self.model.complete(bucket, upload_id),
            Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": named},
        )  # fmt: skip

    @rule(upload=consumes(uploads))
    def abort(self, upload: Any) -> None:
        bucket, key, upload_id = upload
        if upload_id:
            params = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
            self.same(
                "abort_multipart_upload", lambda: self.model.abort(bucket, upload_id), **params
            )

    @invariant()
    def nothing_is_left_behind(self) -> None:
        found = self.client.list_buckets()["Buckets"]
        assert [each["Name"] for each in found] == sorted(self.model.buckets)


def outcome(expected: Any) -> Any:
    """What the model answers, or the code of its error."""
    try:
        return expected()
    except Refused as refused:
        return refused.code


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (keys_module, records, taking):
        monkeypatch.setattr(module, "PIECE", 64)
    monkeypatch.setattr(taking, "INLINE", 32)
    monkeypatch.setattr(semantics, "LEAST_PART", 0)


def run_machine(url: str) -> None:
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY, config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    machine = type("MachineOfServer", (Machine,), {"client": client})
    try:
        with redis_s3():
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=RUNS,
                    stateful_step_count=30,
                    deadline=None,
                    database=None,
                    derandomize=RUNS < 100,
                    suppress_health_check=list(HealthCheck),
                ),
            )
    finally:
        client.close()


def test_one_server(valkey: Valkey, small_pieces: None) -> None:
    """Answers are right, and data that nothing refers to any more ends."""
    run_machine(valkey.url)
    with Redis(port=valkey.port) as redis:
        lasting = {name for name in redis.scan_iter("*}d:*") if redis.ttl(name) == -1}
        assert lasting == set(referred_to(redis))


def referred_to(redis: Any) -> Iterator[bytes]:
    """The names of the pieces that records of objects and uploads name."""
    for name in redis.scan_iter("*}o:*"):
        yield from pieces(name, redis.hget(name, "c") or b"")
    for name in redis.scan_iter("*}m:*"):
        for field, value in redis.hgetall(name).items():
            if field != b"m":
                yield from pieces(name, value.partition(b" ")[0])


def pieces(name: bytes, spec: bytes) -> Iterator[bytes]:
    base = name[: name.index(b"}") + 1]
    for each in spec.split():
        blob, number = each.split(b":")
        yield from (b"%sd:%s:%d" % (base, blob, index) for index in range(int(number)))


def test_a_cluster(cluster: str, small_pieces: None) -> None:
    run_machine(cluster)
