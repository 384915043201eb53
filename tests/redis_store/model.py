"""S3 as a plain dict: what the state machine holds the store to."""

from __future__ import annotations

import hashlib
from typing import Any


class Refused(Exception):
    """An error answer, by its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def etag_of(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


class Model:
    """Buckets are dicts of (body, ETag) by key; uploads are (bucket, key, bodies by number)."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, tuple[bytes, str]]] = {}
        self.uploads: dict[str, tuple[str, str, dict[int, bytes]]] = {}

    def known(self, bucket: str) -> None:
        if bucket not in self.buckets:
            raise Refused("NoSuchBucket")

    def create(self, bucket: str) -> None:
        self.buckets.setdefault(bucket, {})  # in us-east-1 it may be made again

    def drop(self, bucket: str) -> None:
        self.known(bucket)
        if self.buckets[bucket]:
            raise Refused("BucketNotEmpty")
        del self.buckets[bucket]
        self.uploads = {name: each for name, each in self.uploads.items() if each[0] != bucket}

    def put(self, bucket: str, key: str, body: bytes, *, only_new: bool) -> dict[str, Any]:
        self.known(bucket)
        if only_new and key in self.buckets[bucket]:
            raise Refused("PreconditionFailed")
        self.buckets[bucket][key] = (body, etag_of(body))
        return {"ETag": etag_of(body)}

    def get(self, bucket: str, key: str) -> dict[str, Any]:
        self.known(bucket)
        if key not in self.buckets[bucket]:
            raise Refused("NoSuchKey")
        body, etag = self.buckets[bucket][key]
        return {"ETag": etag, "ContentLength": len(body)}

    def body(self, bucket: str, key: str) -> bytes:
        return self.buckets[bucket][key][0]

    def delete(self, bucket: str, key: str) -> None:
        self.known(bucket)
        self.buckets[bucket].pop(key, None)

    def copy(self, bucket: str, source: str, key: str) -> None:
        self.get(bucket, source)
        body = self.body(bucket, source)
        self.buckets[bucket][key] = (body, etag_of(body))

    def names(self, bucket: str, prefix: str, delimiter: str, after: str) -> list[str]:
        """Keys and common prefixes in order."""
        found = set()
        for key in self.buckets[bucket]:
            if not key.startswith(prefix) or key.encode() <= after.encode():
                continue
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            group = key[: at + len(delimiter)] if at >= 0 else ""
            if group != after or not group:
                found.add(group or key)
        return sorted(found, key=str.encode)

    def upload(self, bucket: str, upload_id: str) -> tuple[str, str, dict[int, bytes]]:
        self.known(bucket)
        if upload_id not in self.uploads:
            raise Refused("NoSuchUpload")
        return self.uploads[upload_id]

    def parts(self, upload_id: str) -> dict[int, bytes]:
        return self.uploads[upload_id][2] if upload_id in self.uploads else {}

    def part(self, bucket: str, upload_id: str, number: int, body: bytes) -> dict[str, Any]:
        self.upload(bucket, upload_id)[2][number] = body
        return {"ETag": etag_of(body)}

    def complete(self, bucket: str, upload_id: str) -> dict[str, Any]:
        bucket, key, parts = self.upload(bucket, upload_id)
        bodies = [parts[number] for number in sorted(parts)]
        md5 = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
        etag = f'"{md5}-{len(bodies)}"'
        self.buckets[bucket][key] = (b"".join(bodies), etag)
        del self.uploads[upload_id]
        return {"ETag": etag}

    def abort(self, bucket: str, upload_id: str) -> None:
        self.upload(bucket, upload_id)
        del self.uploads[upload_id]
