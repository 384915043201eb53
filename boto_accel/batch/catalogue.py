"""
The catalogue: the newest entry of each key, out of all indexes that were read, in SQLite.

It is a copy: what is wrong with the file, it is made anew, and read again from S3. It is consistent
with how far S3 was read, for both are written in one transaction.

Guarding: one connection, one lock. Statements take microseconds, transactions of an index longer.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from boto_accel import _sqlite
from boto_accel._sqlite import RefusedError
from boto_accel.batch.errors import SpoolError
from boto_accel.batch.index import Entry, Index

APPLICATION_ID = 0x62616261  # "baba"
VERSION = 1
PAGE = 1000  # rows that are read at once
LOCK_WAIT_S = 30.0  # seconds; how long another process may take for a transaction
_OTHER = "it is a database of something else, or of a later release"

_SCHEMA = (
    "CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    (
        "CREATE TABLE batches (id INTEGER PRIMARY KEY, batch TEXT UNIQUE, length INTEGER,"
        " entries INTEGER)"
    ),
    # A key as UTF-8, so that its order is that of S3.
    (
        "CREATE TABLE newest (key BLOB PRIMARY KEY, stamp INTEGER, kind INTEGER, start INTEGER,"
        " size INTEGER, etag TEXT, headers TEXT, metadata TEXT, batch INTEGER) WITHOUT ROWID"
    ),
)
# Of two entries of the same stamp, as compaction makes them, that of the later batch counts.
_ADD = """
INSERT INTO newest VALUES (?, ?, ?, ?, ?, ?, ?, ?, :batch) ON CONFLICT (key) DO UPDATE SET
 stamp = excluded.stamp, kind = excluded.kind, start = excluded.start, size = excluded.size,
 etag = excluded.etag, headers = excluded.headers, metadata = excluded.metadata,
 batch = excluded.batch
WHERE excluded.stamp > stamp OR (excluded.stamp = stamp AND
 (SELECT batch FROM batches WHERE id = excluded.batch)
 > (SELECT batch FROM batches AS b WHERE b.id = newest.batch))
""".replace(":batch", "?")
_ROW = (
    "SELECT n.key, n.stamp, n.kind, n.start, n.size, n.etag, n.headers, n.metadata, b.batch"
    " FROM newest AS n JOIN batches AS b ON b.id = n.batch"
)


class Located(NamedTuple):
    """The newest entry of a key, and the batch that it is in."""

    entry: Entry
    batch: str


class Batch(NamedTuple):
    """A batch that an index was read of. length: of the tar in bytes."""

    batch: str
    length: int
    entries: int


class Catalogue:
    """
    path: of the file, or None for memory. place: "s3://bucket/prefix"; another one's is refused.

    Raises SpoolError.
    """

    def __init__(self, path: Path | None, place: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._connection = self._open(place)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if not _sqlite.is_damage(error):  # locked, full, unreadable
                raise SpoolError(str(path), str(error)) from error
            self._remove()
            self._connection = self._open(place)

    def _open(self, place: str) -> sqlite3.Connection:
        connection = _sqlite.connect(self._prepared(), LOCK_WAIT_S)
        try:
            self._check(connection, place)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepared(self) -> str:
        if self._path is None:
            return ":memory:"
        with self._spool_errors():
            _sqlite.prepare(str(self._path))
        return str(self._path)

    @contextmanager
    def _spool_errors(self) -> Iterator[None]:
        try:
            yield
        except RefusedError as error:
            raise SpoolError(str(self._path), str(error)) from error
        except OSError as error:
            raise SpoolError(str(self._path), error.strerror or "it cannot be opened") from error

    def _remove(self) -> None:
        if self._path is not None:
            for suffix in _sqlite.SUFFIXES:
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def _check(self, connection: sqlite3.Connection, place: str) -> None:
        self._refuse_another(connection, place)
        if self._path is not None:
            with self._spool_errors():
                _sqlite.keep_from_others(str(self._path))
        _sqlite.use_wal(connection, LOCK_WAIT_S)
        connection.execute("PRAGMA synchronous = NORMAL")  # a copy: consistent, if not the latest
        with _sqlite.transaction(connection):
            if not _sqlite.pragma(connection, "application_id"):
                _sqlite.make_tables(connection, _SCHEMA, APPLICATION_ID, VERSION)
                connection.execute("INSERT INTO state VALUES ('place', ?)", (place,))
        self._refuse_another(connection, place)  # another process may have been the first
        connection.execute("SELECT key, batch FROM newest LIMIT 1").fetchone()

    def _refuse_another(self, connection: sqlite3.Connection, place: str) -> None:
        """
        Before anything is written to it, the journal mode included.

        One transaction: another process may be making it.
        """
        with _sqlite.transaction(connection, "BEGIN"):
            has_tables = connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            known = tuple(
                _sqlite.pragma(connection, name) for name in ("application_id", "user_version")
            )
            if not has_tables and known == (0, 0):
                return
            if known != (APPLICATION_ID, VERSION):
                raise SpoolError(str(self._path), _OTHER)
            found = connection.execute("SELECT value FROM state WHERE name = 'place'").fetchone()
            if found is None or found[0] != place:
                raise SpoolError(str(self._path), f"it is of {found and found[0]}, not of {place}")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # Writing

    def add(self, index: Index) -> None:
        """Take an index in; once only."""
        with self._lock, _sqlite.transaction(self._connection):
            done = self._connection.execute(
                "INSERT OR IGNORE INTO batches (batch, length, entries) VALUES (?, ?, ?)",
                (index.batch, index.length, len(index.entries)),
            )
            if done.rowcount:
                self._connection.executemany(_ADD, _rows(index, done.lastrowid))

    def note_read(self, moment: float) -> None:
        """All that was uploaded up to *moment* has been taken in."""
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO state VALUES ('read', ?)", (moment,))

    # Reading

    def read_up_to(self) -> float | None:
        row = self._one("SELECT value FROM state WHERE name = 'read'")
        return None if row is None else row[0]

    def knows(self, batch: str) -> bool:
        return self._one("SELECT 1 FROM batches WHERE batch = ?", batch) is not None

    def newest(self, key: str) -> Located | None:
        row = self._one(f"{_ROW} WHERE n.key = ?", key.encode("utf-8", "surrogatepass"))
        return None if row is None else _located(row)

    def after(self, prefix: str, start: str) -> Iterator[Located]:
        """The newest entries of the keys with *prefix* behind *start*, in order."""
        low, least = start.encode("utf-8", "surrogatepass"), prefix.encode("utf-8", "surrogatepass")
        # Behind all that begin with the prefix: no byte of UTF-8 is the greatest.
        end = least[:-1] + bytes([least[-1] + 1]) if least else b"\xff"
        while True:
            with self._lock:
                rows = self._connection.execute(
                    f"{_ROW} WHERE n.key > ? AND n.key >= ? AND n.key < ? ORDER BY n.key LIMIT ?",
                    (low, least, end, PAGE),
                ).fetchall()
            yield from map(_located, rows)
            if len(rows) < PAGE:
                return
            low = rows[-1][0]

    def batches(self) -> list[Batch]:
        """In the order of their beginning."""
        with self._lock:
            found = "SELECT batch, length, entries FROM batches ORDER BY batch"
            return [Batch(*row) for row in self._connection.execute(found)]

    def counts(self) -> tuple[int, int]:
        """(entries of all batches, keys that have an object)"""
        row = self._one("SELECT coalesce(sum(entries), 0) FROM batches")
        live = self._one("SELECT count(*) FROM newest WHERE kind = 0")
        return row[0], live[0]

    def newest_stamp(self) -> int:
        row = self._one("SELECT max(stamp) FROM newest")
        return row[0] or 0

    def _one(self, statement: str, *values: Any) -> Any:
        with self._lock:
            return self._connection.execute(statement, values).fetchone()


def _rows(index: Index, number: int | None) -> Iterator[tuple[Any, ...]]:
    for each in index.entries:
        yield (
            each.key.encode("utf-8", "surrogatepass"),
            *each[1:6],
            json.dumps(each.headers) if each.headers else "",
            json.dumps(each.metadata) if each.metadata else "",
            number,
        )


def _located(row: tuple[Any, ...]) -> Located:
    key, stamp, kind, start, size, etag, headers, metadata, batch = row
    entry = Entry(
        key.decode("utf-8", "surrogatepass"),
        stamp,
        kind,
        start,
        size,
        etag,
        json.loads(headers) if headers else {},
        json.loads(metadata) if metadata else {},
    )
    return Located(entry, batch)
