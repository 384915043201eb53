"""
What the benchmark's S3 answers: a request in, the bytes of a response out.

Calls of other services (`services.py`) have one answer each.

Rule 1: no I/O here; server.py moves the bytes.
It is as cheap as Python allows, so that a benchmark measures the client: what can be
worked out when an object is stored is, and a GET is two dict look-ups and a join.
Not checked: signatures and permissions. Checked: checksums, as a wrong one is a client's bug.
Source: S3 API reference, of the operations named in Service.
"""

from __future__ import annotations

import base64
import hashlib
import time
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from boto_accel.bench.awschunked import AwsChunkedError, decode_aws_chunked
from boto_accel.bench.objects import (
    MAX_KEYS,
    XML_HEAD,
    XMLNS,
    Bucket,
    ListQuery,
    StoredObject,
    decode_token,
)
from boto_accel.bench.services import canned_answers, known_by

# As long as those of S3, so that a client reads as many header bytes.
_HOST_ID = "Zk3vYQm0s1Jq8pWc5uXaT2rLdHfG7nEiBoKxC9wVtMyRgUhPzSjNlDbFe4A6I+OvQkYm0s1Jq8o="
_XML_TYPE = b"Content-Type: application/xml\r\n"
_REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    404: "Not Found",
    412: "Precondition Failed",
    416: "Requested Range Not Satisfiable",
    501: "Not Implemented",
}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status} {reason}\r\nx-amz-id-2: {_HOST_ID}\r\nx-amz-request-id: ".encode()
    for status, reason in _REASONS.items()
}


@dataclass(slots=True)
class Request:
    """One parsed request: *headers* by lower-case name, trailers among them; *body* undecoded."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    md5: str | None = None  # hex digest of *body* where it was worked out while it came in


class S3Error(Exception):
    """An error answer, with S3's own code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(slots=True)
class _Clock:
    """The `Date` header line of this second, made once a second."""

    second: int = 0
    line: bytes = b""

    def date_line(self) -> bytes:
        now = int(time.time())
        if now != self.second:
            self.second = now
            self.line = f"\r\nDate: {formatdate(now, usegmt=True)}\r\n".encode()
        return self.line


@dataclass(slots=True)
class Service:
    """All buckets, and one method an operation."""

    buckets: dict[str, Bucket] = field(default_factory=dict)
    _canned: dict[bytes, tuple[bytes, bytes]] = field(default_factory=canned_answers)
    _clock: _Clock = field(default_factory=_Clock)
    _requests: int = 0

    def answer(self, request: Request) -> tuple[bytes, bytes]:
        """Head and body of the response to *request*."""
        try:
            return self._dispatch(request)
        except S3Error as error:
            return self._error(request, error)

    def _dispatch(self, request: Request) -> tuple[bytes, bytes]:
        if request.method == b"POST":
            canned = self._canned.get(known_by(request.target, request.headers, request.body))
            if canned is not None:
                content_type, body = canned
                extra = b"x-amzn-RequestId: %d\r\nContent-Type: %b\r\n"
                return self._head(200, extra % (self._requests, content_type), len(body)), body
        path, _, query = request.target.partition(b"?")
        bucket_name, _, key = path[1:].partition(b"/")
        name = bucket_name.decode()
        if not key:
            return self._bucket_operation(request, name, query)
        operation = _OBJECT_OPERATIONS.get(request.method)
        if operation is None or (query and _is_subresource(query)):
            raise S3Error(501, "NotImplemented", "The benchmark's server does not do this.")
        raw = key.decode()
        return operation(self, request, self._bucket(name), unquote(raw) if "%" in raw else raw)

    def _bucket_operation(self, request: Request, name: str, query: bytes) -> tuple[bytes, bytes]:
        fields = dict(parse_qsl(query.decode(), keep_blank_values=True))
        match request.method:
            case b"GET" if not name:
                return self._list_buckets()
            case b"PUT":
                self.buckets.setdefault(name, Bucket(name))
                return self._head(200, b"Location: /%b\r\n" % name.encode(), 0), b""
            case b"HEAD":
                self._bucket(name)
                return self._head(200, b"x-amz-bucket-region: us-east-1\r\n" + _XML_TYPE, None), b""
            case b"GET" if fields.get("list-type") == "2" or fields.keys() <= _LIST_V1:
                return self._list(self._bucket(name), fields)
            case b"POST" if "delete" in fields:
                return self._delete_objects(self._bucket(name), request)
            case b"DELETE" if not fields:
                return self._delete_bucket(self._bucket(name))
        raise S3Error(501, "NotImplemented", "The benchmark's server does not do this.")

    # Objects ---------------------------------------------------------------------------

    def _get(self, request: Request, bucket: Bucket, key: str) -> tuple[bytes, bytes]:
        stored = self._object(bucket, key)
        headers = request.headers
        self._check_conditions(headers, stored)
        if b"range" in headers:
            return self._get_range(stored, headers[b"range"])
        return self._head(200, _object_head(headers, stored), len(stored.body)), stored.body

    def _get_range(self, stored: StoredObject, text: bytes) -> tuple[bytes, bytes]:
        first, last = _byte_range(text.decode(), len(stored.body))
        body = stored.body[first : last + 1]
        line = b"Content-Range: bytes %d-%d/%d\r\n" % (first, last, len(stored.body))
        return self._head(206, stored.head + line, len(body)), body

    def _head_object(self, request: Request, bucket: Bucket, key: str) -> tuple[bytes, bytes]:
        head, _ = self._get(request, bucket, key)
        return head, b""

    def _put(self, request: Request, bucket: Bucket, key: str) -> tuple[bytes, bytes]:
        if b"x-amz-copy-source" in request.headers:
            raise S3Error(501, "NotImplemented", "The benchmark's server copies nothing.")
        body, trailers = _payload(request)
        crc32 = trailers.get("x-amz-checksum-crc32") or _text(
            request.headers, b"x-amz-checksum-crc32"
        )
        if crc32 and crc32 != base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode():
            raise S3Error(400, "BadDigest", "The CRC32 you specified did not match.")
        decoded = body is not request.body
        digest = hashlib.md5(body).hexdigest() if decoded or not request.md5 else request.md5
        stored = _stored(body, f'"{digest}"', crc32, request.headers, int(time.time()))
        bucket.put(key, stored)
        extra = b"ETag: %b\r\n" % stored.etag.encode() + stored.checksum_head
        return self._head(200, b"x-amz-server-side-encryption: AES256\r\n" + extra, 0), b""

    def _delete(self, request: Request, bucket: Bucket, key: str) -> tuple[bytes, bytes]:
        bucket.delete(key)
        return self._head(204, b"", None), b""

    def _check_conditions(self, headers: dict[bytes, bytes], stored: StoredObject) -> None:
        etag = stored.etag.encode()
        if b"if-match" in headers and headers[b"if-match"] not in (etag, b"*"):
            raise S3Error(412, "PreconditionFailed", "A precondition you gave did not hold.")
        if b"if-none-match" in headers and headers[b"if-none-match"] in (etag, b"*"):
            raise S3Error(304, "NotModified", "Not Modified")

    # Buckets ---------------------------------------------------------------------------

    def _list(self, bucket: Bucket, fields: dict[str, str]) -> tuple[bytes, bytes]:
        body = bucket.page(_list_query(fields))
        return self._head(200, _XML_TYPE, len(body)), body

    def _list_buckets(self) -> tuple[bytes, bytes]:
        rows = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>2024-01-01T00:00:00.000Z</CreationDate>"
            "</Bucket>"
            for name in sorted(self.buckets)
        )
        return self._xml(
            f'<ListAllMyBucketsResult xmlns="{XMLNS}"><Owner><ID>bench</ID></Owner>'
            f"<Buckets>{rows}</Buckets></ListAllMyBucketsResult>"
        )

    def _delete_objects(self, bucket: Bucket, request: Request) -> tuple[bytes, bytes]:
        body, _ = _payload(request)
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError:
            raise S3Error(
                400, "MalformedXML", "The XML you provided was not well-formed."
            ) from None
        keys = [element.text or "" for element in root.iter() if element.tag.endswith("Key")]
        for key in keys:
            bucket.delete(key)
        quiet = any(e.tag.endswith("Quiet") and e.text == "true" for e in root.iter())
        rows = (
            "" if quiet else "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        )
        return self._xml(f'<DeleteResult xmlns="{XMLNS}">{rows}</DeleteResult>')

    def _delete_bucket(self, bucket: Bucket) -> tuple[bytes, bytes]:
        if bucket.objects:
            raise S3Error(400, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
        del self.buckets[bucket.name]
        return self._head(204, b"", None), b""

    # Parts of an answer ----------------------------------------------------------------

    def _bucket(self, name: str) -> Bucket:
        bucket = self.buckets.get(name)
        if bucket is None:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
        return bucket

    def _object(self, bucket: Bucket, key: str) -> StoredObject:
        stored = bucket.objects.get(key)
        if stored is None:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
        return stored

    def _head(self, status: int, lines: bytes, length: int | None) -> bytes:
        """Status line and headers; *lines* are the operation's own, each with its line end."""
        self._requests += 1
        counted = b"" if length is None else b"Content-Length: %d\r\n" % length
        return b"%b%016X%b%b%bServer: AmazonS3\r\n\r\n" % (
            _STATUS_LINES[status],
            self._requests,
            self._clock.date_line(),
            lines,
            counted,
        )

    def _xml(self, text: str, status: int = 200) -> tuple[bytes, bytes]:
        body = (XML_HEAD + text).encode()
        return self._head(status, _XML_TYPE, len(body)), body

    def _error(self, request: Request, error: S3Error) -> tuple[bytes, bytes]:
        if error.status == 304:
            return self._head(304, b"", None), b""
        head, body = self._xml(
            f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            f"<Resource>{escape(request.target.decode('latin-1'))}</Resource>"
            f"<RequestId>{self._requests + 1:016X}</RequestId><HostId>{_HOST_ID}</HostId></Error>",
            error.status,
        )
        return head, b"" if request.method == b"HEAD" else body


_Operation = Callable[[Service, Request, Bucket, str], tuple[bytes, bytes]]
_OBJECT_OPERATIONS: dict[bytes, _Operation] = {
    b"GET": Service._get,
    b"HEAD": Service._head_object,
    b"PUT": Service._put,
    b"DELETE": Service._delete,
}

# The parameters of ListObjects, whose answer is ListObjectsV2's here: clients read what they know.
_LIST_V1 = {"prefix", "marker", "max-keys", "delimiter", "encoding-type"}

# Sub-resources of an object that are operations of their own, and are not done here.
_SUBRESOURCES = {"acl", "tagging", "uploads", "uploadId", "retention", "legal-hold", "torrent"}


def _is_subresource(query: bytes) -> bool:
    names = {field.partition("=")[0] for field in query.decode().split("&")}
    return not names.isdisjoint(_SUBRESOURCES)


def _object_head(headers: dict[bytes, bytes], stored: StoredObject) -> bytes:
    if b"x-amz-checksum-mode" in headers:
        return stored.head + stored.checksum_head
    return stored.head


def _payload(request: Request) -> tuple[bytes, dict[str, str]]:
    """
    The object's bytes, and trailers by lower-case name.

    urllib3 sends an `aws-chunked` body as the HTTP chunks themselves, so that the HTTP parser
    has taken it apart already; aiohttp frames it once more. The decoded length tells which.
    """
    headers = request.headers
    trailers = {}
    trailer = headers.get(b"x-amz-trailer", b"").lower()
    if trailer and trailer in headers:
        trailers[trailer.decode()] = headers[trailer].decode()
    length = headers.get(b"x-amz-decoded-content-length")
    framed = b"aws-chunked" in headers.get(b"content-encoding", b"")
    if not framed or (length is not None and int(length) == len(request.body)):
        return request.body, trailers
    try:
        return decode_aws_chunked(request.body)
    except AwsChunkedError as error:
        if length is None:  # an unframed body whose length nobody told
            return request.body, trailers
        raise S3Error(400, "IncompleteBody", str(error)) from None


def _stored(
    body: bytes, etag: str, crc32: str | None, headers: dict[bytes, bytes], now: int
) -> StoredObject:
    """An object with everything that its GET will say; *now* in seconds since the epoch."""
    content_type = headers.get(b"content-type", b"binary/octet-stream")
    kept = b"".join(
        b"%b: %b\r\n" % item for item in headers.items() if item[0].startswith(b"x-amz-meta-")
    )
    head = (
        b"Last-Modified: %b\r\nETag: %b\r\nx-amz-server-side-encryption: AES256\r\n%b"
        b"Accept-Ranges: bytes\r\nContent-Type: %b\r\n"
    ) % (formatdate(now, usegmt=True).encode(), etag.encode(), kept, content_type)
    checksum = (
        f"x-amz-checksum-crc32: {crc32}\r\nx-amz-checksum-type: FULL_OBJECT\r\n" if crc32 else ""
    )
    modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now))
    return StoredObject(body, etag, modified, crc32, head, checksum.encode())


def _list_query(fields: dict[str, str]) -> ListQuery:
    token = fields.get("continuation-token")
    try:
        return ListQuery(
            prefix=fields.get("prefix", ""),
            delimiter=fields.get("delimiter", ""),
            after=decode_token(token)
            if token
            else fields.get("start-after", fields.get("marker", "")),
            max_keys=min(int(fields.get("max-keys", MAX_KEYS)), MAX_KEYS),
            url_encoded=fields.get("encoding-type") == "url",
        )
    except ValueError:
        raise S3Error(400, "InvalidArgument", "Not a page this server gave out.") from None


def _byte_range(text: str, length: int) -> tuple[int, int]:
    """(first, last), inclusive, of one `bytes=` range of any of the kinds of RFC 9110 14.1.2."""
    unit, _, spec = text.partition("=")
    first_text, dash, last_text = spec.partition("-")
    if unit != "bytes" or not dash or not (first_text + last_text).isdigit():
        raise S3Error(400, "InvalidArgument", "One bytes= range is understood.")
    if not first_text:
        first, last = max(length - int(last_text), 0), length - 1
    else:
        first = int(first_text)
        last = min(int(last_text), length - 1) if last_text else length - 1
    if first > last:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    return first, last


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
