"""Many rows at a time: each is tried, and what failed is told of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from boto_accel.datastore.effects import Done, Progress, Send, Steps, Together
from boto_accel.datastore.errors import ColumnError, DeleteError, Failure, ManyError
from boto_accel.datastore.layout import Layout, Place
from boto_accel.errors import InvalidOptionError

if TYPE_CHECKING:
    from boto_accel.datastore.rows import TableSteps

MOST_DELETED = 1000  # S3 API, DeleteObjects: keys in a request
# XML 1.0, 2.2: what no document holds; 2.11: what is read as another character.
_NOT_XML = re.compile("[\x00-\x1f\ufffe\uffff]")

Task = tuple[str, Callable[[], Steps]]


def checked(rows: Any, workers: Any) -> list[Mapping[str, Any]]:
    """*rows* in a list: all are looked at before the first is sent."""
    if type(workers) is not int or workers < 0:
        raise InvalidOptionError("workers", workers, "an int: 0 for as many as connections")
    if isinstance(rows, Mapping | str | bytes) or not isinstance(rows, Iterable):
        raise InvalidOptionError("rows", type(rows).__name__, "an iterable of dicts, one a row")
    found = list(rows)
    for number, row in enumerate(found):
        if not isinstance(row, Mapping):
            raise InvalidOptionError(f"rows[{number}]", type(row).__name__, "a dict of columns")
    return found


def places(layout: Layout, rows: Iterable[Mapping[str, Any]]) -> list[Place]:
    return [_numbered(number, partial(layout.place, row)) for number, row in enumerate(rows)]


def inserts(steps: TableSteps, layout: Layout, rows: Iterable[Mapping[str, Any]]) -> list[Task]:
    tasks: list[Task] = []
    first: dict[str, int] = {}
    for number, row in enumerate(rows):
        place, task = _numbered(number, partial(steps.inserting, layout, row))
        before = first.setdefault(place.key, number)
        if before != number:
            expected = f"each row once: {place.key!r} is rows[{before}] already"
            raise InvalidOptionError(f"rows[{number}]", place.key, expected)
        tasks.append((place.key, task))
    return tasks


def _numbered(number: int, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ColumnError as error:
        reason = f"rows[{number}]: {error.reason}"
        raise type(error)(error.table, error.column, reason) from None
    except InvalidOptionError as error:
        where = f"rows[{number}].{error.parameter}"
        raise InvalidOptionError(where, error.value, error.expected) from None


def each(table: str, tasks: Sequence[Task], workers: int, progress: Progress | None) -> Steps:
    """What each of *tasks* (with the key of its row) returned. Raises ManyError."""
    done = yield Together([task for _, task in tasks], workers, progress)
    return _results(table, [key for key, _ in tasks], done)


def _results(table: str, keys: Sequence[str], done: Sequence[Done]) -> list[Any]:
    results = [each.value for each in done]
    failures = [
        Failure(number, key, one.error)
        for number, (key, one) in enumerate(zip(keys, done, strict=True))
        if one.error is not None
    ]
    if failures:
        raise ManyError(table, failures, results)
    return results


# Deleting --------------------------------------------------------------------------------------


def deletes(
    steps: TableSteps, rows: Sequence[Place], workers: int, progress: Progress | None
) -> Steps:
    """Delete *rows*, wherever they may be. The number of them. Raises ManyError."""
    head = steps.full("")
    failed: dict[str, Exception] = {}
    doubtful = [row for row in rows if row.plain is not None]
    plain = yield Together([partial(steps.has_plain, row) for row in doubtful], workers)
    keys = [head + row.key for row in rows]
    for row, one in zip(doubtful, plain, strict=True):
        if one.error is not None:
            failed[head + row.keys[0]] = one.error
        elif one.value:
            keys.append(head + row.keys[0])
    unique = list(dict.fromkeys(keys))
    failed |= yield from delete_keys(steps.name, steps.bucket.name, unique, workers, progress)
    done = []
    for row in rows:
        errors = [failed[head + key] for key in row.keys if head + key in failed]
        done.append(Done(row.key, errors[0] if errors else None))
    return len(_results(steps.name, [row.key for row in rows], done))


def delete_keys(
    table: str,
    bucket: str,
    keys: Sequence[str],
    workers: int = 0,
    progress: Progress | None = None,
) -> Steps:
    """Delete all of the whole *keys*; those that were not, with the error."""
    plain = [key for key in keys if not _NOT_XML.search(key)]
    chunks = [plain[at : at + MOST_DELETED] for at in range(0, len(plain), MOST_DELETED)]
    chunks += [[key] for key in keys if _NOT_XML.search(key)]
    tasks = [partial(_delete_chunk, table, bucket, chunk) for chunk in chunks]
    done = yield Together(tasks, workers, progress, [len(chunk) for chunk in chunks])
    failed: dict[str, Exception] = {}
    for chunk, one in zip(chunks, done, strict=True):
        if one.error is not None:
            for key in chunk:
                failed[key] = one.error
        for error in one.value or ():
            # An error of no key that was sent may be of any: none of them is said to be gone.
            told = [error.key] if error.key in chunk else chunk
            for key in told:
                failed[key] = error
    return failed


def _delete_chunk(table: str, bucket: str, keys: Sequence[str]) -> Steps:
    """The errors that S3 tells of single keys."""
    if len(keys) == 1:
        yield Send("delete_object", {"Bucket": bucket, "Key": keys[0]})
        return []
    objects = [{"Key": key} for key in keys]
    delete = {"Objects": objects, "Quiet": True}
    reply = yield Send("delete_objects", {"Bucket": bucket, "Delete": delete})
    return [
        DeleteError(table, error.get("Key", ""), error.get("Code", ""), error.get("Message", ""))
        for error in reply.get("Errors", ())
    ]
