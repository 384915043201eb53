"""ListObjects and ListObjectsV2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from boto_accel.redis_store import scripts
from boto_accel.redis_store.keys import Shard
from boto_accel.redis_store.merging import Entry, Merge, bounds, dead_keys
from boto_accel.redis_store.objects import moment
from boto_accel.redis_store.records import decode_head
from boto_accel.redis_store.semantics import (
    invalid_argument,
    last_of_token,
    page_size,
    token_of,
)
from boto_accel.redis_store.store import Asking, Reply, Store, aborted

OWNER = {"ID": "boto-accel"}  # there is one
_MOST_ROUNDS = 20  # of a page with a key that comes while it is looked at, or whose slot is moved
_BUDGET = 5000  # keys that one script looks at: a server is not held up by a million dead ones


def list_objects_v2(store: Store, params: Mapping[str, Any], context: Mapping[str, Any]) -> Asking:
    token = params.get("ContinuationToken")
    after = params.get("StartAfter", "").encode() if token is None else last_of_token(token)
    spell = speller(params, context)
    members, last = yield from _page(
        store, params, spell, after, owner=params.get("FetchOwner", False)
    )
    members["KeyCount"] = len(members.get("Contents", ())) + len(members.get("CommonPrefixes", ()))
    for name in ("ContinuationToken", "StartAfter"):
        if name in params:
            members[name] = spell(params[name]) if name == "StartAfter" else params[name]
    if members["IsTruncated"]:
        members["NextContinuationToken"] = token_of(last)
    return Reply(members)


def list_objects(store: Store, params: Mapping[str, Any], context: Mapping[str, Any]) -> Asking:
    marker = params.get("Marker", "")
    spell = speller(params, context)
    members, last = yield from _page(store, params, spell, marker.encode(), owner=True)
    members["Marker"] = spell(marker)
    if members["IsTruncated"] and "Delimiter" in params:  # S3 API, ListObjects: only then
        members["NextMarker"] = spell(last.decode())
    return Reply(members)


def speller(params: Mapping[str, Any], context: Mapping[str, Any]) -> Callable[[str], str]:
    """
    How names are shown: as they are, or encoded where the user, not botocore, asks for it.

    botocore asks for url by itself, and decodes the answer. Source: `botocore.handlers`,
    set_list_objects_encoding_type_url and decode_list_object.
    """
    encoding = params.get("EncodingType")
    if encoding is not None and encoding != "url":
        text = "Invalid Encoding Method specified in Request"
        raise invalid_argument(text, "encoding-type", encoding)
    if encoding is None or context.get("encoding_type_auto_set"):
        return _as_it_is
    return _encoded


def _as_it_is(name: str) -> str:
    return name


def _encoded(name: str) -> str:
    return quote(name, safe="/*-._")


def _page(
    store: Store,
    params: Mapping[str, Any],
    spell: Callable[[str], str],
    after: bytes,
    *,
    owner: bool,
) -> Asking:
    """(members, the last key or common prefix)"""
    bucket = params["Bucket"]
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    most = page_size(params.get("MaxKeys"))
    yield from store.check_bucket(bucket)
    found: list[Entry] = []
    if most:
        found = yield from _entries(
            store, bucket, after, prefix.encode(), delimiter.encode(), most + 1
        )
    shown = found[:most]
    members: dict[str, Any] = {
        "Name": bucket,
        "Prefix": spell(prefix),
        "MaxKeys": params.get("MaxKeys", most),
        "IsTruncated": len(found) > most > 0,
    }
    if delimiter:
        members["Delimiter"] = spell(delimiter)
    if "EncodingType" in params:
        members["EncodingType"] = params["EncodingType"]
    contents = [_content(each, spell, owner=owner) for each in shown if each.head]
    prefixes = [{"Prefix": spell(each.name.decode())} for each in shown if not each.head]
    if contents:
        members["Contents"] = contents
    if prefixes:
        members["CommonPrefixes"] = prefixes
    return members, shown[-1].name if shown else b""


def _entries(
    store: Store, bucket: str, after: bytes, prefix: bytes, delimiter: bytes, most: int
) -> Asking:
    start, end = bounds(after, prefix, delimiter)
    merge = Merge(store.schema.shards, start, most)
    shards = store.schema.all_shards(bucket)
    refused = 0
    while asked := merge.to_ask():
        calls = [
            (
                [shards[cursor.shard].index],
                [shards[cursor.shard].records, cursor.start, end, merge.share, len(prefix),
                 delimiter, _BUDGET],
            )
            for cursor in asked
        ]  # fmt: skip
        answers = yield from store.run_each(scripts.LIST, calls)
        right = yield from _swept(store, [shards[each.shard] for each in asked], answers)
        for cursor, answer, is_right in zip(asked, answers, right, strict=True):
            if is_right:
                cursor.take(answer)
        refused += not all(right)
        if refused == _MOST_ROUNDS:
            raise aborted()
    return merge.found


def _swept(store: Store, shards: Sequence[Shard], answers: Sequence[Sequence[bytes]]) -> Asking:
    """Which pages are right: those without a key that seemed to be gone, and is not."""
    dead = [dead_keys(answer) for answer in answers]
    pairs = [(shard, keys) for shard, keys in zip(shards, dead, strict=True) if keys]
    gone = iter((yield from store.sweep(pairs)) if pairs else ())
    return [next(gone) if keys else True for keys in dead]


def _content(entry: Entry, spell: Callable[[str], str], *, owner: bool) -> dict[str, Any]:
    facts, written, _ = decode_head(entry.head)
    content = {
        "Key": spell(entry.name.decode()),
        "LastModified": moment(written),
        "ETag": facts.etag,
        "Size": facts.size,
        "StorageClass": facts.members.get("StorageClass", "STANDARD"),
    }
    if facts.checksums:
        content["ChecksumAlgorithm"] = [name.removeprefix("Checksum") for name in facts.checksums]
        content["ChecksumType"] = facts.checksum_type
    if owner:
        content["Owner"] = dict(OWNER)
    return content
