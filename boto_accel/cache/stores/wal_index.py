"""
The header of SQLite's WAL index, in the memory that the processes at one file share.

Every commit writes another one. SQLite's readers look at it to learn whether what they know of the
file still holds, before they take a lock, and so may we: it costs a copy of 96 bytes, where asking
by `PRAGMA data_version` costs two system calls for locks. What is equal to what was seen before is
proof; all else proves nothing, and is asked for by the pragma.
Source: sqlite.org/walformat.html, "WAL-Index File Format"; `walIndexTryHdr` in SQLite's wal.c.

Rule 1: the file is never written, and read only while SQLite has it open in this process: then no
one makes it shorter.
Rule 2: a descriptor of it is closed only when the file has been removed. Closing one takes away
all locks that the process has on the file (fcntl(2)), and SQLite's are among them. The last
connection of all processes removes the file; until then a map is kept, and used again.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading

HEADER_BYTES = 48  # there are two copies of it, one after the other
_INITIALIZED_AT = 12  # isInit: 1 as soon as the index has been made


class WALIndex:
    """
    A map of the file. file: device and inode. users: how many databases of ours look at it.

    Raises OSError or ValueError for a file that cannot be mapped, or is too short.
    """

    def __init__(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        self.file = (found.st_dev, found.st_ino)
        self.users = 0
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, 2 * HEADER_BYTES, access=mmap.ACCESS_READ)

    def header(self) -> bytes:
        """Both copies, as they are now; perhaps in the middle of a change."""
        return self._map[:]

    def is_removed(self) -> bool:
        return not os.fstat(self._descriptor).st_nlink

    def close(self) -> None:
        self._map.close()
        os.close(self._descriptor)


def is_settled(header: bytes) -> bool:
    """Whether *header* is one that SQLite takes: made, and not in the middle of a change."""
    return (
        len(header) == 2 * HEADER_BYTES
        and header[:HEADER_BYTES] == header[HEADER_BYTES:]
        and header[_INITIALIZED_AT] == 1
    )


# Re-entrant: the collector may find a store amid this, and close its database.
_lock = threading.RLock()
_indexes: list[WALIndex] = []  # all that are open


def open_index(path: str) -> WALIndex | None:
    """The index of the database at *path*, which is open; None where it cannot be read so."""
    if sys.platform == "win32":
        return None
    with _lock:
        _close_removed()
        try:
            index = _find(f"{path}-shm")
        except (OSError, ValueError):
            return None
        index.users += 1
        return index


def close_index(index: WALIndex | None) -> None:
    """After the connections of the database were closed."""
    if index is not None:
        with _lock:
            index.users -= 1
            _close_removed()


def _find(path: str) -> WALIndex:
    found = os.stat(path, follow_symlinks=False)
    for index in _indexes:
        if index.file == (found.st_dev, found.st_ino):
            return index
    # By rule 2 what has been opened stays open, also where it turns out to be of no use.
    index = WALIndex(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
    _indexes.append(index)
    return index


def _close_removed() -> None:
    for index in list(_indexes):
        if index in _indexes and not index.users and index.is_removed():
            _indexes.remove(index)
            index.close()


def _after_in_child() -> None:
    # Another thread may have held it. The maps are the child's as well.
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
