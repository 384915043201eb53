"""
Where the datastore is tested: each store in both worlds, called as if it were blocking.

A store is one line in STORES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, settings

from boto_accel import accelerate, batch_puts, botocache_context
from boto_accel.datastore import AsyncDatabase, AsyncTable, Database, Table
from boto_accel.redis_store.patch import redis_s3
from tests.fastpath.callers import Caller, open_caller

BUCKET = "database"
steady = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


Options = dict[str, Any]  # of the clients of a server


@dataclass(frozen=True)
class Store:
    """around: the patches in force; server: the fixture that has its `client_options`."""

    around: Callable[[Options], AbstractContextManager[Any]]
    server: str = "moto_server"


def _cached(_: Options) -> AbstractContextManager[Any]:
    return botocache_context(cache="memory://")


@contextmanager
def _accelerated_and_cached(options: Options) -> Iterator[None]:
    with accelerate(), _cached(options):
        yield


@contextmanager
def _batched(options: Options) -> Iterator[None]:
    """Rows are in batches of a few, in another bucket."""
    with open_caller("sync", **options) as caller, TemporaryDirectory() as folder:
        caller("create_bucket", Bucket="batches")
        into = f"s3://batches/{uuid4().hex}/"
        with batch_puts(f"s3://{BUCKET}/*", into, spool_dir=f"{folder}/spool", max_count=3):
            yield


STORES = {
    "plain": Store(lambda _: nullcontext()),
    "accelerated": Store(lambda _: accelerate()),
    "cached": Store(_cached),
    "accelerated and cached": Store(_accelerated_and_cached),
    "batched": Store(_batched),
    "redis": Store(lambda _: redis_s3(), "redis_server"),
}


class World:
    """A database of either world; `do` waits for what its methods give."""

    def __init__(self, caller: Caller, name: str = BUCKET) -> None:
        self.caller = caller
        self.name = name
        self.do = caller.run
        self.database = self.open()

    @property
    def is_async(self) -> bool:
        return self.caller.is_async

    def open(self) -> Any:
        """Another object for the same database, which knows nothing of the first."""
        made: Any = AsyncDatabase if self.is_async else Database
        return made(self.name, client=self.caller.client)

    def table(self, name: str, columns: Any = (), database: Any = None) -> Any:
        made: Any = AsyncTable if self.is_async else Table
        return made(name, self.database if database is None else database, columns)

    def listed(self, rows: Any) -> list[Any]:
        return self.do(_listed(rows)) if self.is_async else list(rows)

    def bucket_keys(self) -> list[str]:
        """All keys of the bucket."""
        pages = self.caller.pages("list_objects_v2", Bucket=self.name)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def put(self, key: str, body: bytes = b"") -> None:
        """As s3aads would, or somebody else."""
        self.caller("put_object", Bucket=self.name, Key=key, Body=body)


async def _listed(rows: Any) -> list[Any]:
    return [row async for row in rows]


@contextmanager
def open_world(flavour: str, name: str = BUCKET, **options: Any) -> Iterator[World]:
    with open_caller(flavour, **options) as caller:
        world = World(caller, name)
        world.do(world.database.create())
        yield world


class Counting:
    """A client that counts what it is asked for: `[("list_objects_v2", {...}), …]`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[tuple[str, dict[str, Any]]] = []

    @property
    def meta(self) -> Any:
        return self._client.meta

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def counted(**params: Any) -> Any:
            self.calls.append((name, params))
            return method(**params)

        return counted

    def took(self) -> list[tuple[str, dict[str, Any]]]:
        """The calls since it was last asked."""
        calls, self.calls = self.calls, []
        return calls
