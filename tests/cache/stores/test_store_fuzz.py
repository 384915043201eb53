"""
Spoilt cache files: whatever is in them, no call raises and nothing is run.

BOTO_ACCEL_FUZZ=10000 sets the number of tries; without it there are a few hundred.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boto_accel.cache.store import Entry
from boto_accel.cache.stores.sqlite import SQLiteStore
from tests.cache.stores.places import Clock, Place

TRIES = int(os.environ.get("BOTO_ACCEL_FUZZ", "300"))
SUFFIXES = ("", "-wal", "-shm")
KEYS = [b"key %d" % number for number in range(12)]
PAGE = 4096  # bytes

# Events of the interpreter that would tell of code that a file made run (sys.addaudithook).
RUNS_CODE = (
    "compile",
    "ctypes.",
    "exec",
    "import",
    "os.exec",
    "os.posix_spawn",
    "os.system",
    "pickle.find_class",
    "sqlite3.enable_load_extension",
    "sqlite3.load_extension",
    "subprocess.Popen",
)


class Audit:
    """What was run while it listens. There is one for the process: a hook cannot be taken away."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._listens = False
        sys.addaudithook(self._hear)

    def __enter__(self) -> Audit:
        self.found = []
        self._listens = True
        return self

    def __exit__(self, *_: object) -> None:
        self._listens = False

    def _hear(self, event: str, _: object) -> None:
        if self._listens and event.startswith(RUNS_CODE):
            self.found.append(event)


audit = Audit()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of a cache file in use, and of its -wal and -shm, by suffix."""
    path = tmp_path_factory.mktemp("whole") / "responses.sqlite3"
    place = Place("sqlite", lambda **options: SQLiteStore(path, **options))
    store = place.open()
    for key in KEYS[:8]:
        place.put(store, key, key * 300, "tag", key.decode())
    store.close()
    for key in KEYS[8:]:
        place.put(store, key, key * 900, "tag")
    store.invalidate(["nobody's"])
    store.lead(b"lead")
    found = {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in SUFFIXES}
    place.close()
    return found


# Ways to spoil ------------------------------------------------------------------------------------


def some_bytes(blob: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 3, 30])):
        blob[chance.randrange(len(blob))] = chance.randrange(256)


def bytes_of_structure(blob: bytearray, chance: random.Random) -> None:
    """Where SQLite keeps numbers: the header of the file and those of the pages."""
    for _ in range(chance.choice([1, 3, 30])):
        page = PAGE * chance.randrange(max(1, len(blob) // PAGE))
        blob[min(page + chance.randrange(120), len(blob) - 1)] = chance.choice([0, 1, 0x7F, 0xFF])


def cut(blob: bytearray, chance: random.Random) -> None:
    del blob[chance.randrange(len(blob)) :]


def pages_exchanged(blob: bytearray, chance: random.Random) -> None:
    one, two = (PAGE * chance.randrange(max(1, len(blob) // PAGE)) for _ in range(2))
    blob[one : one + PAGE], blob[two : two + PAGE] = blob[two : two + PAGE], blob[one : one + PAGE]


def page_of_noise(blob: bytearray, chance: random.Random) -> None:
    page = PAGE * chance.randrange(max(1, len(blob) // PAGE))
    blob[page : page + PAGE] = chance.randbytes(PAGE)


def noise(blob: bytearray, chance: random.Random) -> None:
    blob[:] = chance.randbytes(chance.randrange(20_000))


def noise_with_the_header(blob: bytearray, chance: random.Random) -> None:
    blob[100:] = chance.randbytes(chance.randrange(20_000))


WAYS: list[Callable[[bytearray, random.Random], None]] = [
    some_bytes,
    bytes_of_structure,
    bytes_of_structure,
    cut,
    pages_exchanged,
    page_of_noise,
    noise,
    noise_with_the_header,
]


def spoilt(whole: dict[str, bytes], chance: random.Random) -> dict[str, bytes]:
    """Most tries spoil the file; some the -wal or the -shm, or leave them out."""
    files = {suffix: bytearray(blob) for suffix, blob in whole.items()}
    if chance.random() < 0.5:
        del files["-wal"], files["-shm"]
    for suffix in chance.choice([("",), ("",), ("-wal",), ("-shm",), ("", "-wal")]):
        if files.get(suffix):
            chance.choice(WAYS)(files[suffix], chance)
    return {suffix: bytes(blob) for suffix, blob in files.items()}


def use(path: Path, chance: random.Random) -> None:
    """Every call there is, in any order; what comes back is an entry, or nothing."""
    store: Any = SQLiteStore(path, max_entries=10, max_bytes=30_000, clock=Clock())
    place = Place("sqlite", lambda: None)
    calls: list[Callable[[], Any]] = [
        *(lambda key=key: store.get(key) for key in KEYS),
        *(lambda key=key: store.peek(key) for key in KEYS),
        lambda: store.put(b"new", place.entry(b"x" * 900, "tag"), store.ticket(["tag"])),
        lambda: store.put(KEYS[0], place.entry(b"x" * 9000, "tag"), store.ticket(["tag"])),
        lambda: store.invalidate([KEYS[1].decode()]),
        lambda: store.drop(KEYS[2]),
        lambda: [entry for _, entry in store.entries()],
        lambda: store.lead(b"lead"),
        lambda: store.done(b"lead"),
    ]
    try:
        for call in chance.sample(calls, len(calls)):
            result = call()
            for each in result if isinstance(result, list) else [result]:
                assert isinstance(each, Entry | bool | int | None)
        assert isinstance(store.clear(), int)
    finally:
        store.close()


@pytest.mark.parametrize("part", range(10))
def test_no_spoilt_file_raises_or_runs_anything(
    whole: dict[str, bytes], tmp_path: Path, part: int
) -> None:
    path = tmp_path / "responses.sqlite3"
    for number in range(part, TRIES, 10):
        chance = random.Random(number)
        for suffix, blob in spoilt(whole, chance).items():
            Path(f"{path}{suffix}").write_bytes(blob)
        with audit:
            use(path, chance)
        assert audit.found == [], number
        for each in tmp_path.iterdir():
            assert each.name.startswith(path.name), number
            each.unlink()


# Hostile schemas ----------------------------------------------------------------------------

HOSTILE = {
    "trigger on state": (
        "CREATE TRIGGER t AFTER UPDATE ON state BEGIN INSERT INTO canary VALUES (1); END"
    ),
    "trigger on entries": (
        "CREATE TRIGGER t BEFORE INSERT ON entries BEGIN INSERT INTO canary VALUES (1); END"
    ),
    "trigger on leads": (
        "CREATE TRIGGER t AFTER INSERT ON leads BEGIN INSERT INTO canary VALUES (1); END"
    ),
    "view for a table": "CREATE VIEW entries AS SELECT load_extension('x') AS key",
    "index on an expression": "CREATE INDEX i ON entries (abs(load_extension('x')))",
    "virtual table": "CREATE VIRTUAL TABLE v USING fts5(x)",
}


def write_hostile(path: Path, blob: bytes, text: str) -> None:
    """The cache file *blob* with one line added to its schema, as a hostile hand writes it."""
    path.write_bytes(blob)
    words = text.split()
    kind, name = words[1].lower(), words[2]
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE canary (x)")
    connection.execute("PRAGMA writable_schema = ON")
    if kind == "view":
        connection.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
    table = words[words.index("ON") + 1] if "ON" in words else name
    connection.execute(
        "INSERT INTO sqlite_master VALUES (?, ?, ?, 0, ?)",
        ("table" if kind == "virtual" else kind, name, table, text),
    )
    connection.commit()
    connection.close()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_hostile_schema_runs(whole: dict[str, bytes], tmp_path: Path, text: str) -> None:
    path = tmp_path / "responses.sqlite3"
    write_hostile(path, whole[""], text)
    with audit:
        use(path, random.Random(1))
    assert audit.found == []
    connection = sqlite3.connect(f"{path}.damaged")
    connection.execute("PRAGMA writable_schema = ON")  # and so a schema with errors is read
    assert connection.execute("SELECT count(*) FROM canary").fetchone() == (0,)
    connection.close()
