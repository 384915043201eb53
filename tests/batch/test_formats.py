"""The bytes of tars and indexes, and the names in S3: pure."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from hashlib import md5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boto_accel.batch import index, names, tar
from boto_accel.batch.errors import DamagedBatchError
from boto_accel.batch.index import Entry, Index
from boto_accel.batch.match import Match, read_match
from boto_accel.batch.replies import Span, _span
from boto_accel.errors import InvalidOptionError
from tests.batch.memory import entries_of, reader_of

# On a busy machine drawing takes its time; nothing is timed here.
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
STAMP = 1_763_738_839_123_456_789
KEYS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300
).filter(tar.is_member_name)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
HEADERS = st.dictionaries(st.sampled_from(sorted(tar.HEADERS)), VALUES)
METADATA = st.dictionaries(st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True), VALUES)
OBJECTS = st.lists(st.tuples(KEYS, st.binary(max_size=1500), HEADERS, METADATA), max_size=5)


def built(objects: list[tuple[str, bytes, dict[str, str], dict[str, str]]]) -> bytes:
    data = tar.opening("batch", "bucket")
    for key, body, headers, metadata in objects:
        shared = tar.attributes(headers, metadata)
        etag = md5(body, usedforsecurity=False).hexdigest()
        data += tar.member_head(key, STAMP, len(body), etag, shared) + body + tar.padding(len(body))
    return data + tar.END


@SLOW
@given(OBJECTS.filter(bool))  # `tarfile` opens no archive without members
def test_what_is_written_is_read(
    objects: list[tuple[str, bytes, dict[str, str], dict[str, str]]],
) -> None:
    """By `scan`, and by `tarfile`; contents are where the entries say."""
    data = built(objects)
    found = entries_of(data)
    assert [(each.key, each.headers, each.metadata) for each in found] == [
        (key, headers, metadata) for key, _, headers, metadata in objects
    ]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert [each.name for each in members] == [key for key, *_ in objects]
        for member, entry, (_, body, *_) in zip(members, found, objects, strict=True):
            assert (member.offset_data, member.size) == (entry.offset, entry.size)
            assert data[entry.offset :][: entry.size] == body
            assert member.pax_headers["mtime"] == "1763738839.123456789"


@SLOW
@given(KEYS, st.integers(0, 10**6))
def test_a_member_is_the_standard_librarys(key: str, size: int) -> None:
    """Byte for byte `TarInfo.tobuf`."""
    info = tarfile.TarInfo(key)
    info.size, info.mtime = size, STAMP // 10**9
    info.pax_headers = {
        "path": key,
        "mtime": "1763738839.123456789",
        "SCHILY.xattr.user.s3.etag": "0" * 32,
        "SCHILY.xattr.user.s3.content-type": "a/b",
    }
    shared = tar.attributes({"ContentType": "a/b"}, {})
    assert tar.member_head(key, STAMP, size, "0" * 32, shared) == info.tobuf(tarfile.PAX_FORMAT)


@SLOW
@given(OBJECTS, st.data())
def test_a_cut_or_spoilt_tar_gives_a_beginning(
    objects: list[tuple[str, bytes, dict[str, str], dict[str, str]]], data: st.DataObject
) -> None:
    """Whatever happens to its end, what is read is what was written, as far as it goes."""
    whole = built(objects)
    wanted = entries_of(whole)
    cut = data.draw(st.integers(0, len(whole)))
    zeros = data.draw(st.integers(0, 2000))
    found = entries_of(whole[:cut] + bytes(zeros))
    assert found == wanted[: len(found)]
    place = data.draw(st.integers(0, len(whole) - 1))
    spoilt = bytearray(whole)
    spoilt[place] ^= data.draw(st.integers(1, 255))
    for entry in entries_of(bytes(spoilt)):
        body = bytes(spoilt)[entry.offset :][: entry.size]
        assert md5(body, usedforsecurity=False).hexdigest() == entry.etag


def test_where_something_sound_begins_again() -> None:
    first, second = built([("a", b"1" * 600, {}, {})]), built([("b", b"2", {}, {})])
    spoilt = first[:1100] + b"XXXX" + first[1104:-1024] + second
    start = tar.find_after(reader_of(spoilt), 1024, len(spoilt))
    assert start == len(first) - 1024
    assert tar.find_after(reader_of(spoilt), len(spoilt) - 1024, len(spoilt)) is None


@pytest.mark.parametrize("key", ["", "/a", "a/", "a/..", "../a", "a/./b", ".", "a\0b", "\ud800"])
def test_names_that_do_not_survive_a_tar(key: str) -> None:
    assert not tar.is_member_name(key)


@pytest.mark.parametrize("key", ["a", "a/b", "...", "a..b/c", ".hidden", "a//b", "é", "a b\n"])
def test_names_that_do(key: str) -> None:
    assert tar.is_member_name(key)


ENTRIES = st.builds(
    Entry,
    KEYS,
    st.integers(0, 2**62),
    st.sampled_from([index.OBJECT, index.DELETED, index.PLAIN]),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.sampled_from(["", "0" * 32]),
    HEADERS,
    METADATA,
)


@SLOW
@given(st.lists(ENTRIES, max_size=5))
def test_an_index_comes_back(entries: list[Entry]) -> None:
    given_ = Index("batch", "bucket", 5, entries)
    assert index.decode("name", index.encode(given_)) == given_


def line(**changes: object) -> bytes:
    head = {
        "format": index.FORMAT,
        "version": 1,
        "batch": "b",
        "bucket": "k",
        "length": 1,
        "entries": 1,
        **changes,
    }
    return json.dumps(head).encode() + b"\n"


WHOLE = index.encode(Index("b", "k", 1, [Entry("a", 1)]))


NO_INDEXES = [
    b"",
    b"no gzip",
    WHOLE[:-5],
    WHOLE + b"x",
    WHOLE + WHOLE,
    gzip.compress(b""),
    gzip.compress(b"[" * 100_000),
    gzip.compress(line(format="other") + b'[0,"a",1]\n'),
    gzip.compress(line(version=2) + b'[0,"a",1]\n'),
    gzip.compress(line(entries=2) + b'[0,"a",1]\n'),
    gzip.compress(line(length=-1) + b'[0,"a",1]\n'),
    gzip.compress(line() + b'[3,"a",1]\n'),
    gzip.compress(line() + b"[0,5,1]\n"),
    gzip.compress(line() + b'[0,"a",1.5]\n'),
    gzip.compress(line() + b'[0,"a",1,-1]\n'),
    gzip.compress(line() + b'[0,"a",1,0,0,"",{"x":1}]\n'),
    gzip.compress(line() + b'[0,"a",1,0,0,"",{},{},9]\n'),
    gzip.compress(line() + b'[0,"a"]\n'),
    gzip.compress(line() + b'{"a":1}\n'),
]


@pytest.mark.parametrize("number", range(len(NO_INDEXES)))  # gzip writes the time: no id of a test
def test_what_is_no_index_is_refused(number: int) -> None:
    with pytest.raises(DamagedBatchError, match="reindex"):
        index.decode("s3://b/k", NO_INDEXES[number])


@pytest.mark.parametrize("change", [[], [1], [1, 2]])
def test_an_index_that_is_a_bomb_is_refused(
    change: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MOST_BYTES", 10)
    with pytest.raises(DamagedBatchError):
        index.decode("name", index.encode(Index("b", "k", 1, [Entry("a", n) for n in change])))


def test_batches_sort_by_time_and_never_collide() -> None:
    moments = [0.0, 1.5, 1e9, 1_800_000_000.0, 1_800_000_000.000001]
    ids = [names.new_id(moment) for moment in moments]
    assert sorted(ids) == ids
    assert len({names.new_id(1e9) for _ in range(1000)}) == 1000
    batch = ids[-1]
    key = names.index_key("p/", batch, 1e9)
    assert names.batch_of_index("p/", key) == batch
    assert names.index_start("p/", 1e9) < key < names.index_start("p/", 1e9 + 1)
    assert names.batch_of_tar("p/", names.tar_key("p/", batch)) == batch
    assert names.batch_of_tar("p/", key) is None
    assert names.batch_of_index("p/", names.tar_key("p/", batch)) is None


def test_which_keys_are_taken() -> None:
    match, _ = read_match(["s3://b/raw/*", "s3://b/x/*.json"], "s3://b/raw/batches/")
    taken = {"raw/a", "raw/a/b", "x/a.json", "raw/batch"}
    others = {"raw/batches/1.tar", "x/a.txt", "y", "Raw/a", ""}
    assert {key for key in taken | others if match.takes("b", key)} == taken
    assert not match.takes("c", "raw/a")
    under = {"", "r", "raw/", "raw/a/b", "x/", "x/y"}
    assert {each for each in {*under, "y", "rax"} if match.may_be_under("b", each)} == under
    assert Match("b", ["*"], "").takes("b", "anything")


@pytest.mark.parametrize(
    ("match", "into"),
    [
        ("raw/*", "s3://b/x/"),
        ("s3://b", "s3://b/x/"),
        ("s3://*/raw/*", "s3://b/x/"),
        (["s3://a/*", "s3://b/*"], "s3://b/x/"),
        ([], "s3://b/x/"),
        (5, "s3://b/x/"),
        ("s3://b/raw/*", "s3://b/"),
        ("s3://b/raw/*", "s3://b/x*/"),
        ("s3://b/raw/*", None),
    ],
)
def test_wrong_places_are_named(match: object, into: object) -> None:
    with pytest.raises(InvalidOptionError, match=r"^(match|into)="):
        read_match(match, into)


@pytest.mark.parametrize(
    ("text", "size", "span"),
    [
        (None, 5, Span(0, 5, False)),
        ("bytes=1-2", 5, Span(1, 2, True)),
        ("bytes=1-", 5, Span(1, 4, True)),
        ("bytes=1-99", 5, Span(1, 4, True)),
        ("bytes=-2", 5, Span(3, 2, True)),
        ("bytes=-99", 5, Span(0, 5, True)),
        ("bytes=-0", 5, None),
        ("bytes=5-", 5, None),
        ("bytes=0-", 0, None),
        ("bytes=3-1", 5, Span(0, 5, False)),
        ("bytes=0-1,3-4", 5, Span(0, 5, False)),
        ("lines=1-2", 5, Span(0, 5, False)),
    ],
)
def test_ranges(text: str | None, size: int, span: Span | None) -> None:
    assert _span(text, size) == span
