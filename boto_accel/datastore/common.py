"""What `Table` and `AsyncTable` share, none of which sends anything."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from boto_accel.datastore.layout import Layout
from boto_accel.datastore.rows import TableSteps
from boto_accel.datastore.schema import made_names
from boto_accel.errors import InvalidOptionError, MissingExtraError

_FILTER = "filter_objects_by_"


@dataclass(frozen=True)
class ObjectSummary:
    """An object as a listing tells of it; named as in boto3. *key* is the whole key."""

    bucket_name: str
    key: str
    last_modified: Any
    e_tag: str
    size: int
    storage_class: str | None


def summary(bucket: str, found: dict[str, Any]) -> ObjectSummary:
    return ObjectSummary(
        bucket,
        found["Key"],
        found["LastModified"],
        found["ETag"],
        found["Size"],
        found.get("StorageClass"),
    )


class Objects:
    """Makes a namedtuple of a row; for `iter_texts`."""

    def __init__(self) -> None:
        self._layout: Layout | None = None
        self._type: Any = None

    def __call__(self, layout: Layout, texts: Sequence[str], key: str) -> Any:
        if self._layout is not layout:
            # A name that is no identifier is "_" and its number.
            self._type = namedtuple("Object", layout.names, rename=True)  # type: ignore[misc]
            self._layout = layout
        return self._type._make(layout.row(texts, key).values())


def made_method(
    steps: TableSteps, name: str, values: Callable[[str], Any], objects: Callable[..., Any]
) -> Callable[..., Any]:
    """
    The method *name* that a table has for a column: `ids` or `filter_objects_by_id`.

    While columns are not known it is made for any name of these two forms, and finds out when it is
    called. Raises AttributeError.
    """
    schema = steps.known()
    if schema is None and not name.startswith("_"):
        if name.startswith(_FILTER):
            return _filtering(name.removeprefix(_FILTER), objects)
        if name.endswith("s"):
            return _values(name[:-1], values)
    for column in schema.names if schema else ():
        of_values, of_filter = made_names(column)
        if name == of_values:
            return _values(column, values)
        if name == of_filter:
            return _filtering(column, objects)
    raise AttributeError(f"a table has no attribute {name!r}, and no column for it")


def _values(column: str, values: Callable[[str], Any]) -> Callable[[], Any]:
    return partial(values, column)


def _filtering(column: str, objects: Callable[..., Any]) -> Callable[[Any], Any]:
    def filter_by(val: Any) -> Any:
        return objects(**{column: val})

    return filter_by


def all_names(steps: TableSteps) -> list[str]:
    """The methods that a table has for its columns, for `dir()`."""
    schema = steps.known()
    return [made for column in (schema.names if schema else ()) for made in made_names(column)]


def frame(
    names: Sequence[str], rows: Sequence[dict[str, Any]], data: Sequence[bytes] | None
) -> Any:
    """A DataFrame of *rows*."""
    pandas = require_pandas()
    made = pandas.DataFrame({name: [row[name] for row in rows] for name in names}, columns=names)
    if data is not None:
        made["data"] = list(data)
    return made


def require_pandas() -> Any:
    try:
        return import_module("pandas")
    except ModuleNotFoundError as error:
        raise MissingExtraError("to_pandas()", "pandas", "pandas") from error


def checked_source(database: Any, kind: type[Any], options: dict[str, Any]) -> Any:
    """*database* itself, or one of *kind* with that name."""
    if isinstance(database, str):
        return kind(database, **options)
    for name, value in options.items():
        if value is not None:
            raise InvalidOptionError(name, value, "it left out: the database has a client")
    if not isinstance(database, kind):
        raise InvalidOptionError("database", database, f"a {kind.__name__}, or the name of one")
    return database


def checked_target(source: Any, dest_table: Any) -> Any:
    if not isinstance(dest_table, type(source)):
        raise InvalidOptionError("dest_table", dest_table, f"a {type(source).__name__}")
    return dest_table


def check_same_store(source: Any, dest: Any) -> None:
    """CopyObject reads at the endpoint that it is sent to: elsewhere is another object, or none."""
    here, there = source.meta.endpoint_url, dest.meta.endpoint_url
    if here != there and not (_is_aws(here) and _is_aws(there)):
        expected = f"a table at the endpoint of the source, {here}; select and insert the row"
        raise InvalidOptionError("dest_table", there, expected)


def _is_aws(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
