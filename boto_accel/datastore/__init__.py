"""S3 as a datastore: see `Database` and `Table`, and docs/datastore.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boto_accel.datastore.errors import (
    ColumnError,
    ConflictError,
    DatastoreError,
    DeleteError,
    EmptyTableError,
    Failure,
    KeyTooLongError,
    ManyError,
    RowChangedError,
    RowExistsError,
    RowNotFound,
    SchemaError,
    UnreadableKeyError,
)

if TYPE_CHECKING:
    from boto_accel.datastore.aio import AsyncCopy, AsyncTable
    from boto_accel.datastore.common import ObjectSummary
    from boto_accel.datastore.database import AsyncDatabase, Database
    from boto_accel.datastore.schema import Schema
    from boto_accel.datastore.table import Copy, Table

__all__ = [
    "AsyncCopy",
    "AsyncDatabase",
    "AsyncTable",
    "ColumnError",
    "ConflictError",
    "Copy",
    "Database",
    "DatastoreError",
    "DeleteError",
    "EmptyTableError",
    "Failure",
    "KeyTooLongError",
    "ManyError",
    "ObjectSummary",
    "RowChangedError",
    "RowExistsError",
    "RowNotFound",
    "Schema",
    "SchemaError",
    "Table",
    "UnreadableKeyError",
]

_HOMES = {
    "AsyncCopy": "aio",
    "AsyncDatabase": "database",
    "AsyncTable": "aio",
    "Copy": "table",
    "Database": "database",
    "ObjectSummary": "common",
    "Schema": "schema",
    "Table": "table",
}


def __getattr__(name: str) -> Any:
    # The pure files are of use without botocore.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
