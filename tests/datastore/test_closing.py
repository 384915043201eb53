"""A client that is made for a table or a database of the async world is closed, or missed."""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from boto_accel.datastore import AsyncDatabase, AsyncTable, Database
from tests.servers.moto_server import MotoServer

pytestmark = pytest.mark.aiobotocore
BUCKET = "bucket"


@pytest.fixture
def url(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a server with a bucket, for clients of a default session."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    url: str = moto_server.client_options["endpoint_url"]
    with Database(BUCKET, endpoint_url=url) as database:
        database.create()
    return url


def missed(
    work: Callable[[], Coroutine[Any, Any, None]], caplog: pytest.LogCaptureFixture
) -> list[str]:
    """What is said of what *work* has left open; aiohttp says it too."""
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(work())
        gc.collect()
    return [each.getMessage() for each in caplog.records if each.name.startswith(("boto", "async"))]


def test_a_table_closes_what_it_has_made(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with AsyncTable("table", BUCKET, ["id"], endpoint_url=url) as table:
            await table.insert(b"x", id="1")
            assert await table.select(id="1") == b"x"

    assert missed(work, caplog) == []


def test_a_table_leaves_open_what_it_was_given(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with AsyncDatabase(BUCKET, endpoint_url=url) as database:
            client: Any = await database.client()
            for _ in range(2):
                async with AsyncTable("table", database, ["id"]) as table:
                    await table.insert(b"x", id="1")
            assert await database.client() is client

    assert missed(work, caplog) == []


def test_what_is_left_open_is_named(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        await AsyncTable("table", BUCKET, ["id"], endpoint_url=url).insert(b"x", id="1")

    said = missed(work, caplog)
    assert any("AsyncDatabase('bucket') was not closed: use `async with`" in each for each in said)


def test_what_was_never_used_or_is_closed_is_not_missed(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        AsyncTable("table", BUCKET, endpoint_url=url)
        database = AsyncDatabase(BUCKET, endpoint_url=url)
        assert await database.tables == []
        await database.close()
        with pytest.raises(ValueError, match="name"):
            AsyncDatabase("", endpoint_url=url)

    assert missed(work, caplog) == []
