"""The two stores that tests route between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto_accel import route_s3
from boto_accel.router.patch import RoutePatch
from tests.servers.clients import ACCESS_KEY, REGION, SECRET_KEY, make_client
from tests.servers.moto_server import MotoServer

KEYS = {
    "aws_access_key_id": ACCESS_KEY,
    "aws_secret_access_key": SECRET_KEY,
    "region_name": REGION,
}

# "moved" is wholly elsewhere, "split" by key, "renamed" under another name in the same store.
MAPPING: list[dict[str, str]] = [
    {
        "bucket_name": "moved",
        "mapped_bucket_name": "example-repo",
        "client": "far",
        "key_prefix": "main/",
    },
    {
        "bucket_name": "split",
        "key_pattern": "dev/*",
        "mapped_bucket_name": "dev-repo",
        "client": "far",
        "key_prefix": "branch/",
    },
    {"bucket_name": "split", "key_pattern": "*.tmp", "client": "far"},
    {"bucket_name": "renamed", "mapped_bucket_name": "other-name", "client": "near"},
    {"bucket_name": "*", "client": "near"},
]
# What there is at the targets for it.
TARGET_BUCKETS = {
    "near": ["other-name", "split", "plain"],
    "far": ["example-repo", "dev-repo", "split"],
}
USER_BUCKETS = ["moved", "plain", "renamed", "split"]


@dataclass(frozen=True)
class Stores:
    """near: where the calling code's client goes; far: the other one."""

    near: MotoServer
    far: MotoServer

    def reset(self) -> None:
        self.near.reset()
        self.far.reset()

    @property
    def targets(self) -> dict[str, Any]:
        return {"far": {"endpoint_url": self.far.endpoint_url, **KEYS}}

    def route(self, mapping: Any = None) -> RoutePatch:
        return route_s3(self.targets, MAPPING if mapping is None else mapping)

    @contextmanager
    def clients(self) -> Iterator[dict[str, Any]]:
        """Plain clients of both, by name."""
        with (
            make_client("sync", "s3", **self.near.client_options) as near,
            make_client("sync", "s3", **self.far.client_options) as far,
        ):
            yield {"near": near, "far": far}

    def make_targets(self) -> None:
        with self.clients() as clients:
            for name, buckets in TARGET_BUCKETS.items():
                for bucket in buckets:
                    clients[name].create_bucket(Bucket=bucket)

    def keys(self, name: str, bucket: str) -> list[str]:
        """What really is in a bucket."""
        with self.clients() as clients:
            found = clients[name].list_objects_v2(Bucket=bucket)
            return [each["Key"] for each in found.get("Contents", ())]
