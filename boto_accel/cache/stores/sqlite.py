"""
The store in a SQLite file, for the threads and processes of one machine.

In front of the file is a bounded table in memory (`sqlite_front.py`).

Two connections a process: short reads do not wait for a write that waits for another process.

    lock        guards                                         held over
    _writing    the writing connection                         a transaction
    _reading    the reading connection, the front, what is     one short read
                noted of uses, what is owed

`_writing` is taken before `_reading` where both are. `peek` only tries `_reading`.

Forks: the connections are closed before, and opened again on use after. SQLite keeps a table of
the locks that the process has on a file, which would be wrong in the child for new connections too.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

from boto_accel._sqlite import RefusedError, is_damage, is_foreign, is_ours
from boto_accel.cache.store import Entry, Ticket
from boto_accel.cache.stores import sqlite_rows as rows
from boto_accel.cache.stores.forks import watch_forks
from boto_accel.cache.stores.notices import Notices
from boto_accel.cache.stores.owed import Names, Owed
from boto_accel.cache.stores.owners import is_gone, new_owner
from boto_accel.cache.stores.sqlite_file import (
    APPLICATION_ID,
    TROUBLE,
    Database,
    aside,
    open_database,
    set_aside,
)
from boto_accel.cache.stores.sqlite_front import Front
from boto_accel.cache.stores.uses import Uses

FRONT_ENTRIES = 1024
FRONT_BYTES = 16 * 2**20  # bytes of payloads
BUSY_S = 0.05  # seconds; the longest wait for another process that writes
LEAD_S = 30.0  # seconds; after that a leader on another machine, or that hangs, is passed over
RETRY_S = 1.0  # seconds; a file that could not be opened or written is left alone so long
FORK_WAIT_S = 5.0  # seconds; the longest time that a fork waits for calls in other threads

_T = TypeVar("_T")

_of_parents: list[Database | None] = []  # open when this process was forked


class _Ticket(NamedTuple):
    generation: bytes
    seq: int
    tags: frozenset[str]


class SQLiteStore:
    """
    *path* is the file. own_folder: its folder is made, and is no symbolic link.

    max_bytes: of payloads; the file is somewhat larger. Within the bounds of the file, the front
    holds at most front_entries and front_bytes.
    """

    aio = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_entries: int,
        max_bytes: int | None = None,
        own_folder: bool = False,
        front_entries: int = FRONT_ENTRIES,
        front_bytes: int = FRONT_BYTES,
        busy_s: float = BUSY_S,
        lead_s: float = LEAD_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = os.path.abspath(path)  # the working directory may change
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._own_folder = own_folder
        self._busy_s = busy_s
        self._lead_s = lead_s
        self._clock = clock
        self._notices = Notices(self.path)

        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._database: Database | None = None
        self._is_usable = True
        self._open_after = 0.0  # by time.monotonic()
        self._write_after = 0.0

        self._front = Front(min(front_entries, max_entries), front_bytes)
        self._owed = Owed()
        self._uses = Uses(clock)

        self._owner: bytes | None = None
        self._leading: set[bytes] = set()
        watch_forks(self)

    def is_ours(self) -> bool:
        """For who will not have one made, before the first look. Raises OSError."""
        return is_ours(self.path, APPLICATION_ID)

    def is_foreign(self) -> bool:
        """Whether the file is something else's, and no use is made of it."""
        return not self._own_folder and is_foreign(self.path, APPLICATION_ID)

    # Looking

    def peek(self, key: bytes) -> Entry | None:
        database = self._database
        if database is None or self._owed or not database.is_current():
            return None
        if not self._reading.acquire(blocking=False):
            return None
        try:
            # Another thread may have closed it meanwhile, or be owing something.
            if database is not self._database or self._owed or not self._front.is_current(database):
                return None
            return self._at_hand(key, self._clock())
        except TROUBLE:
            return None  # `get` will meet it too, and see to it
        finally:
            self._reading.release()

    def get(self, key: bytes) -> Entry | None:
        entry = self._read(lambda database: self._look(database, key), None)
        if self._uses.is_due():
            self._write(lambda connection, _: self._flush(connection), None)
        return entry

    def entries(self) -> Iterator[tuple[bytes, Entry]]:
        now = self._clock()
        self._write(lambda connection, _: self._flush(connection), None)
        none: list[int] = []
        for seq in self._read(lambda database: rows.seqs_by_use(database.reader, now), none):
            found = self._read(partial(_read_one, seq=seq), None)
            if found is not None:
                yield found

    # Writing

    def ticket(self, tags: Iterable[str]) -> Ticket:
        return self._read(partial(self._take_ticket, tags=frozenset(tags)), None)

    def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool:
        if not isinstance(ticket, _Ticket) or not self._may_keep(entry):
            return False
        written: list[int] = []
        dropped: list[bytes] = []

        def put(connection: sqlite3.Connection, state: rows.State) -> bool:
            if not _admits(connection, state, ticket, entry.tags):
                return False
            written.append(self._put(connection, state, key, entry, dropped))
            return True

        if not self._write(put, False):
            return False
        self._leading.discard(key)
        self._put_in_front(key, entry, written[0], dropped)
        return True

    def drop(self, key: bytes) -> None:
        self._forget(Names(keys=frozenset([key])))

    def invalidate(self, tags: Iterable[str]) -> int:
        names = Names(tags=frozenset(tags))
        return self._forget(names) if names.tags else 0

    def clear(self) -> int:
        forgotten = self._forget(Names(everything=True))
        self._shrink()
        return forgotten

    # Leadership

    def lead(self, key: bytes) -> bool:
        # Where the file cannot be written, everybody leads.
        return self._write(lambda connection, _: self._lead(connection, key), True)

    def done(self, key: bytes) -> None:
        if key in self._leading:
            self._leading.discard(key)
            owner = self._own_name()
            self._write(lambda connection, _: rows.delete_leader(connection, key, owner), None)

    # Closing, forking

    def close(self) -> None:
        if self._database is not None and self._uses:
            self._write(lambda connection, _: self._flush(connection), None)
        with self._writing, self._reading:
            self._close()
            self._open_after = self._write_after = 0.0

    def __del__(self) -> None:
        if getattr(self, "_database", None) is not None:
            self._close()

    def before_fork(self) -> None:
        # A lock that cannot be had is held by a write that waits for a file system that hangs, or
        # by the very thread, in a signal handler.
        self._fork_locks = [
            lock for lock in (self._writing, self._reading) if lock.acquire(timeout=FORK_WAIT_S)
        ]
        if len(self._fork_locks) == 2:
            self._close()

    def after_fork_in_parent(self) -> None:
        for lock in self._fork_locks:
            lock.release()

    def after_fork_in_child(self, *, is_prepared: bool) -> None:
        self._owner = None
        self._leading = set()
        if is_prepared and len(self._fork_locks) == 2:
            self.after_fork_in_parent()
            return
        # SQLite has the file open as it was in the parent: it is not used in this process, and
        # not closed either.
        _of_parents.append(self._database)
        self._database = None
        self._is_usable = False
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._notices.once("fork", "off in this process, which was forked amid a call")

    # Within: around the file

    def _read(self, what: Callable[[Database], _T], otherwise: _T) -> _T:
        """What *what* returns, with `_reading` held; *otherwise* where the file is of no use."""
        if not self._is_ready():
            return otherwise
        database = None
        try:
            with self._reading:
                database = self._database
                return otherwise if database is None else what(database)
        except TROUBLE as error:
            self._see_to(error, database)
            return otherwise

    def _write(self, what: Callable[[sqlite3.Connection, rows.State], _T], otherwise: _T) -> _T:
        """What *what* returns in a transaction; *otherwise* where the file is of no use."""
        if not self._is_ready() or time.monotonic() < self._write_after:
            return otherwise
        database = None
        try:
            with self._writing:
                database = self._database
                if database is None:
                    return otherwise
                with rows.transaction(database.writer) as state:
                    return what(database.writer, state)
        except TROUBLE as error:
            self._see_to(error, database)
            return otherwise

    def _shrink(self) -> None:
        database = None
        try:
            with self._writing:
                database = self._database
                if database is not None:
                    database.shrink()
        except TROUBLE as error:
            self._see_to(error, database)

    def _is_ready(self) -> bool:
        database = self._database
        if database is not None and database.is_current() and not self._owed:
            return True
        with self._writing, self._reading:
            return self._open_if_need_be() and self._pay_if_need_be()

    def _open_if_need_be(self) -> bool:
        if self._database is not None and self._database.is_current():
            return True
        self._close()
        if not self._is_usable or time.monotonic() < self._open_after:
            return False
        try:
            self._database, was_damaged = open_database(
                self.path, own_folder=self._own_folder, busy_s=self._busy_s
            )
        except TROUBLE as error:
            self._open_after = time.monotonic() + RETRY_S
            self._notices.once(f"open {error}", f"not used: {error}")
            return False
        if was_damaged:
            self._say_set_aside()
        return True

    def _pay_if_need_be(self) -> bool:
        if not self._owed:
            return True
        database = self._database
        if database is None or time.monotonic() < self._write_after:
            return False
        try:
            with rows.transaction(database.writer) as state:
                rows.forget(database.writer, state, self._owed.names())
        except TROUBLE as error:
            self._leave_alone(error)
            return False
        self._owed.clear()
        return True

    def _see_to(self, error: BaseException, database: Database | None) -> None:
        if database is None or not is_damage(error):
            self._leave_alone(error)
            return
        with self._writing, self._reading:
            if self._database is database:
                self._close()
        try:
            if set_aside(self.path, database.identity, busy_s=self._busy_s):
                self._say_set_aside()
        except (OSError, RefusedError) as why:
            self._open_after = time.monotonic() + RETRY_S
            self._notices.once("aside", f"damaged, and cannot be set aside: {why}")

    def _leave_alone(self, error: BaseException) -> None:
        self._write_after = time.monotonic() + RETRY_S
        self._notices.once(f"write {error}", f"goes on without: {error}")

    def _say_set_aside(self) -> None:
        self._notices.once("damaged", f"was damaged; set aside as {aside(self.path)}, made anew")

    def _close(self) -> None:
        database, self._database = self._database, None
        self._front.forget_versions()
        if database is not None:
            database.close()

    # Within: the front. `_reading` is held.

    def _look(self, database: Database, key: bytes) -> Entry | None:
        self._front.catch_up(database)
        now = self._clock()
        entry = self._at_hand(key, now)
        if entry is not None:
            return entry
        found = rows.read_entry(database.reader, key)
        if found is None or found[0].stale_until <= now:
            return None
        self._front.keep(key, *found, now)
        self._uses.note(key, now)
        return found[0]

    def _at_hand(self, key: bytes, now: float) -> Entry | None:
        entry = self._front.get(key, now)
        if entry is not None:
            self._uses.note(key, now)
        return entry

    def _take_ticket(self, database: Database, tags: frozenset[str]) -> Ticket:
        self._front.catch_up(database)
        return _Ticket(self._front.generation, self._front.seen, tags)

    def _put_in_front(self, key: bytes, entry: Entry, seq: int, dropped: list[bytes]) -> None:
        with self._reading:
            self._front.put(key, entry, seq, dropped, self._clock())

    # Within: the file. `_writing` is held, in a transaction.

    def _flush(self, connection: sqlite3.Connection) -> None:
        with self._reading:
            uses = self._uses.take()
        rows.note_uses(connection, uses.items())

    def _put(
        self,
        connection: sqlite3.Connection,
        state: rows.State,
        key: bytes,
        entry: Entry,
        dropped: list[bytes],
    ) -> int:
        self._flush(connection)
        with self._reading:
            now = self._clock()
            used = self._uses.stamp(now)
        rows.delete_key(connection, state, key)
        dropped += rows.make_room(
            connection,
            state,
            len(entry.payload),
            max_entries=self._max_entries,
            max_bytes=self._max_bytes,
            now=now,
        )
        if key in self._leading:
            rows.delete_leader(connection, key, self._own_name())
        return rows.add_entry(connection, state, key, entry, used)

    def _may_keep(self, entry: Entry) -> bool:
        return (
            self._max_entries > 0
            and (self._max_bytes is None or len(entry.payload) <= self._max_bytes)
            and entry.stale_until > self._clock()
            and rows.can_keep(entry)
        )

    def _forget(self, names: Names) -> int:
        forgotten = self._write(
            lambda connection, state: rows.forget(connection, state, names), None
        )
        if forgotten is None:
            with self._reading:
                self._owed.add(names)
        return forgotten or 0

    def _lead(self, connection: sqlite3.Connection, key: bytes) -> bool:
        owner, now = self._own_name(), self._clock()
        leader = rows.read_leader(connection, key)
        if leader is not None and leader[0] != owner and self._leads(*leader, now):
            return False
        rows.write_leader(connection, key, owner, now=now, until=now + self._lead_s)
        self._leading.add(key)
        return True

    def _leads(self, owner: bytes, until: float, now: float) -> bool:
        # A clock that was put back, or a spoilt file, must not make a leader for ever.
        return now < until <= now + 2 * self._lead_s and not is_gone(owner)

    def _own_name(self) -> bytes:
        if self._owner is None:
            self._owner = new_owner()
        return self._owner


def _read_one(database: Database, seq: int) -> tuple[bytes, Entry] | None:
    return rows.read_entry_of(database.reader, seq)


def _admits(
    connection: sqlite3.Connection, state: rows.State, ticket: _Ticket, tags: Iterable[str]
) -> bool:
    return (
        ticket.generation == state.generation
        and ticket.seq >= state.floor
        and ticket.tags.issuperset(tags)
        and not rows.was_forgotten(connection, tags, ticket.seq)
    )
