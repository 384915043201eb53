"""The header of the WAL index: what it proves, and that looking at it takes nothing from SQLite."""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boto_accel.cache.stores import wal_index
from boto_accel.cache.stores.sqlite import SQLiteStore
from boto_accel.cache.stores.wal_index import HEADER_BYTES, close_index, is_settled, open_index
from tests.cache.stores.places import Place

pytestmark = pytest.mark.skipif(os.name != "posix", reason="maps and locks of POSIX")

DMS = 128  # the lock that each connection holds on the index (UNIX_SHM_DMS in SQLite's os_unix.c)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "responses.sqlite3")


@pytest.fixture
def place(path: str) -> Iterator[Place]:
    place = Place("sqlite", lambda **options: SQLiteStore(path, **{"busy_s": 60.0, **options}))
    yield place
    place.close()


def statements_of(store: Any) -> list[str]:
    """What the reading connection is asked for from now on."""
    found: list[str] = []
    store._database.reader.set_trace_callback(found.append)
    return found


def test_a_hit_from_the_front_asks_sqlite_nothing(place: Place) -> None:
    store = place.open()
    made = place.put(store, b"key")
    assert store.get(b"key") == made
    asked = statements_of(store)
    assert [store.peek(b"key") for _ in range(10)] == [made] * 10
    assert asked == []


def test_what_anybody_writes_is_seen_at_the_next_look(place: Place, path: str) -> None:
    """By another store, and by a process that knows nothing of us."""
    store, other = place.open(), place.open()
    for number in range(20):
        made = place.put(other, b"key", b"%d" % number, "tag")
        assert store.get(b"key") == store.peek(b"key") == made
        other.invalidate(["tag"])
        assert store.peek(b"key") is None
        assert store.get(b"key") is None
    made = place.put(other, b"key")
    assert store.get(b"key") == store.peek(b"key") == made
    command = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute({!r}); c.commit()"
    statement = "UPDATE state SET seq = seq + 1"
    subprocess.run([sys.executable, "-c", command.format(statement), path], check=True)
    assert store.peek(b"key") is None  # it is asked what that was


def test_where_the_header_is_not_to_be_had_the_pragma_is_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("boto_accel.cache.stores.sqlite_file.open_index", lambda path: None)
    store, other = place.open(), place.open()
    made = place.put(other, b"key", b"", "tag")
    assert store.get(b"key") == made
    asked = statements_of(store)
    assert store.peek(b"key") == made
    assert asked == ["PRAGMA data_version"]
    other.invalidate(["tag"])
    assert store.peek(b"key") is None


@pytest.mark.parametrize("seed", range(5))
def test_an_equal_header_means_an_equal_data_version(path: str, seed: int) -> None:
    """Through commits, rollbacks, checkpoints and connections that come and go."""
    choose = random.Random(seed)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None)

    reader, writer = connect(), connect()
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (x)")
    reader.execute("SELECT * FROM t").fetchall()
    index = open_index(path)
    assert index is not None
    seen: dict[bytes, int] = {}
    for _ in range(400):
        match choose.randrange(6):
            case 0 | 1:
                writer.execute("INSERT INTO t VALUES (1)")
            case 2:
                writer.execute("BEGIN IMMEDIATE")
                writer.execute("INSERT INTO t VALUES (2)")
                writer.execute("ROLLBACK")
            case 3:
                how = choose.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
                writer.execute(f"PRAGMA wal_checkpoint({how})")
            case 4:
                writer.close()
                writer = connect()
            case 5:
                pass
        header = index.header()
        version = reader.execute("PRAGMA data_version").fetchone()[0]
        assert is_settled(header)
        assert seen.setdefault(header, version) == version
    assert len(seen) > 50
    reader.close()
    writer.close()
    close_index(index)


def test_no_lock_of_sqlites_is_taken_away(place: Place, path: str) -> None:
    """Closing a descriptor would: whoever opened the file next would begin the index anew."""
    store = place.open()
    place.put(store, b"key")
    stranger = sqlite3.connect(path)
    stranger.execute("SELECT * FROM state").fetchall()
    store.close()
    assert is_locked(f"{path}-shm")
    stranger.close()


def is_locked(index: str) -> bool:
    """Whether another process would find that somebody has the index open."""
    look = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+b')\n"
        f"fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, {DMS})"
    )
    found = subprocess.run([sys.executable, "-c", look, index], capture_output=True, text=True)
    assert not found.returncode or "BlockingIOError" in found.stderr
    return found.returncode != 0


@pytest.mark.parametrize("somebody_stays", [False, True])
def test_maps_do_not_become_more(place: Place, path: str, somebody_stays: bool) -> None:
    """A decorated function opens the file for each call, in many processes."""
    stranger = sqlite3.connect(path)
    store = place.open()
    for number in range(20):
        place.put(store, b"%d" % number)
        if somebody_stays:
            stranger.execute("SELECT * FROM state").fetchall()
        store.close()
    ours = [each for each in wal_index._indexes if not each.is_removed()]
    assert len([each for each in ours if each.file == file_of(f"{path}-shm")]) == somebody_stays
    stranger.close()
    store.close()
    open_index("nowhere")  # what has been removed meanwhile is closed now
    assert not any(each.is_removed() for each in wal_index._indexes)


def file_of(path: str) -> tuple[int, int]:
    found = os.stat(path) if os.path.exists(path) else None
    return (0, 0) if found is None else (found.st_dev, found.st_ino)


def test_a_store_that_is_collected_amid_an_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same thread: a lock that it holds must not hold it up."""
    lost: Any = SQLiteStore(tmp_path / "lost.sqlite3", max_entries=10)
    assert lost.get(b"key") is None  # opens it
    lost.itself = lost
    lost = None
    find = wal_index._find

    def find_amid_a_collection(path: str) -> Any:
        gc.collect()
        return find(path)

    monkeypatch.setattr(wal_index, "_find", find_amid_a_collection)
    other = SQLiteStore(tmp_path / "other.sqlite3", max_entries=10)
    assert other.get(b"key") is None
    open_index("nowhere")  # SQLite may have let go of the file later: of Python 3.10 it does
    assert not any(each.is_removed() for each in wal_index._indexes)
    other.close()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        bytes(2 * HEADER_BYTES),  # not made yet
        bytes(12) + b"\1" + bytes(2 * HEADER_BYTES - 13),  # one copy is written, the other not yet
    ],
)
def test_what_is_not_settled_proves_nothing(header: bytes) -> None:
    assert not is_settled(header)


def test_a_file_that_is_no_index_is_not_used(path: str) -> None:
    Path(f"{path}-shm").write_bytes(b"short")
    assert open_index(path) is None
    assert open_index(f"{path}.other") is None
