"""
A client of either world, called as if it were blocking: one test text for boto3 and aiobotocore.

    with open_caller("async", endpoint_url=url) as s3:
        s3("put_object", Bucket="b", Key="k", Body=b"x")
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from boto_accel import accelerate
from tests.servers.clients import make_client


class Caller:
    """A client and, in the async world, the loop that it lives on."""

    def __init__(self, client: Any, loop: asyncio.AbstractEventLoop | None) -> None:
        self.client = client
        self.loop = loop

    @property
    def is_async(self) -> bool:
        return self.loop is not None

    def run(self, value: Any) -> Any:
        """*value*, awaited where it is awaitable."""
        if not inspect.isawaitable(value):
            return value
        assert self.loop is not None
        return self.loop.run_until_complete(_awaited(value))

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.run(getattr(self.client, method)(**params))
        return result

    def body(self, method: str = "get_object", **params: Any) -> bytes:
        """The whole body of a streaming answer."""
        return self.drain(self(method, **params)["Body"])

    def drain(self, body: Any) -> bytes:
        data: bytes = self.run(body.read())
        body.close()
        return data

    def pages(self, operation: str, **params: Any) -> list[dict[str, Any]]:
        pages = self.client.get_paginator(operation).paginate(**params)
        if not self.is_async:
            return list(pages)
        return self.run(_listed(pages))  # type: ignore[no-any-return]

    def wait(self, waiter: str, **params: Any) -> None:
        self.run(self.client.get_waiter(waiter).wait(**params))


async def _awaited(value: Any) -> Any:
    return await value


async def _listed(pages: Any) -> list[dict[str, Any]]:
    return [page async for page in pages]


@contextmanager
def open_caller(flavour: str, service: str = "s3", **options: Any) -> Iterator[Caller]:
    """*options* as `make_client` takes them."""
    if flavour == "sync":
        with make_client("sync", service, **options) as client:
            yield Caller(client, None)
        return
    with open_loop() as loop:
        opening: Any = make_client("async", service, **options)
        client = loop.run_until_complete(opening.__aenter__())
        try:
            yield Caller(client, loop)
        finally:
            loop.run_until_complete(opening.__aexit__(None, None, None))


@contextmanager
def open_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop; what is scheduled for its next turns is done before it closes."""
    loop = asyncio.new_event_loop()
    try:
        yield loop
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


@contextmanager
def all_fast(expected: int | None = None, **options: Any) -> Iterator[Any]:
    """
    `accelerate(**options)`, and at the end: every call was fast, *expected* of them (None: some).

    A test in it cannot pass by falling back, nor by having had a plan retired.
    """
    with accelerate(**options) as patch:
        yield patch
    stats = patch.stats
    assert stats.fallback == 0, f"\n{stats}"
    assert stats.retired == 0, f"\n{stats}"
    assert stats.fast == expected if expected is not None else stats.fast > 0, f"\n{stats}"


def stock_bodies(flavour: str, options: dict[str, Any]) -> Callable[..., bytes]:
    """`read(Bucket=…, Key=…)`: bodies as a stock client of its own reads them."""

    def read(**params: Any) -> bytes:
        with open_caller(flavour, **options) as caller:
            return caller.body(**params)

    return read
