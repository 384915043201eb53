"""
The AWS SDKs for Python, faster and unchanged.

    with accelerate():
        s3.get_object(Bucket="b", Key="k")["Body"].read()

Nothing happens at import, and nothing heavy is imported: each name is when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto_accel.batch.client import S3BatchPutClient
    from boto_accel.batch.patch import batch_puts
    from boto_accel.batch.reader import BatchReader
    from boto_accel.cache.context import botocache_context
    from boto_accel.datastore.aio import AsyncTable
    from boto_accel.datastore.database import AsyncDatabase, Database
    from boto_accel.datastore.table import Table
    from boto_accel.errors import (
        BotoAccelError,
        InvalidOptionError,
        MissingExtraError,
        PatchStateError,
        UnsupportedBotocoreError,
    )
    from boto_accel.fastpath.patch import accelerate, explain
    from boto_accel.redis_store.errors import NotInForceError, UnpresignableError
    from boto_accel.redis_store.patch import redis_s3
    from boto_accel.router.errors import UnroutableError
    from boto_accel.router.patch import route_s3
    from boto_accel.stats import Stats

__version__ = "0.1.0"

__all__ = [
    "AsyncDatabase",
    "AsyncTable",
    "BatchReader",
    "BotoAccelError",
    "Database",
    "InvalidOptionError",
    "MissingExtraError",
    "NotInForceError",
    "PatchStateError",
    "S3BatchPutClient",
    "Stats",
    "Table",
    "UnpresignableError",
    "UnroutableError",
    "UnsupportedBotocoreError",
    "__version__",
    "accelerate",
    "batch_puts",
    "botocache_context",
    "explain",
    "redis_s3",
    "route_s3",
]

_HOMES = {
    "AsyncDatabase": "datastore.database",
    "AsyncTable": "datastore.aio",
    "BatchReader": "batch.reader",
    "BotoAccelError": "errors",
    "Database": "datastore.database",
    "InvalidOptionError": "errors",
    "MissingExtraError": "errors",
    "NotInForceError": "redis_store.errors",
    "PatchStateError": "errors",
    "S3BatchPutClient": "batch.client",
    "Stats": "stats",
    "Table": "datastore.table",
    "UnpresignableError": "redis_store.errors",
    "UnroutableError": "router.errors",
    "UnsupportedBotocoreError": "errors",
    "accelerate": "fastpath.patch",
    "batch_puts": "batch.patch",
    "botocache_context": "cache.context",
    "explain": "fastpath.patch",
    "redis_s3": "redis_store.patch",
    "route_s3": "router.patch",
}


def __getattr__(name: str) -> Any:
    if name == "router":  # for `boto_accel.router.client(…)`
        return import_module(f"{__name__}.router")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
