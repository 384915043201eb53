"""
S3 as its API reference says, in memory: the stores that tests route between, and the model.

A store is a plain dict of buckets, each a plain dict of keys; `MemoryStores` answers for several,
by the endpoint of the client, as a patch of the last layer. Nothing is versioned.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from botocore.response import StreamingBody

from boto_accel._patch import Narrowing, Patch
from boto_accel._stack import Layer

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


class Stored(NamedTuple):
    """An object."""

    body: bytes
    type: str = "binary/octet-stream"

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"'


Bucket = dict[str, Stored]


class Refused(Exception):
    """What S3 would answer with an error."""

    def __init__(self, code: str, status: int, **more: Any) -> None:
        super().__init__(code)
        self.response = {
            "Error": {"Code": code, "Message": code, **more},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
        }


def page(
    keys: Iterable[str],
    prefix: str,
    delimiter: str,
    after: str,
    limit: int,
    *,
    skips: bool = True,
) -> tuple[list[tuple[str, bool]], bool]:
    """
    (entries in order: key or common prefix, and whether it is one; whether there are more)

    skips: whether what comes after a common prefix is not beneath it. So it is after a marker or
    a token, and not after a StartAfter, which is a key.
    """
    found: dict[str, bool] = {}
    for key in sorted(keys):
        if not key.startswith(prefix) or (after and key <= after):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if end < 0 else key[: end + len(delimiter)]
        if end >= 0 and entry == after and skips:
            continue
        found[entry] = end >= 0
    entries = list(found.items())
    return entries[:limit], len(entries) > limit


class Store:
    """One S3: its buckets, and its uploads by id."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.uploads: dict[str, tuple[str, str, str, dict[int, bytes]]] = {}
        self._ids = itertools.count(1)

    def answer(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        bucket = self._bucket(params["Bucket"])
        found: dict[str, Any] = getattr(self, f"_{operation}")(bucket, params)
        return {**found, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}}}

    def _bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise Refused("NoSuchBucket", 404, BucketName=name)
        return self.buckets[name]

    def _PutObject(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        body = params.get("Body", b"")
        data = body if isinstance(body, bytes) else body.read()
        kind = params.get("ContentType", Stored(b"").type)
        bucket[params["Key"]] = Stored(data, kind)
        return {"ETag": bucket[params["Key"]].etag}

    def _HeadObject(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        found = bucket.get(params["Key"])
        if found is None:
            raise Refused("404", 404)
        return self._described(found)

    def _described(self, found: Stored) -> dict[str, Any]:
        return {
            "ETag": found.etag,
            "ContentLength": len(found.body),
            "ContentType": found.type,
            "LastModified": NOW,
            "Metadata": {},
        }

    def _GetObject(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        found = bucket.get(params["Key"])
        if found is None:
            raise Refused("NoSuchKey", 404, Key=params["Key"])
        data, answer = found.body, self._described(found)
        if "Range" in params:
            first, last = map(int, params["Range"].removeprefix("bytes=").split("-"))
            if first >= len(data):
                raise Refused("InvalidRange", 416)
            data = data[first : last + 1]
            answer["ContentRange"] = f"bytes {first}-{first + len(data) - 1}/{len(found.body)}"
        body = StreamingBody(io.BytesIO(data), str(len(data)))
        return {**answer, "ContentLength": len(data), "Body": body}

    def _DeleteObject(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        bucket.pop(params["Key"], None)
        return {}

    def _DeleteObjects(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        for each in params["Delete"]["Objects"]:
            bucket.pop(each["Key"], None)
        if params["Delete"].get("Quiet"):
            return {}
        return {"Deleted": [{"Key": each["Key"]} for each in params["Delete"]["Objects"]]}

    def _CopyObject(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        source = params["CopySource"]
        found = self._bucket(source["Bucket"]).get(source["Key"])
        if found is None:
            raise Refused("NoSuchKey", 404, Key=source["Key"])
        if params.get("MetadataDirective") == "REPLACE":
            found = found._replace(type=params.get("ContentType", Stored(b"").type))
        bucket[params["Key"]] = found
        return {"CopyObjectResult": {"ETag": found.etag, "LastModified": NOW}}

    # Multipart uploads

    def _CreateMultipartUpload(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        id = f"{next(self._ids):08}"
        kind = params.get("ContentType", Stored(b"").type)
        self.uploads[id] = (params["Bucket"], params["Key"], kind, {})
        return {"Bucket": params["Bucket"], "Key": params["Key"], "UploadId": id}

    def _upload(self, params: Mapping[str, Any]) -> tuple[str, str, str, dict[int, bytes]]:
        found = self.uploads.get(params["UploadId"])
        if found is None or found[:2] != (params["Bucket"], params["Key"]):
            raise Refused("NoSuchUpload", 404, UploadId=params["UploadId"])
        return found

    def _UploadPart(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        body = params["Body"]
        data = body if isinstance(body, bytes) else body.read()
        self._upload(params)[3][params["PartNumber"]] = data
        return {"ETag": Stored(data).etag}

    def _UploadPartCopy(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        parts = self._upload(params)[3]
        source = params["CopySource"]
        asked = {"Key": source["Key"]}
        if "CopySourceRange" in params:
            asked["Range"] = params["CopySourceRange"]
        found = self._GetObject(self._bucket(source["Bucket"]), asked)
        if "Range" in asked:
            expected = asked["Range"].replace("=", " ")
            if not found["ContentRange"].startswith(f"{expected}/"):
                raise Refused("InvalidArgument", 400)
        data = found["Body"].read()
        parts[params["PartNumber"]] = data
        return {"CopyPartResult": {"ETag": Stored(data).etag, "LastModified": NOW}}

    def _ListParts(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        parts = self._upload(params)[3]
        listed = [{"PartNumber": each, "Size": len(parts[each])} for each in sorted(parts)]
        return {"Bucket": params["Bucket"], "Key": params["Key"], "Parts": listed}

    def _CompleteMultipartUpload(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        _, key, kind, parts = self._upload(params)
        numbers = [each["PartNumber"] for each in params["MultipartUpload"]["Parts"]]
        bucket[key] = Stored(b"".join(parts[each] for each in numbers), kind)
        del self.uploads[params["UploadId"]]
        location = f"http://host/{params['Bucket']}/{key}"
        names = {"Bucket": params["Bucket"], "Key": key, "Location": location}
        return {**names, "ETag": bucket[key].etag}

    def _AbortMultipartUpload(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        self._upload(params)
        del self.uploads[params["UploadId"]]
        return {}

    # Listings

    def _ListObjectsV2(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        token = params.get("ContinuationToken", "")
        after = token.removeprefix("token:") if token else params.get("StartAfter", "")
        entries, answer = self._listed(bucket, params, after, skips=bool(token))
        answer["KeyCount"] = len(entries)
        if answer["IsTruncated"]:
            answer["NextContinuationToken"] = f"token:{entries[-1][0]}"
        for name in ("ContinuationToken", "StartAfter"):
            if name in params:
                answer[name] = params[name]
        return answer

    def _ListObjects(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        entries, answer = self._listed(bucket, params, params.get("Marker", ""))
        if answer["IsTruncated"] and params.get("Delimiter"):
            answer["NextMarker"] = entries[-1][0]
        return {**answer, "Marker": params.get("Marker", "")}

    def _listed(
        self, bucket: Bucket, params: Mapping[str, Any], after: str, *, skips: bool = True
    ) -> tuple[list[tuple[str, bool]], dict[str, Any]]:
        limit = params.get("MaxKeys", 1000)
        entries, answer = self._paged(list(bucket), params, after, limit, skips=skips)
        answer = {"Name": params["Bucket"], "MaxKeys": params.get("MaxKeys", 1000), **answer}
        keys = [key for key, is_prefix in entries if not is_prefix]
        if keys:
            answer["Contents"] = [self._content(bucket, key) for key in keys]
        return entries, answer

    def _content(self, bucket: Bucket, key: str) -> dict[str, Any]:
        return {"Key": key, "Size": len(bucket[key].body), "LastModified": NOW}

    def _paged(
        self,
        keys: list[str],
        params: Mapping[str, Any],
        after: str,
        limit: int,
        *,
        skips: bool = True,
    ) -> tuple[list[tuple[str, bool]], dict[str, Any]]:
        prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
        entries, more = page(keys, prefix, delimiter, after, limit, skips=skips)
        answer: dict[str, Any] = {"Prefix": prefix, "IsTruncated": more}
        if delimiter:
            answer["Delimiter"] = delimiter
        prefixes = [{"Prefix": key} for key, is_prefix in entries if is_prefix]
        if prefixes:
            answer["CommonPrefixes"] = prefixes
        return entries, answer

    def _ListObjectVersions(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        """One version a key, "null"; a marker with it is after it, as one without is."""
        after, limit = params.get("KeyMarker", ""), params.get("MaxKeys", 1000)
        entries, answer = self._paged(list(bucket), params, after, limit)
        keys = [key for key, is_prefix in entries if not is_prefix]
        if keys:
            answer["Versions"] = [
                {**self._content(bucket, key), "VersionId": "null", "IsLatest": True}
                for key in keys
            ]
        if answer["IsTruncated"]:
            answer["NextKeyMarker"] = entries[-1][0]
            if not entries[-1][1]:
                answer["NextVersionIdMarker"] = "null"
        return {
            **answer,
            "Name": params["Bucket"],
            "MaxKeys": limit,
            "KeyMarker": after,
            "VersionIdMarker": params.get("VersionIdMarker", ""),
        }

    def _ListMultipartUploads(self, bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
        """S3 API: by key, and those of one key in the order of their beginning."""
        here = sorted(
            (key, id)
            for id, (name, key, *_) in self.uploads.items()
            if name == params["Bucket"] and key.startswith(params.get("Prefix", ""))
        )
        after = (params.get("KeyMarker", ""), params.get("UploadIdMarker", "") or "~")
        rest = [each for each in here if each > after or not after[0]]
        limit = params.get("MaxUploads", 1000)
        answer = {
            "Bucket": params["Bucket"],
            "Prefix": params.get("Prefix", ""),
            "KeyMarker": after[0],
            "UploadIdMarker": params.get("UploadIdMarker", ""),
            "MaxUploads": limit,
            "IsTruncated": len(rest) > limit,
        }
        if rest:
            answer["Uploads"] = [{"Key": key, "UploadId": id} for key, id in rest[:limit]]
        if len(rest) > limit:
            key, id = rest[limit - 1]
            answer |= {"NextKeyMarker": key, "NextUploadIdMarker": id}
        return answer


class MemoryStores(Patch):
    """Answers calls of S3 by the store of the client's endpoint."""

    layer = Layer.SEND

    def __init__(self, stores: Mapping[str, Store]) -> None:
        super().__init__(Narrowing.of(services="s3"))
        self.stores = stores

    def send(self, client: Any, operation: str, params: Mapping[str, Any], stock: Any) -> Any:
        try:
            return self.stores[client.meta.endpoint_url].answer(operation, params)
        except Refused as refused:
            code = refused.response["Error"]["Code"]
            raise client.exceptions.from_code(code)(refused.response, operation) from None
