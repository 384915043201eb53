"""`Table`: rows of a bucket's top-level folder, with the columns as segments of the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from boto_accel.datastore.drive import iterate, run
from boto_accel.datastore.effects import Progress, Steps
from boto_accel.datastore.progress import telling
from boto_accel.datastore.rows import NO_DEFAULT, TableSteps, collected
from boto_accel.datastore.schema import Columns, Schema

if TYPE_CHECKING:
    from boto_accel.datastore.database import Database

D = TypeVar("D")
Row = dict[str, Any]


class Table:
    """
    The table *name* of *database*, a `Database` or the name of one.

    columns: names in the order of the segments of keys, or a dict of name to type (str, int,
    float, bool, date, datetime, Decimal, UUID), whose values then keep it. Without, those that
    the table was first written with. client, session, endpoint_url: as of `Database`, if
    *database* is a name.

    Columns are given by name: `table.select(id=1, year=2020)`. Keys are relative to the table.
    For each column there are two methods more: for "id", `ids()`, its distinct values, and
    `filter_objects_by_id(val)`.
    """

    def __init__(
        self,
        name: str,
        database: Database | str,
        columns: Columns = (),
        *,
        client: Any = None,
        session: Any = None,
        endpoint_url: str | None = None,
    ) -> None:
        from boto_accel.datastore.database import Database

        options = {"client": client, "session": session, "endpoint_url": endpoint_url}
        self.database: Database = checked_source(database, Database, options)
        self._steps = TableSteps(name, self.database.bucket, columns, [*dir(Table), "_steps"])

    @property
    def name(self) -> str:
        return self._steps.name

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self.database!r})"

    def __getattr__(self, name: str) -> Callable[..., list[Any]]:
        if name == "_steps":  # not made yet
            raise AttributeError(name)
        return made_method(self._steps, name, self._values_of, self.filter_objects_by)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *all_names(self._steps)]

    def _run(self, steps: Steps) -> Any:
        return run(self.database.client, steps)

    # Columns -----------------------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order; empty where none are known."""
        schema = self._steps.known() or self.schema
        return schema.names if schema else []

    @property
    def schema(self) -> Schema | None:
        """The columns and their types; None where none are known. Raises SchemaError."""
        return self._run(self._steps.schema())

    # One row -----------------------------------------------------------------------------------

    def select(self, /, *, default: D = NO_DEFAULT, **columns: Any) -> bytes | D:
        """The data of the row. Raises RowNotFound unless there is a *default*."""
        return self._run(self._steps.select(columns, default))

    def select_string(self, /, *, default: D = NO_DEFAULT, **columns: Any) -> str | D:
        """The data of the row, as UTF-8."""
        return self._run(self._steps.select_string(columns, default))

    def select_json(self, /, *, default: Any = NO_DEFAULT, **columns: Any) -> Any:
        """The data of the row, read as JSON."""
        return self._run(self._steps.select_json(columns, default))

    def select_with_etag(self, /, **columns: Any) -> tuple[bytes, str]:
        """The data of the row, and the ETag for `update`."""
        return self._run(self._steps.select_with_etag(columns))

    def insert(
        self,
        /,
        data: bytes,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_absent: bool = False,
        **columns: Any,
    ) -> dict[str, Any]:
        """
        Write the row; what PutObject answers.

        metadata: more parameters of PutObject: ContentType, Metadata, StorageClass, …
        if_absent: raise RowExistsError where there is a row, by a conditional write.
        """
        return self._run(self._steps.insert(data, metadata, if_absent, columns))

    def insert_string(
        self,
        /,
        data: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_absent: bool = False,
        **columns: Any,
    ) -> dict[str, Any]:
        """`insert` of a text, as UTF-8."""
        return self._run(self._steps.insert_string(data, metadata, if_absent, columns))

    def insert_json(
        self,
        /,
        data: Any,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_absent: bool = False,
        **columns: Any,
    ) -> dict[str, Any]:
        """`insert` of what JSON can hold."""
        return self._run(self._steps.insert_json(data, metadata, if_absent, columns))

    def update(
        self,
        /,
        data: bytes,
        metadata: Mapping[str, Any] | None = None,
        *,
        if_match: str,
        **columns: Any,
    ) -> dict[str, Any]:
        """
        Replace the row if its ETag is *if_match*, by a conditional write.

        Raises RowChangedError if it is another, RowNotFound if the row is gone.
        """
        return self._run(self._steps.update(data, metadata, if_match, columns))

    def delete(self, /, **columns: Any) -> dict[str, Any]:
        """Delete the row; what DeleteObject answers, whether or not it was there."""
        return self._run(self._steps.delete(columns))

    def to_key(self, /, **columns: Any) -> str:
        """The whole key of the row, with the name of the table."""
        return self._run(self._steps.to_key(columns))

    # Many rows ---------------------------------------------------------------------------------

    def insert_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        workers: int = 0,
        progress: bool | Progress | None = None,
    ) -> list[dict[str, Any]]:
        """
        Write *rows*, each a dict of what `insert` takes; what PutObject answered for each.

        All are checked before the first is sent, and all are tried. Raises ManyError with those
        that failed. workers: threads; 0 for as many as the client has connections.
        progress: True for a bar, or called with the number done and that of all.
        """
        with telling(progress, f"insert into {self.name}") as told:
            return self._run(self._steps.insert_many(rows, workers, told))

    def select_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        default: D = NO_DEFAULT,
        workers: int = 0,
        progress: bool | Progress | None = None,
    ) -> list[bytes | D]:
        """The data of *rows*, dicts of all columns, in order; otherwise like `insert_many`."""
        with telling(progress, f"select from {self.name}") as told:
            return self._run(self._steps.select_many(rows, default, workers, told))

    def delete_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        workers: int = 0,
        progress: bool | Progress | None = None,
    ) -> int:
        """Delete *rows*, a thousand in a request; how many were given. Like `insert_many`."""
        with telling(progress, f"delete from {self.name}") as told:
            return self._run(self._steps.delete_many(rows, workers, told))

    # Looking for rows --------------------------------------------------------------------------

    def query(self, /, **columns: Any) -> list[Row]:
        """The columns of the rows that have these values, sorted by key."""
        return self._run(collected(self._steps.iter_query(columns)))

    def iter_query(self, /, **columns: Any) -> Iterator[Row]:
        """`query`, a page of keys at a time as it is iterated."""
        return iterate(self.database.client, self._steps.iter_query(columns))

    def count(self, /, **columns: Any) -> int:
        """How many rows there are; of keys, where no columns are known."""
        return self._run(self._steps.count(columns))

    def distinct(self, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """The distinct combinations of values of *columns*, in the order of keys."""
        return self._run(self._steps.distinct(columns))

    def first_column_values(self) -> list[Any]:
        """The distinct values of the first column."""
        return self._run(self._steps.first_values())

    def _values_of(self, column: str) -> list[Any]:
        return self._run(self._steps.values_of(column))

    @property
    def objects(self) -> list[Any]:
        """All rows as namedtuples: `object.id`, `object.year`."""
        return self.filter_objects_by()

    def filter_objects_by(self, /, **columns: Any) -> list[Any]:
        """`query`, as namedtuples."""
        return self._run(collected(self._steps.iter_texts(columns, Objects())))

    def to_pandas(self, /, *, data: bool = False, **columns: Any) -> Any:
        """`query` as a DataFrame; *data* for a column more with the data of the rows."""
        require_pandas()
        rows = self.query(**columns)
        return frame(self.columns, rows, self.select_many(rows) if data else None)

    def random_key(self) -> str:
        """The key of a random row; see `boto_accel.datastore.sampling` for how random."""
        return self._run(self._steps.random_key())

    def random(self) -> Row:
        """The columns of a random row, and its "data"."""
        return self._run(self._steps.random())

    # Keys --------------------------------------------------------------------------------------

    @property
    def keys(self) -> list[str]:
        """All keys of the table."""
        return self.query_by_key()

    def query_by_key(self, key: str = "", sort_by: str | None = None) -> list[str]:
        """
        The keys that begin with *key*.

        sort_by: Key, LastModified, ETag, Size or StorageClass.
        """
        return self._run(self._steps.keys(key, sort_by))

    def select_all_by_filter(self, key: str = "") -> list[ObjectSummary]:
        """What S3 lists of the objects whose keys begin with *key*."""
        found = self._run(self._steps.contents(key))
        return [summary(self.database.name, each) for each in found]

    def select_by_key(self, key: str, *, default: D = NO_DEFAULT) -> bytes | D:
        """The data at *key*. Raises RowNotFound unless there is a *default*."""
        return self._run(self._steps.select_by_key(key, default))

    def insert_by_key(self, key: str, data: bytes, **params: Any) -> dict[str, Any]:
        """Write *data* at *key*; *params* are those of PutObject."""
        return self._run(self._steps.insert_by_key(key, data, params))

    def delete_by_key(self, key: str) -> dict[str, Any]:
        """Delete what is at *key*."""
        return self._run(self._steps.delete_by_key(key))

    def copy(self, key: str) -> Copy:
        """`copy(key).to(dest_table, dest_key)` copies an object within S3."""
        return Copy(self, key)


class Copy:
    """The object at *source_key* of *source_table*, to be copied."""

    def __init__(self, source_table: Table, source_key: str) -> None:
        self.source_table = source_table
        self.source_key = source_key

    def to(self, dest_table: Table, dest_key: str, **kwargs: Any) -> None:
        """Copy it; *kwargs* are parameters of CopyObject."""
        dest: Table = checked_target(self.source_table, dest_table)
        client = dest.database.client
        check_same_store(self.source_table.database.client, client)
        steps = self.source_table._steps.copy(self.source_key, dest._steps, dest_key, kwargs)
        run(client, steps)
