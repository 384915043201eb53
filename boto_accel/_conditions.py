"""
Conditional requests of S3. Source: RFC 9110, section 13; S3 API, GetObject, and CopyObject with its
"x-amz-copy-source-if-*".
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from botocore.utils import parse_to_aware_datetime

_HEADERS = {
    "IfMatch": "If-Match",
    "IfNoneMatch": "If-None-Match",
    "IfModifiedSince": "If-Modified-Since",
    "IfUnmodifiedSince": "If-Unmodified-Since",
}
_COPIED = "CopySource"
OF_READS = frozenset(_HEADERS)  # the parameters of a GET or HEAD
OF_COPIES = frozenset(_COPIED + name for name in _HEADERS)


def failed_condition(
    params: Mapping[str, Any], etag: str, modified: datetime.datetime, kind: str = _COPIED
) -> str | None:
    """
    The header of the condition in *params* that the object does not meet; None if it meets all.

    kind: what the names of the parameters begin with: "CopySource", or "" for those of reads.
    An entity tag counts for more than a date: with IfMatch that holds, IfUnmodifiedSince is not
    asked.
    """
    named = {name: params.get(kind + name) for name in _HEADERS}
    given = {name: value for name, value in named.items() if value is not None}
    failed = _failed(given, etag, modified)
    if failed is None:
        return None
    return f"x-amz-copy-source-{_HEADERS[failed]}" if kind else _HEADERS[failed]


def _failed(given: Mapping[str, Any], etag: str, modified: datetime.datetime) -> str | None:
    if "IfMatch" in given:
        if not _matches(given["IfMatch"], etag):
            return "IfMatch"
    elif "IfUnmodifiedSince" in given:
        until = _moment(given["IfUnmodifiedSince"])
        if until is not None and modified > until:
            return "IfUnmodifiedSince"
    if "IfNoneMatch" in given:
        if _matches(given["IfNoneMatch"], etag):
            return "IfNoneMatch"
    elif "IfModifiedSince" in given:
        since = _moment(given["IfModifiedSince"])
        if since is not None and modified <= since:
            return "IfModifiedSince"
    return None


def _matches(tags: str, etag: str) -> bool:
    named = [_bare(tag) for tag in tags.split(",")]
    return "*" in named or _bare(etag) in named


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')


def _moment(given: Any) -> datetime.datetime | None:
    """To the second, as botocore sends it: without a zone it is UTC. None for what is no date."""
    try:
        return parse_to_aware_datetime(given).replace(microsecond=0)
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None
