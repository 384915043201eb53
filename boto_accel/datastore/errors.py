"""
What the datastore says on its own account.

    DatastoreError
    ├── RowNotFound             also a KeyError
    │   └── EmptyTableError     also an IndexError, as `random.choice([])` raises
    ├── ColumnError             a column or its value is wrong; also a ValueError
    │   └── KeyTooLongError
    ├── SchemaError             the columns are not those that the table was made with
    ├── UnreadableKeyError      a key under the table is no row of these columns
    ├── ConflictError           a conditional write found another state; `__cause__` is botocore's
    │   ├── RowExistsError
    │   └── RowChangedError
    ├── DeleteError             S3 did not delete one key of many
    └── ManyError               some of many rows failed

What S3 says otherwise is raised as botocore says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from boto_accel.errors import BotoAccelError


class DatastoreError(BotoAccelError):
    """The root of what the datastore raises."""


class RowNotFound(DatastoreError, KeyError):
    """There is no object at *key* (as in `table.keys`) of *table*."""

    def __init__(self, table: str, key: str) -> None:
        super().__init__(table, key)
        self.table = table
        self.key = key

    def __str__(self) -> str:
        return f"table {self.table!r} has no row at {self.key!r}"


class EmptyTableError(RowNotFound, IndexError):
    """*table* has no rows to choose from."""

    def __init__(self, table: str, key: str = "") -> None:
        super().__init__(table, key)

    def __str__(self) -> str:
        return f"table {self.table!r} has no rows"


class ColumnError(DatastoreError, ValueError):
    """*column* of *table* is wrong; *reason* says in what, and what would do."""

    def __init__(self, table: str, column: str, reason: str) -> None:
        super().__init__(table, column, reason)
        self.table = table
        self.column = column
        self.reason = reason

    def __str__(self) -> str:
        return f"table {self.table!r}, column {self.column!r}: {self.reason}"


class KeyTooLongError(ColumnError):
    """The key would be longer than S3 allows; *column* has the longest value."""


class SchemaError(DatastoreError):
    """*table* was not opened with the columns that it has; *reason* tells both."""

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(table, reason)
        self.table = table
        self.reason = reason

    def __str__(self) -> str:
        return f"table {self.table!r}: {self.reason}"


class UnreadableKeyError(DatastoreError):
    """*key* is under *table*, but not what *column* can hold; *reason* says why."""

    def __init__(self, table: str, key: str, column: str, reason: str) -> None:
        super().__init__(table, key, column, reason)
        self.table = table
        self.key = key
        self.column = column
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"table {self.table!r}, key {self.key!r}, column {self.column!r}: {self.reason}; "
            "open the table with a column type that fits, or delete_by_key() the key"
        )


class ConflictError(DatastoreError):
    """Another writer is at *key* of *table*, or was; nothing was written."""

    def __init__(self, table: str, key: str) -> None:
        super().__init__(table, key)
        self.table = table
        self.key = key

    def __str__(self) -> str:
        return f"table {self.table!r}: a write at the same time to {self.key!r}; try again"


class RowExistsError(ConflictError):
    """`insert(..., if_absent=True)` found a row."""

    def __str__(self) -> str:
        return f"table {self.table!r} has a row at {self.key!r} already"


class RowChangedError(ConflictError):
    """`update(..., if_match=etag)` found a row with another ETag."""

    def __str__(self) -> str:
        return f"table {self.table!r}: the row at {self.key!r} has another ETag than if_match"


class DeleteError(DatastoreError):
    """S3 answered *code* and *message* for *key* of *table* in a DeleteObjects."""

    def __init__(self, table: str, key: str, code: str, message: str) -> None:
        super().__init__(table, key, code, message)
        self.table = table
        self.key = key
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"table {self.table!r}: {self.key!r} was not deleted: {self.code}: {self.message}"


class Failure(NamedTuple):
    """The row with the *number* (from 0) of those given, its *key*, and what it failed with."""

    number: int
    key: str
    error: BaseException


class ManyError(DatastoreError):
    """
    *failures* of many rows of *table*; all others were done.

    results: what each row gave, in the order of the rows, None for those that failed.
    """

    def __init__(self, table: str, failures: Sequence[Failure], results: Sequence[Any]) -> None:
        kept = tuple(failures)
        super().__init__(table, kept, list(results))
        self.table = table
        self.failures = kept
        self.results: list[Any] = list(results)

    def __str__(self) -> str:
        first = self.failures[0]
        return (
            f"table {self.table!r}: {len(self.failures):,} of {len(self.results):,} rows failed; "
            f"the first is {first.number}, {first.key!r}: {type(first.error).__name__}: "
            f"{first.error}"
        )
