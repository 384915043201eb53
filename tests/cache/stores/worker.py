"""
What the processes of the tests with many processes do.

    python -m tests.cache.stores.worker TASK WHERE FOLDER ARGUMENT...

*where* is what a store is opened with. They meet by files in *folder*, each written in one step.
"""

from __future__ import annotations

import _imp
import ctypes
import hashlib
import mmap
import os
import random
import signal
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from boto_accel.cache.store import Entry, Store
from boto_accel.cache.stores import sqlite
from boto_accel.cache.stores.redis import RedisStore
from boto_accel.cache.stores.sqlite import SQLiteStore

PAUSE_S = 0.002  # seconds; between two looks at what another process does
LONG_S = 3600.0  # seconds; no leader loses its place for slowness
BOARD = "board"
BOARD_BYTES = 8 * 16
TAG = "tag"
KEY = b"key"


def open_patiently(where: str) -> Store:
    """A machine under load may keep another process waiting for long."""
    if "://" in where:
        patient = "socket_timeout=60&socket_connect_timeout=60"
        joint = "&" if "?" in where else "?"
        return RedisStore(f"{where}{joint}{patient}", max_entries=1000, lead_s=LONG_S)
    return SQLiteStore(where, max_entries=1000, busy_s=60.0, lead_s=LONG_S)


def entry(payload: bytes, *tags: str) -> Entry:
    now = time.time()
    return Entry(payload, tags, now, now + LONG_S, now + LONG_S, "label")


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(PAUSE_S)


# One call for each key -----------------------------------------------------------------------


def stampede(where: str, folder: Path, name: str, keys: str) -> None:
    """Ask for *keys* keys as the cache does; each "call" is a line in a file of all processes."""
    store = open_patiently(where)
    store.get(b"warm")
    (folder / f"ready-{name}").touch()
    wait_for(folder / "go")
    calls = os.open(folder / "calls", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in range(int(keys)):
        ask(store, b"key %d" % number, lambda number=number: os.write(calls, b"%d\n" % number))
    store.close()


def ask(store: Store, key: bytes, call: Callable[[], Any]) -> None:
    while store.get(key) is None:
        if not store.lead(key):
            time.sleep(PAUSE_S)
            continue
        if store.get(key) is None:  # who led before may have put it since
            ticket = store.ticket([TAG])
            call()
            assert store.put(key, entry(b"reply", TAG), ticket)
        store.done(key)


def lead_and_hang(where: str, folder: Path) -> None:
    store = open_patiently(where)
    (folder / ("leads" if store.lead(KEY) else "does not lead")).touch()
    signal.pause()


# Nothing that was invalidated comes back -------------------------------------------------------


class Board:
    """Numbers that all processes see at once; the test makes the file, before they begin."""

    def __init__(self, folder: Path) -> None:
        with (folder / BOARD).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), BOARD_BYTES)

    def __getitem__(self, place: int) -> int:
        return int(struct.unpack_from("=q", self._memory, 8 * place)[0])

    def __setitem__(self, place: int, value: int) -> None:
        struct.pack_into("=q", self._memory, 8 * place, value)


TRUTH, CONFIRMED, OVER, HITS = range(4)  # HITS and what follows: one for each reader


def write_truth(where: str, folder: Path, rounds: str, readers: str) -> None:
    """Change what AWS would say, invalidate, and say so; again when each reader had a hit."""
    store, board = open_patiently(where), Board(folder)
    places = range(HITS, HITS + int(readers))
    for version in range(1, int(rounds) + 1):
        before = [board[place] for place in places]
        board[TRUTH] = version
        store.invalidate([TAG])
        board[CONFIRMED] = version
        while any(board[place] <= seen for place, seen in zip(places, before, strict=True)):
            time.sleep(PAUSE_S)
    board[OVER] = 1
    store.close()


def read_truth(where: str, folder: Path, number: str) -> None:
    """Whatever is given back is not older than the last invalidation that was over before."""
    store, board = open_patiently(where), Board(folder)
    hits = HITS + int(number)
    while not board[OVER]:
        confirmed = board[CONFIRMED]
        found = store.peek(KEY) or store.get(KEY)
        if found is not None:
            assert int(found.payload) >= confirmed, (found.payload, confirmed)
            board[hits] += 1
            continue
        ticket = store.ticket([TAG])
        answer = board[TRUTH]
        store.put(KEY, entry(b"%d" % answer, TAG), ticket)
    store.close()


# Killed in the middle of a write ------------------------------------------------------------------


def kill_writers(where: str, folder: Path, times: str) -> None:
    """Kill *times* processes while they write, and see after each that the file is whole."""
    for number in range(int(times)):
        kill_one(where, random.Random(number))
        check_whole(where)
    assert not Path(f"{where}.damaged").exists()


def kill_one(where: str, chance: random.Random) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            write_for_ever(where, chance, writer)
        finally:
            os._exit(1)
    os.close(writer)
    for _ in range(chance.randint(1, 12)):  # so many writes are over, and the next has begun
        os.read(reader, 1)
    spin_until = time.perf_counter() + chance.random() * 0.001
    while time.perf_counter() < spin_until:
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reader)


def write_for_ever(where: str, chance: random.Random, progress: int) -> None:
    store = SQLiteStore(where, max_entries=30, busy_s=60.0)
    while True:
        key = b"%d" % chance.randrange(50)
        payload = sealed(chance.randbytes(chance.choice([10, 2000, 300_000])))
        tag = f"tag {chance.randrange(5)}"
        store.lead(key)
        assert store.put(key, entry(payload, tag), store.ticket([tag]))
        if chance.random() < 0.2:
            store.invalidate([f"tag {chance.randrange(5)}"])
        os.write(progress, b".")


def sealed(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest() + payload


def check_whole(where: str) -> None:
    store = SQLiteStore(where, max_entries=30, busy_s=60.0)
    ticket = store.ticket(["t"])
    assert store.put(b"check", entry(sealed(b""), "t"), ticket)
    for _, each in store.entries():
        assert each.payload == sealed(each.payload[32:])
    store.close()
    connection = sqlite3.connect(where)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    counted = connection.execute("SELECT count(*), sum(size) FROM entries").fetchone()
    assert connection.execute("SELECT entries, bytes FROM state").fetchone() == counted
    lost = "SELECT count(*) FROM tags WHERE id NOT IN (SELECT id FROM entries)"
    assert connection.execute(lost).fetchone() == (0,)
    connection.close()


# Forks --------------------------------------------------------------------------------------------


def fork_amid_use(where: str, folder: Path, times: str) -> None:
    """Threads use the store while the process forks; parent and children go on using it."""
    store = open_patiently(where)
    over = threading.Event()

    def use(number: int) -> None:
        while not over.is_set():
            key = b"thread %d" % number
            store.put(key, entry(b"x" * 1000, TAG), store.ticket([TAG]))
            store.get(key)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    try:
        for number in range(int(times)):
            fork_once(store, where, number)
    finally:
        over.set()
        for each in threads:
            each.join()
    store.close()


def fork_once(store: Store, where: str, number: int) -> None:
    made = entry(b"parent's %d" % number, "fork")
    assert store.put(b"fork", made, store.ticket(["fork"]))
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            assert not open_files(where)  # the parent's, with the locks that SQLite knows of
            assert store.get(b"fork") == made
            assert store.put(b"child", entry(b"%d" % number, "fork"), store.ticket(["fork"]))
            assert store.lead(b"%d" % number)
            failed = 0
        finally:
            os._exit(failed)
    _, status = os.waitpid(pid, 0)
    assert status == 0
    found = store.get(b"child")
    assert found is not None
    assert found.payload == b"%d" % number
    assert store.lead(b"%d" % number)  # its leader is gone
    store.done(b"%d" % number)


def open_files(where: str) -> list[str]:
    """Those of this process that are part of the database at *where*, as far as Linux tells."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return []
    paths = [link_of(each) for each in folder.iterdir()]
    return [path for path in paths if path.startswith(where) and not path.endswith(".lock")]


def link_of(path: Path) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""  # the one that lists the others


def fork_amid_a_write(where: str, folder: Path) -> None:
    """A write that does not end is in another thread: the child goes on without the file."""
    sqlite.FORK_WAIT_S = 0.1
    store = SQLiteStore(where, max_entries=10)
    made = entry(b"")
    assert store.put(KEY, made, store.ticket(()))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(store._writing.acquire).result()
        check_child(os.fork(), store)
        store._writing.release()
    assert store.get(KEY) == made


def fork_without_python(where: str, folder: Path) -> None:
    """As uWSGI does: Python hears of the fork in the child alone."""
    store = SQLiteStore(where, max_entries=10)
    made = entry(b"")
    assert store.put(KEY, made, store.ticket(()))
    _imp.acquire_lock()  # PyOS_AfterFork_Child gives it back
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        _imp.release_lock()
    check_child(pid, store)
    assert store.get(KEY) == made


def check_child(pid: int, store: Store) -> None:
    if pid == 0:
        failed = 1
        try:
            assert store.get(KEY) is None
            assert store.put(KEY, entry(b"child's"), store.ticket(())) is False
            assert store.lead(KEY)
            store.close()
            failed = 0
        finally:
            os._exit(failed)
    _, status = os.waitpid(pid, 0)
    assert status == 0


TASKS: dict[str, Callable[..., None]] = {
    task.__name__: task
    for task in (
        stampede,
        lead_and_hang,
        write_truth,
        read_truth,
        kill_writers,
        fork_amid_use,
        fork_amid_a_write,
        fork_without_python,
    )
}

if __name__ == "__main__":
    TASKS[sys.argv[1]](sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
