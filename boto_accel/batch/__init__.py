"""Small objects, gathered into batches: see `batch_puts`, `S3BatchPutClient` and `BatchReader`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto_accel.batch.client import BatchObjectRef, S3BatchPutClient
    from boto_accel.batch.patch import BatchPatch, batch_puts
    from boto_accel.batch.reader import BatchReader

__all__ = ["BatchObjectRef", "BatchPatch", "BatchReader", "S3BatchPutClient", "batch_puts"]

_HOMES = {
    "BatchObjectRef": "client",
    "BatchPatch": "patch",
    "BatchReader": "reader",
    "S3BatchPutClient": "client",
    "batch_puts": "patch",
}


def __getattr__(name: str) -> Any:
    # The pure files are of use without botocore, which the others import.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
