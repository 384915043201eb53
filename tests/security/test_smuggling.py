"""
What a server sends beyond its answer, or instead of one, is never the answer to the next call.

Which answers are refused, and which are read as stock reads them, is in `tests/faults`.
"""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.fastpath.callers import Caller, all_fast, open_caller
from tests.servers.capture import CaptureServer, Close, Recorded, Sleep, http_answer
from tests.servers.tls import TLSFiles, server_context

EVIL = http_answer(200, b"evil", {"x-amz-request-id": "evil"})
GOOD = b"0123456789"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"
START = b"HTTP/1.1 200 OK\r\nx-amz-request-id: first\r\n"
LENGTH = b"Content-Length: 10\r\n"


def network_errors() -> tuple[type[Exception], ...]:
    try:
        from aiohttp import ClientError as FromAiohttp
    except ImportError:
        return ()
    return (FromAiohttp,)


FAILURES = (BotoCoreError, ClientError, *network_errors())


# Bytes that answer the first call, none of which may be left for the second.
ANSWERS: dict[str, bytes] = {
    "a second answer": START + LENGTH + b"\r\n" + GOOD + EVIL,
    "two more": START + LENGTH + b"\r\n" + GOOD + EVIL + EVIL,
    "half of a second": START + LENGTH + b"\r\n" + GOOD + EVIL[:20],
    "one byte more": START + LENGTH + b"\r\n" + GOOD + b"x",
    "an empty line more": START + LENGTH + b"\r\n" + GOOD + b"\r\n",
    "behind chunks": START + CHUNKS + b"0\r\n\r\n" + EVIL,
    "behind trailers": START + CHUNKS + b"0\r\nX-Trailer: t\r\n\r\n" + EVIL,
    "another end": START + CHUNKS + b"0\r\n\r\n0\r\n\r\n" + EVIL,
    "a length before chunks": START + b"Content-Length: 3\r\n" + CHUNKS + b"0\r\n\r\n" + EVIL,
    "chunks before a length": START
    + CHUNKS.replace(b"\r\n\r\n", b"\r\nContent-Length: 15\r\n\r\n", 1)
    + b"0\r\n\r\n"
    + EVIL,
    "two lengths": START + LENGTH + b"Content-Length: 4\r\n\r\n" + GOOD + EVIL,
    "a list of lengths": START + b"Content-Length: 10, 4\r\n\r\n" + GOOD + EVIL,
    "a length with a plus": START + b"Content-Length: +10\r\n\r\n" + GOOD + EVIL,
    "a negative length": START + b"Content-Length: -10\r\n\r\n" + GOOD + EVIL,
    "a length in hexadecimal": START + b"Content-Length: 0xa\r\n\r\n" + GOOD + EVIL,
    "a length with a space before its colon": START + b"Content-Length : 10\r\n\r\n" + GOOD + EVIL,
    "a folded length": START
    + b"X-Folded: a\r\n Content-Length: 2\r\n"
    + LENGTH
    + b"\r\n"
    + GOOD
    + EVIL,
    "bare LF": (START + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + GOOD + EVIL,
    "bare CR": START + b"X-Bare: a\rX-Other: b\r\n" + LENGTH + b"\r\n" + GOOD + EVIL,
    "a NUL": START + b"X-Nul: a\x00b\r\n" + LENGTH + b"\r\n" + GOOD + EVIL,
    "a chunk that is too long": START + CHUNKS.replace(b"\na\r", b"\nb\r") + b"0\r\n\r\n" + EVIL,
    "a chunk that is too short": START + CHUNKS.replace(b"\na\r", b"\n9\r") + b"0\r\n\r\n" + EVIL,
    "spaces behind a chunk size": START
    + CHUNKS.replace(b"\na\r", b"\na  \r")
    + b"0\r\n\r\n"
    + EVIL,
    "a coding twice": START + b"Transfer-Encoding: chunked\r\n" + CHUNKS + b"0\r\n\r\n" + EVIL,
    "a coding that is not last": START
    + CHUNKS.replace(b"chunked", b"chunked, identity")
    + b"0\r\n\r\n"
    + EVIL,
    "204 with a body": b"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\nevil" + EVIL,
    "304 with a body": b"HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\nevil" + EVIL,
    "an answer split by 100": b"HTTP/1.1 100 Continue\r\n\r\n"
    + START
    + LENGTH
    + b"\r\n"
    + GOOD
    + EVIL,
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    + EVIL,
}


@pytest.fixture(autouse=True)
def _every_engine(engine: str) -> None: ...


LATE = ("a second answer", "behind chunks", "204 with a body", "304 with a body")


@pytest.mark.parametrize(
    ("name", "late"), [(name, False) for name in ANSWERS] + [(name, True) for name in LATE]
)
def test_the_next_call_has_its_own_answer(
    flavour: str, capture: Callable[..., CaptureServer], name: str, late: bool
) -> None:
    """Neither what comes in one piece with the first answer nor what follows it is a second's."""
    server = capture(script(ANSWERS[name], late))
    options = {
        "endpoint_url": server.endpoint_url,
        "read_timeout": 5,
        "retries": {"mode": "standard", "total_max_attempts": 1},
    }
    with open_caller(flavour, **options) as s3, all_fast(4):
        for method in ("get_object", "head_object"):
            with contextlib.suppress(*FAILURES):
                first(s3, method)
            settle(s3, server)
            answer = s3("get_object", Bucket="b", Key="second")
            assert answer["ResponseMetadata"]["RequestId"] == "second"
            assert s3.drain(answer["Body"]) == b"second"


def script(hostile: bytes, late: bool) -> Callable[[Recorded], Any]:
    own = http_answer(200, b"second", {"x-amz-request-id": "second"})

    def answer(request: Recorded) -> Any:
        if request.target.endswith(b"second"):
            return own
        if late:  # what does not belong to the answer comes when the connection is idle
            return [hostile[: -len(EVIL)], Sleep(0.02), EVIL, Sleep(0.02), Close()]
        return [hostile, Sleep(0.02), Close()]

    return answer


def first(s3: Caller, method: str) -> None:
    answer = s3(method, Bucket="b", Key="first")
    assert answer["ResponseMetadata"].get("RequestId") != "evil"
    if "Body" in answer:
        try:
            s3.run(answer["Body"].read())
        finally:
            answer["Body"].close()


def settle(s3: Caller, server: CaptureServer) -> None:
    """Until the server has sent all, and the client's loop has seen it."""
    assert server.wait_until_quiet()
    for _ in range(10):
        s3.run(asyncio.sleep(0)) if s3.is_async else None


@pytest.mark.parametrize("reading", ["whole", "pieces"])
@pytest.mark.parametrize("length", [66_000, 90_000, 200_000])
def test_what_shares_a_tls_record_with_the_end_of_a_long_body(
    flavour: str,
    engine: str,
    capture: Callable[..., CaptureServer],
    tls_files: TLSFiles,
    length: int,
    reading: str,
) -> None:
    """It is with the client already, where no poll of the socket shows it."""
    if engine == "aiohttp":
        pytest.skip("aiohttp itself takes it for the second answer")
    body = b"x" * length
    own = http_answer(200, b"second", {"x-amz-request-id": "second"})
    server = capture(
        lambda request: (
            own if request.target.endswith(b"second") else http_answer(200, body) + EVIL
        ),
        tls=server_context(tls_files),
    )
    options = {"endpoint_url": server.endpoint_url, "verify": str(tls_files.ca)}
    with open_caller(flavour, **options) as s3, all_fast(4):
        for _ in range(2):
            stream = s3("get_object", Bucket="b", Key="first")["Body"]
            while s3.run(stream.read(10_000) if reading == "pieces" else stream.read()):
                pass
            answer = s3("get_object", Bucket="b", Key="second")
            assert answer["ResponseMetadata"]["RequestId"] == "second"
            assert s3.drain(answer["Body"]) == b"second"


# Memory

BLOCK = b"x" * 65_536
BLOCKS = 256  # 16 MiB in all
MOST_BYTES = 8 * 2**20  # of memory that the client may take meanwhile

BOMBS: dict[str, tuple[bytes, bytes]] = {  # how it begins, and what is repeated
    "a status line": (b"HTTP/1.1 200 ", BLOCK),
    "a header": (b"HTTP/1.1 200 OK\r\nX-Bomb: ", BLOCK),
    "a header name": (b"HTTP/1.1 200 OK\r\n", BLOCK),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Bomb: y\r\n" * 6000),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2600),
    "a chunk size": (START + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65_536),
    "chunk extensions": (START + b"Transfer-Encoding: chunked\r\n\r\n1;", BLOCK),
    "trailers": (START + CHUNKS + b"0\r\n", b"X-Bomb: y\r\n" * 6000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(flavour: str, engine: str, capture: Callable[..., CaptureServer], name: str) -> None:
    """An answer whose head never ends is an error that is clear, and takes no memory."""
    if engine == "aiohttp":
        pytest.skip("the reading is aiohttp's own")
    begins, repeated = BOMBS[name]
    server = capture(lambda request: [begins, *[repeated] * BLOCKS, Close()])
    options = {
        "endpoint_url": server.endpoint_url,
        "retries": {"mode": "standard", "total_max_attempts": 1},
    }
    with open_caller(flavour, **options) as s3, all_fast():
        with contextlib.suppress(*FAILURES):
            first(s3, "get_object")  # what is learned once is learned
        with memory() as taken, contextlib.suppress(*FAILURES):
            first(s3, "get_object")
    assert taken[0] < MOST_BYTES


@contextlib.contextmanager
def memory() -> Iterator[list[int]]:
    """The most bytes that were taken at a time, within."""
    peak = [0]
    tracemalloc.start()
    try:
        yield peak
        peak[0] = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
