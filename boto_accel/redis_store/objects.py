"""Objects: put, get, head, delete, copy, tags and attributes."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

from boto_accel._conditions import OF_READS
from boto_accel.redis_store import params as given
from boto_accel.redis_store import scripts
from boto_accel.redis_store.bodies import Pieces, Source, command_of
from boto_accel.redis_store.checksums import COMPOSITE, DEFAULT, FULL_OBJECT
from boto_accel.redis_store.conditions import check_copied, check_read
from boto_accel.redis_store.keys import Shard
from boto_accel.redis_store.records import (
    Blob,
    Facts,
    Head,
    Slice,
    decode_head,
    decode_tags,
    encode_tags,
    slices,
)
from boto_accel.redis_store.semantics import (
    LARGEST_PUT,
    MOST_KEYS,
    Refusal,
    check_part_number,
    check_tags,
    key_bytes,
    no_such_key,
    read_range,
    tags_of_header,
    ttl_ms,
    user_metadata,
)
from boto_accel.redis_store.store import Asking, Reply, Store, refusal_of
from boto_accel.redis_store.streams import make_body
from boto_accel.redis_store.taking import FromObject, FromUser, Taken, algorithm_of, checked

_DEFAULT_TYPE = "binary/octet-stream"  # S3 API, PutObject
_MOST_READS = 5  # of a record whose pieces go meanwhile


# Put -----------------------------------------------------------------------------------------


def put_object(store: Store, params: Mapping[str, Any], source: Source) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    members = given.members_of(params)
    metadata = user_metadata(params["Metadata"]) if "Metadata" in params else {}
    tags = tags_of_header(params["Tagging"]) if "Tagging" in params else ()
    algorithm = algorithm_of(params, by_default=store.state.checks_requests)

    def keep(taken: Taken) -> Asking:
        facts = facts_of(taken, members, metadata)
        yield from exchange(store, params, key, shard, facts, taken.data, tags)
        more = {"ChecksumType": FULL_OBJECT} if taken.checksums else {}
        return Reply({"ETag": taken.etag, **taken.checksums, **more})

    return (
        yield from checked(store, shard, FromUser(source), params, algorithm, keep, inline=True)
    )


def facts_of(taken: Taken, members: dict[str, Any], metadata: dict[str, str]) -> Facts:
    return Facts(
        "",
        taken.size,
        taken.etag,
        members,
        metadata,
        taken.checksums,
        FULL_OBJECT if taken.checksums else "",
        () if taken.data is not None else (taken.blob,),
    )


def exchange(
    store: Store,
    params: Mapping[str, Any],
    key: bytes,
    shard: Shard,
    facts: Facts,
    data: bytes | None,
    tags: Sequence[tuple[str, str]],
) -> Asking:
    """Make *facts* the object; when it was written, in seconds."""
    facts = facts._replace(id=store.object_id)
    ttl = ttl_ms(facts.metadata, facts.members.get("Expires"), store.options.ttl_s, store.clock())
    answer = yield from store.write(
        params["Bucket"],
        shard,
        scripts.PUT,
        [shard.state, shard.index, shard.record(key)],
        [key, facts.encode(), facts.etag, facts.id, facts.spec, data or b"",
         encode_tags(tags), len(tags), ttl or "",
         condition(params, "IfMatch"), condition(params, "IfNoneMatch"),
         store.grace_ms, shard.data],
    )  # fmt: skip
    refusal = refusal_of(answer[0], key)
    if refusal is not None:
        raise refusal
    return int(answer[1])


def condition(params: Mapping[str, Any], name: str) -> str:
    """An ETag as it is kept, with quotes; "*" for any, "" for no condition."""
    wanted = params.get(name)
    if not wanted:
        return ""
    return wanted if wanted == "*" else '"' + wanted.strip('"') + '"'


# Get -----------------------------------------------------------------------------------------


def get_object(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    for _ in range(_MOST_READS):
        head, data = yield from store.record(params["Bucket"], key, shard)
        members, headers, first, last, status = described(store, params, head, reads=True)
        if data is not None:
            body = data if len(data) == last + 1 - first else data[first : last + 1]
            pieces = None
        else:
            parts = slices(head.facts.blobs, first, last)
            body = yield from _first_piece(store, shard, head.facts, parts)
            if body is None:
                yield from _drop(store, shard, key, head.facts)
                continue
            pieces = Pieces([(shard.piece(each.blob, each.number), each) for each in parts[1:]])
        checks = head.facts.checksum_type != COMPOSITE
        members["Body"], algorithm = make_body(store, members, body, pieces, checks=checks)
        return Reply(members, status, headers, algorithm)
    raise no_such_key(params["Key"])


def _first_piece(store: Store, shard: Shard, facts: Facts, parts: list[Slice]) -> Asking:
    """The first of *parts*, if all pieces of the object are there; else None."""
    names = [shard.piece(each.blob, each.number) for each in slices(facts.blobs, 0, facts.size)]
    if not names:
        return b""
    commands: list[tuple[Any, ...]] = [("EXISTS", *names)]
    if parts:
        commands.append(command_of(shard.piece(parts[0].blob, parts[0].number), parts[0]))
    number, *first = yield from store.many(commands)
    if number != len(names):
        return None
    if not parts:
        return b""
    return first[0] if len(first[0] or b"") == parts[0].last - parts[0].first + 1 else None


def _drop(store: Store, shard: Shard, key: bytes, facts: Facts) -> Asking:
    """Redis has evicted a piece: the object is gone, unless it was replaced meanwhile."""
    keys = [shard.index, shard.record(key)]
    yield from store.run(scripts.DROP, keys, [key, facts.id, shard.data])


def head_object(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    for _ in range(_MOST_READS):
        head = yield from read_head(store, params["Bucket"], key, shard)
        members, headers, _, _, status = described(store, params, head, reads=False)
        if head.facts.blobs and (yield from _first_piece(store, shard, head.facts, [])) is None:
            yield from _drop(store, shard, key, head.facts)
            continue
        return Reply(members, status, headers)
    raise no_such_key(params["Key"])


def read_head(store: Store, bucket: str, key: bytes, shard: Shard) -> Asking:
    """The `Head` of an object. Raises NoSuchKey, NoSuchBucket."""
    head = yield from store.command("HGET", shard.record(key), "m")
    if head is None:
        yield from store.check_bucket(bucket)
        raise no_such_key(key.decode())
    return decode_head(head)


def described(
    store: Store, params: Mapping[str, Any], head: Head, *, reads: bool
) -> tuple[dict[str, Any], dict[str, str], int, int, int]:
    """
    (members of the output, headers, first and last byte, status). Raises what conditions refuse.
    """
    facts = head.facts
    if not OF_READS.isdisjoint(params):
        check_read(params, facts.etag, moment(head.written))
    first, last, status = _extent(params, facts)
    members: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": moment(head.written),
        "ContentLength": last - first + 1,
        "ETag": facts.etag,
        "ContentType": _DEFAULT_TYPE,
        **facts.members,
        "Metadata": dict(facts.metadata),
    }
    if status == 206:
        members["ContentRange"] = f"bytes {first}-{last}/{facts.size}"
    if "PartNumber" in params and facts.parts:
        members["PartsCount"] = facts.parts
    elif (
        facts.checksums
        and _wants_checksums(store, params, reads)
        and last + 1 - first == facts.size
    ):
        members.update(facts.checksums)
        members["ChecksumType"] = facts.checksum_type
    if head.tags:
        members["TagCount"] = head.tags
    if members.get("StorageClass") == "STANDARD":
        del members["StorageClass"]
    if not _OVERRIDES.keys().isdisjoint(params):
        for name, member in _OVERRIDES.items():
            if name in params:
                members[member] = params[name]
        if "ResponseExpires" in params:
            members["Expires"] = given.seconds_of(params["ResponseExpires"])
    if "Expires" in members:
        seconds = members["Expires"]
        members["Expires"], members["ExpiresString"] = moment(seconds), http_date(seconds)
    return members, headers_of(members, head.written), first, last, status


_OVERRIDES = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}


def _wants_checksums(store: Store, params: Mapping[str, Any], reads: bool) -> bool:
    """As botocore asks for them: with GetObject by default."""
    mode = params.get("ChecksumMode")
    return mode == "ENABLED" or (mode is None and reads and store.state.checks_answers)


def _extent(params: Mapping[str, Any], facts: Facts) -> tuple[int, int, int]:
    """(first, last, status)"""
    if "PartNumber" in params:
        return _part_extent(params["PartNumber"], facts)
    found = read_range(params["Range"], facts.size) if "Range" in params else None
    return (0, facts.size - 1, 200) if found is None else (*found, 206)


def _part_extent(number: int, facts: Facts) -> tuple[int, int, int]:
    check_part_number(number)
    sizes = [blob.size for blob in facts.blobs] if facts.parts else [facts.size]
    if number > len(sizes):
        text = "The requested partnumber is not satisfiable"
        raise Refusal("InvalidPartNumber", 416, text, ActualPartCount=str(len(sizes)))
    if not facts.size:
        return 0, -1, 200
    first = sum(sizes[: number - 1])
    return first, first + sizes[number - 1] - 1, 206


@lru_cache(maxsize=1024)
def moment(seconds: int) -> datetime.datetime:
    from dateutil.tz import tzutc  # what botocore's parser gives

    return datetime.datetime.fromtimestamp(seconds, tzutc())


@lru_cache(maxsize=1024)
def http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


_HEADERS = {
    "AcceptRanges": "accept-ranges",
    "CacheControl": "cache-control",
    "ChecksumCRC32": "x-amz-checksum-crc32",
    "ChecksumCRC32C": "x-amz-checksum-crc32c",
    "ChecksumCRC64NVME": "x-amz-checksum-crc64nvme",
    "ChecksumSHA1": "x-amz-checksum-sha1",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "ChecksumType": "x-amz-checksum-type",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentLength": "content-length",
    "ContentRange": "content-range",
    "ContentType": "content-type",
    "ETag": "etag",
    "ExpiresString": "expires",
    "PartsCount": "x-amz-mp-parts-count",
    "StorageClass": "x-amz-storage-class",
    "TagCount": "x-amz-tagging-count",
    "WebsiteRedirectLocation": "x-amz-website-redirect-location",
}


def headers_of(members: Mapping[str, Any], written: int) -> dict[str, str]:
    """The headers of HTTP that *members* would have come with."""
    headers = {_HEADERS[name]: str(members[name]) for name in members if name in _HEADERS}
    headers["last-modified"] = http_date(written)
    for name, value in members["Metadata"].items():
        headers[f"x-amz-meta-{name}"] = value
    return headers


# Delete --------------------------------------------------------------------------------------


def delete_object(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    call = _deletion(store, params["Bucket"], key, condition(params, "IfMatch"))
    answer = yield from store.run(scripts.DELETE, *call)
    if answer[1] != b"open":
        yield from store.check_bucket(params["Bucket"])
    refusal = refusal_of(answer[0], key)
    if refusal is not None:
        raise refusal
    return Reply({}, 204)


def _deletion(
    store: Store, bucket: str, key: bytes, if_match: str
) -> tuple[list[bytes], list[Any]]:
    shard = store.schema.shard_of(bucket, key)
    keys = [shard.state, shard.index, shard.record(key)]
    return keys, [key, store.grace_ms, shard.data, if_match]


def delete_objects(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    bucket, wanted = params["Bucket"], params["Delete"]["Objects"]
    if len(wanted) > MOST_KEYS or not wanted:
        text = (
            "The XML you provided was not well-formed or did not validate against our "
            "published schema"
        )
        raise Refusal("MalformedXML", 400, text)
    deleted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    calls = []
    for each in wanted:
        refusal = _refuses_deletion(each)
        if refusal is None:
            calls.append((each, key_bytes(each["Key"])))
        else:
            errors.append(_deletion_error(each, refusal))
    answers = yield from store.run_each(
        scripts.DELETE,
        [_deletion(store, bucket, key, condition(each, "ETag")) for each, key in calls],
    )
    if not all(answer[1] == b"open" for answer in answers):
        yield from store.check_bucket(bucket)
    for (each, key), answer in zip(calls, answers, strict=True):
        refusal = refusal_of(answer[0], key)
        if refusal is None:
            deleted.append({name: each[name] for name in ("Key", "VersionId") if name in each})
        else:
            errors.append(_deletion_error(each, refusal))
    members: dict[str, Any] = {}
    if deleted and not params["Delete"].get("Quiet"):
        members["Deleted"] = deleted
    if errors:
        members["Errors"] = errors
    return Reply(members)


def _refuses_deletion(each: Mapping[str, Any]) -> Refusal | None:
    if each.get("VersionId", "null") != "null":
        return Refusal("NoSuchVersion", 404, "The specified version does not exist.")
    if not {"Size", "LastModifiedTime"}.isdisjoint(each):
        return Refusal("NotImplemented", 501, "Size and LastModifiedTime are not implemented.")
    try:
        key_bytes(each["Key"])
    except Refusal as refusal:
        return refusal
    return None


def _deletion_error(each: Mapping[str, Any], refusal: Refusal) -> dict[str, Any]:
    found = {name: each[name] for name in ("Key", "VersionId") if name in each}
    return {**found, "Code": refusal.code, "Message": refusal.message}


# Copy ----------------------------------------------------------------------------------------


def copy_object(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    bucket, source_key = given.copy_source(params["CopySource"])
    source = yield from read_source(store, params, bucket, source_key)
    facts = source.head.facts
    if facts.size > LARGEST_PUT:
        text = (
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {LARGEST_PUT}"
        )
        raise Refusal("InvalidRequest", 400, text)
    replaces = params.get("MetadataDirective", "COPY") == "REPLACE"
    _check_copy_changes(params, bucket, source_key, replaces)
    members = given.members_of(params) if replaces else _copied_members(params, facts)
    metadata = user_metadata(params.get("Metadata", {})) if replaces else facts.metadata
    if params.get("TaggingDirective", "COPY") == "REPLACE":
        tags: Sequence[tuple[str, str]] = tags_of_header(params.get("Tagging", ""))
    else:
        tags = (yield from _tags_of(store, source.record)) if source.head.tags else ()
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)

    def keep(taken: Taken) -> Asking:
        copied = facts_of(taken, members, metadata)
        written = yield from exchange(store, params, key, shard, copied, taken.data, tags)
        result = {"ETag": taken.etag, "LastModified": moment(written), **taken.checksums}
        if taken.checksums:
            result["ChecksumType"] = FULL_OBJECT
        return Reply({"CopyObjectResult": result})

    reader = reader_of(source, 0, facts.size - 1)
    algorithm = algorithm_of(params, by_default=False) or _algorithm_of(facts)
    return (yield from checked(store, shard, reader, {}, algorithm, keep, inline=True))


def read_source(store: Store, params: Mapping[str, Any], bucket: str, key: str) -> Asking:
    """The `CopiedObject`, if the conditions hold."""
    encoded = key_bytes(key)
    shard = store.schema.shard_of(bucket, encoded)
    head, data = yield from store.record(bucket, encoded, shard)
    check_copied(params, head.facts.etag, moment(head.written))
    return CopiedObject(shard, shard.record(encoded), head, data)


class CopiedObject(NamedTuple):
    """The source of a copy; *record* is the name of its record."""

    shard: Shard
    record: bytes
    head: Head
    data: bytes | None


def reader_of(source: CopiedObject, first: int, last: int) -> Any:
    """What reads bytes *first* to *last* of an object."""
    if source.data is not None:
        return FromUser(Source(source.data[first : last + 1]))
    parts = slices(source.head.facts.blobs, first, last)
    names = [source.shard.piece(each.blob, each.number) for each in parts]
    return FromObject(Pieces(list(zip(names, parts, strict=True))))


def _check_copy_changes(
    params: Mapping[str, Any], bucket: str, source_key: str, replaces: bool
) -> None:
    is_same = (bucket, source_key) == (params["Bucket"], params["Key"])
    changes = ("StorageClass", "WebsiteRedirectLocation", "ChecksumAlgorithm")
    if is_same and not replaces and not any(name in params for name in changes):
        text = (
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location "
            "or encryption attributes."
        )
        raise Refusal("InvalidRequest", 400, text)


def _copied_members(params: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """S3 API, CopyObject: storage class and redirect are never copied."""
    own = ("StorageClass", "WebsiteRedirectLocation")
    kept = {name: value for name, value in facts.members.items() if name not in own}
    return kept | {name: params[name] for name in own if name in params}


def _algorithm_of(facts: Facts) -> str:
    """A copy has the checksum algorithm of its source. S3 API, CopyObject."""
    for member in facts.checksums:
        return member.removeprefix("Checksum")
    return DEFAULT


# Tags ----------------------------------------------------------------------------------------


def get_object_tagging(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    head = yield from read_head(store, params["Bucket"], key, shard)
    tags = (yield from _tags_of(store, shard.record(key))) if head.tags else ()
    return Reply({"TagSet": [{"Key": name, "Value": value} for name, value in tags]})


def _tags_of(store: Store, record: bytes) -> Asking:
    return decode_tags((yield from store.command("HGET", record, "t")))


def put_object_tagging(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    tags = check_tags((tag["Key"], tag["Value"]) for tag in params["Tagging"]["TagSet"])
    yield from _tag(store, params, tags)
    return Reply({})


def delete_object_tagging(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    yield from _tag(store, params, ())
    return Reply({}, 204)


def _tag(store: Store, params: Mapping[str, Any], tags: Sequence[tuple[str, str]]) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    args = [encode_tags(tags), len(tags)]
    answer = yield from store.run(scripts.TAG, [shard.record(key)], args)
    if answer[0] == b"ABSENT":
        yield from store.check_bucket(params["Bucket"])
        raise no_such_key(params["Key"])


# Attributes ----------------------------------------------------------------------------------


def get_object_attributes(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    head = yield from read_head(store, params["Bucket"], key, shard)
    facts, wanted = head.facts, params["ObjectAttributes"]
    members: dict[str, Any] = {"LastModified": moment(head.written)}
    if "ETag" in wanted:
        members["ETag"] = facts.etag.strip('"')
    if "Checksum" in wanted and facts.checksums:
        members["Checksum"] = {**facts.checksums, "ChecksumType": facts.checksum_type}
    if "ObjectParts" in wanted and facts.parts:
        members["ObjectParts"] = _parts_of(facts, params)
    if "StorageClass" in wanted:
        members["StorageClass"] = facts.members.get("StorageClass", "STANDARD")
    if "ObjectSize" in wanted:
        members["ObjectSize"] = facts.size
    return Reply(members)


def _parts_of(facts: Facts, params: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"TotalPartsCount": facts.parts}
    if facts.checksum_type != COMPOSITE:  # S3 API: parts are told of those with a checksum only
        return found
    after, most = int(params.get("PartNumberMarker", 0)), params.get("MaxParts", MOST_KEYS)
    shown = list(enumerate(facts.blobs, 1))[after : after + most]
    member = next(iter(facts.checksums))
    found["PartNumberMarker"] = after
    found["NextPartNumberMarker"] = shown[-1][0] if shown else 0
    found["MaxParts"] = most
    found["IsTruncated"] = bool(shown) and shown[-1][0] < facts.parts
    found["Parts"] = [_part(number, blob, member) for number, blob in shown]
    return found


def _part(number: int, blob: Blob, member: str) -> dict[str, Any]:
    return {"PartNumber": number, "Size": blob.size, member: blob.checksum}
