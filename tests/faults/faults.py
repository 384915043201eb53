"""
Ways in which a server, or the way to it, can fail: for each, what is done about a request.

A `Fault` is data; `calls.py` makes calls against it, in both worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.servers.capture import Close, Drip, Reset, Send100, Sleep, WaitForRequest
from tests.servers.recorded import Recorded
from tests.servers.steps import Answer, http_answer

MODES = ("legacy", "standard", "adaptive")  # adaptive clients are stock's: see test_faults.py
HANG_S = 30.0  # seconds; longer than any client waits. Cut short when the server stops.
GAP_S = 0.03  # seconds; for what was sent to be read before the reset that would discard it

Script = Callable[[Recorded], Answer]

LISTING = (
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
    b"<KeyCount>1</KeyCount><Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>"
)


@dataclass(frozen=True)
class Fault:
    """
    *script* answers each request. *server*: options of CaptureServer. *client*: options of the
    client. *scheme*, *host*: of the endpoint. *modes*: retry modes that it is tried with.
    *flavours*: the worlds that it is tried in.
    """

    script: Script
    server: Mapping[str, Any] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)
    scheme: str = "http"
    host: str = "127.0.0.1"
    modes: tuple[str, ...] = MODES
    flavours: tuple[str, ...] = ("sync", "async")


def content(request: Recorded) -> bytes:
    """What a good answer to *request* has for a body."""
    if request.method == b"PUT":
        return b""
    return LISTING if b"list-type" in request.target else b"0123456789" * 1000


def answer(
    request: Recorded, status: int = 200, body: bytes | None = None, **headers: str
) -> bytes:
    """A whole answer; names in *headers* have dashes for underscores."""
    sent = content(request) if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    head = {"x-amz-request-id": "r", "Content-Length": str(len(sent)), **named}
    return http_answer(status, b"" if request.method == b"HEAD" else sent, head)


def cut(request: Recorded, share: float) -> bytes:
    """The beginning of a good answer whose length says more."""
    whole = answer(request, body=b"0123456789" * 1000)
    return whole if request.method == b"HEAD" else whole[: int(len(whole) * share)]


def raw(data: bytes, *more: Any) -> Script:
    return lambda _: (data, *more)


def error(status: int, code: str, inside: str = "", **headers: str) -> Script:
    body = f"<Error><Code>{code}</Code><Message>m</Message>{inside}</Error>".encode()
    return lambda request: answer(request, status, body, **headers)


def moved(status: int) -> Script:
    """A redirection of everything that is not where it leads to."""

    def script(request: Recorded) -> Answer:
        if request.target.startswith(b"/moved"):
            return answer(request)
        return answer(request, status, b"", Location=f"/moved{request.target.decode()}")

    return script


def once(first: Script) -> Script:
    """*first* for the first request of each client method, then good answers."""
    seen: set[tuple[bytes, bytes]] = set()

    def script(request: Recorded) -> Answer:
        kind = (request.method, request.target)
        if kind in seen:
            return answer(request)
        seen.add(kind)
        return first(request)

    return script


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nx-amz-request-id: r\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks) + end


def by_chunks(end: bytes, *more: Any, size: int = 100_000) -> Script:
    """A good body in chunks of *size* bytes; then *end*."""

    def script(request: Recorded) -> Answer:
        if request.method == b"HEAD":
            return answer(request)
        body = content(request)
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        return (chunked(*pieces, end=end), *more)

    return script


def headed(lines: bytes, *more: Any) -> Script:
    """A good answer with these lines in its head."""

    def script(request: Recorded) -> Answer:
        return (answer(request).replace(b"\r\n", b"\r\n" + lines, 1), *more)

    return script


def versioned(version: bytes, *more: Any, length: bool = True) -> Script:
    def script(request: Recorded) -> Answer:
        data = answer(request).replace(b"HTTP/1.1", version, 1)
        if not length:
            data = data.replace(b"Content-Length", b"X-Length", 1)
        return (data, *more)

    return script


def late_continue(seconds: float) -> Script:
    def script(request: Recorded) -> Answer:
        if not request.expects_continue:
            return (WaitForRequest(), answer(request))
        return (Sleep(seconds), Send100(), WaitForRequest(), answer(request))

    return script


def unread(final: Script) -> Script:
    """*final* in the middle of an upload, of which no more is read then."""

    def script(request: Recorded) -> Answer:
        if request.method != b"PUT":
            return (WaitForRequest(), final(request))
        asked = (Send100(),) if request.expects_continue else ()
        return (*asked, final(request), Sleep(GAP_S), Close())  # type: ignore[return-value]

    return script


def length_with(prefix: bytes) -> Script:
    """A good answer, with *prefix* before its length."""
    return lambda r: (answer(r).replace(b"Content-Length: ", b"Content-Length: " + prefix), Close())


def chunk_with(prefix: bytes) -> Script:
    """A good answer in one chunk, with *prefix* before its size."""

    def script(request: Recorded) -> Answer:
        data = by_chunks(b"0\r\n\r\n")(request)
        if isinstance(data, tuple):
            return (data[0].replace(b"\r\n\r\n", b"\r\n\r\n" + prefix, 1), Close())
        return data

    return script


def _with_bare_line_ends(data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    return (head + end).replace(b"\r\n", b"\n") + body


LENGTHLESS = b"Transfer-Encoding"
LENGTHY = b"Content-Length: 3\r\nTransfer-Encoding"
QUICK = {"read_timeout": 0.3}
BOMB = b"X-Bomb: " + b"x" * 300_000 + b"\r\n"
MANY = b"".join(b"X-%d: y\r\n" % number for number in range(110))
RESET_LATER = (Sleep(GAP_S), Reset())
ELSEWHERE = {"x_amz_bucket_region": "eu-west-1"}


def make_faults() -> dict[str, Callable[[], Fault]]:
    """Names to what makes a fault: scripts remember what they have seen, so each is made anew."""
    listed: dict[str, Callable[[], Fault]] = {
        "nothing wrong": lambda: Fault(lambda r: answer(r)),
        "hangs": lambda: Fault(raw(b"", Sleep(HANG_S)), client=QUICK, modes=("legacy",)),
        "hangs in the head": lambda: Fault(
            raw(b"HTTP/1.1 2", Sleep(HANG_S)), client=QUICK, modes=("legacy",)
        ),
        "hangs in the body": lambda: Fault(
            lambda r: (cut(r, 0.5), Sleep(HANG_S)), client=QUICK, modes=("legacy",)
        ),
        "reset before the head": lambda: Fault(raw(b"", Reset())),
        "reset in the head": lambda: Fault(raw(b"HTTP/1.1 200 OK\r\nCont", *RESET_LATER)),
        "reset in the body": lambda: Fault(lambda r: (cut(r, 0.5), *RESET_LATER)),
        "reset after the head": lambda: Fault(
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", *RESET_LATER)
        ),
        "closed before the head": lambda: Fault(raw(b"", Close())),
        "closed once": lambda: Fault(once(raw(b"", Close()))),
        "reset once": lambda: Fault(once(raw(b"", Reset()))),
        "closed in the status line": lambda: Fault(raw(b"HTTP/1.1 20", Close())),
        "closed in the head": lambda: Fault(raw(b"HTTP/1.1 200 OK\r\nContent-Le", Close())),
        "closed in the body": lambda: Fault(lambda r: (cut(r, 0.5), Close())),
        "closed in a chunk": lambda: Fault(by_chunks(b"9\r\nabc", Close())),
        "closed between chunks": lambda: Fault(by_chunks(b"", Close())),
        "closed before the last line": lambda: Fault(by_chunks(b"0\r\n", Close())),
        "longer than it says": lambda: Fault(lambda r: answer(r) + b"surplus"),
        "a huge chunk": lambda: Fault(by_chunks(b"f" * 17 + b"\r\n", Close())),
        "a chunk size with a plus": lambda: Fault(chunk_with(b"+")),
        "bad chunk size": lambda: Fault(by_chunks(b"zz\r\n", Close())),
        "negative chunk size": lambda: Fault(by_chunks(b"-1\r\n", Close())),
        "trailers": lambda: Fault(by_chunks(b"0\r\nX-Trailer: t\r\n\r\n")),
        "chunk extensions": lambda: Fault(by_chunks(b"0;a=b\r\n\r\n")),
        "early hints": lambda: Fault(
            lambda r: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(r)
        ),
        "100 unasked": lambda: Fault(lambda r: b"HTTP/1.1 100 Continue\r\n\r\n" + answer(r)),
        "100 late": lambda: Fault(late_continue(0.1), {"early": True}, modes=("legacy",)),
        "102 thrice": lambda: Fault(lambda r: b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + answer(r)),
        "100 with headers": lambda: Fault(
            lambda r: b"HTTP/1.1 100 Continue\r\nETag: x\r\nx-amz-request-id: i\r\n\r\n" + answer(r)
        ),
        "100 later than is waited for": lambda: Fault(
            late_continue(1.1), {"early": True}, modes=("legacy",)
        ),
        "100 never": lambda: Fault(
            lambda r: answer(r),
            {"expect": "ignore"},
            {"read_timeout": 1.3},
            modes=("legacy",),
            flavours=("sync",),  # aiohttp waits for it for ever
        ),
        "early refusal": lambda: Fault(error(403, "AccessDenied"), {"expect": "final"}),
        "early refusal, closing": lambda: Fault(
            lambda r: (error(403, "AccessDenied", Connection="close")(r), Close()),
            {"expect": "final"},
        ),
        "early error": lambda: Fault(error(503, "SlowDown"), {"expect": "final"}),
        "early success": lambda: Fault(lambda r: answer(r), {"expect": "final"}),
        "417": lambda: Fault(error(417, "ExpectationFailed"), {"expect": "final"}),
        "early refusal in the middle of the body": lambda: Fault(
            unread(error(403, "AccessDenied", Connection="close")), {"early": True}
        ),
        "wrong crc32": lambda: Fault(lambda r: answer(r, x_amz_checksum_crc32="AAAAAA==")),
        "wrong sha256": lambda: Fault(lambda r: answer(r, x_amz_checksum_sha256=f"{'A' * 43}=")),
        "a checksum of parts": lambda: Fault(
            lambda r: answer(r, x_amz_checksum_crc32="AAAAAA==-3")
        ),
        "a checksum that is none": lambda: Fault(lambda r: answer(r, x_amz_checksum_crc32="?")),
        "an error in a 200": lambda: Fault(
            lambda r: error(200, "SlowDown")(r) if r.method != b"GET" else answer(r)
        ),
        "a listing cut off": lambda: Fault(
            lambda r: answer(r, 200, LISTING[:-30]) if b"list-type" in r.target else answer(r)
        ),
        "an error cut off": lambda: Fault(
            # An answer to HEAD has nothing to be cut off. Closed behind it, the connection may or
            # may not be noticed by the next attempt, which comes at once.
            lambda r: (
                error(500, "InternalError", Content_Length="999")(r),
                *(() if r.method == b"HEAD" else (Close(),)),
            )
        ),
        "an error without a body": lambda: Fault(lambda r: answer(r, 500, b"")),
        "an error in HTML": lambda: Fault(lambda r: answer(r, 502, b"<html><body>no</body>")),
        "204": lambda: Fault(raw(b"HTTP/1.1 204 No Content\r\nx-amz-request-id: r\r\n\r\n")),
        "says gzip": lambda: Fault(headed(b"Content-Encoding: gzip\r\n")),
        "an expired request": lambda: Fault(error(403, "RequestExpired")),
        "clock skew": lambda: Fault(error(403, "RequestTimeTooSkewed")),
        "expired token": lambda: Fault(error(400, "ExpiredToken")),
        "request timeout": lambda: Fault(error(400, "RequestTimeout")),
        "reset while idle": lambda: Fault(lambda r: (answer(r), *RESET_LATER)),
        "closed while idle": lambda: Fault(lambda r: (answer(r), Close())),
        "connection: close": lambda: Fault(lambda r: (answer(r, Connection="close"), Close())),
        "connection: close, left open": lambda: Fault(lambda r: answer(r, Connection="close")),
        "HTTP/1.0": lambda: Fault(versioned(b"HTTP/1.0", Close())),
        "HTTP/1.0, left open": lambda: Fault(versioned(b"HTTP/1.0")),
        "HTTP/1.0 without a length": lambda: Fault(versioned(b"HTTP/1.0", Close(), length=False)),
        "HTTP/1.1 without a length": lambda: Fault(versioned(b"HTTP/1.1", Close(), length=False)),
        "HTTP/2.0 in the line": lambda: Fault(versioned(b"HTTP/2.0", Close())),
        "garbage": lambda: Fault(raw(b"\x00\x01\x02 not http\r\n\r\n", Close())),
        "another protocol": lambda: Fault(raw(b"SSH-2.0-OpenSSH_9.0\r\n", Close())),
        "status out of range": lambda: Fault(raw(b"HTTP/1.1 99 Low\r\n\r\n", Close())),
        "110 headers": lambda: Fault(headed(MANY, Close())),
        "a head of 2 MB without an end": lambda: Fault(
            raw(b"HTTP/1.1 200 OK\r\nX-Bomb: ", b"x" * 2_000_000, Close())
        ),
        "a header of 300 kB": lambda: Fault(headed(BOMB, Close())),
        "a line without a colon": lambda: Fault(headed(b"no colon here\r\n", Close())),
        "a space before the colon": lambda: Fault(headed(b"X-Space : y\r\n", Close())),
        "a header over two lines": lambda: Fault(headed(b"X-Folded: a\r\n b\r\n", Close())),
        "lines that end in LF alone": lambda: Fault(
            lambda r: (_with_bare_line_ends(answer(r)), Close())
        ),
        "a length and chunks": lambda: Fault(
            lambda r: (
                (by_chunks(b"0\r\n\r\n")(r)[0].replace(LENGTHLESS, LENGTHY), Close())
                if r.method != b"HEAD"
                else answer(r)
            )
        ),
        "a coding that is not known": lambda: Fault(headed(b"Transfer-Encoding: x\r\n", Close())),
        "a negative length": lambda: Fault(length_with(b"-")),
        "a length with a plus": lambda: Fault(length_with(b"+")),
        "a huge length": lambda: Fault(length_with(b"9" * 40)),
        "two lengths": lambda: Fault(headed(b"Content-Length: 3\r\n", Close())),
        "the same length twice": lambda: Fault(
            lambda r: (
                answer(r).replace(b"\r\n", b"\r\nContent-Length: %d\r\n" % _length(r), 1),
                Close(),
            )
        ),
        "a length that is no number": lambda: Fault(
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Close())
        ),
        "drips": lambda: Fault(lambda r: Drip(answer(r), 500, 0.001)),
        "drips in the head": lambda: Fault(lambda r: (Drip(answer(r)[:60], 3), answer(r)[60:])),
        "drips in chunks": lambda: Fault(by_chunks(b"0\r\n\r\n", size=700)),
        "TLS not trusted": lambda: Fault(
            lambda r: answer(r), scheme="https", client={"verify": "other_ca"}
        ),
        "TLS of another name": lambda: Fault(
            lambda r: answer(r), scheme="https", host="wrong.localhost", client={"verify": "ca"}
        ),
        "TLS, nothing wrong": lambda: Fault(
            lambda r: answer(r), scheme="https", client={"verify": "ca"}
        ),
        "TLS, closed in the body": lambda: Fault(
            lambda r: (cut(r, 0.5), Close()), scheme="https", client={"verify": "ca"}
        ),
        "TLS, closed before the head": lambda: Fault(
            raw(b"", Close(notify=True)), scheme="https", client={"verify": "ca"}
        ),
        "http on the https port": lambda: Fault(
            lambda r: answer(r),
            {"on_connect": (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", Close())},
            {"verify": "ca"},
            scheme="https without TLS",
        ),
    }
    for status, code in (
        (500, "InternalError"),
        (502, "BadGateway"),
        (503, "SlowDown"),
        (504, "Timeout"),
        (429, "TooManyRequests"),
        (409, "OperationAborted"),
        (404, "NoSuchKey"),
    ):
        listed[f"{status}"] = lambda s=status, c=code: Fault(error(s, c))
        listed[f"{status}, once"] = lambda s=status, c=code: Fault(once(error(s, c)))
    for status in (429, 500, 502, 503, 504):
        listed[f"{status}, Retry-After"] = lambda s=status: Fault(
            error(s, "SlowDown", Retry_After="1", x_amz_retry_after="10")
        )
    for status, code in (
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
        (400, "AuthorizationHeaderMalformed"),
    ):
        inside = "<Region>eu-west-1</Region>"
        listed[f"{status} {code}"] = lambda s=status, c=code, i=inside: Fault(
            once(error(s, c, i, **ELSEWHERE))
        )
        listed[f"{status} {code}, no header"] = lambda s=status, c=code, i=inside: Fault(
            once(error(s, c, i))
        )
        listed[f"{status} {code}, always"] = lambda s=status, c=code, i=inside: Fault(
            error(s, c, i, **ELSEWHERE)
        )
    for status in (301, 302, 303, 307, 308):
        listed[f"{status} with a Location"] = lambda s=status: Fault(once(moved(s)))
    return listed


def _length(request: Recorded) -> int:
    return len(content(request))


FAULTS = make_faults()
CASES = [
    (flavour, name, mode)
    for name, make in FAULTS.items()
    for flavour in make().flavours
    for mode in make().modes
]

# Where stock goes on with what is no HTTP, and the fast path does not: `http.client` takes the end
# of the stream for the end of a head or of trailers, and guesses at what it cannot read. The fast
# path's framing is strict (`http1.py`, rule 2), and the attempt fails.
STRICTER = {
    "sync": {
        "closed in the head",
        "closed before the last line",
        "a huge chunk",
        "a chunk size with a plus",
        "a header over two lines",
        "lines that end in LF alone",
        "a length and chunks",
        "a coding that is not known",
        "a negative length",
        "a length with a plus",
        "a huge length",
        "bad chunk size",
        "negative chunk size",
        "a line without a colon",
        "a space before the colon",
        "two lengths",
        "the same length twice",
        "a length that is no number",
    },
    "async": set[str](),
}
# Where stock trips and the fast path gives what the server meant: `http.client` takes 103 for the
# final answer; aiohttp refuses an answer that bytes follow, if they come in one piece with it.
KINDER = {
    ("sync", "direct"): {"early hints", "102 thrice"},
    ("async", "direct"): {"longer than it says"},
    ("async", "aiohttp"): set[str](),
    ("async", "aiosonic"): {"longer than it says"},
}
