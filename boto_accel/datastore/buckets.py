"""What a database does, as steps: each method of `Database` and `AsyncDatabase` is one of these."""

from __future__ import annotations

from typing import Any

from boto_accel.datastore import many
from boto_accel.datastore.effects import Send, Steps
from boto_accel.datastore.errors import Failure, ManyError
from boto_accel.datastore.listing import Pages, exists
from boto_accel.datastore.refusals import NO_BUCKET, OWN_BUCKET, refused
from boto_accel.datastore.rows import Bucket, TableSteps
from boto_accel.datastore.schema import schema_key, value_prefix
from boto_accel.errors import InvalidOptionError

_FIRST_REGION = ("us-east-1", "aws-global", None)  # S3 API, CreateBucket: it is no constraint


def checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise InvalidOptionError("name", name, "the name of a bucket")
    return name


def list_databases() -> Steps:
    found: list[str] = []
    params: dict[str, Any] = {}
    while True:
        page = yield Send("list_buckets", params)
        found += [each["Name"] for each in page.get("Buckets", ())]
        if not page.get("ContinuationToken"):
            return found
        params = {"ContinuationToken": page["ContinuationToken"]}


def create(name: str, region: str | None) -> Steps:
    """What CreateBucket answers; None where the bucket is there."""
    try:
        yield Send("head_bucket", {"Bucket": name})
    except Exception as error:
        if not refused(error, NO_BUCKET):
            raise
    else:
        return None
    params: dict[str, Any] = {"Bucket": name}
    if region not in _FIRST_REGION:
        params["CreateBucketConfiguration"] = {"LocationConstraint": region}
    try:
        return (yield Send("create_bucket", params))
    except Exception as error:
        if refused(error, OWN_BUCKET):  # somebody else's process was first
            return None
        raise


def tables(name: str) -> Steps:
    pages = Pages(name, "", Delimiter="/")
    found: list[str] = []
    while pages.more:
        page = yield from pages.next()
        found += [each["Prefix"][:-1] for each in page.get("CommonPrefixes", ())]
    return found


def has_table(name: str, table: str) -> Steps:
    pages = Pages(name, f"{table}/", MaxKeys=1)
    page = yield from pages.next()
    if page.get("Contents"):
        return True
    return (yield from exists(name, schema_key(table)))


def drop_table(bucket: Bucket, table: str) -> Steps:
    """Rows, values that are kept apart, and the schema last: what is left can be read."""
    steps = TableSteps(table, bucket, (), ())
    yield from _delete_all(steps, steps.full(""))
    yield from _delete_all(steps, value_prefix(table))
    yield Send("delete_object", {"Bucket": bucket.name, "Key": schema_key(table)})
    bucket.schemas.pop(table, None)


def _delete_all(steps: TableSteps, prefix: str) -> Steps:
    pages = Pages(steps.bucket.name, prefix)
    failures: list[Failure] = []
    number = 0
    while pages.more:
        page = yield from pages.next()
        keys = [each["Key"] for each in page.get("Contents", ())]
        failed = yield from many.delete_keys(steps.name, steps.bucket.name, keys)
        failures += [Failure(number + keys.index(key), key, failed[key]) for key in failed]
        number += len(keys)
    if failures:
        raise ManyError(steps.name, failures, [None] * number)
