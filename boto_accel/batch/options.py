"""The options of a batch, checked before anything is opened or sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from boto_accel import _compat
from boto_accel.batch.spool import Purpose
from boto_accel.batch.writer import Bounds
from boto_accel.errors import InvalidOptionError

ACKS = ("spool", "upload", "memory")
MIB = 2**20
# What a PutObject and a CreateMultipartUpload both take, and that may be the same for all tars.
TAR_ARGS = frozenset(
    """ACL BucketKeyEnabled CacheControl ExpectedBucketOwner Metadata RequestPayer SSEKMSKeyId
    SSEKMSEncryptionContext ServerSideEncryption StorageClass Tagging""".split()
)


@dataclass(frozen=True)
class Options:
    """All times are in seconds, all sizes in bytes."""

    purpose: Purpose
    bounds: Bounds
    spool_dir: Path
    ack: str
    waits_when_full: bool
    max_object_bytes: int
    tar_args: Mapping[str, Any]
    client: Any
    refresh_after: float


def make_options(
    purpose: Purpose,
    *,
    max_bytes: Any,
    max_count: Any,
    max_delay: Any,
    spool_dir: Any,
    spool_max_bytes: Any,
    ack: Any,
    on_full: Any,
    max_object_bytes: Any,
    storage_class: Any,
    upload_args: Any,
    client: Any,
    refresh_after: Any,
) -> Options:
    """Raises InvalidOptionError."""
    whole("max_bytes", max_bytes, 64 * 1024)
    whole("max_object_bytes", max_object_bytes, 0)
    if max_object_bytes > max_bytes:
        raise InvalidOptionError("max_object_bytes", max_object_bytes, f"at most {max_bytes=}")
    whole("spool_max_bytes", spool_max_bytes, max_bytes)
    whole("max_count", max_count, 1)
    seconds("max_delay", max_delay)
    if not isinstance(spool_dir, str | os.PathLike) or not str(spool_dir):
        raise InvalidOptionError("spool_dir", spool_dir, "a folder on a disk that outlives a crash")
    if ack not in ACKS:
        raise InvalidOptionError("ack", ack, "'spool', 'upload' or 'memory'")
    if on_full not in ("wait", "raise"):
        raise InvalidOptionError("on_full", on_full, "'wait' or 'raise'")
    if client is not None and (not isinstance(client, BaseClient) or _compat.is_async(client)):
        raise InvalidOptionError(
            "client", type(client).__name__, "a client of botocore or boto3, not of aiobotocore"
        )
    return Options(
        purpose,
        Bounds(max_bytes, max_count, float(max_delay), spool_max_bytes),
        Path(spool_dir).absolute(),
        ack,
        on_full == "wait",
        max_object_bytes,
        _tar_args(storage_class, upload_args),
        client,
        seconds("refresh_after", refresh_after),
    )


def _tar_args(storage_class: Any, given: Any) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidOptionError(
            "upload_args", type(given).__name__, "a dict of PutObject's parameters"
        )
    args = dict(given or {})
    unknown = sorted(map(str, args.keys() - TAR_ARGS))
    if unknown:
        raise InvalidOptionError("upload_args", ", ".join(unknown), ", ".join(sorted(TAR_ARGS)))
    if storage_class is not None:
        if not isinstance(storage_class, str):
            raise InvalidOptionError("storage_class", storage_class, "'STANDARD_IA', for example")
        args["StorageClass"] = storage_class
    return args


def whole(name: str, given: Any, least: int) -> int:
    if type(given) is not int or given < least:
        raise InvalidOptionError(name, given, f"a whole number, {least} or more")
    return given


def seconds(name: str, given: Any) -> float:
    if type(given) not in (int, float) or not 0 <= given < 1e9:
        raise InvalidOptionError(name, given, "a number of seconds, 0 or more")
    return float(given)
