"""
The file of the SQLite store: made safely, opened warily, set aside when it is damaged.

Opening and setting aside happen under a lock on a file beside it (`flock`), so that a process that
opens finds either the old file with its -wal and -shm or the new one, never a mixture. A process
that had the old file open keeps it, sees by its identity that it was replaced
(`Database.is_current`), and opens the new one. SQLite itself removes no -wal of a file that has
moved (`databaseIsUnmoved` in pager.c).

A file may come from an attacker. Its schema must be ours to the letter, no trigger or view is ever
run (`_sqlite.connect`), no extension loaded.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto_accel import _sqlite
from boto_accel._sqlite import DamagedError, RefusedError
from boto_accel.cache.stores.wal_index import close_index, open_index

if sys.platform != "win32":
    import fcntl

APPLICATION_ID = 0x62616363  # "bacc"
VERSION = 1
SCHEMA = (
    # One row. seq counts what was written; a ticket of less than floor is refused.
    (
        "CREATE TABLE state (one INTEGER PRIMARY KEY, generation BLOB, seq INTEGER,"
        " floor INTEGER, entries INTEGER, bytes INTEGER)"
    ),
    # id is the seq that wrote it, so that what is new since a seq is a range of ids.
    (
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, key BLOB UNIQUE, tags BLOB, label BLOB,"
        " stored_at REAL, fresh_until REAL, stale_until REAL, used REAL, size INTEGER)"
    ),
    "CREATE INDEX entries_used ON entries (used)",
    "CREATE INDEX entries_stale ON entries (stale_until)",
    # Apart, so that noting a use does not write the payload again.
    "CREATE TABLE payloads (id INTEGER PRIMARY KEY, payload BLOB)",
    "CREATE TABLE tags (tag BLOB, id INTEGER, PRIMARY KEY (tag, id)) WITHOUT ROWID",
    # Invalidated tags ("t...") and dropped keys ("k..."), and the seq of it.
    "CREATE TABLE gone (name BLOB PRIMARY KEY, seq INTEGER) WITHOUT ROWID",
    "CREATE INDEX gone_seq ON gone (seq)",
    "CREATE TABLE leads (key BLOB PRIMARY KEY, owner BLOB, until REAL) WITHOUT ROWID",
    "CREATE INDEX leads_until ON leads (until)",
)
_TABLES = {text.split()[2].encode() for text in SCHEMA if text.startswith("CREATE TABLE")}

_LOCK_WAIT_S = 0.25  # seconds; the least that is waited for another process that is opening
_WAL_BYTES = 4 * 2**20  # the -wal file is cut back to this

# What a call on a file may raise; for UnicodeDecodeError see `_sqlite.is_damage`.
TROUBLE = (sqlite3.Error, OSError, UnicodeDecodeError, DamagedError, RefusedError)


@dataclass(frozen=True)
class Identity:
    """Which file it is, whatever it is called. Not taken again while we have it open."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: str) -> Identity:
        found = os.stat(path)
        return cls(found.st_dev, found.st_ino)


class Database:
    """
    The open file. *reader* is for short reads, *writer* for transactions.

    Guarding: each connection has a lock of the store's; closing needs both.
    """

    def __init__(self, path: str, reader: Any, writer: Any) -> None:
        self.path = path
        self.reader: sqlite3.Connection = reader
        self.writer: sqlite3.Connection = writer
        self.identity = Identity.of(path)
        self._inode = self.identity.inode
        self._index = open_index(path)

    def is_current(self) -> bool:
        """Whether the file is still the one at its path; it may have been removed or replaced."""
        try:
            return os.stat(self.path).st_ino == self._inode
        except OSError:
            return False

    def header(self) -> bytes:
        """
        Another one whenever any connection has written; b"" where it is not to be had.

        Costs a fiftieth of `version`. See `wal_index.py`.
        """
        return b"" if self._index is None else self._index.header()

    def version(self) -> int:
        """Another number whenever another connection has written. Waits for no writer."""
        row = self.reader.execute("PRAGMA data_version").fetchone()
        return int(row[0])

    def shrink(self) -> None:
        """Give back to the disk what is not used; waits for readers as for a lock."""
        # Not `execute`, which steps but once: each step frees one page.
        self.writer.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        for connection in (self.reader, self.writer):
            try:
                connection.close()
            except sqlite3.Error:  # a damaged file; the connection is closed all the same
                pass
        index, self._index = self._index, None
        close_index(index)


def open_database(path: str, *, own_folder: bool, busy_s: float) -> tuple[Database, bool]:
    """
    Open the file at *path*, making it where it is not there, and whether an old one was set aside.

    own_folder: the folder is the cache's own: it is made, and must not be a symbolic link; and what
    has the name of the file is none of the user's.
    busy_s: seconds; how long a connection waits for a lock of another one.
    Raises what is in TROUBLE.
    """
    _prepare_folder(Path(path).parent, own=own_folder)
    with _lock(path, busy_s):
        try:
            return _open(path, busy_s), False
        except TROUBLE as error:
            if not _sqlite.is_damage(error):
                raise
            if not own_folder and _sqlite.is_foreign(path, APPLICATION_ID):
                raise RefusedError("the file is something else's") from error
        _set_aside(path)
        return _open(path, busy_s), True


def set_aside(path: str, identity: Identity, *, busy_s: float) -> bool:
    """Rename the damaged file, unless another process has already done so. Raises OSError."""
    with _lock(path, busy_s):
        try:
            found = Identity.of(path)
        except FileNotFoundError:
            return False
        if found != identity:
            return False
        _set_aside(path)
        return True


def aside(path: str) -> str:
    """Where a damaged file goes. There is one: a later one takes its place."""
    return f"{path}.damaged"


def _set_aside(path: str) -> None:
    for suffix in reversed(_sqlite.SUFFIXES):  # the file last: till then others wait for it
        try:
            os.replace(path + suffix, aside(path) + suffix)
        except FileNotFoundError:
            pass


# The file and its folder ---------------------------------------------------------------------


def _prepare_folder(folder: Path, *, own: bool) -> None:
    if own and not os.path.lexists(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=0o700)
            folder.chmod(0o700)  # whatever the umask took away
        except FileExistsError:
            pass
    found = os.lstat(folder) if own else os.stat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise RefusedError(f"{folder} is no directory")


@contextmanager
def _lock(path: str, busy_s: float) -> Iterator[None]:
    """Keep others from opening the file or setting it aside. Raises OSError after a while."""
    if sys.platform == "win32":  # a file that is open cannot be replaced there
        yield
        return
    _sqlite.check_own(f"{path}.lock")
    descriptor = _sqlite.open_own(f"{path}.lock", 0)
    try:
        _wait_for_lock(descriptor, max(busy_s, _LOCK_WAIT_S))
        yield
    finally:
        os.close(descriptor)  # and so unlocked


def _wait_for_lock(descriptor: int, longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.002)  # flock(2) takes no time to wait, and a signal is no way out of a thread


# Opening -------------------------------------------------------------------------------------


def _open(path: str, busy_s: float) -> Database:
    _sqlite.prepare(path)
    writer = _connect(path, busy_s)
    try:
        _check_or_create(writer, path, busy_s)
        reader = _connect(path, busy_s)
    except BaseException:
        writer.close()
        raise
    try:
        reader.execute("PRAGMA query_only = ON")
        # Both have -wal and -shm open from here on, while we hold the lock.
        for connection in (writer, reader):
            connection.execute("SELECT seq FROM state").fetchone()
        return Database(path, reader, writer)
    except BaseException:
        reader.close()
        writer.close()
        raise


def _connect(path: str, busy_s: float) -> sqlite3.Connection:
    connection = _sqlite.connect(path, busy_s)
    connection.text_factory = bytes
    return connection


def _check_or_create(connection: sqlite3.Connection, path: str, busy_s: float) -> None:
    is_new = _check_schema(connection)
    _sqlite.keep_from_others(path)
    if is_new:
        # Before the first page is there. What is cleared leaves the disk.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if not _sqlite.use_wal(connection, busy_s):
        raise RefusedError("the file system has no shared memory for SQLite's WAL mode")
    if is_new:
        _create_schema(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")


def _check_schema(connection: sqlite3.Connection) -> bool:
    """Whether there is none yet. Raises RefusedError or DamagedError for one that is not ours."""
    found = _schema(connection)
    identity = _sqlite.pragma(connection, "application_id")
    version = _sqlite.pragma(connection, "user_version")
    if not found and not identity and not version:
        return True
    if identity == APPLICATION_ID and version > VERSION:
        raise RefusedError("the file was made by a later release of boto_accel")
    if identity != APPLICATION_ID and found and not _TABLES & {name for _, name, _ in found}:
        raise RefusedError("the file is a database of something else")
    if (found, identity, version) != (_wanted(), APPLICATION_ID, VERSION):
        raise DamagedError("the schema is not ours")
    return False


def _create_schema(connection: sqlite3.Connection) -> None:
    with _sqlite.transaction(connection):
        _sqlite.make_tables(connection, SCHEMA, APPLICATION_ID, VERSION)
        connection.execute(
            "INSERT INTO state VALUES (1, ?, 0, 0, 0, 0)", (secrets.token_bytes(16),)
        )


def _schema(connection: sqlite3.Connection) -> set[tuple[bytes, bytes, bytes]]:
    """(kind, name, SQL) of all but the indexes that SQLite makes by itself."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {row for row in rows if row[2] is not None}


def _wanted() -> set[tuple[bytes, bytes, bytes]]:
    words = [text.split() for text in SCHEMA]
    return {
        (each[1].lower().encode(), each[2].encode(), text.encode())
        for each, text in zip(words, SCHEMA, strict=True)
    }
