"""The SQLite store: its file, what may be wrong with it, and its front."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boto_accel import InvalidOptionError, botocache_context
from boto_accel.cache.stores.sqlite import SQLiteStore
from boto_accel.cache.stores.sqlite_file import SCHEMA, VERSION, Identity, set_aside
from tests.cache.stores.places import Place, keys_of

posix = pytest.mark.skipif(os.name != "posix", reason="modes, owners and links of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "responses.sqlite3"


@pytest.fixture
def place(path: Path) -> Iterator[Place]:
    def make(**options: Any) -> SQLiteStore:
        return SQLiteStore(path, **{"own_folder": True, "busy_s": 60.0, **options})

    place = Place("sqlite", make)
    yield place
    place.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(each.levelno == logging.WARNING for each in caplog.records)
    return [each.getMessage() for each in caplog.records if each.name == "boto_accel"]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def is_uncached(place: Place, store: Any) -> bool:
    """All calls go through, and nothing is kept."""
    assert store.peek(b"key") is None
    assert store.get(b"key") is None
    assert store.put(b"key", place.entry(), store.ticket(())) is False
    store.drop(b"key")
    assert (store.invalidate(["tag"]), store.clear()) == (0, 0)
    assert store.lead(b"key") is True
    store.done(b"key")
    return not list(store.entries())


def until(condition: Callable[[], bool]) -> None:
    """What comes by itself after a time; the test ends by the runner's limit if it never does."""
    while not condition():
        time.sleep(0.01)


def run_python(code: str, *arguments: str) -> None:
    """In a process of its own: closing a file drops SQLite's locks on it in the same one."""
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)


# The file -------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_no_one_else_may_read_the_files(place: Place, path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        place.put(place.open(), b"key")
    finally:
        os.umask(before)
    assert mode(path.parent) == 0o700
    files = sorted(path.parent.iterdir())
    assert [each.name.removeprefix(path.name) for each in files] == ["", "-shm", "-wal", ".lock"]
    assert {mode(each) for each in files} == {0o600}


@posix
def test_a_file_that_others_may_read_is_theirs_no_more(place: Place, path: Path) -> None:
    place.put(place.open(), b"key")
    place.close()
    path.chmod(0o644)
    assert place.open().get(b"key") is not None
    assert {mode(each) for each in path.parent.iterdir()} == {0o600}


@posix
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".lock"])
def test_a_symbolic_link_is_not_followed(
    place: Place, path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    target = path.parent.parent / "target"
    target.write_bytes(b"somebody's")
    path.parent.mkdir()
    Path(f"{path}{suffix}").symlink_to(target)
    store = place.open()
    assert is_uncached(place, store)
    assert is_uncached(place, store)
    assert target.read_bytes() == b"somebody's"
    assert len(warnings(caplog)) == 1


@posix
def test_a_folder_that_is_a_symbolic_link_is_not_followed(
    place: Place, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = path.parent.parent / "target"
    target.mkdir()
    path.parent.symlink_to(target)
    assert is_uncached(place, place.open())
    assert list(target.iterdir()) == []
    assert len(warnings(caplog)) == 1


@posix
def test_a_file_of_another_user_is_not_used(
    place: Place, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a file away")
    place.put(place.open(), b"key")
    place.close()
    os.chown(path, 12345, 12345)
    assert is_uncached(place, place.open())
    assert "another user" in warnings(caplog)[0]


def test_where_no_file_can_be_the_calls_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    place = Place("sqlite", lambda **options: SQLiteStore(tmp_path / "file" / "db", **options))
    store = place.open()
    assert is_uncached(place, store)
    assert is_uncached(place, store)
    assert len(warnings(caplog)) == 1


@posix
def test_a_hard_link_to_another_file_is_not_used(
    place: Place, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = path.parent.parent / "target"
    target.write_bytes(b"somebody's")
    path.parent.mkdir()
    path.hardlink_to(target)
    assert is_uncached(place, place.open())
    assert target.read_bytes() == b"somebody's"
    assert len(warnings(caplog)) == 1


def test_what_is_cleared_leaves_the_disk(place: Place, path: Path) -> None:
    store = place.open()
    for number in range(20):
        place.put(store, b"%d" % number, b"private" * 1000)
    store.clear()
    left = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert b"private" not in left
    assert len(left) < 200_000


# Damage ---------------------------------------------------------------------------------------


def spoil_with_random_bytes(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def spoil_by_cutting(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def spoil_by(*statements: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        connection = sqlite3.connect(path)
        for each in statements:
            connection.execute(each)
        connection.commit()
        connection.close()

    return spoil


SPOILT = {
    "random": spoil_with_random_bytes,
    "cut": spoil_by_cutting,
    "old version": spoil_by("PRAGMA user_version = 0"),
    "other application": spoil_by("PRAGMA application_id = 7"),
    "a table more": spoil_by("CREATE TABLE extra (x)"),
    "a table less": spoil_by("DROP TABLE gone"),
    "a column more": spoil_by("ALTER TABLE leads ADD COLUMN x"),
    "no state": spoil_by("DELETE FROM state"),
    "state of text": spoil_by("UPDATE state SET seq = 'x'"),
    "state beyond": spoil_by(f"UPDATE state SET seq = {2**63 - 1}"),
    "payloads of numbers": spoil_by("UPDATE payloads SET payload = 7"),
    "tags no text": spoil_by("UPDATE entries SET tags = x'ff00'"),
    "times of text": spoil_by("UPDATE entries SET stored_at = 'x'"),
    "keys of text": spoil_by("UPDATE payloads SET id = id", "UPDATE entries SET label = 1.5"),
    "trigger": spoil_by(
        "CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM entries; END",
    ),
    "view": spoil_by("DROP TABLE leads", "CREATE VIEW leads AS SELECT 1 AS key, 2 AS owner"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_file_is_set_aside_and_made_anew(
    place: Place, path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        place.put(place.open(), b"key%d" % number, b"x" * 3000, "tag")
    place.close()
    SPOILT[how](path)
    spoilt = path.read_bytes()
    store = place.open()
    for number in range(20):
        assert store.get(b"key%d" % number) is None or how in ("cut", "random")
    store.put(b"key", place.entry(), store.ticket(()))
    made = place.put(store, b"key")
    assert store.get(b"key") == made
    assert Path(f"{path}.damaged").read_bytes()[:16] == spoilt[:16]
    assert len(warnings(caplog)) == 1


@pytest.fixture
def named(path: Path) -> Iterator[Place]:
    """The file itself is named by the user, and what has its name may be the user's."""
    path.parent.mkdir()
    place = Place("sqlite", lambda **options: SQLiteStore(path, **{"busy_s": 60.0, **options}))
    yield place
    place.close()


NOT_TOLD = ("random", "other application")  # from a file of something else


@pytest.mark.parametrize("how", [each for each in SPOILT if each not in NOT_TOLD])
def test_a_damaged_file_that_the_user_named_is_set_aside(
    named: Place, path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        named.put(named.open(), b"key%d" % number, b"x" * 3000, "tag")
    named.close()
    SPOILT[how](path)
    store = named.open()
    assert not store.is_foreign()
    for number in range(20):
        store.get(b"key%d" % number)
    until(lambda: store.ticket(()) is not None)
    made = named.put(store, b"key")
    assert store.get(b"key") == made
    assert Path(f"{path}.damaged").exists()
    assert len(warnings(caplog)) == 1


FOREIGN = {
    "text": lambda path: path.write_text("Dear user, "),
    "random": spoil_with_random_bytes,
    "another application": spoil_by("PRAGMA application_id = 7", "CREATE TABLE state (x)"),
    "spoilt": lambda path: (
        spoil_by("PRAGMA page_size = 512", "CREATE TABLE users (name)", "CREATE TABLE a (b)")(path),
        os.truncate(path, 512),
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_the_users_stays_as_it_is(
    named: Place, path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a cache is opened on it: it came after the patch was entered."""
    FOREIGN[kind](path)
    path.chmod(0o644)
    before = path.read_bytes(), path.stat().st_mode
    store = named.open()
    assert store.is_foreign()
    assert is_uncached(named, store)
    assert (path.read_bytes(), path.stat().st_mode) == before
    assert {each.name.removeprefix(path.name) for each in path.parent.iterdir()} == {"", ".lock"}
    (warning,) = warnings(caplog)
    assert "something else" in warning


@pytest.mark.parametrize("parameter", ["cache_path", "cache"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_the_users_is_refused_before_anything_is_changed(
    tmp_path: Path, kind: str, parameter: str
) -> None:
    path = tmp_path / "file.db"
    FOREIGN[kind](path)
    path.chmod(0o644)
    before = path.read_bytes(), path.stat().st_mode
    where = path if parameter == "cache_path" else f"sqlite:///{path}"
    expected = pytest.raises(InvalidOptionError, match="a folder or a new file")
    with expected as caught, botocache_context(**{parameter: where}):
        raise AssertionError
    assert (caught.value.parameter, caught.value.value) == (parameter, str(path))
    assert (path.read_bytes(), path.stat().st_mode) == before
    assert list(tmp_path.iterdir()) == [path]


def test_damage_is_noticed_in_use(
    place: Place, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is overwritten while two stores have it open; both go on with a new one."""
    one, two = place.open(front_entries=0), place.open()
    for number in range(50):
        place.put(one, b"%d" % number, b"x" * 3000, "tag")
    assert two.get(b"7") is not None
    ticket = two.ticket(["tag"])
    code = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(4096); f.write(b'\\x55' * 200_000)"
    one.close()  # and so what it wrote is in the file itself
    two.close()
    run_python(code, str(path))
    for number in range(50):
        one.get(b"%d" % number)
    until(lambda: one.put(b"new", place.entry(b"", "tag"), one.ticket(["tag"])))
    assert two.put(b"late", place.entry(b"", "tag"), ticket) is False
    assert two.get(b"7") is None
    assert two.get(b"new") is not None
    assert keys_of(one) == [b"new"]
    assert any("set aside" in each for each in warnings(caplog))


def test_a_database_of_something_else_is_left_alone(
    place: Place, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    spoil_by("CREATE TABLE users (name)", "INSERT INTO users VALUES ('x')")(path)
    path.chmod(0o644)
    before = path.read_bytes(), path.stat().st_mode
    assert is_uncached(place, place.open())
    assert (path.read_bytes(), path.stat().st_mode) == before
    assert "something else" in warnings(caplog)[0]


def test_a_file_of_a_later_release_is_left_alone(
    place: Place, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place.put(place.open(), b"key")
    place.close()
    spoil_by("PRAGMA user_version = 99")(path)
    path.chmod(0o644)
    before = path.stat().st_mode
    assert is_uncached(place, place.open())
    assert path.stat().st_mode == before
    assert "later release" in warnings(caplog)[0]


def test_a_trigger_that_comes_later_does_not_run(place: Place, path: Path) -> None:
    """The schema is ours when the file is opened; then somebody adds to it."""
    store = place.open(max_entries=10)
    place.put(store, b"key", b"", "tag")
    spoil_by(
        "CREATE TABLE canary (x)",
        "CREATE TRIGGER t AFTER UPDATE ON state BEGIN INSERT INTO canary VALUES (1); END",
        "CREATE TRIGGER u AFTER INSERT ON entries BEGIN INSERT INTO canary VALUES (1); END",
    )(path)
    store.put(b"other", place.entry(b"", "tag"), store.ticket(["tag"]))
    store.invalidate(["tag"])
    for each in (path, Path(f"{path}.damaged")):
        connection = sqlite3.connect(each)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'canary'")
        if tables.fetchone():
            assert connection.execute("SELECT count(*) FROM canary").fetchone() == (0,)
        connection.close()


def test_a_file_that_is_removed_is_made_anew(place: Place, path: Path) -> None:
    """`rm -r .cache` while processes use it."""
    one, two = place.open(), place.open()
    place.put(one, b"key", b"", "tag")
    assert two.get(b"key") is not None
    ticket = two.ticket(["tag"])
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()
    assert two.peek(b"key") is None
    assert two.get(b"key") is None
    assert two.put(b"key", place.entry(b"", "tag"), ticket) is False
    made = place.put(two, b"key", b"new", "tag")
    assert one.peek(b"key") is None
    assert one.get(b"key") == made


def test_many_find_the_damage_and_one_sets_aside(place: Place, path: Path) -> None:
    place.put(place.open(), b"key")
    place.close()
    spoil_with_random_bytes(path)
    stores = [place.open() for _ in range(8)]
    ready = threading.Barrier(8)

    def work(store: Any) -> None:
        ready.wait()
        store.get(b"key")

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    until(lambda: all(store.ticket(()) is not None for store in stores))
    made = place.put(stores[0], b"key")
    assert [store.get(b"key") for store in stores] == [made] * 8
    assert Path(f"{path}.damaged").stat().st_size == 20_000


def test_who_finds_the_damage_late_leaves_the_new_file_alone(place: Place, path: Path) -> None:
    place.put(place.open(), b"key")
    place.close()
    damaged = Identity.of(str(path))
    assert set_aside(str(path), damaged, busy_s=60.0) is True
    store = place.open()
    made = place.put(store, b"key", b"new")
    assert set_aside(str(path), damaged, busy_s=60.0) is False
    assert store.get(b"key") == made
    assert place.open().get(b"key") == made


# Locked and full --------------------------------------------------------------------------------


@pytest.fixture
def writer(place: Place, path: Path) -> Iterator[sqlite3.Connection]:
    """Another program, which holds the lock for writing until it rolls back."""
    place.put(place.open(), b"key", b"", "tag")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_while_the_file_is_locked_it_is_read(
    place: Place, writer: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    store = place.open(busy_s=0.01)
    assert store.get(b"key") is not None
    assert store.peek(b"key") is not None
    assert store.put(b"other", place.entry(), store.ticket(())) is False
    assert store.lead(b"other") is True
    assert store.get(b"key") is not None
    assert len(warnings(caplog)) == 1
    writer.execute("ROLLBACK")
    until(lambda: store.put(b"other", place.entry(), store.ticket(())))


def test_what_could_not_be_invalidated_is_not_given_back(
    place: Place, writer: sqlite3.Connection
) -> None:
    store, other = place.open(busy_s=0.01), place.open()
    late = store.ticket(["tag"])
    assert store.get(b"key") is not None
    store.invalidate(["tag"])
    assert store.peek(b"key") is None
    assert store.get(b"key") is None
    assert list(store.entries()) == []
    assert store.put(b"key", place.entry(b"", "tag"), late) is False
    writer.execute("ROLLBACK")
    until(lambda: store.ticket(["tag"]) is not None)
    assert store.put(b"key", place.entry(b"", "tag"), late) is False
    assert store.get(b"key") is None
    assert other.get(b"key") is None


def test_on_a_full_disk_what_is_there_is_read(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    store = place.open()
    made = place.put(store, b"key", b"", "tag")
    database: Any = store._database  # type: ignore[attr-defined]
    database.writer.execute("PRAGMA max_page_count = 1")  # SQLITE_FULL from here on
    assert store.put(b"other", place.entry(b"x" * 100_000), store.ticket(())) is False
    assert store.put(b"other", place.entry(b"x" * 100_000), store.ticket(())) is False
    assert store.get(b"key") == made
    assert ["full" in each for each in warnings(caplog)] == [True]


# The front ---------------------------------------------------------------------------------------


def test_a_busy_neighbour_does_not_empty_the_front(place: Place) -> None:
    store, neighbour = place.open(), place.open()
    made = place.put(neighbour, b"key", b"", "tag")
    assert store.get(b"key") == made
    statements: list[str] = []
    store._database.reader.set_trace_callback(statements.append)  # type: ignore[attr-defined]
    for number in range(10):
        place.put(neighbour, b"other%d" % number, b"", "other")
        neighbour.invalidate(["other"])
        neighbour.drop(b"else")
        assert store.get(b"key") == made
        assert store.peek(b"key") == made
    assert not any("payload" in each for each in statements)


def test_a_hit_from_the_front_writes_nothing(place: Place) -> None:
    store, other = place.open(), place.open()
    place.put(store, b"key")
    other.get(b"key")
    version = other._database.version()  # type: ignore[attr-defined]
    for _ in range(1000):
        assert store.get(b"key") is not None
        assert store.peek(b"key") is not None
    assert other._database.version() == version  # type: ignore[attr-defined]


def test_uses_are_known_to_the_next_process(place: Place) -> None:
    store = place.open()
    for key in (b"1", b"2", b"3"):
        place.put(store, key)
    assert store.get(b"1") is not None
    store.close()
    assert keys_of(place.open()) == [b"1", b"3", b"2"]


def test_a_peek_does_not_wait_for_another_thread(place: Place) -> None:
    store = place.open()
    made = place.put(store, b"key")
    assert store.get(b"key") == made
    with store._reading:  # type: ignore[attr-defined]
        assert store.peek(b"key") is None
    assert store.peek(b"key") == made


def test_what_was_invalidated_just_after_it_was_put_is_not_in_the_front(
    place: Place, path: Path
) -> None:
    """Between the commit of a `put` and its way to the front, another thread has caught up."""
    other = place.open()

    class Slow(SQLiteStore):
        def _put_in_front(self, *arguments: Any) -> None:
            other.invalidate(["tag"])
            assert self.get(b"else") is None
            super()._put_in_front(*arguments)

    store = Slow(path, max_entries=10, own_folder=True, busy_s=60.0, clock=place.clock)
    place.put(store, b"key", b"", "tag")
    assert store.peek(b"key") is None
    assert store.get(b"key") is None
    store.close()


def test_what_is_too_large_for_the_front_is_in_the_file(place: Place) -> None:
    store = place.open(front_bytes=100)
    made = place.put(store, b"key", b"x" * 1000)
    assert store.get(b"key") == made
    assert store.peek(b"key") is None


def test_tickets_are_remembered_within_bounds(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond them a ticket is refused, a front emptied, and no invalidation missed."""
    monkeypatch.setattr("boto_accel.cache.stores.sqlite_rows._REMEMBERED", 5)
    store, other = place.open(), place.open()
    place.put(store, b"key", b"", "tag")
    assert other.get(b"key") is not None
    ticket = store.ticket(["untouched"])
    store.invalidate(["tag"])
    for number in range(20):
        store.invalidate([f"tag{number}"])
    assert other.peek(b"key") is None
    assert other.get(b"key") is None
    assert store.put(b"key", place.entry(b"", "untouched"), ticket) is False
    rows = store._database.reader.execute("SELECT count(*) FROM gone")  # type: ignore[attr-defined]
    assert rows.fetchone()[0] <= 6


def test_everything_is_found_by_an_index(place: Place) -> None:
    """No statement of a call goes through a whole table, as EXPLAIN QUERY PLAN tells."""
    store = place.open(max_entries=5, max_bytes=10_000)
    store.get(b"key")
    statements: set[str] = set()
    for connection in (store._database.reader, store._database.writer):  # type: ignore[attr-defined]
        connection.set_trace_callback(statements.add)
    for number in range(12):
        store.lead(b"%d" % number)
        place.put(store, b"%d" % number, b"x" * 1000, "tag", f"tag{number}")
        store.done(b"%d" % number)
        store.get(b"%d" % number)
    store.invalidate(["tag3"])
    store.drop(b"5")
    store.get(b"6")
    plans = store._database.reader  # type: ignore[attr-defined]
    for connection in (store._database.reader, store._database.writer):  # type: ignore[attr-defined]
        connection.set_trace_callback(None)
    read = [each for each in statements if each.split()[0] in ("SELECT", "DELETE", "UPDATE")]
    assert len(read) > 20
    for each in read:
        for *_, detail in plans.execute(f"EXPLAIN QUERY PLAN {each}").fetchall():
            is_scan = detail.startswith(b"SCAN") and b"INDEX" not in detail
            assert not is_scan or b"state" in detail, (each, detail)


def test_the_schema_is_what_the_release_says() -> None:
    """A change of it needs another VERSION: files of this one are out there."""
    digest = hashlib.sha256("\n".join(SCHEMA).encode()).hexdigest()
    assert (VERSION, digest[:16]) == (1, "748f08b66c903cdb")
