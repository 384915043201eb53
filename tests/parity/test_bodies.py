"""Every kind of body, on every way of sending it: bytes, framing, checksum and position after."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.generate.answers import RawAnswer
from tests.parity.bodies import KINDS, FailingOnce, Falsy, Unfinished
from tests.parity.configs import RETRYING, SETUPS, ClientSetup
from tests.parity.worlds import OK, Request, World

pytestmark = [
    pytest.mark.filterwarnings("ignore:Unverified HTTPS request"),
    # aiohttp's, about bytes of more than a MiB
    pytest.mark.filterwarnings("ignore:Sending a large body directly"),
]

WAYS = (
    "http, path",
    "https, path",
    "http, checksums when required",
    "https, checksums when required",
    "http, payload signed",
    "https, payload signed",
    "http, payload unsigned",
    "https, anonymous",
    "http, anonymous",
)
SMALL = b"0123456789" * 10
# Longer than botocore's own chunk of an aws-chunked body (1 MiB), and no multiple of it.
LARGE = bytes(range(256)) * 4096 + b"and the rest"
# Those that must go fast; the others may be handed to stock.
FAST_KINDS = {
    "sync": ("bytes", "str", "bytearray", "BytesIO", "BytesIO at an offset", "file", "own reader"),
    # aiohttp sends no reader that is not of `io`, unless it goes into aws-chunked coding
    "async": ("bytes", "str", "bytearray", "BytesIO", "BytesIO at an offset", "file"),
}


def upload(kind: str, content: bytes, operation: str = "put_object", **more: Any) -> Request:
    def make_params(stack: ExitStack) -> dict[str, Any]:
        params = {"Bucket": "bucket", "Key": "k", "Body": KINDS[kind](content, stack), **more}
        if operation == "upload_part":
            params.update(PartNumber=1, UploadId="upload")
        return params

    return Request(operation, make_params)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", list(KINDS))
def test_bodies_are_sent_as_stock_sends_them(world: World, kind: str, way: str) -> None:
    for content in (SMALL, b"", b"\xff", LARGE):
        pair = world.compare(SETUPS[way], upload(kind, content))
        assert pair.differences() == [], len(content)
        assert pair.went_fast or kind not in FAST_KINDS[world.flavour]


@pytest.mark.parametrize("kind", list(KINDS))
def test_parts_are_sent_as_stock_sends_them(world: World, kind: str) -> None:
    for way in ("http, path", "https, path"):
        pair = world.compare(SETUPS[way], upload(kind, SMALL, "upload_part"))
        assert pair.differences() == []
        assert pair.went_fast or kind not in FAST_KINDS[world.flavour]


# A body at its end is shorter than it says: stock waits for the rest, and so would the test.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "BytesIO at its end"])
def test_bodies_with_a_length_given(world: World, kind: str) -> None:
    for way in ("http, path", "https, path", "https, checksums when required"):
        pair = world.compare(SETUPS[way], upload(kind, SMALL, ContentLength=len(SMALL)))
        assert pair.differences() == []


def test_a_reader_that_is_false_has_no_length(world: World) -> None:
    """Whatever is in it: so stock says. Where it says so in Content-Length, nobody can answer."""
    params = lambda _: {"Bucket": "bucket", "Key": "k", "Body": Falsy(SMALL)}  # noqa: E731
    pair = world.compare(SETUPS["https, path"], Request("put_object", params))
    assert dict(pair.stock.requests[0].headers)["x-amz-decoded-content-length"] == "0"
    assert pair.differences() == []


@pytest.mark.parametrize("way", ["http, path", "http, payload signed", "http, anonymous"])
def test_a_reader_that_would_have_to_wait_is_not_at_its_end(world: World, way: str) -> None:
    params = lambda _: {"Bucket": "bucket", "Key": "k", "Body": Unfinished(SMALL)}  # noqa: E731
    pair = world.compare(SETUPS[way], Request("put_object", params))
    assert pair.stock.error is not None
    assert pair.differences() == []


ALGORITHMS = ("CRC32", "SHA1", "SHA256", "SHA512", "CRC32C", "CRC64NVME", "XXHASH64", "crc32", "NO")
GIVEN: tuple[dict[str, Any], ...] = (
    {"ChecksumCRC32": "AAAAAA=="},
    {"ChecksumSHA256": "given"},
    {"ContentMD5": "given"},
    {"ChecksumAlgorithm": "SHA1", "ChecksumSHA1": "given"},
    {"ContentEncoding": "gzip"},
    {"ContentEncoding": "gzip", "ChecksumAlgorithm": "SHA256"},
)


@pytest.mark.parametrize("kind", ["bytes", "BytesIO at an offset"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_explicit_algorithms(world: World, algorithm: str, kind: str) -> None:
    """Those that need awscrt end in stock's error where it is not installed."""
    for way in WAYS:
        pair = world.compare(SETUPS[way], upload(kind, SMALL, ChecksumAlgorithm=algorithm))
        assert pair.differences() == [], way


@pytest.mark.parametrize("number", range(len(GIVEN)))
def test_checksums_given_by_the_caller(world: World, number: int) -> None:
    for way in WAYS:
        for kind in ("bytes", "BytesIO"):
            pair = world.compare(SETUPS[way], upload(kind, SMALL, **GIVEN[number]))
            assert pair.differences() == [], way


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithms_of_documents(world: World, algorithm: str) -> None:
    """XML bodies carry checksums too; DeleteObjects must."""
    for way in WAYS:
        params = {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "a&b\r\n"}]}}
        params["ChecksumAlgorithm"] = algorithm
        pair = world.compare(SETUPS[way], Request("delete_objects", lambda _, p=params: dict(p)))
        assert pair.differences() == [], way


@pytest.mark.parametrize("kind", list(KINDS))
def test_bodies_are_rewound_for_another_attempt(world: World, kind: str) -> None:
    down = RawAnswer(status=503, body=b"<Error><Code>SlowDown</Code></Error>")
    for content in (SMALL, LARGE):
        call = upload(kind, content)
        retried = Request(call.method, call.make_params, answers=[down, OK])
        pair = world.compare(RETRYING["legacy"], retried)
        assert pair.differences() == []


def unused(name: str) -> ClientSetup:
    """A setup whose clients have made no call: what a call of its kind learns is still unknown."""
    plain = SETUPS["http, path"]
    return replace(plain, options={**plain.options, "user_agent_extra": name})


@pytest.mark.parametrize("kind", ["text file", "StringIO", "generator"])
def test_the_first_call_leaves_a_body_where_stock_leaves_it(world: World, kind: str) -> None:
    """Where stock refuses it in the middle of its checksum."""
    pair = world.compare(unused(kind.replace(" ", "-")), upload(kind, LARGE))
    assert pair.stock.error is not None
    assert pair.differences() == []


def test_a_body_that_fails_in_the_first_call_is_never_sent_in_part(world: World) -> None:
    """Stock raises what the body raises; ours may ask again, and sends all of it then."""
    params = lambda _: {"Bucket": "bucket", "Key": "k", "Body": FailingOnce(LARGE)}  # noqa: E731
    pair = world.compare(unused("failing"), Request("put_object", params))
    assert pair.stock.error is not None
    assert pair.stock.requests == ()
    for fast in pair.by_engine.values():
        assert [sent.body for sent in fast.requests] == [LARGE]
