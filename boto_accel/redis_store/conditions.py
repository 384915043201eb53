"""The conditions of a read, or of the source of a copy, held against an object."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from boto_accel._conditions import failed_condition
from boto_accel.redis_store.semantics import Refusal, precondition_failed

_NOT_MODIFIED = ("If-None-Match", "If-Modified-Since")


def check_read(params: Mapping[str, Any], etag: str, modified: datetime.datetime) -> None:
    """Raise the 304 or 412 of a GET or HEAD. RFC 9110, 13.2.2."""
    failed = failed_condition(params, etag, modified, "")
    if failed in _NOT_MODIFIED:
        raise Refusal("304", 304, "Not Modified", Condition=failed)
    if failed is not None:
        raise precondition_failed(failed)


def check_copied(params: Mapping[str, Any], etag: str, modified: datetime.datetime) -> None:
    """The x-amz-copy-source-if-… of a copy: all that fail are a 412. S3 API, CopyObject."""
    failed = failed_condition(params, etag, modified)
    if failed is not None:
        raise precondition_failed(failed)
