"""
The buckets and objects of the benchmark's S3, in memory.

Rule 1: pure; no I/O, and times are passed in.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote
from xml.sax.saxutils import escape

MAX_KEYS = 1000  # S3 API, ListObjectsV2: at most 1,000 keys a page
XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: *etag* is quoted, *modified* is ISO 8601 as listings say it."""

    body: bytes
    etag: str
    modified: str
    crc32: str | None
    head: bytes  # header lines of a GET or HEAD, complete but for length, range and checksum
    checksum_head: bytes  # what `x-amz-checksum-mode: ENABLED` adds


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What one ListObjectsV2 request asks for; *after* is the last key of the page before."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    max_keys: int = MAX_KEYS
    url_encoded: bool = False


@dataclass(slots=True)
class Bucket:
    """Objects by key, with a sorted view for listings that is made when it is asked for."""

    name: str
    objects: dict[str, StoredObject] = field(default_factory=dict)
    _sorted: list[str] | None = None
    _pages: dict[ListQuery, bytes] = field(default_factory=dict)

    def put(self, key: str, stored: StoredObject) -> None:
        if key not in self.objects:
            self._sorted = None
        self.objects[key] = stored
        self._pages.clear()

    def delete(self, key: str) -> None:
        if self.objects.pop(key, None) is not None:
            self._sorted = None
            self._pages.clear()

    def page(self, query: ListQuery) -> bytes:
        """The XML of one listing page, kept until the bucket changes."""
        xml = self._pages.get(query)
        if xml is None:
            xml = self._pages[query] = _listing(self, query).encode()
        return xml

    def keys_after(self, after: str, prefix: str) -> Iterator[str]:
        """Keys that start with *prefix* and sort after *after*, in order."""
        if self._sorted is None:
            # S3 sorts by UTF-8 bytes, and so does Python by code point: the orders are the same.
            self._sorted = sorted(self.objects)
        keys = self._sorted
        start = max(bisect_right(keys, after), bisect_left(keys, prefix))
        for index in range(start, len(keys)):
            if not keys[index].startswith(prefix):
                return
            yield keys[index]


@dataclass(slots=True)
class _Page:
    contents: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    truncated: bool = False


def _select(bucket: Bucket, query: ListQuery) -> _Page:
    page = _Page()
    for key in bucket.keys_after(query.after, query.prefix):
        group = _group(key, query)
        # Already counted: by the page before, which ended with it, or by this one.
        if group and group in (query.after, *page.prefixes[-1:]):
            continue
        if len(page.contents) + len(page.prefixes) >= query.max_keys:
            page.truncated = True
            return page
        (page.prefixes if group else page.contents).append(group or key)
        page.last = group or key
    return page


def _group(key: str, query: ListQuery) -> str:
    """The common prefix *key* is folded into, or an empty string."""
    if not query.delimiter:
        return ""
    end = key.find(query.delimiter, len(query.prefix))
    return "" if end < 0 else key[: end + len(query.delimiter)]


def _listing(bucket: Bucket, query: ListQuery) -> str:
    page = _select(bucket, query)
    name = _encoder(query)
    parts = [
        (
            f'{XML_HEAD}<ListBucketResult xmlns="{XMLNS}"><Name>{bucket.name}</Name>'
            f"<Prefix>{name(query.prefix)}</Prefix>"
        )
    ]
    if query.delimiter:
        parts.append(f"<Delimiter>{name(query.delimiter)}</Delimiter>")
    if query.url_encoded:
        parts.append("<EncodingType>url</EncodingType>")
    if page.truncated:
        token = encode_token(page.last)
        parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    # S3 API, ListObjectsV2: KeyCount counts CommonPrefixes.
    parts.append(
        f"<KeyCount>{len(page.contents) + len(page.prefixes)}</KeyCount>"
        f"<MaxKeys>{query.max_keys}</MaxKeys>"
        f"<IsTruncated>{'true' if page.truncated else 'false'}</IsTruncated>"
    )
    parts += [_entry(name(key), bucket.objects[key]) for key in page.contents]
    parts += [
        f"<CommonPrefixes><Prefix>{name(prefix)}</Prefix></CommonPrefixes>"
        for prefix in page.prefixes
    ]
    return "".join(parts) + "</ListBucketResult>"


def _entry(name: str, stored: StoredObject) -> str:
    checksum = (
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
        if stored.crc32
        else ""
    )
    return (
        f"<Contents><Key>{name}</Key><LastModified>{stored.modified}</LastModified>"
        f"<ETag>{stored.etag.replace(chr(34), '&quot;')}</ETag>{checksum}"
        f"<Size>{len(stored.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _encoder(query: ListQuery) -> Callable[[str], str]:
    return _url if query.url_encoded else escape


def _url(text: str) -> str:
    return quote(text, safe="/")


def encode_token(key: str) -> str:
    """The continuation token for the page after *key*: opaque to clients, readable here."""
    return key.encode().hex()


def decode_token(token: str) -> str:
    """The key *token* was made of; raises ValueError for a token that is not ours."""
    return bytes.fromhex(token).decode()
