"""`Database` and `AsyncDatabase`: a bucket, whose tables are its top-level folders."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack
from typing import Any

from boto_accel.datastore import buckets
from boto_accel.datastore.aio import AsyncTable
from boto_accel.datastore.clients import check_given, make_async_client, make_client
from boto_accel.datastore.drive import arun, run
from boto_accel.datastore.effects import Steps
from boto_accel.datastore.rows import Bucket
from boto_accel.datastore.schema import Columns
from boto_accel.datastore.table import Table

logger = logging.getLogger(__name__)


class Database:
    """
    The bucket *name*.

    client: a client of S3 of boto3 or botocore. Without, one is made when it is first needed, of
    *session* (boto3's default session without) for *endpoint_url*. Raises what S3 answers as
    botocore does, `ClientError`.
    """

    def __init__(
        self,
        name: str,
        *,
        client: Any = None,
        session: Any = None,
        endpoint_url: str | None = None,
    ) -> None:
        check_given(client, session, endpoint_url, is_async=False)
        self.name: str = buckets.checked_name(name)
        self.bucket: Bucket = Bucket(self.name)  # what its tables have in common
        self._client: Any = client
        self._options = (session, endpoint_url)
        self._made = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Database({self.name!r})"

    @property
    def client(self) -> Any:
        """The client that calls are made with."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = make_client(*self._options)
                    self._made = True
        return self._client

    def close(self) -> None:
        """Close the client if it was made here. It is made anew when it is needed again."""
        with self._lock:
            if self._made:
                self._client.close()
                self._client, self._made = None, False

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Steps) -> Any:
        return run(self.client, steps)

    @property
    def tables(self) -> list[str]:
        """The names of its tables: those that have a row."""
        return self._run(buckets.tables(self.name))

    def create(self) -> dict[str, Any] | None:
        """Create the bucket, in the client's region; None if it is there."""
        return self._run(buckets.create(self.name, self.client.meta.region_name))

    def get_table(self, table_name: str, columns: Columns = ()) -> Table | None:
        """The table; None if it has neither a row nor a schema."""
        found = self._run(buckets.has_table(self.name, table_name))
        return Table(table_name, self, columns) if found else None

    def drop_table(self, table_name: str) -> None:
        """Delete all rows of a table, and its schema. Raises ManyError for keys that are left."""
        self._run(buckets.drop_table(self.bucket, table_name))

    @classmethod
    def list_databases(
        cls, *, client: Any = None, session: Any = None, endpoint_url: str | None = None
    ) -> list[str]:
        """The names of all buckets of the account."""
        check_given(client, session, endpoint_url, is_async=False)
        if client is not None:
            return run(client, buckets.list_databases())
        made = make_client(session, endpoint_url)
        try:
            return run(made, buckets.list_databases())
        finally:
            made.close()


class AsyncDatabase:
    """
    `Database` with a client of aiobotocore: what sends is awaited, properties too.

    Without *client* it is to be entered (`async with AsyncDatabase(name) as database`), or
    closed, so that the client that is made for it is closed.
    """

    _stack: AsyncExitStack | None = None  # of the client that was made here

    def __init__(
        self,
        name: str,
        *,
        client: Any = None,
        session: Any = None,
        endpoint_url: str | None = None,
    ) -> None:
        check_given(client, session, endpoint_url, is_async=True)
        self.name: str = buckets.checked_name(name)
        self.bucket: Bucket = Bucket(self.name)  # what its tables have in common
        self._client = client
        self._options = (session, endpoint_url)
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"AsyncDatabase({self.name!r})"

    async def client(self) -> Any:
        """The client that calls are made with."""
        async with self._lock:
            if self._client is None:
                stack = AsyncExitStack()
                made = make_async_client(*self._options)
                self._client = await stack.enter_async_context(made)
                self._stack = stack
        return self._client

    async def close(self) -> None:
        """Close the client if it was made here. It is made anew when it is needed again."""
        if self._stack is not None:
            stack, self._stack, self._client = self._stack, None, None
            await stack.aclose()

    async def __aenter__(self) -> AsyncDatabase:
        await self.client()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __del__(self) -> None:
        """aiohttp tells of a session that nobody closed, and not of whose it was."""
        if self._stack is not None:
            # Not `self`: who keeps the record would keep it.
            text = "AsyncDatabase(%r) was not closed: use `async with`, for it or its table"
            logger.warning(text, self.name)

    async def _run(self, steps: Steps) -> Any:
        return await arun(await self.client(), steps)

    @property
    async def tables(self) -> list[str]:
        """The names of its tables: those that have a row."""
        return await self._run(buckets.tables(self.name))

    async def create(self) -> dict[str, Any] | None:
        """Create the bucket, in the client's region; None if it is there."""
        client = await self.client()
        return await self._run(buckets.create(self.name, client.meta.region_name))

    async def get_table(self, table_name: str, columns: Columns = ()) -> AsyncTable | None:
        """The table; None if it has neither a row nor a schema."""
        found = await self._run(buckets.has_table(self.name, table_name))
        return AsyncTable(table_name, self, columns) if found else None

    async def drop_table(self, table_name: str) -> None:
        """Delete all rows of a table, and its schema. Raises ManyError for keys that are left."""
        await self._run(buckets.drop_table(self.bucket, table_name))

    @classmethod
    async def list_databases(
        cls, *, client: Any = None, session: Any = None, endpoint_url: str | None = None
    ) -> list[str]:
        """The names of all buckets of the account."""
        check_given(client, session, endpoint_url, is_async=True)
        if client is not None:
            return await arun(client, buckets.list_databases())
        async with make_async_client(session, endpoint_url) as made:
            return await arun(made, buckets.list_databases())
