"""What the server of the twins says to a request: good answers, refusals and faults."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

from tests.servers.capture import Close, Recorded, Reset, Sleep, http_answer
from tests.servers.steps import Answer

LONG = bytes(range(256)) * 600  # more than comes in one piece with the head
LISTING = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Name>b</Name><KeyCount>2</KeyCount><EncodingType>url</EncodingType><Contents>"
    b"<Key>a%20b</Key><Size>1</Size><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
    b"</Contents><Contents><Key>c</Key><Size>1</Size></Contents></ListBucketResult>"
)
COPIED = b'<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>'
COMPLETED = b"<CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>"
DELETED = b"<DeleteResult><Deleted><Key>k</Key></Deleted></DeleteResult>"
ERROR = "<Error><Code>{}</Code><Message>m</Message><Key>k</Key><RequestId>q</RequestId></Error>"
# By method and a part of the target.
CONTENTS = {
    (b"GET", b"list-type"): LISTING,
    # A document, for what is none is tried again, at once: over a connection that may be closing.
    (b"GET", b"location"): b"<LocationConstraint>eu-west-1</LocationConstraint>",
    (b"GET", b"long"): LONG,
    (b"GET", b"lines"): b"line one\r\nline two\nlast",
    (b"GET", b"empty"): b"",
    (b"GET", b"/"): b"hello",
    (b"PUT", b"copy"): COPIED,
    (b"POST", b"uploadId"): COMPLETED,
    (b"POST", b"delete"): DELETED,
}
GAP_S = 0.01  # seconds; between two pieces of an answer

Script = Callable[[Recorded], Answer]


def content(request: Recorded) -> bytes:
    """What a good answer to *request* has for a body."""
    for (method, part), body in CONTENTS.items():
        if method == request.method and part in request.target:
            return body
    return b""


def answer(
    request: Recorded, status: int = 200, body: bytes | None = None, **headers: str
) -> bytes:
    """Names in *headers* have dashes for underscores."""
    sent = content(request) if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    head = {"x-amz-request-id": "r", "x-amz-id-2": "h", "Content-Length": str(len(sent)), **named}
    return http_answer(status, b"" if request.method == b"HEAD" else sent, head)


def good(status: int = 200, body: bytes | None = None, **headers: str) -> Script:
    return lambda request: answer(request, status, body, **headers)


def refusal(status: int, code: str, **headers: str) -> Script:
    return good(status, ERROR.format(code).encode(), **headers)


def chunked(end: bytes, *more: Close, size: int = 7000) -> Script:
    def script(request: Recorded) -> Answer:
        body = content(request)
        if request.method == b"HEAD":
            return answer(request)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        return (head + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + end, *more)

    return script


def of_its_listing(spoil: Callable[[bytes], bytes]) -> Script:
    """Good answers, but for documents, whose text is spoilt."""

    def script(request: Recorded) -> Answer:
        body = content(request)
        return answer(request, 200, spoil(body) if body.startswith(b"<") else body)

    return script


def checksummed(request: Recorded) -> Answer:
    checksum = base64.b64encode(zlib.crc32(content(request)).to_bytes(4, "big")).decode()
    return answer(request, x_amz_checksum_crc32=checksum)


def in_two_pieces(request: Recorded) -> Answer:
    whole = answer(request)
    return (whole[:20], Sleep(GAP_S), whole[20:])


def cut_off(request: Recorded) -> Answer:
    whole = answer(request)
    return (whole if not content(request) else whole[:-3], Close())


ELSEWHERE = {"x_amz_bucket_region": "eu-west-1"}
REPEATED = b"\r\nX-Amz-Meta-A: 2\r\nx-amz-meta-b: \xc3\xa9 \r\n"
ANSWERS: dict[str, Script] = {
    "good": good(),
    "in two pieces": in_two_pieces,
    "chunked": chunked(b"0\r\n\r\n"),
    "trailers": chunked(b"0\r\nX-Trailer: t\r\n\r\n", size=50),
    "connection: close": lambda r: (answer(r, Connection="close"), Close()),
    "closed while idle": lambda r: (answer(r), Close()),
    "HTTP/1.0": lambda r: (answer(r).replace(b"HTTP/1.1", b"HTTP/1.0", 1), Close()),
    "204": lambda _: b"HTTP/1.1 204 No Content\r\nx-amz-request-id: r\r\n\r\n",
    "206": good(206, Content_Range="bytes 0-4/10"),
    "repeated headers": lambda r: answer(r, x_amz_meta_a="1").replace(b"\r\n", REPEATED, 1),
    "100 unasked": lambda r: b"HTTP/1.1 100 Continue\r\n\r\n" + answer(r),
    "304": lambda _: b'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n\r\n',
    "400": refusal(400, "InvalidRequest"),
    "403": refusal(403, "AccessDenied"),
    "404": refusal(404, "NoSuchKey"),
    "404 without a body": good(404, b""),
    "412": refusal(412, "PreconditionFailed"),
    "500": refusal(500, "InternalError"),
    "503": refusal(503, "SlowDown"),
    "expired token": refusal(400, "ExpiredToken"),
    "clock skew": refusal(403, "RequestTimeTooSkewed"),
    "301": refusal(301, "PermanentRedirect", **ELSEWHERE),
    "307": refusal(307, "TemporaryRedirect"),
    "another region": refusal(400, "AuthorizationHeaderMalformed", **ELSEWHERE),
    "an error in a 200": of_its_listing(lambda _: ERROR.format("InternalError").encode()),
    "white space before it": of_its_listing(lambda body: b"\r\n \r\n" + body),
    "no XML": of_its_listing(lambda _: b"<a"),
    "says gzip": good(Content_Encoding="gzip"),
    "expires": good(Expires="Wed, 21 Oct 2015 07:28:00 GMT"),
    "expires never": good(Expires="never"),
    "a checksum": checksummed,
    "a wrong checksum": good(x_amz_checksum_crc32="AAAAAA=="),
    "closed": lambda _: (b"", Close()),
    "reset": lambda _: (b"", Reset()),
}
# What of a body has come before its end is seen, nobody can say in the async world.
CUT_OFF: dict[str, Script] = {"cut off": cut_off, "cut off between chunks": chunked(b"", Close())}
