"""
The bytes of a batch: a tar in the pax format, written from its beginning to its end.

Rule 1: pure; no I/O, no clock. What is read comes through a function that is given.
Rule 2: nothing in a member depends on where it stands, so that it is built before it has a place.

An object is an extended header and a plain file. What tar has no field for are extended attributes
(`SCHILY.xattr.user.s3.…`), which GNU tar, bsdtar and star know and pass over in silence. What is
no object is the `comment` of a global header: which batch this is, that a key was deleted.

Source: POSIX.1-2001, pax, "pax Interchange Format"; `tarfile.TarInfo.create_pax_header`, to whose
bytes `member_head` is equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from hashlib import md5
from tarfile import BLOCKSIZE, NUL, REGTYPE, USTAR_FORMAT, XGLTYPE, XHDTYPE, TarInfo
from typing import Any, NamedTuple

from boto_accel.batch.index import DELETED, OBJECT, PLAIN, Entry

VERSION = 1
END = bytes(2 * BLOCKSIZE)  # of an archive
LONGEST_RECORDS = 64 * 1024  # bytes; S3 takes 2 KiB of metadata, and 1 KiB of key

_ATTRIBUTE = "SCHILY.xattr.user.s3."
# Of PutObject's parameters those that are kept with an object, and their attributes.
HEADERS = {
    "ContentType": "content-type",
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
}
_META = "meta."
_BY_ATTRIBUTE = {attribute: name for name, attribute in HEADERS.items()}
_NOTES = {"deleted": DELETED, "plain": PLAIN}
_NAMES_OF_NOTES = {kind: name for name, kind in _NOTES.items()}

Read = Callable[[int, int], bytes]  # offset, length; shorter only at the end


class Opening(NamedTuple):
    """What a batch begins with: its id, and the bucket of the keys in it."""

    batch: str
    bucket: str


class Found(NamedTuple):
    """Something that holds; *end* is the offset behind it."""

    what: Opening | Entry
    end: int


# Writing -------------------------------------------------------------------------------------


def is_member_name(key: str) -> bool:
    """
    Whether *key* is the same after a way through a tar.

    `tarfile` takes a slash at the end away, GNU tar one at the beginning, and nobody extracts "..".
    """
    if "\0" in key or not key.isascii():
        try:
            if b"\0" in key.encode():
                return False
        except UnicodeEncodeError:
            return False
    return _UNFIT.search(key) is None


_UNFIT = re.compile(r"^/|/$|(?:^|/)\.\.?(?:/|$)|^$")


def opening(batch: str, bucket: str) -> bytes:
    return _comment({"boto_accel": VERSION, "batch": batch, "bucket": bucket})


def note(entry: Entry) -> bytes:
    """An entry that is no object."""
    return _comment({_NAMES_OF_NOTES[entry.kind]: entry.key, "stamp": entry.stamp})


def _comment(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, separators=(",", ":"))
    return _extended(XGLTYPE, _record("comment", text.encode()))


def attributes(headers: Mapping[str, str], metadata: Mapping[str, str]) -> bytes:
    """The records of an object that many others have too."""
    named = {HEADERS[name]: value for name, value in headers.items()}
    named |= {_META + name: value for name, value in metadata.items()}
    return b"".join(_record(_ATTRIBUTE + name, value.encode()) for name, value in named.items())


def member_head(key: str, stamp: int, size: int, etag: str, shared: bytes) -> bytes:
    """What comes before the content. shared: of `attributes`."""
    second, nanosecond = divmod(stamp, 10**9)
    name = key.encode()
    # mtime: a time of ten digits, from 2001 to 2286.
    records = b"%d path=%b\n30 mtime=%d.%09d\n%b%b\n%b" % (
        _record_length(5 + len(name)),
        name,
        second,
        nanosecond,
        _ETAG,
        etag.encode(),
        shared,
    )
    return _extended(XHDTYPE, records) + _ustar(
        name if key.isascii() else _ascii(key), size, second
    )


def _ascii(key: str) -> bytes:
    return key.encode("ascii", "replace")


def padding(size: int) -> bytes:
    return NUL * (-size % BLOCKSIZE)


def _record(name: str, value: bytes) -> bytes:
    text = b"%b=%b" % (name.encode(), value)
    return b"%d %b\n" % (_record_length(len(text)), text)


@lru_cache(maxsize=2048)
def _record_length(text: int) -> int:
    """Of a record with so many bytes of name, = and value; it counts its own digits."""
    rest = text + 2  # the space, and the end of the line
    length = rest + len(str(rest))
    return rest + len(str(length))


_ETAG = _record(f"{_ATTRIBUTE}etag", bytes(32))[:-33]


def _extended(kind: bytes, records: bytes) -> bytes:
    return _extended_header(kind, len(records)) + records + padding(len(records))


@lru_cache(maxsize=1024)
def _extended_header(kind: bytes, length: int) -> bytes:
    """Source: `tarfile.TarInfo._create_pax_generic_header`."""
    info = TarInfo("././@PaxHeader")
    info.type, info.size, info.mode = kind, length, 0
    return info.tobuf(USTAR_FORMAT, "ascii", "replace")


def _ustar(name: bytes, size: int, second: int) -> bytes:
    before, total, after = _ustar_around(size, second)
    name = name[:100]
    return b"%b%b%06o\0 %b" % (name.ljust(100, NUL), before, total + sum(name), after)


@lru_cache(maxsize=4096)
def _ustar_around(size: int, second: int) -> tuple[bytes, int, bytes]:
    """(bytes between name and checksum, sum of all bytes, bytes behind the checksum)"""
    info = TarInfo("")
    info.type, info.size, info.mtime = REGTYPE, size, second
    block = info.tobuf(USTAR_FORMAT, "ascii", "replace")
    return block[100:148], _checksum(block), block[156:]


def _checksum(block: bytes) -> int:
    """Source: POSIX.1-2001, ustar: the checksum's own field counts as eight spaces."""
    return sum(block) - sum(block[148:156]) + 8 * 0x20


# Reading -------------------------------------------------------------------------------------


class _Unsound(Exception):
    """What stands there does not hold."""


def scan(read: Read, length: int) -> Iterator[Found]:
    """
    What a batch of *length* bytes holds, as far as each header and each content is sound.

    It ends before the first that is not, or at the end of the archive. Contents are read.
    """
    offset = 0
    while True:
        try:
            found = _next(read, offset, length)
        except _Unsound:
            return
        if found is None:
            return
        yield found
        offset = found.end


def find_after(read: Read, offset: int, length: int) -> int | None:
    """Where, from *offset* on, something sound begins again; None if nothing does."""
    for start in range(offset, length - BLOCKSIZE + 1, BLOCKSIZE):
        try:
            if _next(read, start, length) is not None:
                return start
        except _Unsound:
            continue
    return None


def _next(read: Read, offset: int, length: int) -> Found | None:
    block = read(offset, BLOCKSIZE)
    if not block.strip(NUL):
        return None
    kind, size = _header(block)
    if kind not in (XHDTYPE, XGLTYPE) or size > LONGEST_RECORDS:
        raise _Unsound
    start = offset + BLOCKSIZE
    records = _records(read(start, size), size)
    end = start + size + -size % BLOCKSIZE
    if kind == XGLTYPE:
        if end > length:
            raise _Unsound
        return Found(_of_comment(records), end)
    kind, size = _header(read(end, BLOCKSIZE))
    content = end + BLOCKSIZE
    end = content + size + -size % BLOCKSIZE
    if kind != REGTYPE or end > length:
        raise _Unsound
    return Found(_of_member(records, content, size, _digest(read, content, size)), end)


def _header(block: bytes) -> tuple[bytes, int]:
    """(kind, size) of a sound header."""
    if len(block) != BLOCKSIZE or block[257:265] != b"ustar\x0000":
        raise _Unsound
    try:
        if int(block[148:154], 8) != _checksum(block):
            raise _Unsound
        return block[156:157], int(block[124:135], 8)
    except ValueError:
        raise _Unsound from None


def _records(data: bytes, size: int) -> dict[str, str]:
    if len(data) != size or NUL in data:
        raise _Unsound
    found = {}
    while data:
        digits, _, _ = data.partition(b" ")
        if (
            not digits.isdigit()
            or len(digits) > 6
            or not len(digits) + 2 < int(digits) <= len(data)
        ):
            raise _Unsound
        record, data = data[len(digits) + 1 : int(digits)], data[int(digits) :]
        name, is_there, value = record[:-1].partition(b"=")
        if not is_there or record[-1:] != b"\n":
            raise _Unsound
        try:
            found[name.decode()] = value.decode()
        except UnicodeDecodeError:
            raise _Unsound from None
    return found


def _of_comment(records: Mapping[str, str]) -> Opening | Entry:
    try:
        value = json.loads(records["comment"])
        if value.get("boto_accel") == VERSION:
            return Opening(str(value["batch"]), str(value["bucket"]))
        ((name, kind),) = ((name, kind) for name, kind in _NOTES.items() if name in value)
        return Entry(str(value[name]), int(value["stamp"]), kind)
    except (ValueError, LookupError, AttributeError, TypeError):
        raise _Unsound from None


def _of_member(records: Mapping[str, str], offset: int, size: int, digest: str) -> Entry:
    own = {
        name[len(_ATTRIBUTE) :]: value
        for name, value in records.items()
        if name.startswith(_ATTRIBUTE)
    }
    second, _, nanosecond = records.get("mtime", "").partition(".")
    if own.get("etag") != digest or len(nanosecond) != 9 or not (second + nanosecond).isdecimal():
        raise _Unsound
    if not records.get("path"):
        raise _Unsound
    headers = {_BY_ATTRIBUTE[name]: value for name, value in own.items() if name in _BY_ATTRIBUTE}
    metadata = {n[len(_META) :]: value for n, value in own.items() if n.startswith(_META)}
    stamp = int(second) * 10**9 + int(nanosecond)
    return Entry(records["path"], stamp, OBJECT, offset, size, digest, headers, metadata)


def _digest(read: Read, offset: int, size: int) -> str:
    digest, end = md5(usedforsecurity=False), offset + size
    while offset < end:
        data = read(offset, min(end - offset, 2**20))
        if not data:
            raise _Unsound
        digest.update(data)
        offset += len(data)
    return digest.hexdigest()
