"""
The names of batches, and of what belongs to them in S3.

    batches/20261121T152719.123456Z-0f3a…-1.tar            a tar; made when the batch is begun
    batches/index/20261121T152724Z~20261121T…-1.idx.gz    its index; when it is uploaded

A tar is named when its first object is put, since the put answers with its key. An index is named
after the time of its upload: a batch may be uploaded days after it was begun (a crash, S3 out of
reach), and who has read all indexes up to a moment must still find it. See docs/batch.md.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta, timezone

TAR = ".tar"
INDEX = ".idx.gz"
FOLDER = "index/"
_TIME = "%Y%m%dT%H%M%SZ"
_SEPARATOR = "~"  # sorts behind all that is in a time


def new_id(now: float) -> str:
    """The id of a batch: its time, and 64 random bits, which tell hosts and processes apart."""
    moment = datetime.fromtimestamp(now, timezone.utc)
    return f"{moment:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(8)}"


def tar_key(prefix: str, batch: str) -> str:
    return f"{prefix}{batch}{TAR}"


def index_key(prefix: str, batch: str, uploaded: float) -> str:
    return f"{prefix}{FOLDER}{_time(uploaded)}{_SEPARATOR}{batch}{INDEX}"


def index_start(prefix: str, since: float | None) -> str:
    """The key after which the indexes are that were uploaded since a moment, or ever."""
    return f"{prefix}{FOLDER}" if since is None else f"{prefix}{FOLDER}{_time(since)}"


def batch_of_index(prefix: str, key: str) -> str | None:
    """None for what is no index."""
    name = key.removeprefix(f"{prefix}{FOLDER}")
    if name == key or not name.endswith(INDEX):
        return None
    return name.removesuffix(INDEX).partition(_SEPARATOR)[2] or None


def batch_of_tar(prefix: str, key: str) -> str | None:
    """None for what is no tar of a batch."""
    name = key.removeprefix(prefix)
    return name.removesuffix(TAR) if name.endswith(TAR) and "/" not in name else None


def _time(moment: float) -> str:
    start = datetime(1970, 1, 1, tzinfo=timezone.utc)
    return f"{start + timedelta(seconds=int(moment)):{_TIME}}"
