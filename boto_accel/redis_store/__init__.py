"""S3 on Redis and Valkey: see `redis_s3`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto_accel.redis_store.errors import NotInForceError, UnpresignableError
    from boto_accel.redis_store.patch import RedisPatch, redis_s3

__all__ = ["NotInForceError", "RedisPatch", "UnpresignableError", "redis_s3"]

_HOMES = {"NotInForceError": "errors", "UnpresignableError": "errors"}


def __getattr__(name: str) -> Any:
    # The pure files are of use without botocore, which the others import.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'patch')}"), name)
