"""Which error answers of S3 mean something to the datastore."""

from __future__ import annotations

from botocore.exceptions import ClientError

from boto_accel.datastore.errors import (
    ConflictError,
    DatastoreError,
    RowChangedError,
    RowExistsError,
    RowNotFound,
)

NO_KEY = frozenset({"NoSuchKey"})
NO_BUCKET = frozenset({"NoSuchBucket", "404"})  # HeadObject and HeadBucket have no body: "404"
DENIED = frozenset({"AccessDenied", "403"})
OWN_BUCKET = frozenset({"BucketAlreadyOwnedByYou"})
# S3 API, PutObject: 412 where the condition is false, 409 where another write came in between.
FALSE_CONDITION = frozenset({"PreconditionFailed"})
CONFLICT = frozenset({"ConditionalRequestConflict"})


def refused(error: BaseException, codes: frozenset[str]) -> bool:
    """Whether *error* is an answer with one of *codes*."""
    return isinstance(error, ClientError) and error.response["Error"].get("Code") in codes


def conflict(error: Exception, table: str, key: str, *, if_absent: bool) -> DatastoreError | None:
    """What a conditional write that failed with *error* means; None for nothing of ours."""
    if refused(error, FALSE_CONDITION):
        return (RowExistsError if if_absent else RowChangedError)(table, key)
    if refused(error, CONFLICT):
        return ConflictError(table, key)
    if not if_absent and refused(error, NO_KEY):
        return RowNotFound(table, key)
    return None
