"""S3 on Redis and Valkey: see `redis_s3`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boto_accel.redis_store.errors import UnpresignableError

if TYPE_CHECKING:
    from boto_accel.redis_store.patch import RedisPatch, redis_s3

__all__ = ["RedisPatch", "UnpresignableError", "redis_s3"]


def __getattr__(name: str) -> Any:
    # The pure files are of use without botocore, which the patch imports.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from boto_accel.redis_store import patch

    return getattr(patch, name)
