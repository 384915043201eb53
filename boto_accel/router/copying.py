"""
CopyObject and UploadPartCopy: by the server within one target, through the client between two.

Through the client an object is read once, as a stream. What fits into memory is put as it is;
of a longer one each part is held in memory, one at a time, and uploaded. A part of UploadPartCopy
that is longer waits in a temporary file, for it has to be one request.

Source: S3 API, CopyObject and UploadPartCopy.
"""

from __future__ import annotations

import datetime
import inspect
import re
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from boto_accel._call import Call, Flavour
from boto_accel._clienterrors import precondition_failed, refusal
from boto_accel._conditions import failed_condition
from boto_accel._copysource import Source, read_copy_source
from boto_accel._dates import date_of
from boto_accel._effects import Await, Blocking, Closed, Effect, Forward, Steps
from boto_accel.router.rules import Place

if TYPE_CHECKING:
    from boto_accel.router.routing import Router

CHUNK_BYTES = 1024 * 1024  # what is read at once
PART_BYTES = 8 * 1024 * 1024  # s3transfer's; of a part, and of an object that is put in one
MOST_PARTS = 10_000  # S3 API: of an upload
_RANGE = re.compile(r"bytes=(\d+)-(\d+)\Z")
# S3 API, CopyObject: what MetadataDirective COPY takes from the source.
_METADATA = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
)
_SSE_C = ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5")
_OF_THE_COPY = frozenset(["MetadataDirective", "TaggingDirective", "ExpectedSourceBucketOwner"])
_TO_COMPLETE = ("RequestPayer", "ExpectedBucketOwner", "IfMatch", "IfNoneMatch", *_SSE_C)
_TO_ABORT = ("Bucket", "Key", "RequestPayer", "ExpectedBucketOwner")

Reading = Generator[Effect, Any, bytes]


def copy(router: Router, call: Call, place: Place) -> Steps:
    """The answer of a copy to *place*."""
    source = read_copy_source(call.params.get("CopySource"))
    if source is None:
        return (yield Forward(call))  # botocore says what is wrong with it
    origin = router.rules.place_of_key(source.bucket, source.key)
    here = yield from router.client_at(place.client, call)
    there = yield from router.client_at(origin.client, call)
    if here is there:
        if here is call.client and not (place.is_renamed or origin.is_renamed):
            return (yield Forward(call))
        named = source._replace(bucket=origin.mapped, key=origin.prefix + source.key)
        params = {**call.params, "CopySource": named.as_param()}
        return (yield from router.send_at(call, place, call.operation, params))
    copying = _Copying(router, call, place, origin, source)
    if call.operation == "UploadPartCopy":
        return (yield from copying.part())
    return (yield from copying.object())


@dataclass(frozen=True)
class _Copying:
    """One copy from *origin*, where *source* is, to *place*."""

    router: Router
    call: Call
    place: Place
    origin: Place
    source: Source

    # CopyObject

    def object(self) -> Steps:
        found = yield from self._get({})
        body, length = found["Body"], found["ContentLength"]
        try:
            self._check_conditions(found)
            params = yield from self._params(found)
            if length <= PART_BYTES:
                data = yield from _read(body, length + 1)
                made = yield from self._put("PutObject", {**params, "Body": data})
            else:
                made = yield from self._upload(params, body, length)
        finally:
            yield from _close(body, self.call.flavour)
        return self._answer("CopyObjectResult", found, made)

    def _get(self, more: Mapping[str, Any]) -> Steps:
        params: dict[str, Any] = {"Bucket": self.source.bucket, "Key": self.source.key, **more}
        if self.source.version is not None:
            params["VersionId"] = self.source.version
        given = self.call.params
        for name in _SSE_C:
            if f"CopySource{name}" in given:
                params[name] = given[f"CopySource{name}"]
        if "ExpectedSourceBucketOwner" in given:
            params["ExpectedBucketOwner"] = given["ExpectedSourceBucketOwner"]
        if "RequestPayer" in given:
            params["RequestPayer"] = given["RequestPayer"]
        return (yield from self.router.send_at(self.call, self.origin, "GetObject", params))

    def _check_conditions(self, found: Mapping[str, Any]) -> None:
        failed = failed_condition(self.call.params, found["ETag"], found["LastModified"])
        if failed is not None:
            raise precondition_failed(self.call, failed)

    def _params(self, found: Mapping[str, Any]) -> Steps:
        """What the new object is made with."""
        given = self.call.params
        params = {
            name: value
            for name, value in given.items()
            if not name.startswith("CopySource") and name not in _OF_THE_COPY
        }
        if given.get("MetadataDirective") != "REPLACE":
            params.update({name: found[name] for name in _METADATA if found.get(name)})
        if given.get("TaggingDirective") != "REPLACE":
            params.pop("Tagging", None)
            if found.get("TagCount"):
                params["Tagging"] = yield from self._tagging()
        return params

    def _tagging(self) -> Steps:
        params = {"Bucket": self.source.bucket, "Key": self.source.key}
        if self.source.version is not None:
            params["VersionId"] = self.source.version
        found = yield from self.router.send_at(self.call, self.origin, "GetObjectTagging", params)
        return urlencode([(tag["Key"], tag["Value"]) for tag in found["TagSet"]])

    def _put(self, operation: str, params: Mapping[str, Any]) -> Steps:
        """*operation* at the place that is copied to, with those of *params* that it has."""
        model = self.call.client.meta.service_model.operation_model(operation)
        members = model.input_shape.members
        known = {name: value for name, value in params.items() if name in members}
        return (yield from self.router.send_at(self.call, self.place, operation, known))

    def _upload(self, params: Mapping[str, Any], body: Any, length: int) -> Steps:
        begun = yield from self._put("CreateMultipartUpload", params)
        upload = {"Bucket": params["Bucket"], "Key": params["Key"], "UploadId": begun["UploadId"]}
        try:
            parts = yield from self._upload_parts(params, upload, body, length)
            ending = {name: params[name] for name in _TO_COMPLETE if name in params}
            ending = {**ending, **upload, "MultipartUpload": {"Parts": parts}}
            made = yield from self._put("CompleteMultipartUpload", ending)
        except (GeneratorExit, Closed):
            raise  # nothing can be asked for any more
        except BaseException:
            yield from self._abort(params, upload)
            raise
        return {**begun, **made}

    def _upload_parts(
        self, params: Mapping[str, Any], upload: Mapping[str, Any], body: Any, length: int
    ) -> Steps:
        size = max(PART_BYTES, -(-length // MOST_PARTS))
        names = ("RequestPayer", "ExpectedBucketOwner", "ChecksumAlgorithm", *_SSE_C)
        rest = {name: params[name] for name in names if name in params}
        parts: list[dict[str, Any]] = []
        while data := (yield from _read(body, size)):
            number = len(parts) + 1
            asked = {**rest, **upload, "PartNumber": number, "Body": data}
            made = yield from self._put("UploadPart", asked)
            sums = {name: made[name] for name in made if name.startswith("Checksum")}
            sums.pop("ChecksumType", None)
            parts.append({"PartNumber": number, "ETag": made["ETag"], **sums})
        return parts

    def _abort(self, params: Mapping[str, Any], upload: Mapping[str, Any]) -> Steps:
        names = {name: params[name] for name in _TO_ABORT if name in params}
        try:
            yield from self._put("AbortMultipartUpload", {**names, **upload})
        except ClientError:
            pass  # the error that made us give up says more

    # UploadPartCopy

    def part(self) -> Steps:
        wanted = self.call.params.get("CopySourceRange")
        form = None if wanted is None else _RANGE.match(str(wanted))
        if wanted is not None and form is None:
            message = "The x-amz-copy-source-range value must be of the form bytes=first-last"
            raise self._refused_range(message)
        found = yield from self._get({} if wanted is None else {"Range": wanted})
        body, length = found["Body"], found["ContentLength"]
        try:
            self._check_conditions(found)
            self._check_range(form, found)
            if length <= PART_BYTES:
                data = yield from _read(body, length + 1)
                made = yield from self._put("UploadPart", {**self.call.params, "Body": data})
            else:
                made = yield from self._put_spooled(body)
        finally:
            yield from _close(body, self.call.flavour)
        return self._answer("CopyPartResult", found, made)

    def _check_range(self, form: re.Match[str] | None, found: Mapping[str, Any]) -> None:
        """S3 API, UploadPartCopy: a range lies within the object, other than that of a GET."""
        if form is None:
            return
        given = str(found.get("ContentRange", ""))
        size = given.rpartition("/")[2]
        if given != f"bytes {form[1]}-{form[2]}/{size}":
            message = f"Range specified is not valid for source object of size: {size}"
            raise self._refused_range(message)

    def _refused_range(self, message: str) -> ClientError:
        return refusal(
            self.call,
            "InvalidArgument",
            message,
            400,
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=self.call.params["CopySourceRange"],
        )

    def _put_spooled(self, body: Any) -> Steps:
        # Unlinked, and for nobody else to read.
        file: IO[bytes] = yield Blocking(tempfile.TemporaryFile)
        try:
            while data := (yield from _read(body, PART_BYTES)):
                yield Blocking(partial(file.write, data))
            yield Blocking(partial(file.seek, 0))
            return (yield from self._put("UploadPart", {**self.call.params, "Body": file}))
        finally:
            file.close()

    # Both

    def _answer(self, member: str, found: Mapping[str, Any], made: dict[str, Any]) -> Any:
        """*made*, in the shape of the answer of a copy."""
        shape = self.call.client.meta.service_model.operation_model(self.call.operation)
        members = shape.output_shape.members
        of_result = members[member].members
        result = {name: made[name] for name in made if name in of_result}
        result["LastModified"] = date_of(made) or _now()
        answer = {name: made[name] for name in made if name in members and name != member}
        if "VersionId" in found:
            answer["CopySourceVersionId"] = found["VersionId"]
        answer[member] = result
        answer["ResponseMetadata"] = made["ResponseMetadata"]
        return answer


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def _read(body: Any, most: int) -> Reading:
    """Up to *most* bytes; less only at the end of *body*, which is verified there."""
    chunks: list[bytes] = []
    left = most
    while left:
        chunk = yield Await(partial(body.read, min(left, CHUNK_BYTES)))
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _close(body: Any, flavour: Flavour) -> Steps:
    closed = body.close()
    if flavour is Flavour.ASYNC and inspect.isawaitable(closed):
        yield Await(lambda: closed)
