"""The conditions of a copy. Source: S3 API, CopyObject, "x-amz-copy-source-if-*"; RFC 9110, 13."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

_HEADERS = {
    "CopySourceIfMatch": "x-amz-copy-source-If-Match",
    "CopySourceIfNoneMatch": "x-amz-copy-source-If-None-Match",
    "CopySourceIfModifiedSince": "x-amz-copy-source-If-Modified-Since",
    "CopySourceIfUnmodifiedSince": "x-amz-copy-source-If-Unmodified-Since",
}


def failed_condition(
    params: Mapping[str, Any], etag: str, modified: datetime.datetime
) -> str | None:
    """
    The header of the condition in *params* that the source does not meet; None if it meets all.

    An entity tag counts for more than a date: with CopySourceIfMatch that holds,
    CopySourceIfUnmodifiedSince is not asked.
    """
    given = {name: params[name] for name in _HEADERS if params.get(name) is not None}
    if "CopySourceIfMatch" in given:
        if not _matches(given["CopySourceIfMatch"], etag):
            return _HEADERS["CopySourceIfMatch"]
    elif "CopySourceIfUnmodifiedSince" in given:
        until = _moment(given["CopySourceIfUnmodifiedSince"])
        if until is not None and modified > until:
            return _HEADERS["CopySourceIfUnmodifiedSince"]
    if "CopySourceIfNoneMatch" in given:
        if _matches(given["CopySourceIfNoneMatch"], etag):
            return _HEADERS["CopySourceIfNoneMatch"]
    elif "CopySourceIfModifiedSince" in given:
        since = _moment(given["CopySourceIfModifiedSince"])
        if since is not None and modified <= since:
            return _HEADERS["CopySourceIfModifiedSince"]
    return None


def _matches(tags: str, etag: str) -> bool:
    named = [_bare(tag) for tag in tags.split(",")]
    return "*" in named or _bare(etag) in named


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')


def _moment(given: Any) -> datetime.datetime | None:
    """To the second, as HTTP has it; None for what is no date. A time without a zone is local."""
    moment = given
    if isinstance(given, int | float):
        moment = datetime.datetime.fromtimestamp(given, datetime.timezone.utc)
    elif isinstance(given, str):
        moment = _read_date(given)
    elif isinstance(given, datetime.date) and not isinstance(given, datetime.datetime):
        moment = datetime.datetime(given.year, given.month, given.day)
    return (
        None if moment is None else moment.astimezone(datetime.timezone.utc).replace(microsecond=0)
    )


def _read_date(text: str) -> datetime.datetime | None:
    for read in (datetime.datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except (TypeError, ValueError):
            continue
    return None
