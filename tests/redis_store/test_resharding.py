"""
A slot of a cluster is moved while calls come: nothing is lost, and no answer is wrong.

Of keys in a slot that is on its way, a script on the old node sees what has not gone yet, and one
on the new node what has come. Redis cluster specification, "ASK redirection" and "Multiple keys
operations".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError
from redis import Redis
from redis.crc import key_slot

from boto_accel import redis_s3
from boto_accel.redis_store.keys import CLUSTER_SHARDS, Schema
from tests.fastpath.callers import Caller, open_caller

BUCKET = "moving"
KEYS = [f"k{number:03}" for number in range(200)]


class Move:
    """The slot of one shard, from the node that has it to another."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        host, _, port = url.partition("://")[2].partition(":")
        first = stack.enter_context(Redis(host=host, port=int(port)))
        nodes = first.cluster("NODES")
        self.clients = {
            facts["node_id"]: stack.enter_context(Redis(host=host, port=int(at.rpartition(":")[2])))
            for at, facts in nodes.items()
        }
        schema = Schema("boto-accel", CLUSTER_SHARDS)
        self.shard = schema.shard_of(BUCKET, KEYS[0].encode())
        self.slot = key_slot(self.shard.index)
        self.source, self.target = self._ends(nodes)

    def _ends(self, nodes: dict[str, Any]) -> tuple[str, str]:
        ids = {facts["node_id"]: facts["slots"] for facts in nodes.values()}
        source = next(
            each
            for each, slots in ids.items()
            if any(int(first) <= self.slot <= int(last) for first, last in slots)
        )
        return source, next(each for each in ids if each != source)

    def has(self, key: str) -> bool:
        schema = Schema("boto-accel", CLUSTER_SHARDS)
        return schema.shard_of(BUCKET, key.encode()) == self.shard

    def begin(self) -> None:
        self._set(self.target, "IMPORTING", self.source)
        self._set(self.source, "MIGRATING", self.target)

    def names(self) -> list[bytes]:
        found: list[bytes] = self.clients[self.source].execute_command(
            "CLUSTER", "GETKEYSINSLOT", self.slot, 10_000
        )
        return found

    def take(self, *keys: bytes) -> None:
        port = self.clients[self.target].connection_pool.connection_kwargs["port"]
        self.clients[self.source].execute_command(
            "MIGRATE", "127.0.0.1", port, "", 0, 60_000, "KEYS", *keys
        )

    def end(self) -> None:
        while keys := self.names():
            self.take(*keys)
        for node in (self.target, self.source, *self.clients):
            self._set(node, "NODE", self.target)

    def back(self) -> None:
        """As it was: the cluster is for other tests as well."""
        self.source, self.target = self.target, self.source
        self.begin()
        self.end()

    def _set(self, node: str, state: str, other: str) -> None:
        self.clients[node].execute_command("CLUSTER", "SETSLOT", self.slot, state, other)


@pytest.fixture
def move(cluster: str) -> Iterator[Move]:
    with ExitStack() as stack:
        made = Move(cluster, stack)
        yield made
        made.end()  # where the test has failed in between
        made.back()


@pytest.fixture
def s3(cluster: str, flavour: str) -> Iterator[Caller]:
    retries = {"total_max_attempts": 1}
    with redis_s3(), open_caller(flavour, endpoint_url=cluster, retries=retries) as made:
        made("create_bucket", Bucket=BUCKET)
        for key in KEYS:
            made("put_object", Bucket=BUCKET, Key=key, Body=key.encode())
        yield made


def code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def listed(s3: Caller) -> list[str] | None:
    """None where the store cannot tell now."""
    try:
        found = s3("list_objects_v2", Bucket=BUCKET)["Contents"]
    except ClientError as error:
        return None if code(error) == "ServiceUnavailable" else [str(error)]
    return [each["Key"] for each in found]


def checks(s3: Caller) -> None:
    assert listed(s3) in (KEYS, None)
    for key in KEYS:
        assert s3.body(Bucket=BUCKET, Key=key) == key.encode()
    with pytest.raises(ClientError) as caught:
        s3("delete_bucket", Bucket=BUCKET)
    assert code(caught.value) in ("BucketNotEmpty", "ServiceUnavailable")


@pytest.mark.parametrize("first", ["index", "records"])
def test_what_has_not_come_yet_is_not_gone(move: Move, s3: Caller, first: str) -> None:
    """Neither from a listing, nor for who deletes the bucket; whichever key is moved first."""
    indexes = [move.shard.index, move.shard.state]
    records = sorted(set(move.names()) - set(indexes))
    order = [indexes, records] if first == "index" else [records[:1], records[1:], indexes]
    move.begin()
    checks(s3)
    for keys in order:
        move.take(*keys)
        checks(s3)
    move.end()
    checks(s3)
    assert listed(s3) == KEYS
    s3("put_object", Bucket=BUCKET, Key=KEYS[0], Body=KEYS[0].encode())
    checks(s3)


def test_an_object_in_pieces(move: Move, s3: Caller) -> None:
    """It is read whole or not at all, however its pieces are spread, and it is there at the end."""
    key = next(each for each in map(str, range(10_000)) if move.has(each))
    data = bytes(range(256)) * 40_000
    s3("put_object", Bucket=BUCKET, Key=key, Body=data)
    move.begin()
    everything = sorted(move.names())
    pieces = [each for each in everything if each.startswith(move.shard.data)]
    assert len(pieces) == 3
    for keys in (pieces[1:2], pieces[:1], pieces[2:], sorted(set(everything) - set(pieces))):
        move.take(*keys)
        assert read(s3, key) in (data, None)
    move.end()
    assert read(s3, key) == data


@pytest.mark.parametrize("pieces_of_part", [1, 2])
def test_an_upload_whose_parts_are_on_their_way(
    move: Move, s3: Caller, pieces_of_part: int
) -> None:
    """To be completed later; not an upload without its parts."""
    key = next(each for each in map(str, range(10_000)) if move.has(each))
    data = bytes(range(256)) * 12_500 * pieces_of_part
    of_upload = {"Bucket": BUCKET, "Key": key}
    s3("put_object", **of_upload)  # else the cluster misses its record, and says so by itself
    of_upload["UploadId"] = s3("create_multipart_upload", **of_upload)["UploadId"]
    etag = s3("upload_part", **of_upload, PartNumber=1, Body=data)["ETag"]
    whole = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    move.begin()
    pieces = {each for each in move.names() if each.startswith(move.shard.data)}
    assert len(pieces) == pieces_of_part
    for keys in (sorted(set(move.names()) - pieces), sorted(pieces)[:-1]):
        if keys:
            move.take(*keys)
        with pytest.raises(ClientError) as caught:
            s3("complete_multipart_upload", **of_upload, MultipartUpload=whole)
        assert code(caught.value) in ("OperationAborted", "ServiceUnavailable")
    move.end()
    s3("complete_multipart_upload", **of_upload, MultipartUpload=whole)
    assert read(s3, key) == data


def read(s3: Caller, key: str) -> bytes | None:
    try:
        s3("head_object", Bucket=BUCKET, Key=key)
        return s3.body(Bucket=BUCKET, Key=key)
    except ClientError as error:
        return None if code(error) in ("503", "ServiceUnavailable") else str(error).encode()
