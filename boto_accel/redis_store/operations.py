"""Which steps answer an operation; what is not here is answered with NotImplemented (501)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boto_accel.redis_store import buckets, listing, multipart, objects
from boto_accel.redis_store.semantics import is_plain_bucket
from boto_accel.redis_store.store import Asking, Store

Operation = Callable[[Store, Mapping[str, Any], Any], Asking]

# The third argument is the `Source` of the Body, where there is one, else the request context.
OPERATIONS: dict[str, Operation] = {
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "CompleteMultipartUpload": multipart.complete_multipart_upload,
    "CopyObject": objects.copy_object,
    "CreateBucket": buckets.create_bucket,
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "DeleteBucket": buckets.delete_bucket,
    "DeleteObject": objects.delete_object,
    "DeleteObjectTagging": objects.delete_object_tagging,
    "DeleteObjects": objects.delete_objects,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketVersioning": buckets.get_bucket_versioning,
    "GetObject": objects.get_object,
    "GetObjectAttributes": objects.get_object_attributes,
    "GetObjectTagging": objects.get_object_tagging,
    "HeadBucket": buckets.head_bucket,
    "HeadObject": objects.head_object,
    "ListBuckets": buckets.list_buckets,
    "ListMultipartUploads": multipart.list_multipart_uploads,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListParts": multipart.list_parts,
    "PutObject": objects.put_object,
    "PutObjectTagging": objects.put_object_tagging,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": multipart.upload_part_copy,
}
WITH_BODY = frozenset(["PutObject", "UploadPart"])
_XML = frozenset(
    """CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObjects GetBucketLocation
    GetBucketVersioning GetObjectAttributes GetObjectTagging ListBuckets ListMultipartUploads
    ListObjects ListObjectsV2 ListParts UploadPartCopy""".split()
)


def content_type_of(operation: str) -> str | None:
    """Of an answer that would be a document; None for one that has no document."""
    return "application/xml" if operation in _XML else None


# Calls that botocore's own handlers and its validation have nothing to say to: the parameters
# there are, and their types. Whoever has others goes through all of it.
_PLAIN: dict[str, dict[str, Any]] = {
    "GetObject": {"Bucket": str, "Key": str, "Range": str, "IfMatch": str, "IfNoneMatch": str},
    "HeadObject": {"Bucket": str, "Key": str, "IfMatch": str, "IfNoneMatch": str},
    "DeleteObject": {"Bucket": str, "Key": str},
    "PutObject": {
        "Bucket": str, "Key": str, "Body": (bytes, bytearray), "ContentType": str,
        "IfNoneMatch": str, "Metadata": dict,
    },
}  # fmt: skip


def is_plain(operation: str, params: Mapping[str, Any]) -> bool:
    known = _PLAIN.get(operation)
    if known is None or "Bucket" not in params or not params.get("Key"):
        return False
    for name, value in params.items():
        if name not in known or not isinstance(value, known[name]):
            return False
    return is_plain_bucket(params["Bucket"]) and _is_plain_metadata(params.get("Metadata"))


def _is_plain_metadata(metadata: dict[Any, Any] | None) -> bool:
    return not metadata or all(
        isinstance(each, str) and each.isascii() for pair in metadata.items() for each in pair
    )
