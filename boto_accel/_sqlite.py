"""
Databases of SQLite that processes share: whose a file is, and how one of ours is made and opened.

A file may come from an attacker, or be somebody else's that was named by mistake. One that is there
is opened by SQLite alone: whoever closes a file takes away all locks that the process has on it,
those of SQLite's connections too (fcntl(2); "How To Corrupt An SQLite Database File", 2.2).
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

SUFFIXES = ("", "-wal", "-shm")  # of the files of one database
_MAGIC = b"SQLite format 3\0"
_DENIED = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})
_DAMAGE = ("no such", "table ", "near ", "SQL logic error", "unsupported file format")


class RefusedError(Exception):
    """The file, or its place, is not for us to use."""


class DamagedError(Exception):
    """The file is not what this package writes."""


# Whose it is -----------------------------------------------------------------------------------


class _Header(NamedTuple):
    """schema_version: how often tables were made or changed. Both are zero in an empty file."""

    application_id: int
    schema_version: int


# Also where tables and id are in the -wal alone: the first page has both, or neither.
_NEW = _Header(0, 0)


def is_foreign(path: str, application_id: int) -> bool:
    """
    Whether there is a file of something else: no database, or not one of this *application_id*.

    An empty one, and a damaged one of ours, are not: they can be made anew.
    """
    try:
        header = _header(path)
    except OSError:
        return False  # it is not there; or what is wrong is said where it is opened
    return header is None or not (header == _NEW or header.application_id == application_id)


def is_ours(path: str, application_id: int) -> bool:
    """Whether a database of this *application_id* is there. Raises OSError."""
    header = _header(path)
    if header == _NEW:
        return os.path.exists(f"{path}-wal")
    return header is not None and header.application_id == application_id


def _header(path: str) -> _Header | None:
    """
    What the file itself says, without its -wal; None for what is no database. Raises OSError.

    immutable: nothing is put beside the file, and nobody is waited for.
    Source: sqlite.org/uri.html; "Database File Format", 1.3; `lockBtree` in btree.c.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # who opens a FIFO waits for somebody to write
        raise OSError(f"{path} is no plain file")
    where = f"{Path(path).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(where, uri=True)) as connection:
            connection.execute("PRAGMA writable_schema = ON")  # reads one that was cut, too
            return _Header(
                pragma(connection, "application_id"), pragma(connection, "schema_version")
            )
    except sqlite3.OperationalError as error:
        raise OSError(f"{path}: {error}") from error
    except sqlite3.DatabaseError:
        pass
    with open(path, "rb") as file:  # of which no connection has a use
        header = file.read(100)
    if not header.startswith(_MAGIC):
        return None
    return _Header(*(int.from_bytes(header[at : at + 4], "big") for at in (68, 40)))


# Making and opening ----------------------------------------------------------------------------


def prepare(path: str) -> None:
    """
    See that there is a file at *path*; one that is there stays as it is.

    Raises RefusedError for one that may be somebody else's too, and OSError.
    """
    for suffix in SUFFIXES:
        check_own(path + suffix)
    with _making:
        if not os.path.lexists(path):
            try:
                os.close(open_own(path, os.O_EXCL))
            except FileExistsError:
                check_own(path)


# Held until a new file is closed again, so that no thread has locks on it by then.
_making = threading.Lock()


def _after_in_child() -> None:
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)


def check_own(path: str) -> None:
    """Raise RefusedError for what is there and no plain file of this user's alone."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    name = os.path.basename(path)
    if not stat.S_ISREG(found.st_mode):
        raise RefusedError(f"{name} is no plain file")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise RefusedError(f"{name} belongs to another user")
    if found.st_nlink > 1:
        raise RefusedError(f"{name} is a hard link: the file is something else's too")


def open_own(path: str, flags: int) -> int:
    """A descriptor of a file for its owner alone, which is made if need be."""
    nofollow = getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | nofollow | flags, 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, 0o600)  # whatever the umask took away
    return descriptor


def keep_from_others(path: str) -> None:
    """
    Take from group and others what they may do with a database that was found to be ours.

    What its owner may do with it stays as it was. SQLite gives -wal and -shm the mode of the file
    when it makes them. Raises OSError.
    """
    if os.name != "posix":
        return
    for each in (path + suffix for suffix in SUFFIXES):
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(os.stat(each).st_mode)
            if mode & 0o077:
                os.chmod(each, mode & ~0o077)


def connect(path: str, busy_s: float) -> sqlite3.Connection:
    """
    busy_s: seconds; how long it waits for a lock of another connection.

    Guarded as sqlite.org/security.html advises for files of unknown origin.
    """
    connection = sqlite3.connect(
        path,
        timeout=busy_s,
        isolation_level=None,  # transactions are begun by name
        check_same_thread=False,  # locks of the caller's see to it
    )
    try:
        connection.set_authorizer(_authorize)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA mmap_size = 0")
        if sys.version_info >= (3, 12):
            connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
            connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
            connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
    except BaseException:
        connection.close()
        raise
    return connection


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, within: str | None
) -> int:
    """*within* is the trigger or view that wants the action: there is none in a schema of ours."""
    return sqlite3.SQLITE_DENY if within or action in _DENIED else sqlite3.SQLITE_OK


def use_wal(connection: sqlite3.Connection, longest_s: float) -> bool:
    """
    Whether the database is in WAL mode now; others who are about to do the same are waited for.

    Here SQLite does not wait: it has a lock for reading when it asks for the exclusive one. Source:
    `sqlite3BtreeSetVersion` and `sqlite3BtreeBeginTrans` in btree.c.
    """
    deadline = monotonic() + longest_s
    while True:
        try:
            found = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            return found in ("wal", b"wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() >= deadline:
                raise
        sleep(0.01)


def make_tables(
    connection: sqlite3.Connection, texts: Iterable[str], application_id: int, version: int
) -> None:
    """Within a transaction, so that nobody finds the one without the other."""
    for text in texts:
        connection.execute(text)
    connection.execute(f"PRAGMA application_id = {application_id}")
    connection.execute(f"PRAGMA user_version = {version}")


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """All or nothing is written."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            if connection.in_transaction:  # SQLite has rolled back by itself on some errors
                connection.execute("ROLLBACK")
        raise


def pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def is_damage(error: BaseException) -> bool:
    """
    Whether *error* tells of a damaged file, and not of a locked, full or unreadable one.

    UnicodeDecodeError: the sqlite3 module fails to decode SQLite's own message, where that quotes
    a spoilt schema. Source: `_pysqlite_seterror` of the module. SQLITE_CORRUPT and SQLITE_NOTADB
    are plain `DatabaseError`s; SQLITE_ERROR (no such table) is an `OperationalError` like
    SQLITE_BUSY, SQLITE_FULL and SQLITE_IOERR, but its text differs.
    """
    if isinstance(error, sqlite3.OperationalError):
        return str(error).startswith(_DAMAGE)
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    return isinstance(error, DamagedError | UnicodeDecodeError | sqlite3.DatabaseError)
