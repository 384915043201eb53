"""
What routing costs: CPU per call, over that of a call that no router sees.

    python -m tests.router.cost

A program and no test, for what it tells depends on the machine. Nothing is sent: a patch of the
last layer answers at once, so that only the router is timed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from boto_accel import route_s3
from boto_accel._patch import Patch
from boto_accel._stack import Layer
from tests.router.stores import KEYS, MAPPING
from tests.servers.clients import make_client

ROUNDS, CALLS = 9, 5_000
TARGETS = {"far": {"endpoint_url": "http://far.test", **KEYS}}
CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("default rule", "GetObject", {"Bucket": "plain", "Key": "k"}),
    ("default rule, by key", "GetObject", {"Bucket": "split", "Key": "k"}),
    ("mapped", "GetObject", {"Bucket": "moved", "Key": "k"}),
    ("mapped, by key", "PutObject", {"Bucket": "split", "Key": "dev/k", "Body": b""}),
    ("mapped, bucket", "HeadBucket", {"Bucket": "moved"}),
    ("mapped, listing of one key", "ListObjectsV2", {"Bucket": "moved", "Prefix": "x"}),
    (
        "mapped, 10 deletes",
        "DeleteObjects",
        {"Bucket": "moved", "Delete": {"Objects": [{"Key": "k"}] * 10}},
    ),
)


class Answers(Patch):
    layer = Layer.SEND

    def send(self, client: Any, operation: str, params: Mapping[str, Any], stock: Any) -> Any:
        if operation == "ListObjectsV2":
            return {"Name": "example-repo", "Prefix": "main/x", "Contents": [{"Key": "main/x"}]}
        return {"ResponseMetadata": {}}

    async def asend(
        self, client: Any, operation: str, params: Mapping[str, Any], stock: Any
    ) -> Any:
        return self.send(client, operation, params, stock)


def sync_cost(client: Any, operation: str, params: Mapping[str, Any]) -> float:
    """Microseconds, of the best round."""

    def calls() -> None:
        for _ in range(CALLS):
            client._make_api_call(operation, params)

    return _best(calls)


async def async_cost(client: Any, operation: str, params: Mapping[str, Any]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(CALLS):
            await client._make_api_call(operation, params)
        best = min(best, time.process_time() - begun)
    return best / CALLS * 1e6


def _best(calls: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        calls()
        times.append(time.process_time() - begun)
    return min(times) / CALLS * 1e6


def measure_sync() -> None:
    with make_client("sync", "s3", endpoint_url="http://near.test") as client, Answers():
        bare = sync_cost(client, *CASES[0][1:])
        with route_s3(TARGETS, MAPPING):
            for name, operation, params in CASES:
                cost = sync_cost(client, operation, params) - bare
                print(f"sync   {name:<28} {cost:5.1f} µs")


async def measure_async() -> None:
    async with make_client("async", "s3", endpoint_url="http://near.test") as client:
        with Answers():
            bare = await async_cost(client, *CASES[0][1:])
            async with route_s3(TARGETS, MAPPING):
                for name, operation, params in CASES:
                    cost = await async_cost(client, operation, params) - bare
                    print(f"async  {name:<28} {cost:5.1f} µs")


if __name__ == "__main__":
    measure_sync()
    asyncio.run(measure_async())
