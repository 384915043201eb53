"""
What is written down of an object, an upload and a part. Pure; JSON, and nothing else is read.

An object's record is a hash:

    m   b"<seconds>/<tags> <JSON>": when it was written, by the clock of Redis, how many tags it
        has, and `Facts`
    d   its data, up to INLINE bytes
    t   JSON of its tags, if it has some
    e   its ETag; v its id; c its pieces, "blob:number …": for the scripts, which read no JSON
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from boto_accel.redis_store.keys import PIECE, pieces_of

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_decode = json.loads


class DamagedError(Exception):
    """What is there is none of our records."""


class Blob(NamedTuple):
    """Data under keys of its own: *id* names them. checksum: of a part, in base64."""

    id: str
    size: int
    checksum: str = ""

    @property
    def spec(self) -> str:
        return f"{self.id}:{pieces_of(self.size)}"


class Facts(NamedTuple):
    """
    All that is known of an object but its data, its tags and when it was written.

    members: of the output of GetObject, as the user gave them. checksums: member to value.
    blobs: empty where the data is in the record. parts: of a multipart upload, 0 else.
    """

    id: str
    size: int
    etag: str
    members: dict[str, Any] = {}  # noqa: RUF012  none of these is ever changed
    metadata: dict[str, str] = {}  # noqa: RUF012
    checksums: dict[str, str] = {}  # noqa: RUF012
    checksum_type: str = ""
    blobs: tuple[Blob, ...] = ()
    parts: int = 0

    def encode(self) -> str:
        return _encode({name: value for name, value in self._asdict().items() if value})

    @property
    def spec(self) -> str:
        return " ".join(blob.spec for blob in self.blobs if blob.size)


class Head(NamedTuple):
    """facts; when it was written, in seconds; how many tags it has."""

    facts: Facts
    written: int
    tags: int


def decode_record(head: bytes | None, data: bytes | None) -> tuple[Head, bytes | None] | None:
    """(head, data) of HMGET m d, without data where it has pieces; None if there is none."""
    if head is None:
        return None
    found = decode_head(head)
    if found.facts.blobs:
        return found, None
    if data is None or len(data) != found.facts.size:
        raise DamagedError
    return found, data


@lru_cache(maxsize=1024)
def decode_head(head: bytes) -> Head:
    """
    Of the field m. Raises DamagedError.

    Remembered by its bytes: what it makes is never changed, and is copied for the user.
    """
    try:
        stamp, _, text = head.partition(b" ")
        seconds, _, tags = stamp.partition(b"/")
        known = _decode(text)
        if "blobs" in known:
            known["blobs"] = tuple(Blob(*each) for each in known["blobs"])
        known.setdefault("size", 0)
        return Head(Facts(**known), int(seconds), int(tags))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DamagedError from None


def encode_tags(tags: Iterable[tuple[str, str]]) -> str:
    kept = list(tags)
    return _encode(kept) if kept else ""


def decode_tags(text: bytes | None) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    try:
        return tuple((name, value) for name, value in _decode(text))
    except (ValueError, TypeError):
        raise DamagedError from None


# Multipart -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Upload:
    """What CreateMultipartUpload was told. started: in seconds."""

    started: int
    members: dict[str, Any]
    metadata: dict[str, str]
    tags: str
    algorithm: str
    checksum_type: str

    def encode(self) -> str:
        return _encode({name: value for name, value in asdict(self).items() if name != "started"})


def decode_upload(head: bytes) -> Upload:
    try:
        seconds, _, text = head.partition(b" ")
        return Upload(int(seconds), **_decode(text))
    except (ValueError, TypeError):
        raise DamagedError from None


class Part(NamedTuple):
    """A part as it was uploaded; *etag* is quoted, *checksums* by member, *written* in seconds."""

    blob: str
    size: int
    etag: str
    checksums: Mapping[str, str]
    written: int = 0

    def encode(self) -> str:
        return _encode([self.blob, self.size, self.etag, self.checksums])


def decode_part(value: bytes) -> Part:
    """Of "spec seconds JSON"."""
    try:
        _, seconds, text = value.split(b" ", 2)
        blob, size, etag, checksums = _decode(text)
        return Part(blob, size, etag, checksums, int(seconds))
    except (ValueError, TypeError):
        raise DamagedError from None


# Where data is -------------------------------------------------------------------------------


class Slice(NamedTuple):
    """Bytes *first* to *last*, inclusive, of piece *number* of *blob*; whole if it is all."""

    blob: str
    number: int
    first: int
    last: int
    whole: bool


def slices(blobs: Sequence[Blob], first: int, last: int) -> list[Slice]:
    """The pieces that hold bytes *first* to *last* of the data, in order."""
    found = []
    start = 0
    for blob in blobs:
        for number in range(pieces_of(blob.size)):
            size = min(PIECE, blob.size - number * PIECE)
            if start + size > first and start <= last:
                begin, end = max(first - start, 0), min(last - start, size - 1)
                found.append(Slice(blob.id, number, begin, end, end - begin + 1 == size))
            start += size
    return found
