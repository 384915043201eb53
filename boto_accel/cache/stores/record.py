"""
An entry as one flat string of bytes, for mappings and servers that keep just bytes.

    magic, version       4 bytes
    stored_at, fresh_until, stale_until    8 bytes each, IEEE 754, big-endian
    length of the text   4 bytes, big-endian
    text                 the label and the tags, UTF-8, each ended with a NUL
    payload              the rest
"""

from __future__ import annotations

import struct

from boto_accel.cache.store import Entry

_MAGIC = b"bac\x01"
_HEAD = struct.Struct(">4sdddI")


def can_keep(entry: Entry) -> bool:
    """Whether a NUL in a text would be taken for its end."""
    return not any("\0" in text for text in (entry.label, *entry.tags))


def encode_entry(entry: Entry) -> bytes:
    text = "".join(f"{each}\0" for each in (entry.label, *entry.tags))
    blob = text.encode("utf-8", "surrogatepass")
    times = (entry.stored_at, entry.fresh_until, entry.stale_until)
    return b"".join((_HEAD.pack(_MAGIC, *times, len(blob)), blob, entry.payload))


def decode_entry(record: object) -> Entry | None:
    """The entry, or None if *record* is not one of ours."""
    if type(record) is not bytes or len(record) < _HEAD.size:
        return None
    magic, stored_at, fresh_until, stale_until, length = _HEAD.unpack_from(record)
    end = _HEAD.size + length
    if magic != _MAGIC or len(record) < end:
        return None
    try:
        text = record[_HEAD.size : end].decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    if not text.endswith("\0"):
        return None
    label, *tags = text[:-1].split("\0")
    return Entry(record[end:], tuple(tags), stored_at, fresh_until, stale_until, label)
