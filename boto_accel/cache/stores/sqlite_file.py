"""
The file of the SQLite store: made safely, opened warily, set aside when it is damaged.

Opening and setting aside happen under a lock on a file beside it (`flock`), so that a process that
opens finds either the old file with its -wal and -shm or the new one, never a mixture. A process
that had the old file open keeps it, sees by its identity that it was replaced
(`Database.is_current`), and opens the new one. SQLite itself removes no -wal of a file that has
moved (`databaseIsUnmoved` in pager.c).

A file may come from an attacker. Its schema must be ours to the letter, no trigger or view is ever
run (`_authorize`), no extension loaded.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_DENIED = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})
_DAMAGE = ("no such", "table ", "near ", "SQL logic error", "unsupported file format")
_SUFFIXES = ("", "-wal", "-shm")


class DamagedError(Exception):
    """The file is not what this package writes."""


class RefusedError(Exception):
    """The file, or its place, is not for us to use."""


# What a call on a file may raise. UnicodeDecodeError: the sqlite3 module fails to decode SQLite's
# own message, where that quotes a spoilt schema.
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


def is_ours(path: str) -> bool:
    """
    By the header of the file, which stays as it is; that of one in use may still be in its -wal.

    Not for a process that has it open, which would lose its locks (fcntl(2)). Raises OSError.
    Source: SQLite's "Database File Format", 1.3 and 4.1.
    """
    with open(path, "rb") as file:
        header = file.read(100)
    identity = int.from_bytes(header[68:72], "big")
    is_known = identity == APPLICATION_ID or (not identity and os.path.exists(f"{path}-wal"))
    return header.startswith(b"SQLite format 3\0") and is_known


def is_damage(error: BaseException) -> bool:
    """
    Whether *error* tells of a damaged file, and not of a locked, full or unreadable one.

    Source: `_pysqlite_seterror` of the sqlite3 module. SQLITE_CORRUPT and SQLITE_NOTADB are plain
    `DatabaseError`s; SQLITE_ERROR (no such table) is an `OperationalError` like SQLITE_BUSY,
    SQLITE_FULL and SQLITE_IOERR, but its text differs.
    """
    if isinstance(error, sqlite3.OperationalError):
        return str(error).startswith(_DAMAGE)
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    return isinstance(error, DamagedError | UnicodeDecodeError | sqlite3.DatabaseError)


def open_database(path: str, *, own_folder: bool, busy_s: float) -> tuple[Database, bool]:
    """
    Open the file at *path*, making it where it is not there, and whether an old one was set aside.

    own_folder: the folder is the cache's own: it is made, and must not be a symbolic link.
    busy_s: seconds; how long a connection waits for a lock of another one.
    Raises what is in TROUBLE.
    """
    _prepare_folder(Path(path).parent, own=own_folder)
    with _lock(path, busy_s):
        try:
            return _open(path, busy_s), False
        except TROUBLE as error:
            if not is_damage(error):
                raise
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
    for suffix in ("-shm", "-wal", ""):  # the file last: until it is moved, others wait for it
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


def _prepare_file(path: str) -> None:
    """
    See that there is a file at *path* that may be ours. One that is there stays as it is.

    It is never opened where it exists: closing it again would drop the locks that SQLite has on
    it in this process (fcntl(2)).
    """
    for suffix in _SUFFIXES:
        _check_file(path + suffix)
    if not os.path.lexists(path):
        _create(path)


def _keep_from_others(path: str) -> None:
    """SQLite gives -wal and -shm the mode of the file, when they are made."""
    for each in (path + suffix for suffix in _SUFFIXES):
        with suppress(FileNotFoundError):
            if stat.S_IMODE(os.stat(each).st_mode) & 0o077 and os.name == "posix":
                os.chmod(each, 0o600)


def _check_file(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise RefusedError(f"{path} is no plain file")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise RefusedError(f"{path} belongs to another user")
    if found.st_nlink > 1:
        raise RefusedError(f"{path} is a hard link: the file is something else's too")


def _create(path: str) -> None:
    try:
        os.close(_open_new(path, os.O_EXCL))
    except FileExistsError:
        _check_file(path)


def _open_new(path: str, flags: int) -> int:
    nofollow = getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | nofollow | flags, 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)  # whatever the umask took away
    return descriptor


@contextmanager
def _lock(path: str, busy_s: float) -> Iterator[None]:
    """Keep others from opening the file or setting it aside. Raises OSError after a while."""
    if sys.platform == "win32":  # a file that is open cannot be replaced there
        yield
        return
    _check_file(f"{path}.lock")
    descriptor = _open_new(f"{path}.lock", 0)
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
    _prepare_file(path)
    writer = _connect(path, busy_s)
    try:
        _check_or_create(writer, path)
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
    connection = sqlite3.connect(
        path,
        timeout=busy_s,
        isolation_level=None,  # transactions are begun by name
        check_same_thread=False,  # the store's locks see to it
        cached_statements=64,
    )
    try:
        connection.text_factory = bytes
        _guard(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _guard(connection: sqlite3.Connection) -> None:
    """What sqlite.org/security.html advises for files of unknown origin."""
    connection.set_authorizer(_authorize)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, within: str | None
) -> int:
    """*within* is the trigger or view that wants the action: there is none in our schema."""
    return sqlite3.SQLITE_DENY if within or action in _DENIED else sqlite3.SQLITE_OK


def _check_or_create(connection: sqlite3.Connection, path: str) -> None:
    is_new = _check_schema(connection)
    _keep_from_others(path)
    if is_new:
        _create_schema(connection)
    if _journal_mode(connection) != b"wal":
        raise RefusedError("the file system has no shared memory for SQLite's WAL mode")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")


def _check_schema(connection: sqlite3.Connection) -> bool:
    """Whether there is none yet. Raises RefusedError or DamagedError for one that is not ours."""
    found = _schema(connection)
    identity = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
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
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # what is cleared leaves the disk
    if _journal_mode(connection) != b"wal":
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for text in SCHEMA:
            connection.execute(text)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(
            "INSERT INTO state VALUES (1, ?, 0, 0, 0, 0)", (secrets.token_bytes(16),)
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


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


def _journal_mode(connection: sqlite3.Connection) -> object:
    return connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
