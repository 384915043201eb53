"""
Copies from an object in a batch: S3 cannot make them, so it is read and put.

Source: S3 API, CopyObject and UploadPartCopy.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from boto_accel._call import Call
from boto_accel._clienterrors import precondition_failed
from boto_accel._conditions import failed_condition
from boto_accel._copysource import read_copy_source
from boto_accel._effects import Blocking, Forward, Steps
from boto_accel.batch import replies
from boto_accel.batch.errors import BatchedObjectError

if TYPE_CHECKING:
    from boto_accel.batch.patch import BatchPatch

_OF_COPIES = frozenset(["MetadataDirective", "TaggingDirective", "ExpectedSourceBucketOwner"])


def copy(patch: BatchPatch, call: Call) -> Steps:
    """The answer of a copy, from or to what the batches are for."""
    params = call.params
    source = read_copy_source(params.get("CopySource"))
    found = None
    if source is not None and not source.version and patch.match.takes(source.bucket, source.key):
        patch.engine.seen(call.client)
        named = {"Bucket": source.bucket, "Key": source.key}
        found = yield from patch.find(Call(call.client, "HeadObject", named, call.flavour))
    is_ours = patch.match.takes(params.get("Bucket"), params.get("Key")) and params["Key"]
    if found is not None:
        return (yield from _put(patch, call, found, bool(is_ours)))
    if is_ours and call.operation == "CopyObject":
        patch.engine.seen(call.client)
        return (yield from patch.put_plain(call))
    return (yield Forward(call))


def _put(patch: BatchPatch, call: Call, found: Any, is_ours: bool) -> Steps:
    params, entry = call.params, found.entry
    refused = [name for name in params if name.startswith("CopySourceSSECustomer")]
    if call.operation == "UploadPartCopy" or refused:
        reason = f"the source {entry.key!r} is in a batch: put it, or use CopyObject without SSE-C"
        raise BatchedObjectError(call.operation, params["Bucket"], params["Key"], reason)
    modified = replies.time_of(entry.stamp)
    failed = failed_condition(params, replies.quoted(entry.etag), modified)
    if failed is not None:
        raise precondition_failed(call, failed)
    data = yield Blocking(partial(patch.engine.content, found, 0, entry.size))
    put = {
        name: value
        for name, value in params.items()
        if name not in _OF_COPIES and not name.startswith("CopySource")
    }
    if params.get("MetadataDirective") != "REPLACE":
        put |= entry.headers
        put["Metadata"] = dict(entry.metadata)
    put["Body"] = data
    as_put = replace(call, operation="PutObject", params=put)
    reply = yield from (patch.put_object(as_put) if is_ours else _forward(as_put))
    result = {
        "ETag": reply["ETag"],
        "LastModified": replies.time_of(patch.engine.clock.stamp()),
    }
    kept = {name: value for name, value in reply.items() if name != "ETag"}
    return {**kept, "CopyObjectResult": result}


def _forward(call: Call) -> Steps:
    return (yield Forward(call))
