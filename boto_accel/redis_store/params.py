"""
Parameters as S3 reads them, and those that this store has no answer to.

Source: the S3 API reference of each operation. What is not in these tables is answered with
NotImplemented (501), as S3 answers a header that it does not implement: nothing is dropped
silently that somebody may rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from botocore.utils import parse_to_aware_datetime

from boto_accel._conditions import OF_COPIES, OF_READS
from boto_accel.redis_store.semantics import invalid_argument, not_implemented

# Of every operation, and without an effect: there is one owner, who pays.
_ANYWHERE = frozenset(["ExpectedBucketOwner", "RequestPayer"])
_SYSTEM = (  # system metadata, which is kept and given back
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "StorageClass",
    "WebsiteRedirectLocation",
)
_CHECKSUMS = tuple(f"Checksum{each}" for each in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"))
_NEW = (*_SYSTEM, "Metadata", "Tagging", "ACL")
_READ = (
    *OF_READS, "Range", "PartNumber", "VersionId", "ChecksumMode", "ResponseCacheControl",
    "ResponseContentDisposition", "ResponseContentEncoding", "ResponseContentLanguage",
    "ResponseContentType", "ResponseExpires",
)  # fmt: skip
_COPY = ("CopySource", *OF_COPIES, "ExpectedSourceBucketOwner")
_LIST = ("Delimiter", "EncodingType", "MaxKeys", "Prefix", "OptionalObjectAttributes")
_KEY = ("Bucket", "Key")

KNOWN: dict[str, frozenset[str]] = {
    operation: frozenset(names) | _ANYWHERE
    for operation, names in {
        "CreateBucket": ("Bucket", "CreateBucketConfiguration", "ACL", "ObjectOwnership"),
        "DeleteBucket": ("Bucket",),
        "HeadBucket": ("Bucket",),
        "ListBuckets": ("MaxBuckets", "ContinuationToken", "Prefix", "BucketRegion"),
        "GetBucketLocation": ("Bucket",),
        "GetBucketVersioning": ("Bucket",),
        "PutObject": (
            *_KEY, "Body", "ContentLength", "ContentMD5", "ChecksumAlgorithm", "IfMatch",
            "IfNoneMatch", *_CHECKSUMS, *_NEW,
        ),
        "GetObject": (*_KEY, *_READ),
        "HeadObject": (*_KEY, *_READ),
        "DeleteObject": (*_KEY, "IfMatch", "VersionId", "BypassGovernanceRetention"),
        "DeleteObjects": ("Bucket", "Delete", "ChecksumAlgorithm", "BypassGovernanceRetention"),
        "CopyObject": (
            *_KEY, *_COPY, *_NEW, "MetadataDirective", "TaggingDirective", "ChecksumAlgorithm",
            "IfMatch", "IfNoneMatch",
        ),
        "ListObjects": ("Bucket", "Marker", *_LIST),
        "ListObjectsV2": ("Bucket", "ContinuationToken", "StartAfter", "FetchOwner", *_LIST),
        "GetObjectAttributes": (*_KEY, "VersionId", "MaxParts", "PartNumberMarker",
                                "ObjectAttributes"),
        "GetObjectTagging": (*_KEY, "VersionId"),
        "PutObjectTagging": (*_KEY, "VersionId", "Tagging", "ContentMD5", "ChecksumAlgorithm"),
        "DeleteObjectTagging": (*_KEY, "VersionId"),
        "CreateMultipartUpload": (*_KEY, *_NEW, "ChecksumAlgorithm", "ChecksumType"),
        "UploadPart": (
            *_KEY, "Body", "ContentLength", "ContentMD5", "ChecksumAlgorithm", "PartNumber",
            "UploadId", *_CHECKSUMS,
        ),
        "UploadPartCopy": (*_KEY, *_COPY, "CopySourceRange", "PartNumber", "UploadId"),
        "CompleteMultipartUpload": (
            *_KEY, "MultipartUpload", "UploadId", "IfMatch", "IfNoneMatch", "ChecksumType",
            "MpuObjectSize", *_CHECKSUMS,
        ),
        "AbortMultipartUpload": (*_KEY, "UploadId"),
        "ListParts": (*_KEY, "MaxParts", "PartNumberMarker", "UploadId"),
        "ListMultipartUploads": (
            "Bucket", "Delimiter", "EncodingType", "KeyMarker", "MaxUploads", "Prefix",
            "UploadIdMarker",
        ),
    }.items()
}  # fmt: skip
_ACLS = ("private", "bucket-owner-full-control", "bucket-owner-read")  # what holds of one owner


def check_known(operation: str, params: Mapping[str, Any]) -> None:
    """Raise NotImplemented for an operation or a parameter that is not here."""
    known = KNOWN.get(operation)
    if known is None:
        raise not_implemented()
    for name in params:
        if name not in known:
            raise not_implemented(name)
    if params.get("ACL", "private") not in _ACLS:
        raise not_implemented("x-amz-acl")
    if params.get("ObjectOwnership", "BucketOwnerEnforced") != "BucketOwnerEnforced":
        raise not_implemented("x-amz-object-ownership")
    if params.get("VersionId", "null") != "null":  # there is one version, and it is this
        raise invalid_argument("Invalid version id specified", "versionId", params["VersionId"])


def seconds_of(moment: Any) -> int | None:
    """A timestamp of any of botocore's kinds, in whole seconds, as it is in a header."""
    return None if moment is None else int(parse_to_aware_datetime(moment).timestamp())


def members_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """System metadata as it is kept: plain values of JSON."""
    members = {name: params[name] for name in _SYSTEM if name in params}
    if members.get("ContentEncoding") in ("aws-chunked", ""):  # of the transfer, not of the object
        del members["ContentEncoding"]
    if "Expires" in members:
        members["Expires"] = seconds_of(members["Expires"])
    return members


def copy_source(source: Any) -> tuple[str, str]:
    """(bucket, key) of a CopySource, which botocore's handler has made a text of."""
    path, _, version = str(source).partition("?versionId=")
    bucket, slash, key = unquote(path).removeprefix("/").partition("/")
    if not slash or not key or not bucket:
        text = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument(text, "x-amz-copy-source", str(source))
    if version not in ("", "null"):
        raise invalid_argument("Invalid version id specified", "versionId", version)
    return bucket, key
