"""
Which puts a batch takes: what it can honour is in a short table, and all else goes straight to S3.

What is of an unexpected type goes there too: botocore refuses it, in its own words.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from hashlib import md5
from typing import Any, NamedTuple

from boto_accel.batch.tar import HEADERS, is_member_name

_NOTHING: dict[str, str] = {}
# Besides HEADERS. ChecksumAlgorithm CRC32 is what transfers of boto3 ask for: a check on the way.
_OTHERS = {"Bucket", "Key", "Body", "Metadata", "ContentLength", "ContentMD5", "ChecksumAlgorithm"}
TAKEN = frozenset({*HEADERS, *_OTHERS})
CONDITIONS = ("IfMatch", "IfNoneMatch")
MOST_METADATA = 2048  # bytes; S3 API, "User-defined object metadata"
# What a header may hold, and comes back as it was. Source: RFC 9110, 5.5.
_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?\Z")
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")

TOO_LARGE = "the body is larger than max_object_bytes"
UNREADABLE = "the body cannot seek, or is not of bytes"
LONGEST_KEY = 1024  # bytes; S3 API, "Object key names"
LONG_KEY = "the key is too long for S3"
UNFIT_KEY = "the key is no name of a tar member"
NOT_PLAIN = "a value is not of the usual kind"
WRONG_DIGEST = "ContentMD5 or ContentLength does not fit the body"


class Read(NamedTuple):
    """A put that a batch takes. headers: by the names of PutObject's parameters."""

    body: bytes
    headers: Mapping[str, str]
    metadata: Mapping[str, str]


def read_put(params: Mapping[str, Any], max_bytes: int) -> Read | str:
    """The put, or why it goes straight to S3; a file as body is where it was then."""
    key = params["Key"]
    if not is_member_name(key):
        return UNFIT_KEY
    if len(key) > LONGEST_KEY // 4 and len(key.encode()) > LONGEST_KEY:
        return LONG_KEY
    headers, metadata = _NOTHING, _NOTHING
    if len(params) > 3 or "Body" not in params:
        unknown = params.keys() - TAKEN
        if unknown:
            return ", ".join(sorted(unknown))
        headers = {name: params[name] for name in HEADERS if name in params}
        if not all(type(each) is str and _VALUE.match(each) for each in headers.values()):
            return NOT_PLAIN
        if "Metadata" in params:
            found = _metadata(params["Metadata"])
            if found is None:
                return NOT_PLAIN
            metadata = found
        if params.get("ChecksumAlgorithm", "CRC32") != "CRC32":
            return "ChecksumAlgorithm"
    body = params.get("Body", b"")
    if type(body) is not bytes:
        read = _bytes_of(body, max_bytes)
        if isinstance(read, str):
            return read
        body = read
    if len(body) > max_bytes:
        return TOO_LARGE
    if len(params) > 3 and not _fits(params, body):
        return WRONG_DIGEST
    return Read(body, headers, metadata)


def _metadata(given: Any) -> dict[str, str] | None:
    """S3 API: names come back in lower case."""
    if type(given) is not dict:
        return None
    size, found = 0, {}
    for name, value in given.items():
        if type(name) is not str or type(value) is not str:
            return None
        if not _NAME.match(name) or not _VALUE.match(value):
            return None
        size += len(name) + len(value)
        found[name.lower()] = value
    return found if size <= MOST_METADATA and len(found) == len(given) else None


def _fits(params: Mapping[str, Any], body: bytes) -> bool:
    if params.get("ContentLength", len(body)) != len(body):
        return False
    if "ContentMD5" not in params:
        return True
    wanted = base64.b64encode(md5(body, usedforsecurity=False).digest()).decode()
    return bool(params["ContentMD5"] == wanted)


def _bytes_of(body: Any, max_bytes: int) -> bytes | str:
    """The bytes of what botocore takes as a body, or why they cannot be had."""
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    if not all(hasattr(body, name) for name in ("read", "seek", "tell")):
        return UNREADABLE
    return _bytes_of_file(body, max_bytes)


def _bytes_of_file(file: Any, max_bytes: int) -> bytes | str:
    try:
        start = file.tell()
        if type(start) is not int:  # an asynchronous file
            _drop(start)
            return UNREADABLE
        file.seek(0, os.SEEK_END)
        size = file.tell() - start
        file.seek(start)
        if size > max_bytes:
            return TOO_LARGE
        data = file.read()
    except Exception:
        return UNREADABLE  # botocore meets the same, and says so
    if type(data) is bytes and len(data) == size:
        return data
    file.seek(start)
    return UNREADABLE


def _drop(awaitable: Any) -> None:
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()
