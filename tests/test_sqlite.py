"""Whose a database is, and what is done to the file of one: `_sqlite.py`."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boto_accel import _sqlite, botocache_context
from boto_accel.batch.catalogue import Catalogue

OURS, OTHER = 0x6F757273, 0x6F746872
posix = pytest.mark.skipif(os.name != "posix", reason="modes, locks and links of POSIX")


def make_database(path: Path, *statements: str, application_id: int = OURS) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {application_id}")
        for each in ("CREATE TABLE t (x)", *statements):
            connection.execute(each)
        connection.execute("INSERT INTO t VALUES (zeroblob(20000))")
        connection.commit()


def change(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Whose it is


def of_another(path: Path) -> None:
    make_database(path, application_id=OTHER)


def of_nobody(path: Path) -> None:
    make_database(path, application_id=0)


MADE: dict[str, tuple[Callable[[Path], Any], bool, bool]] = {
    # How it is made, whether it is foreign, and whether it is ours.
    "text": (lambda path: path.write_text("Dear user, "), True, False),
    "binary": (lambda path: path.write_bytes(os.urandom(9000)), True, False),
    "empty": (lambda path: path.touch(), False, False),
    "begun": (lambda path: path.write_bytes(b"SQLite format 3\0"), False, False),
    "of nobody": (of_nobody, True, False),
    "of another": (of_another, True, False),
    "ours": (make_database, False, True),
}
SPOILT: dict[str, Callable[[Path], Any]] = {
    "whole": lambda path: None,
    "cut": lambda path: os.truncate(path, 4096),
    "cut in a page": lambda path: os.truncate(path, 5000),
    "page size": lambda path: change(path, 16, b"\x07"),  # SQLite takes it for no database
    "pages": lambda path: change(path, 28, b"\x7f"),
    "schema": lambda path: change(path, 100, b"\x55" * 3000),
}


@pytest.mark.parametrize("kind", MADE)
def test_whose_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a file?#"
    make, foreign, ours = MADE[kind]
    make(path)
    before = path.read_bytes()
    assert _sqlite.is_foreign(str(path), OURS) is foreign
    assert _sqlite.is_ours(str(path), OURS) is ours
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
@pytest.mark.parametrize("kind", ["of nobody", "of another", "ours"])
def test_whose_it_was(tmp_path: Path, kind: str, journal_mode: str, how: str) -> None:
    """A damaged database of something else is not taken for one of ours, to be made anew."""
    path = tmp_path / "database"
    make, foreign, ours = MADE[kind]
    make(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    SPOILT[how](path)
    assert _sqlite.is_foreign(str(path), OURS) is foreign
    assert _sqlite.is_ours(str(path), OURS) is ours


def test_a_new_one_is_ours_while_all_of_it_is_in_the_wal(tmp_path: Path) -> None:
    path = tmp_path / "database"
    with closing(_sqlite.connect(str(path), 1.0)) as connection:
        assert _sqlite.use_wal(connection, 1.0)
        assert not _sqlite.is_foreign(str(path), OURS)
        with _sqlite.transaction(connection):
            _sqlite.make_tables(connection, ["CREATE TABLE t (x)"], OURS, 1)
        assert path.read_bytes()[68:72] == bytes(4)
        assert _sqlite.is_ours(str(path), OURS)
        assert not _sqlite.is_foreign(str(path), OURS)
    assert _sqlite.is_ours(str(path), OURS)


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "no", tmp_path / "file" / "no"):
        assert not _sqlite.is_foreign(str(path), OURS)
        with pytest.raises(OSError, match="no"):
            _sqlite.is_ours(str(path), OURS)


@posix
def test_what_is_no_plain_file(tmp_path: Path) -> None:
    """Who would open a FIFO would wait for ever."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        assert not _sqlite.is_foreign(str(path), OURS)
        with pytest.raises(OSError, match="no plain file"):
            _sqlite.is_ours(str(path), OURS)
        with pytest.raises(_sqlite.RefusedError, match="no plain file"):
            _sqlite.prepare(str(path))


# Locks

# The bytes on which each connection holds a lock while it has a database in WAL mode open.
# Source: `SHARED_FIRST` and `SHARED_SIZE` in os.h; "WAL-mode File Format", 2.3.
PROBE = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
"""


def is_locked(path: Path) -> bool:
    """As another process sees it."""
    done = subprocess.run([sys.executable, "-c", PROBE, path], capture_output=True, text=True)
    assert not done.returncode or "BlockingIOError" in done.stderr
    return bool(done.returncode)


@pytest.fixture
def in_use(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "database"
    make_database(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("SELECT x FROM t").fetchone()
        yield path


@posix
def test_a_look_takes_no_locks_away(in_use: Path) -> None:
    """Another process that closed the database would else remove its -wal under this one."""
    assert is_locked(in_use)
    for application_id in (OURS, OTHER):
        _sqlite.is_foreign(str(in_use), application_id)
        _sqlite.is_ours(str(in_use), application_id)
    _sqlite.prepare(str(in_use))
    _sqlite.keep_from_others(str(in_use))
    assert is_locked(in_use)
    in_use.open("rb").close()
    assert not is_locked(in_use)


@posix
def test_who_opens_it_too_takes_no_locks_away(tmp_path: Path) -> None:
    catalogue, cache = tmp_path / "catalogue", tmp_path / "cache.db"
    place = "s3://bucket/"
    with closing(Catalogue(catalogue, place)):
        Catalogue(catalogue, place).close()
        assert is_locked(catalogue)
    with botocache_context(cache_path=cache) as one:
        assert list(one.entries()) == []
        with botocache_context(cache_path=cache) as other:
            assert list(other.entries()) == []
        assert is_locked(cache)


def test_a_new_file_is_closed_before_another_thread_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, closed, found = str(tmp_path / "database"), threading.Event(), []
    close = os.close

    def look() -> None:
        _sqlite.prepare(path)
        found.append(closed.is_set())

    other = threading.Thread(target=look)

    def close_late(descriptor: int) -> None:
        other.start()
        other.join(0.2)  # time for it to come too early
        close(descriptor)
        closed.set()

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", close_late)
        _sqlite.prepare(path)
    other.join()
    assert found == [True]


# Modes


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_file_is_made_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "database"
    before = os.umask(umask)
    try:
        _sqlite.prepare(str(path))
    finally:
        os.umask(before)
    assert mode(path) == 0o600


@posix
@pytest.mark.parametrize(
    ("found", "left"),
    [(0o644, 0o600), (0o600, 0o600), (0o700, 0o700), (0o755, 0o700), (0o440, 0o400)],
)
def test_a_file_that_is_there_keeps_what_its_owner_may(
    tmp_path: Path, found: int, left: int
) -> None:
    path = tmp_path / "database"
    for suffix in ("", "-wal"):
        (tmp_path / f"database{suffix}").touch()
        (tmp_path / f"database{suffix}").chmod(found)
    _sqlite.prepare(str(path))
    assert mode(path) == found
    _sqlite.keep_from_others(str(path))
    assert {mode(each) for each in tmp_path.iterdir()} == {left}


@posix
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_what_may_be_somebody_elses_too_is_refused(tmp_path: Path, suffix: str) -> None:
    path, target = tmp_path / f"database{suffix}", tmp_path / "target"
    target.touch()
    for make in (path.symlink_to, path.hardlink_to, lambda _: path.mkdir()):
        make(target)
        with pytest.raises(_sqlite.RefusedError, match=f"^{path.name} is "):
            _sqlite.prepare(str(tmp_path / "database"))
        path.rmdir() if path.is_dir() else path.unlink()
    if os.geteuid() == 0:  # only root may give a file away
        path.touch()
        os.chown(path, 12345, 12345)
        with pytest.raises(_sqlite.RefusedError, match="another user"):
            _sqlite.prepare(str(tmp_path / "database"))


# Transactions


def test_a_transaction_that_cannot_end_leaves_none_open(tmp_path: Path) -> None:
    with closing(_sqlite.connect(str(tmp_path / "database"), 0.0)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        reference = "REFERENCES t DEFERRABLE INITIALLY DEFERRED"  # looked at when it ends
        connection.execute(f"CREATE TABLE t (x PRIMARY KEY, y {reference})")
        with pytest.raises(sqlite3.IntegrityError), _sqlite.transaction(connection):
            connection.execute("INSERT INTO t VALUES (1, 2)")
        assert not connection.in_transaction
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
