"""
Where batches are in S3, and the few calls that are made there.

The calls go to the layers further in than BATCH: neither a router nor a cache nor a batch has a
part in them, while `accelerate` has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from boto_accel._past import call_past
from boto_accel._stack import Layer
from boto_accel.batch import names
from boto_accel.batch.errors import DamagedBatchError
from boto_accel.batch.index import Index, decode, encode
from boto_accel.batch.spool import Segment

# S3 API: a PutObject has up to 5 GiB, a part 5 MiB or more, an upload up to 10,000 parts.
MULTIPART_FROM = 64 * 2**20
PART_BYTES = 16 * 2**20
# A batch that is archived is to be found still.
NOT_FOR_INDEX = {"StorageClass"}


class Place:
    """
    A bucket and a prefix. client: of botocore. tar_args: of PutObject, for the tars: StorageClass.

    inside: the layers that see none of the calls. on_request: called for each request that costs
    what a PutObject costs. on_stored: called with the answer to an index, and when that was asked
    for, by host_time (nanoseconds since 1970).
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str,
        tar_args: Mapping[str, Any] | None = None,
        *,
        inside: frozenset[Layer] = frozenset({Layer.ROUTE, Layer.CACHE, Layer.BATCH}),
        on_request: Callable[[], None] = lambda: None,
        on_stored: Callable[[Mapping[str, Any], int], None] = lambda answer, asked: None,
        host_time: Callable[[], int] = time.time_ns,
    ) -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = prefix
        self._tar_args = dict(tar_args or {})
        self._inside = inside
        self._on_request = on_request
        self._on_stored = on_stored
        self._host_time = host_time

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def call(self, operation: str, **params: Any) -> Any:
        params = {"Bucket": self.bucket, **params}
        return call_past(self._inside, self.client, operation, params)

    def _paid(self, operation: str, **params: Any) -> Any:
        self._on_request()
        return self.call(operation, **params)

    # Writing

    def put_tar(self, segment: Segment) -> None:
        """Upload a complete segment, in bounded memory. What is there already is replaced."""
        args = {"ContentType": "application/x-tar", **self._tar_args}
        if segment.length <= MULTIPART_FROM:
            with open(segment.path, "rb") as body:
                self._paid("PutObject", Key=segment.key, Body=body, **args)
            return
        upload = self._paid("CreateMultipartUpload", Key=segment.key, **args)["UploadId"]
        try:
            parts = [self._put_part(segment, upload, each) for each in _parts(segment.length)]
            self._paid(
                "CompleteMultipartUpload",
                Key=segment.key,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
            )
        except BaseException:
            self._abort(segment.key, upload)
            raise

    def _put_part(self, segment: Segment, upload: str, part: tuple[int, int, int]) -> Any:
        number, offset, size = part
        answer = self._paid(
            "UploadPart",
            Key=segment.key,
            UploadId=upload,
            PartNumber=number,
            Body=segment.read(offset, size),
        )
        kept = ("ETag", "ChecksumCRC32", "ChecksumCRC64NVME")
        return {"PartNumber": number, **{name: answer[name] for name in kept if name in answer}}

    def _abort(self, key: str, upload: str) -> None:
        try:
            self.call("AbortMultipartUpload", Key=key, UploadId=upload)
        except Exception:
            pass  # the error that led here says more; a lifecycle rule removes what is left

    def put_index(self, index: Index, uploaded: float) -> str:
        """The key of the index."""
        key = names.index_key(self.prefix, index.batch, uploaded)
        args = {name: each for name, each in self._tar_args.items() if name not in NOT_FOR_INDEX}
        args = {"ContentType": "application/gzip", **args}
        body, asked = encode(index), self._host_time()
        self._on_stored(self._paid("PutObject", Key=key, Body=body, **args), asked)
        return key

    def delete(self, key: str) -> None:
        self.call("DeleteObject", Key=key)

    # Reading

    def index_keys(self, since: float | None) -> Iterator[str]:
        """Of the indexes that were uploaded since a moment, or of all; in order."""
        start = names.index_start(self.prefix, since)
        for key, _ in self.keys(f"{self.prefix}{names.FOLDER}", start):
            if names.batch_of_index(self.prefix, key):
                yield key

    def tar_keys(self) -> Iterator[tuple[str, int]]:
        """(key, size) of all tars."""
        for key, size in self.keys(self.prefix, "", Delimiter="/"):
            if names.batch_of_tar(self.prefix, key):
                yield key, size

    def keys(self, prefix: str, start: str, **more: Any) -> Iterator[tuple[str, int]]:
        params = {"Prefix": prefix, "EncodingType": "url", **more}
        if start:
            params["StartAfter"] = start
        while True:
            page = self.call("ListObjectsV2", **params)
            for each in page.get("Contents", ()):
                yield _unquoted(each["Key"], page), each["Size"]
            if not page.get("IsTruncated"):
                return
            params["ContinuationToken"] = page["NextContinuationToken"]

    def index(self, key: str) -> Index:
        """Raises DamagedBatchError, ClientError."""
        body = self.call("GetObject", Key=key)["Body"]
        return decode(f"s3://{self.bucket}/{key}", body.read())

    def content(self, batch: str, offset: int, size: int) -> bytes:
        """Bytes of a tar. Raises DamagedBatchError, ClientError."""
        if not size:
            return b""
        found: bytes = self.stream(batch, offset, size).read()
        if len(found) != size:
            raise DamagedBatchError(names.tar_key(self.prefix, batch), "it is too short")
        return found

    def stream(self, batch: str, offset: int, size: int) -> Any:
        """The `StreamingBody` of bytes of a tar, one or more."""
        key = names.tar_key(self.prefix, batch)
        return self.call("GetObject", Key=key, Range=f"bytes={offset}-{offset + size - 1}")["Body"]

    def tar(self, key: str) -> Any:
        """The `StreamingBody` of a tar."""
        return self.call("GetObject", Key=key)["Body"]


def is_absent(error: ClientError) -> bool:
    """Whether it says that there is no such object."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = error.response.get("Error", {}).get("Code")
    return status == 404 and code in ("404", "NoSuchKey", "NotFound")


def _parts(length: int) -> Iterator[tuple[int, int, int]]:
    """(number, offset, size)"""
    size = max(PART_BYTES, -(-length // 10_000))
    for number, offset in enumerate(range(0, length, size), 1):
        yield number, offset, min(size, length - offset)


def _unquoted(key: str, page: Mapping[str, Any]) -> str:
    from urllib.parse import unquote_plus

    return unquote_plus(key) if page.get("EncodingType") == "url" else key
