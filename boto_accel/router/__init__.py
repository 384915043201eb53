"""Calls of S3 that go elsewhere: see `route_s3` and `client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boto_accel.router.errors import UnroutableError

if TYPE_CHECKING:
    from boto_accel.router.composed import client
    from boto_accel.router.patch import RoutePatch, route_s3

__all__ = ["RoutePatch", "UnroutableError", "client", "route_s3"]


def __getattr__(name: str) -> Any:
    # The rules are of use without botocore, which the patch imports.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from boto_accel.router import composed, patch

    return getattr(composed if name == "client" else patch, name)
