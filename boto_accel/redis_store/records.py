"""
What is written down of an object, an upload and a part. Pure; JSON, and nothing else is read.

An object's record is a hash:

    m   b"<seconds> <JSON>": when it was written, by the clock of Redis, and `Facts`
    d   its data, up to INLINE bytes
    t   JSON of its tags, if it has some
    e   its ETag; v its id; c its pieces, "blob:number …": for the scripts, which read no JSON
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True, slots=True)
class Facts:
    """
    All that is known of an object but its data, its tags and when it was written.

    members: of the output of GetObject, as the user gave them. checksums: member to value.
    blobs: empty where the data is in the record. parts: of a multipart upload, 0 else.
    """

    id: str
    size: int
    etag: str
    members: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    blobs: tuple[Blob, ...] = ()
    parts: int = 0

    def encode(self) -> str:
        return _encode({name: value for name, value in asdict(self).items() if value})

    @property
    def spec(self) -> str:
        return " ".join(blob.spec for blob in self.blobs if blob.size)


@dataclass(frozen=True, slots=True)
class Record:
    """An object as it was read. written: in seconds. data: None where it has pieces."""

    facts: Facts
    written: int
    data: bytes | None
    tags: tuple[tuple[str, str], ...]


def decode_record(found: Sequence[bytes | None], *, data: bool = True) -> Record | None:
    """Of HMGET m d t, or of these without d; None if there is none. Raises DamagedError."""
    head, body, tags = found
    if head is None:
        return None
    written, facts = decode_head(head)
    if data and not facts.blobs and (body is None or len(body) != facts.size):
        raise DamagedError
    return Record(facts, written, None if facts.blobs else body, decode_tags(tags))


def decode_head(head: bytes) -> tuple[int, Facts]:
    """(written, facts) of the field m. Raises DamagedError."""
    try:
        seconds, _, text = head.partition(b" ")
        known = _decode(text)
        if "blobs" in known:
            known["blobs"] = tuple(Blob(*each) for each in known["blobs"])
        known.setdefault("size", 0)
        return int(seconds), Facts(**known)
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
