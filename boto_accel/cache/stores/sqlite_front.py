"""
What the SQLite store has in memory, in front of the file, and whether it is still so in the file.

Every look asks whether another connection has written: the header of the WAL index is another one
then (`wal_index.py`), and so is `PRAGMA data_version`, which is asked where the header is not known
or not to be had. Then just what was written, invalidated or dropped since is taken out of the
front, by the number (`seq`) that each write gets. Asking waits for no writer, and needs no disk.

Guarding: none. The store holds its lock of the reading connection around all of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from boto_accel.cache.store import Entry
from boto_accel.cache.stores import sqlite_rows as rows
from boto_accel.cache.stores.lru import LRU, Held
from boto_accel.cache.stores.sqlite_file import Database
from boto_accel.cache.stores.wal_index import is_settled

_NEVER = -1  # no data_version


class Front:
    """
    Bounded by *max_entries*, and by *max_bytes* of payloads.

    generation, seen: of which file, and the seq up to which the front is current.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.generation = b""
        self.seen = 0
        self._entries: LRU[Entry] = LRU(max_entries, max_bytes)
        self._version = _NEVER  # the data_version that it was found at,
        self._header = b""  # and the header of the WAL index, if it was settled

    def get(self, key: bytes, now: float) -> Entry | None:
        return self._entries.get(key, now)

    def keep(self, key: bytes, entry: Entry, seq: int, now: float) -> None:
        """What has just been read from the file."""
        size = len(entry.payload)
        if self._entries.fits(size):
            self._entries.keep(key, Held(entry, entry.tags, entry.stale_until, size, seq), now)

    def put(self, key: bytes, entry: Entry, seq: int, dropped: Iterable[bytes], now: float) -> None:
        """What has just been written to the file, and what was *dropped* for it."""
        for each in dropped:
            self._entries.drop(each)
        # Had another thread caught up beyond *seq*, an invalidation of it would be missed.
        if seq > self.seen:
            self.keep(key, entry, seq, now)

    def forget_versions(self) -> None:
        """They are those of a connection, which is closed."""
        self._version, self._header = _NEVER, b""

    def is_current(self, database: Database) -> bool:
        """Whether nobody has written since the front caught up."""
        header = database.header()
        if header and header == self._header:
            return True
        if database.version() != self._version:
            return False
        self._header = header if is_settled(header) else b""
        return True

    def catch_up(self, database: Database) -> None:
        """Take out of the front what is no longer so in the file."""
        if self.is_current(database):
            return
        # These are asked first: what is written after them is seen the next time.
        header, version = database.header(), database.version()
        state = rows.read_state(database.reader)
        if state.generation != self.generation or not state.floor <= self.seen <= state.seq:
            self._entries.clear()
        elif self.seen < state.seq:
            self._take_out(database.reader)
        self.generation, self.seen, self._version = state.generation, state.seq, version
        self._header = header if is_settled(header) else b""

    def _take_out(self, reader: sqlite3.Connection) -> None:
        for key, seq in rows.written_since(reader, self.seen):
            if self._entries.seq(key) != seq:
                self._entries.drop(key)
        for names, seq in rows.forgotten_since(reader, self.seen):
            for key in names.keys | self._entries.tagged(names.tags):
                held = self._entries.seq(key)
                if held is not None and held < seq:
                    self._entries.drop(key)
