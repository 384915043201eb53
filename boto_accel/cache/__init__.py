"""The response cache: see `botocache_context`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto_accel.cache.context import botocache_context
    from boto_accel.cache.patch import CachePatch

__all__ = ["CachePatch", "botocache_context"]


def __getattr__(name: str) -> Any:
    # The pure files are of use without botocore, which the patch imports.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from boto_accel.cache import context

    return getattr(context, name)
