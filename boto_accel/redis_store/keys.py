"""
The names of keys in Redis: version 1 of the schema. docs/redis.md tells it in full.

What belongs to one shard of a bucket is in one slot, by the text in braces (Redis cluster
specification, "Hash tags"), so that one script can change it all at once.

    boto-accel:s3:1:{buckets}            hash: bucket to what is known of it
    boto-accel:s3:1:{buckets}:deleting   hash: bucket to the deletion that is at it
    boto-accel:s3:1:{bucket/7}s          "open", or "closed:<deletion>"
    boto-accel:s3:1:{bucket/7}i          sorted set of the keys of objects
    boto-accel:s3:1:{bucket/7}u          sorted set of uploads: key, NUL, id
    boto-accel:s3:1:{bucket/7}o:<key>    hash: the record of an object
    boto-accel:s3:1:{bucket/7}m:<id>     hash: the record of a multipart upload
    boto-accel:s3:1:{bucket/7}d:<id>:<n> string: a piece of the data of an object or a part
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

SCHEMA = "s3:1"
CLUSTER_SHARDS = 64  # of each bucket; one where there is one server
PIECE = 4 * 1024 * 1024  # bytes of data under one key
INLINE = 1024 * 1024  # bytes; up to here an object's data is in its record


@dataclass(frozen=True, slots=True)
class Shard:
    """The names of one shard of a bucket; *base* ends with the hash tag."""

    base: bytes

    @property
    def state(self) -> bytes:
        return self.base + b"s"

    @property
    def index(self) -> bytes:
        return self.base + b"i"

    @property
    def uploads(self) -> bytes:
        return self.base + b"u"

    @property
    def records(self) -> bytes:
        """What the names of the objects' records begin with."""
        return self.base + b"o:"

    @property
    def data(self) -> bytes:
        """What the names of pieces begin with."""
        return self.base + b"d:"

    def record(self, key: bytes) -> bytes:
        return self.base + b"o:" + key

    def upload(self, upload_id: str) -> bytes:
        return self.base + b"m:" + upload_id.encode()

    def piece(self, blob: str, number: int) -> bytes:
        return b"%sd:%s:%d" % (self.base, blob.encode(), number)


class Schema:
    """shards: how many a bucket has."""

    def __init__(self, prefix: str, shards: int) -> None:
        self._base = f"{prefix}:{SCHEMA}:".encode()
        self.shards = shards
        self._shard = lru_cache(maxsize=1024)(self._make_shard)
        self.buckets = self._base + b"{buckets}"
        self.deleting = self._base + b"{buckets}:deleting"

    def shard_of(self, bucket: str, key: bytes) -> Shard:
        return self.shard(bucket, zlib.crc32(key) % self.shards if self.shards > 1 else 0)

    def shard(self, bucket: str, number: int) -> Shard:
        return self._shard(bucket, number)

    def _make_shard(self, bucket: str, number: int) -> Shard:
        return Shard(b"%s{%s/%d}" % (self._base, bucket.encode(), number))

    def all_shards(self, bucket: str) -> list[Shard]:
        return [self.shard(bucket, number) for number in range(self.shards)]


def pieces_of(size: int) -> int:
    """How many pieces data of *size* bytes has."""
    return -(-size // PIECE)
