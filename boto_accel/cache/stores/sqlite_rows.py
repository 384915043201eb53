"""
What is read from and written to the tables of the SQLite store, each within a transaction.

What is read is checked: the file may be damaged, or somebody else's work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto_accel import _sqlite
from boto_accel._sqlite import DamagedError
from boto_accel.cache.store import Entry
from boto_accel.cache.stores.owed import Names

_REMEMBERED = 50_000  # numbers of `seq`; a ticket that is older is refused
_SWEPT = 64  # expired entries that one `put` deletes
_LARGEST_SEQ = 2**62


@dataclass
class State:
    """
    The row of `state`.

    generation: which file it is. seq: counts what is written. floor: what was forgotten up to
    here is no longer told apart. entries, bytes: how many there are, and of what size.
    """

    generation: bytes
    seq: int
    floor: int
    entries: int
    bytes: int


def read_state(connection: sqlite3.Connection) -> State:
    row = connection.execute("SELECT generation, seq, floor, entries, bytes FROM state").fetchone()
    if row is None or type(row[0]) is not bytes:
        raise DamagedError("no state")
    if not all(type(number) is int and 0 <= number < _LARGEST_SEQ for number in row[1:]):
        raise DamagedError("bad state")
    return State(*row)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[State]:
    """Write all or nothing; what was changed of the State is written with it."""
    with _sqlite.transaction(connection):
        state = read_state(connection)
        before = State(**vars(state))
        yield state
        if state != before:
            connection.execute(
                "UPDATE state SET seq = ?, floor = ?, entries = ?, bytes = ?",
                (state.seq, state.floor, max(state.entries, 0), max(state.bytes, 0)),
            )


# Entries -------------------------------------------------------------------------------------

_ENTRY = (
    "SELECT e.key, e.id, p.payload, e.tags, e.stored_at, e.fresh_until, e.stale_until, e.label"
    " FROM entries e JOIN payloads p ON p.id = e.id WHERE "
)


def read_entry(connection: sqlite3.Connection, key: bytes) -> tuple[Entry, int] | None:
    """The entry of *key*, expired or not, and its seq."""
    row = connection.execute(f"{_ENTRY} e.key = ?", (key,)).fetchone()
    return _entry_of(row)[1:] if row else None


def read_entry_of(connection: sqlite3.Connection, seq: int) -> tuple[bytes, Entry] | None:
    row = connection.execute(f"{_ENTRY} e.id = ?", (seq,)).fetchone()
    return _entry_of(row)[:2] if row else None


def seqs_by_use(connection: sqlite3.Connection, now: float) -> list[int]:
    """The seqs of all entries that have not expired, the most recently used first."""
    rows = connection.execute(
        "SELECT id FROM entries WHERE stale_until > ? ORDER BY used DESC, id DESC", (now,)
    )
    return [seq for (seq,) in rows]


def _entry_of(row: tuple[Any, ...]) -> tuple[bytes, Entry, int]:
    key, seq, payload, tags, stored_at, fresh_until, stale_until, label = row
    if (
        type(key) is not bytes
        or type(payload) is not bytes
        or not type(stored_at) is type(fresh_until) is type(stale_until) is float
    ):
        raise DamagedError("bad entry")
    entry = Entry(payload, _tags_of(tags), stored_at, fresh_until, stale_until, _text_of(label))
    return key, entry, seq


def _tags_of(blob: object) -> tuple[str, ...]:
    return tuple(_text_of(blob).split("\0")[:-1])


def _text_of(blob: object) -> str:
    if type(blob) is not bytes:
        raise DamagedError("bad text")
    try:
        return blob.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise DamagedError("bad text") from error


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def can_keep(entry: Entry) -> bool:
    """Tags are joined with NULs in the file."""
    return not any("\0" in tag for tag in entry.tags)


def add_entry(
    connection: sqlite3.Connection, state: State, key: bytes, entry: Entry, used: float
) -> int:
    """Write *entry* where there is none of *key*; its seq."""
    state.seq += 1
    state.entries += 1
    state.bytes += len(entry.payload)
    connection.execute(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            state.seq,
            key,
            _bytes_of("".join(f"{tag}\0" for tag in entry.tags)),
            _bytes_of(entry.label),
            entry.stored_at,
            entry.fresh_until,
            entry.stale_until,
            used,
            len(entry.payload),
        ),
    )
    connection.execute("INSERT INTO payloads VALUES (?, ?)", (state.seq, entry.payload))
    connection.executemany(
        "INSERT INTO tags VALUES (?, ?)", [(_bytes_of(tag), state.seq) for tag in set(entry.tags)]
    )
    return state.seq


def note_uses(connection: sqlite3.Connection, uses: Iterable[tuple[bytes, float]]) -> None:
    connection.executemany(
        "UPDATE entries SET used = ? WHERE key = ?", [(used, key) for key, used in uses]
    )


def make_room(
    connection: sqlite3.Connection,
    state: State,
    size: int,
    *,
    max_entries: int,
    max_bytes: int | None,
    now: float,
) -> list[bytes]:
    """
    Delete what has expired, and then the least recently used, until an entry of *size* fits.

    The keys of what was deleted. The indexes give the rows: nothing is scanned.
    """
    rows = connection.execute(
        "SELECT id FROM entries WHERE stale_until <= ? ORDER BY stale_until LIMIT ?", (now, _SWEPT)
    )
    dropped = _delete(connection, state, [seq for (seq,) in rows.fetchall()])
    while state.entries >= max_entries or (
        max_bytes is not None and state.bytes + size > max_bytes
    ):
        beyond = max(1, state.entries - max_entries + 1)
        rows = connection.execute("SELECT id FROM entries ORDER BY used LIMIT ?", (beyond,))
        least_used = [seq for (seq,) in rows.fetchall()]
        if not least_used:
            raise DamagedError("the state counts entries that are not there")
        dropped += _delete(connection, state, least_used)
    return dropped


def delete_key(connection: sqlite3.Connection, state: State, key: bytes) -> None:
    rows = connection.execute("SELECT id FROM entries WHERE key = ?", (key,)).fetchall()
    _delete(connection, state, [seq for (seq,) in rows])


def _delete(connection: sqlite3.Connection, state: State, seqs: Iterable[int]) -> list[bytes]:
    """Delete the entries of *seqs*; their keys."""
    keys = []
    for seq in seqs:
        found = connection.execute("SELECT key, tags, size FROM entries WHERE id = ?", (seq,))
        row = found.fetchone()
        if row is None or type(row[2]) is not int:
            raise DamagedError("bad entry")
        key, tags, size = row
        names = {_bytes_of(tag) for tag in _tags_of(tags)}
        connection.executemany(
            "DELETE FROM tags WHERE tag = ? AND id = ?", [(n, seq) for n in names]
        )
        connection.execute("DELETE FROM payloads WHERE id = ?", (seq,))
        connection.execute("DELETE FROM entries WHERE id = ?", (seq,))
        state.entries -= 1
        state.bytes -= size
        keys.append(key)
    return keys


# Forgetting ----------------------------------------------------------------------------------


def forget(connection: sqlite3.Connection, state: State, names: Names) -> int:
    """Delete what *names* says, and leave word of it for tickets and other processes' fronts."""
    state.seq += 1
    if names.everything:
        return _forget_all(connection, state)
    seqs: set[int] = set()
    for tag in names.tags:
        rows = connection.execute("SELECT id FROM tags WHERE tag = ?", (_bytes_of(tag),))
        seqs.update(seq for (seq,) in rows.fetchall())
    for key in names.keys:
        rows = connection.execute("SELECT id FROM entries WHERE key = ?", (key,))
        seqs.update(seq for (seq,) in rows.fetchall())
    connection.executemany(
        "INSERT OR REPLACE INTO gone VALUES (?, ?)", [(name, state.seq) for name in _marks(names)]
    )
    _forget_old_marks(connection, state)
    return len(_delete(connection, state, seqs))


def _forget_all(connection: sqlite3.Connection, state: State) -> int:
    forgotten = state.entries
    for table in ("entries", "payloads", "tags", "gone"):
        connection.execute(f"DELETE FROM {table}")
    state.floor = state.seq
    state.entries = state.bytes = 0
    return forgotten


def _forget_old_marks(connection: sqlite3.Connection, state: State) -> None:
    floor = state.seq - _REMEMBERED
    if floor > state.floor:
        connection.execute("DELETE FROM gone WHERE seq <= ?", (floor,))
        state.floor = floor


def _marks(names: Names) -> Iterator[bytes]:
    for tag in names.tags:
        yield b"t" + _bytes_of(tag)
    for key in names.keys:
        yield b"k" + key


def was_forgotten(connection: sqlite3.Connection, tags: Iterable[str], since: int) -> bool:
    """Whether one of *tags* was invalidated after the seq *since*."""
    for mark in _marks(Names(tags=frozenset(tags))):
        row = connection.execute("SELECT seq FROM gone WHERE name = ?", (mark,)).fetchone()
        if row is not None and not (type(row[0]) is int and row[0] <= since):
            return True
    return False


def written_since(connection: sqlite3.Connection, since: int) -> Iterator[tuple[bytes, int]]:
    """(key, seq) of the entries written after the seq *since*."""
    return connection.execute("SELECT key, id FROM entries WHERE id > ?", (since,))


def forgotten_since(connection: sqlite3.Connection, since: int) -> Iterator[tuple[Names, int]]:
    """What was invalidated or dropped after the seq *since*, each with the seq of it."""
    for mark, seq in connection.execute("SELECT name, seq FROM gone WHERE seq > ?", (since,)):
        if type(mark) is not bytes:
            raise DamagedError("bad mark")
        if mark[:1] == b"t":
            yield Names(tags=frozenset([_text_of(mark[1:])])), seq
        else:
            yield Names(keys=frozenset([mark[1:]])), seq


# Leadership ----------------------------------------------------------------------------------


def read_leader(connection: sqlite3.Connection, key: bytes) -> tuple[bytes, float] | None:
    """The owner, and until when."""
    row = connection.execute("SELECT owner, until FROM leads WHERE key = ?", (key,)).fetchone()
    if row is not None and not (type(row[0]) is bytes and type(row[1]) is float):
        raise DamagedError("bad leader")
    return row


def write_leader(
    connection: sqlite3.Connection, key: bytes, owner: bytes, *, now: float, until: float
) -> None:
    connection.execute("INSERT OR REPLACE INTO leads VALUES (?, ?, ?)", (key, owner, until))
    connection.execute(
        "DELETE FROM leads WHERE key IN (SELECT key FROM leads WHERE until <= ? LIMIT 8)", (now,)
    )


def delete_leader(connection: sqlite3.Connection, key: bytes, owner: bytes) -> None:
    connection.execute("DELETE FROM leads WHERE key = ? AND owner = ?", (key, owner))
