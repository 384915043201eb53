"""
What calling code does, written once, and what it sees.

Each scenario is a function of an `Actor`; it runs against one plain store, and against two with a
router between. What it sees is to be equal, but for what differs between any two runs.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fastpath.callers import Caller

MIB = 1024 * 1024


class Actor:
    """Does something, and writes down what is seen."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.seen: list[Any] = []
        self._uploads: dict[str, str] = {}

    def __call__(self, method: str, **params: Any) -> Any:
        """Call *method*; what it answers or raises is seen, and what it answers is returned."""
        try:
            answer = dict(self.caller(method, **params))
        except Exception as error:
            said = getattr(error, "response", {}).get("Error")
            self.seen.append((method, type(error).__name__, str(error), self._plain(said)))
            return {}
        if hasattr(answer.get("Body"), "read"):
            answer["Body"] = self.caller.drain(answer["Body"])
        self.seen.append((method, self._plain_answer(method, answer)))
        return answer

    def pages(self, operation: str, **params: Any) -> None:
        pages = self.caller.pages(operation, **params)
        self.seen.append([self._plain_answer(operation, page) for page in pages])

    def _plain_answer(self, method: str, answer: dict[str, Any]) -> Any:
        if method == "upload_part_copy":
            # Of a copy through the client botocore's own checksum is there as well.
            answer = {**answer, "CopyPartResult": dict(answer["CopyPartResult"])}
            answer["CopyPartResult"].pop("ChecksumCRC32", None)
        if answer.get("LocationConstraint", "") is None:
            del answer["LocationConstraint"]  # of us-east-1; some have None, some nothing
        if method.startswith("list_"):
            # What S3 repeats of the question, and moto does not; see test_listing.py.
            answer = {name: value for name, value in answer.items() if name not in _REPEATED}
        return self._plain(answer)

    def _plain(self, value: Any, name: str = "") -> Any:
        """*value* without what differs between two runs."""
        if isinstance(value, Mapping):
            return {
                each: self._plain(inner, each)
                for each, inner in value.items()
                if each not in _VARYING
            }
        if isinstance(value, list):
            return [self._plain(each) for each in value]
        if isinstance(value, datetime.datetime):
            return "a time"
        if name in _IDS and value not in (None, "", "null"):
            return f"a {name}"
        if name == "Location":
            return re.sub(r"^https?://[^/]*", "", str(value))
        return value


_REPEATED = frozenset(
    """Prefix Marker NextMarker StartAfter ContinuationToken KeyMarker VersionIdMarker
    UploadIdMarker""".split()
)
_VARYING = frozenset(["HTTPHeaders", "RequestId", "HostId", "RetryAttempts", "RequestID"])
_IDS = frozenset(
    """UploadId VersionId NextContinuationToken ContinuationToken CopySourceVersionId
    NextVersionIdMarker VersionIdMarker NextUploadIdMarker UploadIdMarker""".split()
)


def objects(act: Actor) -> None:
    for bucket, key in _KEYS:
        act("put_object", Bucket=bucket, Key=key, Body=key.encode(), Metadata={"of": "x"})
        act("get_object", Bucket=bucket, Key=key, Range="bytes=0-2")
        act("get_object", Bucket=bucket, Key=key)
        act("head_object", Bucket=bucket, Key=key)
        act("put_object_tagging", Bucket=bucket, Key=key, Tagging=_tags("a", "1"))
        act("get_object_tagging", Bucket=bucket, Key=key)
        act("get_object_attributes", Bucket=bucket, Key=key, ObjectAttributes=["ObjectSize"])
        act("delete_object_tagging", Bucket=bucket, Key=key)
        act("get_object_acl", Bucket=bucket, Key=key)
        act("delete_object", Bucket=bucket, Key=key)
        act("get_object", Bucket=bucket, Key=key)
        act("head_object", Bucket=bucket, Key=key)


def errors(act: Actor) -> None:
    for bucket, key in [*_KEYS, ("nowhere", "dev/k")]:
        act("get_object", Bucket=bucket, Key=key)
        act("get_object", Bucket=bucket, Key=key, IfMatch='"x"')
        act("get_object_tagging", Bucket=bucket, Key=key)
        act("upload_part", Bucket=bucket, Key=key, UploadId="no", PartNumber=1, Body=b"")
        act("get_object", Bucket=bucket, Key="")
        act("get_object", Bucket=bucket)
        act("put_object", Bucket=bucket, Key=key, Nonsense=1)
    act("list_objects_v2", Bucket="nowhere")
    act("get_object", Bucket="", Key="k")
    act("get_object", Key="k")


def listings(act: Actor) -> None:
    for bucket in ("moved", "split", "renamed", "plain"):
        for key in ("a", "a/b/c", "dev/", "dev/1", "dev/2/x", "dev.tmp", "e/1.tmp", "e/2", "z z"):
            act("put_object", Bucket=bucket, Key=key, Body=b"x")
        for more in _LISTINGS:
            for method in ("list_objects", "list_objects_v2", "list_object_versions"):
                if method == "list_objects_v2" or not {"MaxKeys", "Delimiter"} <= set(more):
                    act(method, Bucket=bucket, **more)
                if _pages_right(method, bucket, more):
                    act.pages(method, Bucket=bucket, PaginationConfig={"PageSize": 2}, **more)
        act("list_objects_v2", Bucket=bucket, StartAfter="dev/1", MaxKeys=2)
        act("list_objects", Bucket=bucket, Marker="dev/1", MaxKeys=2)
        act("list_objects_v2", Bucket=bucket, MaxKeys=0)
        act("list_objects_v2", Bucket=bucket, FetchOwner=True, MaxKeys=3)


def _pages_right(method: str, bucket: str, more: Mapping[str, Any]) -> bool:
    """
    Whether moto's pages are those of S3.

    Its ListObjects repeats all common prefixes on each page, and beyond MaxKeys, as does its
    ListObjectVersions, which leaves out the key that follows a KeyMarker which is no key. What a
    router makes of stores that conform is in test_listing.py.
    """
    if method == "list_objects":
        return "Delimiter" not in more
    return method != "list_object_versions" or bucket != "split"


def deletes(act: Actor) -> None:
    for bucket in ("moved", "split", "plain"):
        keys = ["b", "dev/1", "a.tmp", "dev/2", "c"]
        for key in keys:
            act("put_object", Bucket=bucket, Key=key, Body=b"x")
        several = [{"Key": key} for key in keys[:4]]
        act("delete_objects", Bucket=bucket, Delete={"Objects": [*several, {"Key": "dev/none"}]})
        act("delete_objects", Bucket=bucket, Delete={"Objects": several, "Quiet": True})
        act("delete_objects", Bucket=bucket, Delete={"Objects": []})
        act("list_objects_v2", Bucket=bucket)


def multipart(act: Actor) -> None:
    for bucket, key in _KEYS:
        names = {"Bucket": bucket, "Key": key}
        begun = act("create_multipart_upload", **names, ContentType="text/x")
        names["UploadId"] = begun["UploadId"]
        first = act("upload_part", **names, PartNumber=1, Body=b"1" * 5 * MIB)
        second = act("upload_part", **names, PartNumber=2, Body=b"2")
        act("list_parts", **names)
        act("list_multipart_uploads", Bucket=bucket)
        parts = [{"PartNumber": i, "ETag": each["ETag"]} for i, each in ((1, first), (2, second))]
        act("complete_multipart_upload", **names, MultipartUpload={"Parts": parts})
        act("head_object", Bucket=bucket, Key=key)
        begun = act("create_multipart_upload", Bucket=bucket, Key=key)
        act("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=begun["UploadId"])
    for key in ("a.tmp", "b", "dev/1"):  # moto lists uploads in the order of their beginning
        act("create_multipart_upload", Bucket="split", Key=key)
    act("list_multipart_uploads", Bucket="split")
    act("list_multipart_uploads", Bucket="split", Prefix="dev")


def copies(act: Actor) -> None:
    for bucket, key in _KEYS:
        more: dict[str, Any] = {"ContentType": "text/x", "CacheControl": "no-cache"}
        more |= {"Tagging": "a=1&b=2", "Expires": datetime.datetime(2030, 1, 1)}
        act("put_object", Bucket=bucket, Key=key, Body=b"0123456789", Metadata={"m": "1"}, **more)
    etag = act("head_object", Bucket="plain", Key="k")["ETag"]
    for number, (source_bucket, source_key) in enumerate(_KEYS):
        source = {"Bucket": source_bucket, "Key": source_key}
        for bucket, key in (
            ("moved", "new"),
            ("split", "dev/new"),
            ("plain", "new"),
            ("split", "n"),
        ):
            to = {"Bucket": bucket, "Key": f"{key}{number}"}
            for form in (source, f"{source_bucket}/{source_key}", f"/{source_bucket}/{source_key}"):
                act("copy_object", **to, CopySource=form)
                act("get_object", **to)
            act("get_object_tagging", **to)
            replaced = {"Metadata": {"n": "2"}, "ContentType": "text/y"}
            act("copy_object", **to, CopySource=source, MetadataDirective="REPLACE", **replaced)
            act("get_object", **to)
            to["Key"] += "-tagged"  # moto adds the tags to those that were there
            act("copy_object", **to, CopySource=source, TaggingDirective="REPLACE", Tagging="c=3")
            act("get_object_tagging", **to)
            act("copy_object", **to, CopySource=source, CopySourceIfMatch=etag)
            begun = act("create_multipart_upload", **to)
            act(
                "upload_part_copy",
                **to,
                UploadId=begun["UploadId"],
                PartNumber=1,
                CopySource=source,
            )
            act(
                "upload_part_copy",
                **to,
                UploadId=begun["UploadId"],
                PartNumber=2,
                CopySource=source,
                CopySourceRange="bytes=2-5",
            )
            act("list_parts", **to, UploadId=begun["UploadId"])
            act("abort_multipart_upload", **to, UploadId=begun["UploadId"])
        act("copy_object", Bucket="moved", Key="x", CopySource="moved/none")
        act("copy_object", Bucket="plain", Key="x", CopySource="moved/none")
        act("copy_object", Bucket="moved", Key="x", CopySource="plain/none")


def buckets(act: Actor) -> None:
    act("list_buckets")
    act("put_object", Bucket="split", Key="dev/k", Body=b"")
    act("delete_bucket", Bucket="split")
    for bucket in ("moved", "split", "plain", "nowhere"):
        act("head_bucket", Bucket=bucket)
        act("get_bucket_location", Bucket=bucket)
        act("put_bucket_versioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        act("get_bucket_versioning", Bucket=bucket)
        act("put_bucket_tagging", Bucket=bucket, Tagging=_tags("t", "1"))
        act("get_bucket_tagging", Bucket=bucket)
        rule = {
            "ID": "r",
            "Status": "Enabled",
            "Filter": {"Prefix": "logs/"},
            "Expiration": {"Days": 1},
        }
        act(
            "put_bucket_lifecycle_configuration",
            Bucket=bucket,
            LifecycleConfiguration={"Rules": [rule]},
        )
        act("get_bucket_lifecycle_configuration", Bucket=bucket)
        act("get_bucket_cors", Bucket=bucket)
    act("create_bucket", Bucket="another")
    act("delete_bucket", Bucket="another")
    act("delete_bucket", Bucket="another")


def versions(act: Actor) -> None:
    for bucket in ("moved", "split", "plain"):
        act("put_bucket_versioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for bucket, key in (("moved", "k"), ("split", "k"), ("plain", "k")):
        first = act("put_object", Bucket=bucket, Key=key, Body=b"1").get("VersionId")
        act("put_object", Bucket=bucket, Key=key, Body=b"2")
        act("get_object", Bucket=bucket, Key=key, VersionId=first)
        act("delete_object", Bucket=bucket, Key=key)
        act("get_object", Bucket=bucket, Key=key)
        act("list_object_versions", Bucket=bucket)
        act("list_object_versions", Bucket=bucket, MaxKeys=2)
        source = {"Bucket": bucket, "Key": key, "VersionId": first}
        act("copy_object", Bucket="moved", Key="new", CopySource=source)
        act("copy_object", Bucket="plain", Key="new", CopySource=source)
        act("get_object", Bucket="moved", Key="new")


_KEYS = (("moved", "test/object.txt"), ("split", "dev/a b+c"), ("split", "k"), ("plain", "k"))
_LISTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"Delimiter": "/"},
    {"Prefix": "dev"},
    {"Prefix": "dev/"},
    {"Prefix": "dev/", "Delimiter": "/"},
    {"Prefix": "e", "Delimiter": "/"},
    {"Prefix": "none"},
    {"MaxKeys": 3},
    {"MaxKeys": 3, "Delimiter": "/"},
)


def _tags(key: str, value: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value}]}


SCENARIOS: dict[str, Callable[[Actor], None]] = {
    each.__name__: each
    for each in (objects, errors, listings, deletes, multipart, copies, buckets, versions)
}


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Where the two differ, and how."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted({*expected, *found})
        inner = [(expected.get(n, "absent"), found.get(n, "absent"), f"{where}.{n}") for n in names]
    elif isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        if len(expected) != len(found):
            return [f"{where}: {expected!r} != {found!r}"]
        inner = [
            (a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(expected, found, strict=True))
        ]
    else:
        return [] if expected == found else [f"{where}: {expected!r} != {found!r}"]
    return [line for each in inner for line in differences(*each)]
