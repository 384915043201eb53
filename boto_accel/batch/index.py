"""
The index of a batch: one line of JSON for the batch, one for each entry, compressed with gzip.

Rule 1: pure; no I/O, no clock.
Rule 2: what is read is checked to the letter: an index may come from anybody who can write there.

docs/batch.md has the format. Version 1: an entry is
`[kind, key, stamp, offset, size, etag, headers, metadata]`, without what is empty at its end.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from boto_accel.batch.errors import DamagedBatchError

FORMAT = "boto_accel batch index"
VERSION = 1
MOST_BYTES = 2**30  # of an index, uncompressed: what is longer is no index of ours

OBJECT, DELETED, PLAIN = 0, 1, 2  # kinds; numbers of the format


class Entry(NamedTuple):
    """
    What a batch says of one key.

    stamp: nanoseconds since 1970, by which the newest entry of a key is found.
    kind: OBJECT; DELETED: what earlier entries say is deleted; PLAIN: replaced, by an object that
    was put past the batches.
    offset, size: of the content, in bytes, in the tar. etag: its MD5 in hex, without quotes.
    headers: by the names of PutObject: {"ContentType": "text/plain"}.
    """

    key: str
    stamp: int
    kind: int = OBJECT
    offset: int = 0
    size: int = 0
    etag: str = ""
    headers: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}

    @property
    def is_object(self) -> bool:
        return self.kind == OBJECT


class Index(NamedTuple):
    """bucket: of the keys; the tar may be in another one. length: of the tar, in bytes."""

    batch: str
    bucket: str
    length: int
    entries: list[Entry]


def encode(index: Index) -> bytes:
    """The same index gives the same bytes."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "batch": index.batch,
        "bucket": index.bucket,
        "length": index.length,
        "entries": len(index.entries),
    }
    text = "\n".join([_dump(head), *map(_line, index.entries), ""])
    return gzip.compress(text.encode(), 6, mtime=0)


def _line(entry: Entry) -> str:
    key, stamp, kind, *others = entry
    while others and not others[-1]:
        others.pop()
    return _dump([kind, key, stamp, *others])


_dump = json.JSONEncoder(separators=(",", ":")).encode


def decode(name: str, data: bytes) -> Index:
    """*name* is for errors. Raises DamagedBatchError."""
    try:
        lines = _unpacked(data).decode().splitlines()
        head = json.loads(lines[0])
        if head["format"] != FORMAT:
            raise DamagedBatchError(name, "this is no index of boto_accel")
        if head["version"] != VERSION:
            raise DamagedBatchError(name, f"its version is {head['version']!r}, not {VERSION}")
        entries = list(_entries(lines[1:]))
        index = Index(_text(head["batch"]), _text(head["bucket"]), _count(head["length"]), entries)
        wanted = _count(head["entries"])
    except DamagedBatchError:
        raise
    except (ValueError, TypeError, LookupError, OSError, EOFError, zlib.error, RecursionError) as e:
        raise DamagedBatchError(name, f"the index cannot be read ({type(e).__name__})") from None
    if len(entries) != wanted:
        raise DamagedBatchError(name, f"{len(entries)} entries, and it says {wanted}")
    return index


def _unpacked(data: bytes) -> bytes:
    unpack = zlib.decompressobj(wbits=31)  # gzip
    found = unpack.decompress(data, MOST_BYTES)
    if not unpack.eof or unpack.unconsumed_tail or unpack.unused_data:
        raise ValueError
    return found


def _entries(lines: Iterable[str]) -> Iterator[Entry]:
    for line in lines:
        fields: list[Any] = json.loads(line)
        kind, key, stamp, offset, size, etag, headers, metadata = (
            *fields,
            *_EMPTY[len(fields) - 3 :],
        )
        if kind not in (OBJECT, DELETED, PLAIN):
            raise ValueError
        yield Entry(
            _text(key),
            _count(stamp),
            kind,
            _count(offset),
            _count(size),
            _text(etag),
            _texts(headers),
            _texts(metadata),
        )


_EMPTY: tuple[Any, ...] = (0, 0, "", {}, {})  # of the fields that may be left out


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError
    return value


def _count(value: Any) -> int:
    # SQLite keeps integers of 64 bits.
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError
    return value


def _texts(value: Any) -> Mapping[str, str]:
    if type(value) is not dict or not all(type(each) is str for each in value.values()):
        raise ValueError
    return value
