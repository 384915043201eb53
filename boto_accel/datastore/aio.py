"""`AsyncTable`: `Table` for a client of aiobotocore. See there what each method does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from boto_accel.datastore.common import (
    Objects,
    ObjectSummary,
    all_names,
    check_same_store,
    checked_source,
    checked_target,
    frame,
    made_method,
    require_pandas,
    summary,
)
from boto_accel.datastore.drive import aiterate, arun
from boto_accel.datastore.effects import Progress, Steps
from boto_accel.datastore.progress import telling
from boto_accel.datastore.rows import NO_DEFAULT, TableSteps, collected
from boto_accel.datastore.schema import Columns, Schema

if TYPE_CHECKING:
    from boto_accel.datastore.database import AsyncDatabase

D = TypeVar("D")
Row = dict[str, Any]


class AsyncTable:
    """
    `Table`, whose methods and properties that send anything are awaited.

    `await table.select(id=1)`, `await table.keys`, `async for row in table.iter_query()`.
    `columns` are those that are known so far: `await table.schema` asks for them.
    Made of a bucket's name, without *client*, it is to be entered, so that the client that is made
    for it is closed: `async with AsyncTable(name, bucket) as table`.
    """

    _owns_database: bool = False

    def __init__(
        self,
        name: str,
        database: AsyncDatabase | str,
        columns: Columns = (),
        *,
        client: Any = None,
        session: Any = None,
        endpoint_url: str | None = None,
    ) -> None:
        from boto_accel.datastore.database import AsyncDatabase

        options = {"client": client, "session": session, "endpoint_url": endpoint_url}
        self.database: AsyncDatabase = checked_source(database, AsyncDatabase, options)
        self._owns_database = self.database is not database
        self._steps = TableSteps(name, self.database.bucket, columns, [*dir(AsyncTable), "_steps"])

    @property
    def name(self) -> str:
        return self._steps.name

    def __repr__(self) -> str:
        return f"AsyncTable({self.name!r}, {self.database!r})"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name == "_steps":  # not made yet
            raise AttributeError(name)
        return made_method(self._steps, name, self._values_of, self.filter_objects_by)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *all_names(self._steps)]

    async def __aenter__(self) -> AsyncTable:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._owns_database:
            await self.database.close()

    async def _run(self, steps: Steps) -> Any:
        return await arun(await self.database.client(), steps)

    # Columns -----------------------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        schema = self._steps.known()
        return schema.names if schema else []

    @property
    async def schema(self) -> Schema | None:
        return await self._run(self._steps.schema())

    # One row -----------------------------------------------------------------------------------

    async def select(self, /, *, default: D = NO_DEFAULT, **columns: Any) -> bytes | D:
        return await self._run(self._steps.select(columns, default))

    async def select_string(self, /, *, default: D = NO_DEFAULT, **columns: Any) -> str | D:
        return await self._run(self._steps.select_string(columns, default))

    async def select_json(self, /, *, default: Any = NO_DEFAULT, **columns: Any) -> Any:
        return await self._run(self._steps.select_json(columns, default))

    async def select_with_etag(self, /, **columns: Any) -> tuple[bytes, str]:
        return await self._run(self._steps.select_with_etag(columns))

    async def insert(
        self,
        /,
        data: bytes,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_absent: bool = False,
        **columns: Any,
    ) -> dict[str, Any]:
        return await self._run(self._steps.insert(data, metadata, if_absent, columns))

    async def insert_string(
        self,
        /,
        data: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_absent: bool = False,
        **columns: Any,
    ) -> dict[str, Any]:
        return await self._run(self._steps.insert_string(data, metadata, if_absent, columns))

    async def insert_json(
        self,
        /,
        data: Any,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_absent: bool = False,
        **columns: Any,
    ) -> dict[str, Any]:
        return await self._run(self._steps.insert_json(data, metadata, if_absent, columns))

    async def update(
        self,
        /,
        data: bytes,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_match: str,
        **columns: Any,
    ) -> dict[str, Any]:
        return await self._run(self._steps.update(data, metadata, if_match, columns))

    async def delete(self, /, **columns: Any) -> dict[str, Any]:
        return await self._run(self._steps.delete(columns))

    async def to_key(self, /, **columns: Any) -> str:
        return await self._run(self._steps.to_key(columns))

    # Many rows ---------------------------------------------------------------------------------

    async def insert_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        workers: int = 0,
        progress: bool | Progress | None = None,
    ) -> list[dict[str, Any]]:
        with telling(progress, f"insert into {self.name}") as told:
            return await self._run(self._steps.insert_many(rows, workers, told))

    async def select_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        default: D = NO_DEFAULT,
        workers: int = 0,
        progress: bool | Progress | None = None,
    ) -> list[bytes | D]:
        with telling(progress, f"select from {self.name}") as told:
            return await self._run(self._steps.select_many(rows, default, workers, told))

    async def delete_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        workers: int = 0,
        progress: bool | Progress | None = None,
    ) -> int:
        with telling(progress, f"delete from {self.name}") as told:
            return await self._run(self._steps.delete_many(rows, workers, told))

    # Looking for rows --------------------------------------------------------------------------

    async def query(self, /, **columns: Any) -> list[Row]:
        return await self._run(collected(self._steps.iter_query(columns)))

    async def iter_query(self, /, **columns: Any) -> AsyncIterator[Row]:
        steps = self._steps.iter_query(columns)
        async with aclosing(aiterate(await self.database.client(), steps)) as rows:
            async for row in rows:
                yield row

    async def count(self, /, **columns: Any) -> int:
        return await self._run(self._steps.count(columns))

    async def distinct(self, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        return await self._run(self._steps.distinct(columns))

    async def first_column_values(self) -> list[Any]:
        return await self._run(self._steps.first_values())

    async def _values_of(self, column: str) -> list[Any]:
        return await self._run(self._steps.values_of(column))

    @property
    async def objects(self) -> list[Any]:
        return await self.filter_objects_by()

    async def filter_objects_by(self, /, **columns: Any) -> list[Any]:
        return await self._run(collected(self._steps.iter_texts(columns, Objects())))

    async def to_pandas(self, /, *, data: bool = False, **columns: Any) -> Any:
        require_pandas()
        rows = await self.query(**columns)
        return frame(self.columns, rows, await self.select_many(rows) if data else None)

    async def random_key(self) -> str:
        return await self._run(self._steps.random_key())

    async def random(self) -> Row:
        return await self._run(self._steps.random())

    # Keys --------------------------------------------------------------------------------------

    @property
    async def keys(self) -> list[str]:
        return await self.query_by_key()

    async def query_by_key(self, key: str = "", sort_by: str | None = None) -> list[str]:
        return await self._run(self._steps.keys(key, sort_by))

    async def select_all_by_filter(self, key: str = "") -> list[ObjectSummary]:
        found = await self._run(self._steps.contents(key))
        return [summary(self.database.name, each) for each in found]

    async def select_by_key(self, key: str, *, default: D = NO_DEFAULT) -> bytes | D:
        return await self._run(self._steps.select_by_key(key, default))

    async def insert_by_key(self, key: str, data: bytes, **params: Any) -> dict[str, Any]:
        return await self._run(self._steps.insert_by_key(key, data, params))

    async def delete_by_key(self, key: str) -> dict[str, Any]:
        return await self._run(self._steps.delete_by_key(key))

    def copy(self, key: str) -> AsyncCopy:
        return AsyncCopy(self, key)


class AsyncCopy:
    """The object at *source_key* of *source_table*, to be copied."""

    def __init__(self, source_table: AsyncTable, source_key: str) -> None:
        self.source_table = source_table
        self.source_key = source_key

    async def to(self, dest_table: AsyncTable, dest_key: str, **kwargs: Any) -> None:
        dest: AsyncTable = checked_target(self.source_table, dest_table)
        client = await dest.database.client()
        check_same_store(await self.source_table.database.client(), client)
        steps = self.source_table._steps.copy(self.source_key, dest._steps, dest_key, kwargs)
        await arun(client, steps)
