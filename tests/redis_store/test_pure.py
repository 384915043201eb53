"""The pure files: names, ranges, conditions, checksums, URLs, records and merges."""

from __future__ import annotations

import base64
import datetime
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boto_accel.redis_store.checksums import combined
from boto_accel.redis_store.conditions import check_copied, check_read
from boto_accel.redis_store.keys import PIECE, Schema
from boto_accel.redis_store.merging import Merge, bounds
from boto_accel.redis_store.records import Blob, Facts, decode_head, slices
from boto_accel.redis_store.semantics import (
    Refusal,
    check_new_bucket,
    check_parts,
    copied_range,
    key_bytes,
    last_of_token,
    read_range,
    tags_of_header,
    token_of,
    ttl_ms,
    user_metadata,
)
from boto_accel.redis_store.urls import Address, is_ours, read_url, shown, with_host

ETAG = '"e"'


def refused(call: Any, *args: Any) -> str:
    with pytest.raises(Refusal) as caught:
        call(*args)
    return str(caught.value.code)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=2-", (2, 9)),
        ("bytes=2-100", (2, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-100", (0, 9)),
        ("bytes=5-4", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=-", None),
    ],
)
def test_ranges(header: str, found: Any) -> None:
    assert read_range(header, 10) == found


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_ranges_that_cannot_be(header: str, size: int) -> None:
    assert refused(read_range, header, size) == "InvalidRange"


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-1", "bytes=3-2", "bytes=0-10", "0-1"])
def test_copied_ranges_have_both_ends(header: str) -> None:
    assert copied_range("bytes=0-9", 10) == (0, 9)
    assert refused(copied_range, header, 10) == "InvalidArgument"


AT = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
LATER = AT + datetime.timedelta(seconds=100)
EARLIER = AT - datetime.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        ({"Match": "e"}, ""),
        ({"Match": "*"}, ""),
        ({"Match": '"x", "e"'}, ""),
        ({"Match": 'W/"e"'}, ""),
        ({"Match": "x"}, "PreconditionFailed"),
        ({"NoneMatch": "e"}, "304"),
        ({"NoneMatch": "x"}, ""),
        ({"ModifiedSince": AT}, "304"),
        ({"ModifiedSince": EARLIER}, ""),
        ({"UnmodifiedSince": EARLIER}, "PreconditionFailed"),
        ({"UnmodifiedSince": AT}, ""),
        # whatever botocore takes for a date; without a zone it is UTC
        ({"ModifiedSince": AT.replace(tzinfo=None)}, "304"),
        ({"ModifiedSince": EARLIER.replace(tzinfo=None)}, ""),
        ({"ModifiedSince": AT.timestamp()}, "304"),
        ({"ModifiedSince": "2026-01-01 12:00:00+0000"}, "304"),
        ({"ModifiedSince": "20260101T115959Z"}, ""),
        ({"ModifiedSince": AT.astimezone(datetime.timezone(datetime.timedelta(hours=3)))}, "304"),
        ({"UnmodifiedSince": AT + datetime.timedelta(microseconds=5)}, ""),
        # S3 API, GetObject: the two pairs of which the first counts
        ({"Match": "e", "UnmodifiedSince": EARLIER}, ""),
        ({"NoneMatch": "x", "ModifiedSince": LATER}, ""),
        ({"NoneMatch": "e", "ModifiedSince": EARLIER}, "304"),
    ],
)
def test_conditions(conditions: dict[str, Any], outcome: str) -> None:
    of_read = {f"If{name}": value for name, value in conditions.items()}
    of_copy = {f"CopySourceIf{name}": value for name, value in conditions.items()}
    if not outcome:
        check_read(of_read, ETAG, AT)
        check_copied(of_copy, ETAG, AT)
    else:
        assert refused(check_read, of_read, ETAG, AT) == outcome
        assert refused(check_copied, of_copy, ETAG, AT) == "PreconditionFailed"


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 64, "Up", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "xn--a", "a-s3alias", "a b"],
)
def test_names_that_no_bucket_has(name: str) -> None:
    assert refused(check_new_bucket, name) == "InvalidBucketName"


def test_keys_and_metadata_have_bounds() -> None:
    assert key_bytes("ü" * 512) == "ü".encode() * 512
    assert refused(key_bytes, "ü" * 513) == "KeyTooLongError"
    assert user_metadata({"A-B": " x "}) == {"a-b": "x"}
    assert refused(user_metadata, {"a": "x" * 2048}) == "MetadataTooLarge"


def test_tags() -> None:
    assert tags_of_header("a=1&b=&c=x%20y") == [("a", "1"), ("b", ""), ("c", "x y")]
    for text in ("a=1&a=2", "aws:x=1", "=1", f"a={'x' * 257}"):
        assert refused(tags_of_header, text) == "InvalidTag"


def test_parts() -> None:
    big = 5 * 1024 * 1024
    known = {1: ('"a"', big), 2: ('"b"', 1), 3: ('"c"', 1)}
    check_parts([(1, "a"), (2, '"b"')], known)
    assert refused(check_parts, [], known) == "MalformedXML"
    assert refused(check_parts, [(2, "b"), (1, "a")], known) == "InvalidPartOrder"
    assert refused(check_parts, [(1, "a"), (1, "a")], known) == "InvalidPartOrder"
    assert refused(check_parts, [(1, "x")], known) == "InvalidPart"
    assert refused(check_parts, [(4, "a")], known) == "InvalidPart"
    assert refused(check_parts, [(2, "b"), (3, "c")], known) == "EntityTooSmall"


@given(st.binary())
def test_tokens(last: bytes) -> None:
    assert last_of_token(token_of(last)) == last


@pytest.mark.parametrize("token", ["", "???", "AAAA", "1"])
def test_tokens_of_others(token: str) -> None:
    assert refused(last_of_token, token) == "InvalidArgument"


def test_times_to_live() -> None:
    assert ttl_ms({"ttl": "1.5"}, 200.0, 7, 100.0) == 1500
    assert ttl_ms({"ttl": "0"}, 200.0, 7, 100.0) == 100_000
    assert ttl_ms({"ttl": "-1"}, 99.0, 7, 100.0) == 7000
    assert ttl_ms({}, None, None, 100.0) is None
    assert ttl_ms({"ttl": "9" * 12}, None, None, 100.0) is None


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=6))
def test_checksums_of_parts_make_that_of_the_whole(parts: list[bytes]) -> None:
    def crc(data: bytes) -> str:
        return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()

    assert combined("CRC32", [(crc(each), len(each)) for each in parts]) == crc(b"".join(parts))


def test_the_other_polynomials() -> None:
    """The check values of CRC-32C and CRC-64/NVME of "123456789", put together of two parts."""
    known = {
        # of b"12345", of b"6789", of both: catalogue of parametrised CRC algorithms
        "CRC32C": ("123456789", 0xE3069283, 0x82F63B78, 32),
        "CRC64NVME": ("123456789", 0xAE8B14860A799888, 0x9A6C9329AC4BC9B5, 64),
    }
    for algorithm, (text, check, polynomial, width) in known.items():

        def crc(data: bytes, polynomial: int = polynomial, width: int = width) -> int:
            value = ones = (1 << width) - 1
            for byte in data:
                value ^= byte
                for _ in range(8):
                    value = (value >> 1) ^ (polynomial if value & 1 else 0)
            return value ^ ones

        def told(value: int, width: int = width) -> str:
            return base64.b64encode(value.to_bytes(width // 8, "big")).decode()

        assert crc(text.encode()) == check
        first, second = text[:5].encode(), text[5:].encode()
        parts = [(told(crc(first)), len(first)), (told(crc(second)), len(second))]
        assert combined(algorithm, parts) == told(check)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", Address("server", (("h", 6379),))),
        ("rediss://h:1/2", Address("server", (("h", 1),), tls=True, db=2)),
        (
            "redis://u%40:p%2F:@h:1/0?socket_timeout=2&prefix=x",
            Address("server", (("h", 1),), username="u@", password="p/:", prefix="x",
                    options=(("socket_timeout", "2"),)),
        ),
        ("redis://[::1]:1/0", Address("server", (("::1", 1),))),
        ("unix://:p@localhost/a/b.sock?db=3",
         Address("unix", (("localhost", 6379),), password="p", db=3, path="/a/b.sock")),
        ("redis+cluster://a:1,b:2", Address("cluster", (("a", 1), ("b", 2)))),
        ("redis+sentinel://a:1,b:2/main/3",
         Address("sentinel", (("a", 1), ("b", 2)), service="main", db=3)),
        ("redis+embedded://local/x/", Address("embedded", (("local", 6379),), path="/x")),
        ("redis+embedded://", Address("embedded")),
        ("unix:///a.sock", Address("unix", path="/a.sock")),
    ],
)  # fmt: skip
def test_urls(url: str, address: Address) -> None:
    assert is_ours(url)
    found = read_url(url)
    assert found == address
    assert "p" not in (found.shown if found.password == "p" else "")


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("redis+embedded://", "redis+embedded://local"),
        ("redis+embedded://?prefix=x", "redis+embedded://local?prefix=x"),
        ("redis+embedded:///a/b", "redis+embedded://local/a/b"),
        ("unix:///a.sock?db=1", "unix://localhost/a.sock?db=1"),
        ("unix://u:p@/a.sock", "unix://u:p@localhost/a.sock"),
        ("UNIX://:p%40@/a.sock", "UNIX://:p%40@localhost/a.sock"),
        ("unix://other/a.sock", "unix://other/a.sock"),  # which `read_url` refuses
        ("redis:///0", "redis:///0"),  # which botocore refuses
    ],
)
def test_a_url_without_a_host(url: str, whole: str) -> None:
    assert with_host(url) == with_host(whole) == whole


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://u:secret@h:1/2?password=secret", "redis://h:1/2"),
        ("unix://:secret@/a.sock", "unix://localhost/a.sock"),
        ("redis://u:secret@h:port/2", "redis://…"),
    ],
)
def test_what_is_shown_of_a_url(url: str, text: str) -> None:
    assert shown(url) == text


def test_urls_of_others() -> None:
    for url in ("http://h", "https://redis", "", None, "redis", "memory://"):
        assert not is_ours(url)


@given(
    st.lists(st.integers(0, 3 * PIECE), min_size=1, max_size=4),
    st.integers(0, 12 * PIECE),
    st.integers(0, 12 * PIECE),
)
def test_slices_cover_what_is_asked_for(sizes: list[int], one: int, other: int) -> None:
    total = sum(sizes)
    first, last = sorted((one, other))
    found = slices([Blob(str(index), size) for index, size in enumerate(sizes)], first, last)
    assert sum(each.last - each.first + 1 for each in found) == max(
        0, min(last, total - 1) - first + 1
    )
    assert all(0 <= each.first <= each.last < PIECE for each in found)


def test_records_come_back() -> None:
    facts = Facts("id", 3, ETAG, {"ContentType": "x/ü"}, {"a": "b"}, {"ChecksumCRC32": "x"},
                  "FULL_OBJECT", (Blob("b", 3, "s"),), 1)  # fmt: skip
    assert decode_head(f"12/3 {facts.encode()}".encode()) == (facts, 12, 3)
    empty = Facts("id", 0, ETAG)
    assert decode_head(f"12/0 {empty.encode()}".encode()).facts == empty


KEYS = st.text(st.sampled_from("a/b\U0001f600é"), min_size=1, max_size=4).map(str.encode)


@given(
    st.sets(KEYS), st.integers(1, 5), st.integers(1, 6), KEYS | st.just(b""), KEYS | st.just(b"")
)
def test_a_merge_is_the_sorted_whole(
    keys: set[bytes], shards: int, limit: int, after: bytes, prefix: bytes
) -> None:
    """Of shards that give a page at a time, whatever its length."""
    schema = Schema("p", shards)
    start, end = bounds(after, prefix, b"")
    merge = Merge(shards, start, limit)
    while asked := merge.to_ask():
        for cursor in asked:
            own = [key for key in sorted(keys) if zlib.crc32(key) % schema.shards == cursor.shard]
            page = [key for key in own if is_within(key, cursor.start, end)][: max(1, merge.share)]
            more = b"(" + page[-1] if len(page) == max(1, merge.share) else b""
            cursor.take([more, b"1", b"dead", *(each for key in page for each in (key, b"head"))])
    wanted = [key for key in sorted(keys) if key > after and key.startswith(prefix)]
    assert [each.name for each in merge.found] == wanted[:limit]


def is_within(key: bytes, start: bytes, end: bytes) -> bool:
    """As ZRANGEBYLEX has it."""
    above = start == b"-" or (key > start[1:] if start[:1] == b"(" else key >= start[1:])
    return above and (end == b"+" or key < end[1:])
