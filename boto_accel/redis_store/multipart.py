"""Multipart uploads: made, filled, completed, aborted and listed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from boto_accel.redis_store import checksums, scripts
from boto_accel.redis_store import params as given
from boto_accel.redis_store.bodies import Source
from boto_accel.redis_store.checksums import COMPOSITE, FULL_OBJECT, UnavailableError
from boto_accel.redis_store.keys import Shard, pieces_of
from boto_accel.redis_store.listing import OWNER, speller
from boto_accel.redis_store.objects import condition, moment, read_source, reader_of
from boto_accel.redis_store.records import (
    Blob,
    Facts,
    Part,
    Upload,
    decode_head,
    decode_part,
    decode_tags,
    decode_upload,
    encode_tags,
)
from boto_accel.redis_store.semantics import (
    Refusal,
    check_part_number,
    check_parts,
    copied_range,
    invalid_part,
    key_bytes,
    multipart_etag,
    no_such_upload,
    page_size,
    tags_of_header,
    ttl_ms,
    user_metadata,
)
from boto_accel.redis_store.store import Asking, Reply, Store, aborted, refusal_of
from boto_accel.redis_store.taking import FromUser, Taken, algorithm_of, checked, new_digest
from boto_accel.redis_store.wires import as_dict

_MOST_ROUNDS = 10  # of a completion whose parts are uploaded again meanwhile


def create_multipart_upload(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    algorithm = algorithm_of(params, by_default=False)
    kind = _checksum_type(algorithm, params.get("ChecksumType"))
    members = given.members_of(params)
    metadata = user_metadata(params.get("Metadata", {}))
    tags = encode_tags(tags_of_header(params["Tagging"])) if "Tagging" in params else ""
    upload = Upload(0, members, metadata, tags, algorithm or "", kind)
    upload_id = store.object_id
    yield from store.write(
        params["Bucket"],
        shard,
        scripts.CREATE_UPLOAD,
        [shard.state, shard.uploads, shard.upload(upload_id)],
        [_member(key, upload_id), upload.encode()],
    )
    found = {"Bucket": params["Bucket"], "Key": params["Key"], "UploadId": upload_id}
    told = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if algorithm else {}
    return Reply({**found, **told})


def _member(key: bytes, upload_id: str) -> bytes:
    return key + b"\0" + upload_id.encode()


def _checksum_type(algorithm: str | None, wanted: str | None) -> str:
    """S3 user guide, "Checking object integrity": which algorithm has which kinds."""
    if algorithm is None:
        if wanted is not None:
            text = "The checksum type can only be used with a checksum algorithm."
            raise Refusal("InvalidRequest", 400, text)
        return ""
    kinds = {"SHA1": (COMPOSITE,), "SHA256": (COMPOSITE,), "CRC64NVME": (FULL_OBJECT,)}
    possible = kinds.get(algorithm, (COMPOSITE, FULL_OBJECT))
    if wanted is None:
        return possible[0]
    if wanted not in possible:
        text = (
            f"The {wanted} checksum type cannot be used with the {algorithm.lower()} "
            "checksum algorithm."
        )
        raise Refusal("InvalidRequest", 400, text)
    return wanted


def _upload(store: Store, params: Mapping[str, Any], shard: Shard) -> Asking:
    """(upload, its parts as they are kept). Raises NoSuchUpload, NoSuchBucket."""
    upload_id = params["UploadId"]
    found = as_dict((yield from store.command("HGETALL", shard.upload(upload_id))))
    if b"m" not in found:
        yield from store.check_bucket(params["Bucket"])
        raise no_such_upload(upload_id)
    head = found.pop(b"m")
    return decode_upload(head), {int(number): value for number, value in found.items()}


def upload_part(store: Store, params: Mapping[str, Any], source: Source) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    check_part_number(params["PartNumber"])
    algorithm = algorithm_of(params, by_default=store.state.checks_requests)

    def keep(taken: Taken) -> Asking:
        yield from _put_part(store, params, shard, taken)
        return Reply({"ETag": taken.etag, **taken.checksums})

    reader = FromUser(source)
    return (yield from checked(store, shard, reader, params, algorithm, keep, inline=False))


def upload_part_copy(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    check_part_number(params["PartNumber"])
    upload, _ = yield from _upload(store, params, shard)
    source = yield from read_source(store, params, *given.copy_source(params["CopySource"]))
    size = source.head.facts.size
    first, last = 0, size - 1
    if "CopySourceRange" in params:
        first, last = copied_range(params["CopySourceRange"], size)

    def keep(taken: Taken) -> Asking:
        written = yield from _put_part(store, params, shard, taken)
        result = {"ETag": taken.etag, "LastModified": moment(written), **taken.checksums}
        return Reply({"CopyPartResult": result})

    reader = reader_of(source, first, last)
    algorithm = upload.algorithm or None
    return (yield from checked(store, shard, reader, {}, algorithm, keep, inline=False))


def _put_part(store: Store, params: Mapping[str, Any], shard: Shard, taken: Taken) -> Asking:
    part = Part(taken.blob.id, taken.size, taken.etag, taken.checksums)
    answer = yield from store.run(
        scripts.PUT_PART,
        [shard.upload(params["UploadId"])],
        [params["PartNumber"], taken.blob.spec, part.encode(), shard.data],
    )
    if answer[0] == b"ABSENT":
        yield from store.check_bucket(params["Bucket"])
        raise no_such_upload(params["UploadId"])
    refusal = refusal_of(answer[0], b"")
    if refusal is not None:
        raise refusal
    return int(answer[1])


def complete_multipart_upload(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    upload_id = params["UploadId"]
    for _ in range(_MOST_ROUNDS):
        done = yield from _completed_before(store, params, shard, key)
        if done is not None:
            return done
        upload, kept = yield from _upload(store, params, shard)
        parts = {number: decode_part(value) for number, value in kept.items()}
        chosen = _chosen_parts(params, parts)
        facts = _facts(params, upload, [parts[number] for number in chosen])
        ttl = ttl_ms(
            facts.metadata, facts.members.get("Expires"), store.options.ttl_s, store.clock()
        )
        args = [key, facts.encode(), facts.etag, upload_id, facts.spec, b"", upload.tags,
                len(decode_tags(upload.tags.encode())),
                ttl or "", condition(params, "IfMatch"),
                condition(params, "IfNoneMatch"), store.grace_ms, shard.data,
                _member(key, upload_id)]  # fmt: skip
        for number in chosen:
            args += [number, kept[number]]
        keys = [shard.state, shard.index, shard.record(key), shard.uploads]
        answer = yield from store.write(
            params["Bucket"], shard, scripts.COMPLETE, [*keys, shard.upload(upload_id)], args
        )
        if answer[0] == b"OK":
            return _completion(params, facts)
        if answer[0] == b"GONE":
            yield from _check_pieces(store, shard, {number: parts[number] for number in chosen})
        elif (refusal := refusal_of(answer[0], key)) is not None:
            raise refusal
    raise aborted()


def _check_pieces(store: Store, shard: Shard, parts: Mapping[int, Part]) -> Asking:
    """
    Raise InvalidPart for a part that Redis has evicted.

    A script that misses a piece cannot tell: it may be on another node, while the slot is moved.
    """
    names = {
        number: [shard.piece(part.blob, each) for each in range(pieces_of(part.size))]
        for number, part in parts.items()
    }
    wanted = [number for number in names if names[number]]
    found = yield from store.many([("EXISTS", *names[number]) for number in wanted])
    for number, count in zip(wanted, found, strict=True):
        if count != len(names[number]):
            raise invalid_part(number, parts[number].etag)


def _completed_before(store: Store, params: Mapping[str, Any], shard: Shard, key: bytes) -> Asking:
    """The same answer, for an upload that is the object already. S3 API: it may be repeated."""
    head, object_id = yield from store.command("HMGET", shard.record(key), "m", "v")
    if object_id != params["UploadId"].encode():
        return None
    return _completion(params, decode_head(head).facts)


def _completion(params: Mapping[str, Any], facts: Facts) -> Reply:
    location = f"/{params['Bucket']}/{params['Key']}"
    members = {"Location": location, "Bucket": params["Bucket"], "Key": params["Key"]}
    kind = {"ChecksumType": facts.checksum_type} if facts.checksums else {}
    return Reply({**members, "ETag": facts.etag, **facts.checksums, **kind})


def _chosen_parts(params: Mapping[str, Any], parts: Mapping[int, Part]) -> list[int]:
    wanted = params.get("MultipartUpload", {}).get("Parts", [])
    pairs = [(each.get("PartNumber", 0), each.get("ETag", "")) for each in wanted]
    check_parts(pairs, {number: (part.etag, part.size) for number, part in parts.items()})
    for each in wanted:
        for member, value in each.items():
            is_checksum = member.startswith("Checksum")
            if is_checksum and parts[each["PartNumber"]].checksums.get(member) != value:
                raise invalid_part(each["PartNumber"], each["ETag"])
    return [number for number, _ in pairs]


def _facts(params: Mapping[str, Any], upload: Upload, parts: Sequence[Part]) -> Facts:
    size = sum(part.size for part in parts)
    if params.get("MpuObjectSize", size) != size:
        text = "The provided 'x-amz-mp-object-size' header does not match what was computed."
        raise Refusal("InvalidRequest", 400, text)
    md5 = hashlib.md5(usedforsecurity=False)
    for part in parts:
        md5.update(bytes.fromhex(part.etag.strip('"')))
    found = _checksums(upload, parts)
    for member, value in found.items():
        if params.get(member, value).partition("-")[0] != value.partition("-")[0]:
            name = member.removeprefix("Checksum")
            text = f"The {name} you specified did not match the calculated checksum."
            raise Refusal("BadDigest", 400, text)
    member = f"Checksum{upload.algorithm}"
    return Facts(
        params["UploadId"],
        size,
        multipart_etag(md5.hexdigest(), len(parts)),
        upload.members,
        upload.metadata,
        found,
        upload.checksum_type if found else "",
        tuple(Blob(part.blob, part.size, part.checksums.get(member, "")) for part in parts),
        len(parts),
    )


def _checksums(upload: Upload, parts: Sequence[Part]) -> dict[str, str]:
    member = f"Checksum{upload.algorithm}"
    if not upload.algorithm or not all(member in part.checksums for part in parts):
        return {}
    if upload.checksum_type == FULL_OBJECT:
        pairs = [(part.checksums[member], part.size) for part in parts]
        return {member: checksums.combined(upload.algorithm, pairs)}
    try:
        texts = [part.checksums[member] for part in parts]
        return {member: checksums.composite(upload.algorithm, texts)}
    except UnavailableError:
        new_digest(upload.algorithm)  # raises what botocore says
        return {}


def abort_multipart_upload(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    key = key_bytes(params["Key"])
    shard = store.schema.shard_of(params["Bucket"], key)
    upload_id = params["UploadId"]
    answer = yield from store.run(
        scripts.ABORT_UPLOAD,
        [shard.uploads, shard.upload(upload_id)],
        [_member(key, upload_id), shard.data],
    )
    if answer[0] == b"ABSENT":
        yield from store.check_bucket(params["Bucket"])
        raise no_such_upload(upload_id)
    return Reply({}, 204)


def list_parts(store: Store, params: Mapping[str, Any], _: Any) -> Asking:
    shard = store.schema.shard_of(params["Bucket"], key_bytes(params["Key"]))
    upload, kept = yield from _upload(store, params, shard)
    after = int(params.get("PartNumberMarker", 0))
    most = page_size(params.get("MaxParts"), "max-parts")
    numbers = [number for number in sorted(kept) if number > after]
    shown = [_shown_part(number, decode_part(kept[number])) for number in numbers[:most]]
    members: dict[str, Any] = {
        "Bucket": params["Bucket"],
        "Key": params["Key"],
        "UploadId": params["UploadId"],
        "PartNumberMarker": after,
        "NextPartNumberMarker": shown[-1]["PartNumber"] if shown else 0,
        "MaxParts": most,
        "IsTruncated": len(numbers) > most > 0,
        "Initiator": dict(OWNER),
        "Owner": dict(OWNER),
        "StorageClass": upload.members.get("StorageClass", "STANDARD"),
    }
    if shown:
        members["Parts"] = shown
    if upload.algorithm:
        members["ChecksumAlgorithm"] = upload.algorithm
        members["ChecksumType"] = upload.checksum_type
    return Reply(members)


def _shown_part(number: int, part: Part) -> dict[str, Any]:
    return {
        "PartNumber": number,
        "LastModified": moment(part.written),
        "ETag": part.etag,
        "Size": part.size,
        **part.checksums,
    }


def list_multipart_uploads(
    store: Store, params: Mapping[str, Any], context: Mapping[str, Any]
) -> Asking:
    bucket = params["Bucket"]
    spell = speller(params, context)
    yield from store.check_bucket(bucket)
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    marker, id_marker = params.get("KeyMarker", ""), params.get("UploadIdMarker", "")
    most = page_size(params.get("MaxUploads"), "max-uploads")
    found = yield from _uploads(store, bucket, prefix.encode())
    entries = _grouped(found, prefix.encode(), delimiter.encode())
    after = marker.encode()
    entries = [
        entry
        for entry in entries
        if (name := entry[0]) > after or (name == after and id_marker and entry[1] > id_marker)
    ]
    shown = entries[:most]
    members: dict[str, Any] = {
        "Bucket": bucket,
        "KeyMarker": spell(marker),
        "UploadIdMarker": id_marker,
        "Prefix": spell(prefix),
        "MaxUploads": most,
        "IsTruncated": len(entries) > most > 0,
    }
    if delimiter:
        members["Delimiter"] = spell(delimiter)
    if "EncodingType" in params:
        members["EncodingType"] = params["EncodingType"]
    if members["IsTruncated"]:
        members["NextKeyMarker"] = spell(shown[-1][0].decode())
        members["NextUploadIdMarker"] = shown[-1][1]
    uploads = yield from _shown_uploads(store, bucket, [each for each in shown if each[1]])
    if uploads:
        members["Uploads"] = [{**each, "Key": spell(each["Key"])} for each in uploads]
    prefixes = [{"Prefix": spell(name.decode())} for name, upload_id in shown if not upload_id]
    if prefixes:
        members["CommonPrefixes"] = prefixes
    return Reply(members)


def _uploads(store: Store, bucket: str, prefix: bytes) -> Asking:
    """(key, upload id) of all uploads of keys with *prefix*, in order."""
    ends = (b"[" + prefix, b"(" + prefix + b"\xff") if prefix else (b"-", b"+")
    shards = store.schema.all_shards(bucket)
    answers = yield from store.many([("ZRANGEBYLEX", each.uploads, *ends) for each in shards])
    found = [member.rpartition(b"\0") for answer in answers for member in answer]
    return sorted((key, upload_id.decode()) for key, _, upload_id in found)


def _grouped(
    uploads: Sequence[tuple[bytes, str]], prefix: bytes, delimiter: bytes
) -> list[tuple[bytes, str]]:
    """Those with *delimiter* after *prefix* as common prefixes, which have no upload id."""
    if not delimiter:
        return list(uploads)
    found: dict[tuple[bytes, str], None] = {}
    for key, upload_id in uploads:
        at = key.find(delimiter, len(prefix))
        entry = (key, upload_id) if at < 0 else (key[: at + len(delimiter)], "")
        found[entry] = None
    return list(found)


def _shown_uploads(store: Store, bucket: str, wanted: Sequence[tuple[bytes, str]]) -> Asking:
    names = [store.schema.shard_of(bucket, key).upload(upload_id) for key, upload_id in wanted]
    heads = (yield from store.many([("HGET", name, "m") for name in names])) if names else []
    return [
        _shown_upload(key, upload_id, decode_upload(head))
        for (key, upload_id), head in zip(wanted, heads, strict=True)
        if head is not None  # ended meanwhile
    ]


def _shown_upload(key: bytes, upload_id: str, upload: Upload) -> dict[str, Any]:
    told = {"ChecksumAlgorithm": upload.algorithm, "ChecksumType": upload.checksum_type}
    return {
        "UploadId": upload_id,
        "Key": key.decode(),
        "Initiated": moment(upload.started),
        "StorageClass": upload.members.get("StorageClass", "STANDARD"),
        "Owner": dict(OWNER),
        "Initiator": dict(OWNER),
        **(told if upload.algorithm else {}),
    }
