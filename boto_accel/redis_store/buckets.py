"""Buckets. How one is deleted while others write into it is in docs/redis.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from boto_accel.redis_store import scripts
from boto_accel.redis_store.keys import Shard
from boto_accel.redis_store.listing import OWNER
from boto_accel.redis_store.objects import moment
from boto_accel.redis_store.semantics import (
    Refusal,
    check_new_bucket,
    last_of_token,
    no_such_bucket,
    token_of,
)
from boto_accel.redis_store.store import Asking, Reply, Store, aborted
from boto_accel.redis_store.wires import as_dict

_DEFAULT_REGION = "us-east-1"
_BUDGET = 1000  # dead keys or uploads that one script looks at
_CLOSED_MS = 3_600_000  # milliseconds that a shard of a deleted bucket stays closed; the longest
# time from a write's look at the buckets to its opening of the shard
_MOST_ROUNDS = 20


def create_bucket(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    name = params["Bucket"]
    check_new_bucket(name)
    configuration = params.get("CreateBucketConfiguration", {})
    if configuration.keys() - {"LocationConstraint"}:
        raise Refusal("NotImplemented", 501, "Only LocationConstraint is implemented.")
    location = configuration.get("LocationConstraint", "")
    facts = json.dumps({"location": location})
    answer = yield from store.run(scripts.CREATE_BUCKET, _keys(store), [name, facts])
    # S3 API, CreateBucket: in us-east-1 making one's own bucket again succeeds.
    if answer[0] == b"EXISTS" and (location or not _is_default_region(store)):
        text = "Your previous request to create the named bucket succeeded and you already own it."
        raise Refusal("BucketAlreadyOwnedByYou", 409, text, BucketName=name)
    return Reply({"Location": f"/{name}"}, 200, {"location": f"/{name}"})


def _is_default_region(store: Store) -> bool:
    return store.client.meta.region_name in (_DEFAULT_REGION, "aws-global", None)


def _keys(store: Store) -> list[bytes]:
    return [store.schema.buckets, store.schema.deleting]


def _region(facts: Mapping[str, Any]) -> str:
    location = str(facts.get("location") or _DEFAULT_REGION)
    return "eu-west-1" if location == "EU" else location


def _read(value: bytes) -> tuple[int, dict[str, Any]]:
    """(when it was made, facts)"""
    seconds, _, text = value.partition(b" ")
    return int(seconds), json.loads(text)


def _facts(store: Store, bucket: str) -> Asking:
    value = yield from store.command("HGET", store.schema.buckets, bucket)
    if value is None:
        raise no_such_bucket(bucket)
    return _read(value)[1]


def head_bucket(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    region = _region((yield from _facts(store, params["Bucket"])))
    members = {"BucketRegion": region, "AccessPointAlias": False}
    headers = {"x-amz-bucket-region": region, "x-amz-access-point-alias": "false"}
    return Reply(members, 200, headers)


def get_bucket_location(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    facts = yield from _facts(store, params["Bucket"])
    # None in us-east-1; botocore's handler makes it so. `parse_get_bucket_location`.
    return Reply({"LocationConstraint": facts.get("location") or None})


def get_bucket_versioning(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    """S3 API: of a bucket that was never versioned, nothing is told."""
    yield from store.check_bucket(params["Bucket"])
    return Reply({})


def list_buckets(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    found = as_dict((yield from store.command("HGETALL", store.schema.buckets)))
    prefix, region = params.get("Prefix", ""), params.get("BucketRegion")
    token = params.get("ContinuationToken")
    after = "" if token is None else last_of_token(token).decode()
    every = sorted((name.decode(), *_read(value)) for name, value in found.items())
    wanted = [
        (name, made, facts)
        for name, made, facts in every
        if name.startswith(prefix) and name > after and region in (None, _region(facts))
    ]
    most = params.get("MaxBuckets", 10_000)
    members: dict[str, Any] = {
        "Buckets": [
            {"Name": name, "CreationDate": moment(made), **_shown_region(params, facts)}
            for name, made, facts in wanted[:most]
        ],
        "Owner": dict(OWNER),
    }
    if prefix:
        members["Prefix"] = prefix
    if len(wanted) > most:
        members["ContinuationToken"] = token_of(wanted[most - 1][0].encode())
    return Reply(members)


def _shown_region(params: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """S3 API, ListBuckets: the region is told where a page is asked for."""
    asked = {"MaxBuckets", "Prefix", "ContinuationToken", "BucketRegion"}
    return {} if asked.isdisjoint(params) else {"BucketRegion": _region(facts)}


def delete_bucket(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    """
    Announce the deletion, close each shard that is empty, and end it if nobody has written.

    Whoever writes into a closed shard takes the announcement back first: so either the bucket
    goes and the write is refused, or the write stands and this is BucketNotEmpty.
    """
    name, deletion = params["Bucket"], store.object_id
    for _ in range(_MOST_ROUNDS):
        begun = yield from store.run(scripts.BEGIN_DELETION, _keys(store), [name, deletion])
        if begun[0] == b"ABSENT":
            raise no_such_bucket(name)
        for shard in store.schema.all_shards(name):
            if not (yield from _close(store, shard, deletion)):
                yield from store.run(scripts.CANCEL_DELETION, _keys(store), [name, deletion])
                text = "The bucket you tried to delete is not empty"
                raise Refusal("BucketNotEmpty", 409, text, BucketName=name)
        ended = yield from store.run(scripts.END_DELETION, _keys(store), [name, deletion])
        if ended[0] == b"ABSENT":  # another deletion has ended first
            raise no_such_bucket(name)
        if ended[0] == b"OK":
            yield from _clear(store, name, deletion)
            return Reply({}, 204)
    raise aborted()


def _close(store: Store, shard: Shard, deletion: str) -> Asking:
    """Whether *shard* has no object; then it is closed."""
    while True:
        answer = yield from store.run(
            scripts.CLOSE_SHARD, [shard.state, shard.index], [deletion, shard.records, _BUDGET]
        )
        if answer[0] != b"DEAD":
            return answer[0] == b"OK"
        yield from store.sweep([(shard, answer[1:])])


def _clear(store: Store, name: str, deletion: str) -> Asking:
    for shard in store.schema.all_shards(name):
        answer = [b"MORE"]
        while answer[0] == b"MORE":
            answer = yield from store.run(
                scripts.CLEAR_SHARD,
                [shard.state, shard.uploads],
                [deletion, shard.upload(""), shard.data, _CLOSED_MS],
            )
