"""
What calling code does and sees, written once: for S3 as moto has it, and for Redis.

An `Actor` writes down what each call answers or raises, without what differs between two runs.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from tests.fastpath.callers import Caller

MIB = 1024 * 1024
_VARYING = frozenset(["HTTPHeaders", "RequestId", "HostId", "RequestID", "date"])
_IDS = frozenset(
    """UploadId NextContinuationToken ContinuationToken NextUploadIdMarker UploadIdMarker""".split()
)


class Actor:
    """Calls, and writes down what is seen: (method, what)."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.seen: list[tuple[str, Any]] = []

    def __call__(self, method: str, **params: Any) -> Any:
        try:
            answer = dict(self.caller(method, **params))
        except Exception as error:
            response = getattr(error, "response", {})
            said = {
                "class": type(error).__name__,
                "text": str(error),
                "error": _plain(response.get("Error")),
                "status": response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
            }
            self.seen.append((method, said))
            return {}
        if hasattr(answer.get("Body"), "read"):
            answer["Body"] = self.caller.drain(answer["Body"])
        self.seen.append((method, _plain(answer)))
        return answer

    def pages(self, operation: str, **params: Any) -> None:
        pages = self.caller.pages(operation, **params)
        self.seen.append((f"{operation} pages", [_plain(page) for page in pages]))

    def wait(self, waiter: str, **params: Any) -> None:
        self.caller.wait(waiter, WaiterConfig={"Delay": 0, "MaxAttempts": 2}, **params)
        self.seen.append((waiter, "there"))


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {each: _plain(inner, each) for each, inner in value.items() if each not in _VARYING}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime.datetime) and name != "Expires":
        return "a time"
    if name in _IDS and value not in (None, "", "null"):
        return f"a {name}"
    return value


KEYS = ("k", "a b+c/ü%.txt", "日本/語", "x/../y", "~", "a//b", "*'()!&=?#")


def objects(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    for key in KEYS:
        at = {"Bucket": "one", "Key": key}
        act("put_object", **at, Body=key.encode(), Metadata={"Of-X": "y z", "empty": ""})
        act("get_object", **at)
        act("head_object", **at)
        act("put_object", **at, Body=b"second", ContentType="text/x", CacheControl="no-cache",
            ContentDisposition="inline", ContentLanguage="de", ContentEncoding="gzip",
            Expires=datetime.datetime(2035, 1, 2, tzinfo=datetime.timezone.utc),
            WebsiteRedirectLocation="/there", StorageClass="STANDARD_IA")  # fmt: skip
        act("get_object", **at)
        act("head_object", **at)
        act("get_object_attributes", **at, ObjectAttributes=["ETag", "ObjectSize", "StorageClass"])
        act("delete_object", **at)
        act("delete_object", **at)
        act("get_object", **at)
        act("head_object", **at)
    act("put_object", Bucket="one", Key="empty")
    act("get_object", Bucket="one", Key="empty")
    act("put_object", Bucket="one", Key="text", Body="grün")
    act("get_object", Bucket="one", Key="text", ResponseContentType="text/y",
        ResponseCacheControl="max-age=1")  # fmt: skip
    act("put_object", Bucket="one", Key="array", Body=bytearray(b"array"))
    act("get_object", Bucket="one", Key="array")


def ranges(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    act("put_object", Bucket="one", Key="k", Body=b"0123456789")
    for each in ("0-0", "0-", "3-5", "5-100", "9-", "-1", "-4", "-100", "10-", "10-20"):
        act("get_object", Bucket="one", Key="k", Range=f"bytes={each}")
        act("head_object", Bucket="one", Key="k", Range=f"bytes={each}")
    act("put_object", Bucket="one", Key="big", Body=_big(9 * MIB + 7))
    for each in ("0-4194303", "4194303-4194304", "4194304-", "-5", "8388608-9437190"):
        act("get_object", Bucket="one", Key="big", Range=f"bytes={each}")
    act("get_object", Bucket="one", Key="big")


def _big(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def conditions(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    etag = act("put_object", Bucket="one", Key="k", Body=b"x").get("ETag")
    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
    ahead = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
    for method in ("get_object", "head_object"):
        for given in (
            {"IfMatch": etag}, {"IfMatch": '"other"'}, {"IfNoneMatch": etag},
            {"IfNoneMatch": '"other"'}, {"IfModifiedSince": past}, {"IfModifiedSince": ahead},
            {"IfUnmodifiedSince": past}, {"IfUnmodifiedSince": ahead},
            {"IfNoneMatch": '"other"', "IfModifiedSince": past},
        ):  # fmt: skip
            act(method, Bucket="one", Key="k", **given)
    act("put_object", Bucket="one", Key="k", Body=b"y", IfNoneMatch="*")
    act("put_object", Bucket="one", Key="new", Body=b"y", IfNoneMatch="*")
    act("put_object", Bucket="one", Key="k", Body=b"y", IfMatch='"other"')
    act("put_object", Bucket="one", Key="k", Body=b"z", IfMatch=etag)
    act("get_object", Bucket="one", Key="k")


def checksums(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        act("put_object", Bucket="one", Key=algorithm, Body=b"sum", ChecksumAlgorithm=algorithm)
        act("head_object", Bucket="one", Key=algorithm, ChecksumMode="ENABLED")
        act("get_object", Bucket="one", Key=algorithm, ChecksumMode="ENABLED")
        act("get_object", Bucket="one", Key=algorithm)
    right = base64.b64encode(zlib.crc32(b"sum").to_bytes(4, "big")).decode()
    act("put_object", Bucket="one", Key="given", Body=b"sum", ChecksumCRC32=right)
    act("put_object", Bucket="one", Key="md5", Body=b"x", ContentMD5=_md5(b"x"))
    act("head_object", Bucket="one", Key="md5")


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def errors(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    for bucket in ("one", "nowhere"):
        at = {"Bucket": bucket, "Key": "k"}
        act("get_object", **at)
        act("head_object", **at)
        act("get_object_tagging", **at)
        act("list_parts", **at, UploadId="no")
        act("abort_multipart_upload", **at, UploadId="no")
        act("upload_part", **at, UploadId="no", PartNumber=1, Body=b"")
        act("copy_object", Bucket="one", Key="n", CopySource=f"{bucket}/none")
    act("list_objects", Bucket="nowhere")
    act("list_objects_v2", Bucket="nowhere")
    act("put_object", Bucket="nowhere", Key="k", Body=b"x")
    act("delete_object", Bucket="nowhere", Key="k")
    act("head_bucket", Bucket="nowhere")
    act("get_bucket_location", Bucket="nowhere")
    act("delete_bucket", Bucket="nowhere")
    act("get_object", Bucket="one", Key="")
    act("get_object", Bucket="one")
    act("put_object", Bucket="one", Key="k", Nonsense=1)
    act("put_object", Bucket="one", Key="k", Body=1)
    act("get_object", Bucket="b a d", Key="k")
    act("put_object", Bucket="one", Key="k", Metadata={"ü": "x"})
    act("create_bucket", Bucket="long")
    act("put_object", Bucket="long", Key="x" * 1025, Body=b"")
    act("create_bucket", Bucket="Up")
    act("create_bucket", Bucket="ab")
    act("put_object", Bucket="one", Key="k", Body=b"")
    act("delete_bucket", Bucket="one")
    act("delete_object", Bucket="one", Key="k")
    act("delete_bucket", Bucket="one")
    act("delete_bucket", Bucket="one")


def buckets(act: Actor) -> None:
    act("list_buckets")
    act("create_bucket", Bucket="one")
    act("create_bucket", Bucket="one")
    west = {"LocationConstraint": "eu-west-1"}
    act("create_bucket", Bucket="two", CreateBucketConfiguration=west)
    for bucket in ("one", "two"):
        act("head_bucket", Bucket=bucket)
        act("get_bucket_location", Bucket=bucket)
        act("get_bucket_versioning", Bucket=bucket)
    act("list_buckets")


def listings(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    for key in LISTED:
        act("put_object", Bucket="one", Key=key, Body=b"x")
    for more in LISTINGS:
        act("list_objects_v2", Bucket="one", **more)
        if "StartAfter" not in more and not {"MaxKeys", "Delimiter"} <= set(more):
            act("list_objects", Bucket="one", **more)
        act.pages("list_objects_v2", Bucket="one", PaginationConfig={"PageSize": 2}, **more)
    act("list_objects", Bucket="one", Marker="a/b", MaxKeys=2)
    act("list_objects_v2", Bucket="one", EncodingType="url")
    act("list_objects_v2", Bucket="one", ContinuationToken="???")


LISTED = tuple("a|a/b|a/b/c|a.b|b/|b/1|b/2/x|c d+e&f|é|日本|\U0001f600|z".split("|"))
LISTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"Delimiter": "/"},
    {"Prefix": "a"},
    {"Prefix": "a/"},
    {"Prefix": "b/", "Delimiter": "/"},
    {"Prefix": "a", "Delimiter": "b"},
    {"Prefix": "none"},
    {"MaxKeys": 3},
    {"MaxKeys": 3, "Delimiter": "/"},
    {"MaxKeys": 0},
    {"StartAfter": "a/b", "MaxKeys": 2},
    {"StartAfter": "b/zz"},
    {"FetchOwner": True, "MaxKeys": 1},
)


def deletes(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    for key in LISTED:
        act("put_object", Bucket="one", Key=key, Body=b"x")
    several = [{"Key": key} for key in LISTED[:5]]
    act("delete_objects", Bucket="one", Delete={"Objects": [*several, {"Key": "none"}]})
    act("delete_objects", Bucket="one", Delete={"Objects": several, "Quiet": True})
    act("delete_objects", Bucket="one", Delete={"Objects": []})
    act("list_objects_v2", Bucket="one")


def copies(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    act("create_bucket", Bucket="two")
    more = {"ContentType": "text/x", "CacheControl": "no-cache", "Tagging": "a=1&b=2"}
    source = {"Bucket": "one", "Key": "k ü"}
    etag = act("put_object", **source, Body=b"0123456789", Metadata={"m": "1"}, **more).get("ETag")
    for number, form in enumerate((source, "one/k ü", "/one/k ü", "one/k%20%C3%BC")):
        to = {"Bucket": "two", "Key": f"n{number}"}
        act("copy_object", **to, CopySource=form)
        act("get_object", **to)
        act("get_object_tagging", **to)
        act("copy_object", **to, CopySource=form, MetadataDirective="REPLACE",
            Metadata={"n": "2"}, ContentType="text/y")  # fmt: skip
        act("get_object", **to)
    to = {"Bucket": "two", "Key": "tagged"}
    act("copy_object", **to, CopySource=source, TaggingDirective="REPLACE", Tagging="c=3")
    act("get_object_tagging", **to)
    act("copy_object", **to, CopySource=source, CopySourceIfMatch=etag)
    act("copy_object", **to, CopySource=source, CopySourceIfMatch='"other"')
    act("copy_object", **to, CopySource=source, CopySourceIfNoneMatch=etag)
    act("copy_object", **source, CopySource=source)
    act("copy_object", **source, CopySource=source, MetadataDirective="REPLACE")
    act("get_object", **source)
    act("put_object", Bucket="one", Key="big", Body=_big(9 * MIB))
    act("copy_object", Bucket="two", Key="big", CopySource="one/big")
    act("get_object", Bucket="two", Key="big")


def tags(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    at = {"Bucket": "one", "Key": "k"}
    act("put_object", **at, Body=b"x", Tagging="a=1&b=%20x")
    act("get_object_tagging", **at)
    act("head_object", **at)
    act("get_object", **at)
    act("put_object_tagging", **at, Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    act("get_object_tagging", **at)
    act("delete_object_tagging", **at)
    act("get_object_tagging", **at)
    act("put_object", **at, Body=b"x", Tagging="a=1")
    act("put_object", **at, Body=b"x")
    act("get_object_tagging", **at)
    many = [{"Key": str(number), "Value": ""} for number in range(11)]
    act("put_object_tagging", **at, Tagging={"TagSet": many})


def multipart(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    at: dict[str, Any] = {"Bucket": "one", "Key": "big ü"}
    begun = act("create_multipart_upload", **at, ContentType="text/x", Metadata={"m": "1"})
    at["UploadId"] = begun["UploadId"]
    act("list_parts", **at)
    first = act("upload_part", **at, PartNumber=1, Body=b"1" * 5 * MIB)
    third = act("upload_part", **at, PartNumber=3, Body=_big(6 * MIB))
    act("upload_part", **at, PartNumber=7, Body=b"old")
    last = act("upload_part", **at, PartNumber=7, Body=b"last")
    act("upload_part", **at, PartNumber=9, Body=b"unused")
    act("list_parts", **at)
    act("list_parts", **at, MaxParts=2)
    act("list_multipart_uploads", Bucket="one")
    act("get_object", Bucket="one", Key="big ü")
    parts = [
        {"PartNumber": number, "ETag": each["ETag"]}
        for number, each in ((1, first), (3, third), (7, last))
    ]
    wrong = [{"PartNumber": 1, "ETag": '"wrong"'}]
    act("complete_multipart_upload", **at, MultipartUpload={"Parts": wrong})
    act("complete_multipart_upload", **at, MultipartUpload={"Parts": parts[::-1]})
    act("complete_multipart_upload", **at, MultipartUpload={"Parts": [parts[2], parts[2]]})
    act("complete_multipart_upload", **at, MultipartUpload={"Parts": parts})
    act("get_object", Bucket="one", Key="big ü")
    act("head_object", Bucket="one", Key="big ü")
    act("get_object", Bucket="one", Key="big ü", Range="bytes=5242878-5242882")
    act("list_multipart_uploads", Bucket="one")
    at = {"Bucket": "one", "Key": "small"}
    at["UploadId"] = act("create_multipart_upload", **at)["UploadId"]
    made = [act("upload_part", **at, PartNumber=n, Body=b"x") for n in (1, 2)]
    parts = [{"PartNumber": n, "ETag": each["ETag"]} for n, each in enumerate(made, 1)]
    act("complete_multipart_upload", **at, MultipartUpload={"Parts": parts})
    act("upload_part_copy", **at, PartNumber=3, CopySource="one/big ü")
    act("upload_part_copy", **at, PartNumber=4, CopySource="one/big ü", CopySourceRange="bytes=2-5")
    act("abort_multipart_upload", **at)
    act("abort_multipart_upload", **at)


def waiting(act: Actor) -> None:
    act("create_bucket", Bucket="one")
    act.wait("bucket_exists", Bucket="one")
    act("put_object", Bucket="one", Key="k", Body=b"x")
    act.wait("object_exists", Bucket="one", Key="k")
    act("delete_object", Bucket="one", Key="k")
    act.wait("object_not_exists", Bucket="one", Key="k")
    act("delete_bucket", Bucket="one")
    act.wait("bucket_not_exists", Bucket="one")


SCENARIOS: dict[str, Callable[[Actor], None]] = {
    each.__name__: each
    for each in (
        objects, ranges, conditions, checksums, errors, buckets, listings, deletes, copies, tags,
        multipart, waiting,
    )
}  # fmt: skip


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Where the two differ, and how."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted({*expected, *found})
        return [
            line
            for name in names
            for line in differences(
                expected.get(name, "absent"), found.get(name, "absent"), f"{where}.{name}"
            )
        ]
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(expected) == len(found):
            pairs = enumerate(zip(expected, found, strict=True))
            return [line for i, (a, b) in pairs for line in differences(a, b, f"{where}[{i}]")]
    elif expected == found:
        return []
    return [f"{where}: {_short(expected)} != {_short(found)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}…"
