"""The Body of an answer: a `StreamingBody` of the world of the client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import botocore.httpchecksum
import botocore.response

from boto_accel import _compat
from boto_accel.redis_store.bodies import AsyncRawBody, Pieces, RawBody, Whole
from boto_accel.redis_store.checksums import ALGORITHMS

if TYPE_CHECKING:
    from boto_accel.redis_store.store import Store


def make_body(
    store: Store, members: Mapping[str, Any], data: bytes, pieces: Pieces | None, *, checks: bool
) -> tuple[Any, str]:
    """
    (body, the algorithm that it is checked with, or "").

    checks: it is checked with the checksum of *members*, where there is one.
    """
    raw: Any
    if store.state.is_async:
        raw = AsyncRawBody(store.link, store.state.address, data, pieces)
    elif pieces is None:
        raw = Whole(data)
    else:
        raw = RawBody(store.link, store.state.address, data, pieces)
    length = str(members["ContentLength"])
    algorithm = _algorithm_of(members) if checks else ""
    plain, checking = _classes(store.state.is_async)
    if not algorithm:
        return plain(raw, length), ""
    digest = _compat.checksum_classes()[algorithm]()
    return checking(raw, length, digest, members[f"Checksum{algorithm.upper()}"]), algorithm


def _algorithm_of(members: Mapping[str, Any]) -> str:
    """As botocore calls it, "crc32"; "" where there is no checksum, or none that is known here."""
    known = _compat.checksum_classes()
    for algorithm in ALGORITHMS:
        if f"Checksum{algorithm}" in members and algorithm.lower() in known:
            return algorithm.lower()
    return ""


@lru_cache(maxsize=2)
def _classes(is_async: bool) -> tuple[Any, Any]:
    """(without a checksum, with one)"""
    if not is_async:
        return botocore.response.StreamingBody, botocore.httpchecksum.StreamingChecksumBody
    checking = import_module("aiobotocore.httpchecksum")
    plain = import_module("aiobotocore.response").StreamingBody
    return plain, getattr(checking, "AioStreamingChecksumBody", None) or (
        checking.StreamingChecksumBody
    )
