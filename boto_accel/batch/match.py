"""Which keys are batched: patterns of one bucket, without those of the batches themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Any

from boto_accel.batch.spool import Purpose
from boto_accel.errors import InvalidOptionError

_WILD = re.compile(r"[*?\[]")
_URL = re.compile(r"s3://([^/*?\[]+)/(.*)\Z", re.DOTALL)


class Match:
    """
    Keys of *bucket* that one of *patterns* takes: `*`, `?`, `[…]` as in a shell, `*` over slashes.

    excluded: a prefix whose keys are not taken; "" for none.
    """

    def __init__(self, bucket: str, patterns: Sequence[str], excluded: str) -> None:
        self.bucket = bucket
        self.patterns: tuple[str, ...] = tuple(patterns)
        self._excluded = excluded
        self._heads = tuple(_WILD.split(pattern, maxsplit=1)[0] for pattern in patterns)
        whole = [
            head
            for head, pattern in zip(self._heads, patterns, strict=True)
            if pattern == f"{head}*"
        ]
        self._prefixes = tuple(whole)
        rest = [pattern for pattern in patterns if pattern[:-1] not in whole]
        self._regex = re.compile("|".join(map(translate, rest))) if rest else None

    def takes(self, bucket: Any, key: Any) -> bool:
        if bucket != self.bucket or type(key) is not str:
            return False
        if self._excluded and key.startswith(self._excluded):
            return False
        if key.startswith(self._prefixes):
            return True
        return self._regex is not None and self._regex.match(key) is not None

    def may_be_under(self, bucket: Any, prefix: str) -> bool:
        """Whether a key with *prefix* may be taken."""
        if bucket != self.bucket:
            return False
        return any(head.startswith(prefix) or prefix.startswith(head) for head in self._heads)


def read_match(given: Any, into: Any) -> tuple[Match, Purpose]:
    """Raises InvalidOptionError."""
    into_bucket, into_prefix = read_place("into", into)
    expected = "'s3://bucket/prefix/*', or several of one bucket"
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, list | tuple) or not several:
        raise InvalidOptionError("match", given, expected)
    found = [_URL.match(each) if isinstance(each, str) else None for each in several]
    # A key that ends with a slash is never batched, so such a pattern lacks its star.
    if not all(each is not None and each[2] and not each[2].endswith("/") for each in found):
        raise InvalidOptionError("match", given, expected)
    pairs = [(each[1], each[2]) for each in found if each is not None]
    buckets = {bucket for bucket, _ in pairs}
    if len(buckets) > 1:
        raise InvalidOptionError("match", given, f"{expected}; another bucket needs another batch")
    bucket = pairs[0][0]
    excluded = into_prefix if into_bucket == bucket else ""
    match = Match(bucket, [pattern for _, pattern in pairs], excluded)
    return match, Purpose(bucket, into_bucket, into_prefix)


def read_place(name: str, given: Any) -> tuple[str, str]:
    """(bucket, prefix) of "s3://bucket/prefix/"; it needs a prefix. Raises InvalidOptionError."""
    found = _URL.match(given) if isinstance(given, str) else None
    if found is None or not found[2] or _WILD.search(found[2]):
        raise InvalidOptionError(name, given, "'s3://bucket/prefix/'")
    prefix = found[2] if found[2].endswith("/") else f"{found[2]}/"
    return found[1], prefix
