"""
The spool: a folder of one process, in which each file is a batch that is not yet in S3.

A file is the tar that will be uploaded, and has the name that it will have there: what is uploaded
once more after a crash takes the place of itself. It is written from its beginning to its end;
behind what is written there are zeros, which is how a tar ends.

The folder is locked with flock(2), which the kernel gives up for a process that dies, however it
does.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import stat
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from boto_accel.batch import names, tar
from boto_accel.batch.errors import SpoolError, SpoolLockedError
from boto_accel.batch.index import Entry, Index
from boto_accel.batch.waiters import Waiter

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger("boto_accel")

VERSION = 1
DAMAGED = ".damaged"
# Zeros are written ahead of what is: an fsync of a file that does not grow writes no metadata,
# and takes about half as long on ext4.
AHEAD_BYTES = 2**20
_ZEROS = bytes(AHEAD_BYTES)


class Purpose(NamedTuple):
    """What a spool is for: the bucket of the keys, and where the batches go."""

    bucket: str
    into_bucket: str
    into_prefix: str


class Segment:
    """
    One file of the spool.

    end, count: of what has a place in it; the writer's, under its lock. entries, durable: of what
    is on the disk, and of that the end; the writer thread's. length: of the tar once it is
    complete. waiters: for the upload.
    """

    def __init__(self, folder: Path, batch: str, purpose: Purpose, opened: float = 0.0) -> None:
        self.batch = batch
        self.purpose = purpose
        self.path: Path = folder / f"{batch}{names.TAR}"
        self.key: str = names.tar_key(purpose.into_prefix, batch)
        self.opened = opened
        self.opening: bytes = tar.opening(batch, purpose.bucket)
        self.end: int = len(self.opening)
        self.count: int = 0
        self.entries: list[Entry] = []
        self.durable: int = 0
        self.length: int = 0
        self.failure: SpoolError | None = None
        self.waiters: list[Waiter] = []
        self.failures = 0
        self._descriptor = -1
        self._zeros_to = 0

    def __repr__(self) -> str:
        return f"<Segment {self.batch} of {len(self.entries)} entries>"

    def write(self, offset: int, data: bytes) -> None:
        """Write *data*, which begins where what is durable ends, to the disk. Raises OSError."""
        if self._descriptor < 0:
            self._create()
            data, offset = self.opening + data, 0
        end = offset + len(data)
        _write_at(self._descriptor, data, offset)
        if end + len(tar.END) > self._zeros_to:
            _write_at(self._descriptor, _ZEROS, end)
            self._zeros_to = end + AHEAD_BYTES
        _sync_data(self._descriptor)
        self.durable = end

    def append(self, data: bytes, entry: Entry) -> None:
        """Write one entry, by somebody who is alone with the segment. Raises OSError."""
        self.write(self.end, data)
        self.end += len(data)
        self.count += 1
        self.entries.append(entry)

    def _create(self) -> None:
        """A new file; its name, too, is on the disk before anything in it is acknowledged."""
        self._open(os.O_RDWR | os.O_CREAT | os.O_EXCL)
        sync_folder(self.path.parent)

    def _open(self, flags: int) -> None:
        """Closed when the last who reads from the segment is done with it."""
        self._descriptor = _private(str(self.path), flags)
        weakref.finalize(self, os.close, self._descriptor).atexit = False

    def read(self, offset: int, size: int) -> bytes:
        """Also after the file was removed, for as long as the segment is there."""
        found, descriptor = b"", self._descriptor
        while len(found) < size:
            data = os.pread(descriptor, size - len(found), offset + len(found))
            if not data:
                break
            found += data
        return found

    def complete(self) -> None:
        """Cut off what is not durable, and end the tar. Raises OSError; may be repeated."""
        if self.length:
            return
        length = self.durable + len(tar.END)
        # First cut, then grown: what lies behind is zeros then, whatever was there.
        os.ftruncate(self._descriptor, self.durable)
        os.ftruncate(self._descriptor, length)
        os.fsync(self._descriptor)
        self.length = length

    def index(self) -> Index:
        return Index(self.batch, self.purpose.bucket, self.length, self.entries)

    def remove(self) -> None:
        """Take the file away; who reads from it goes on."""
        try:
            os.unlink(self.path)
            sync_folder(self.path.parent)
        except FileNotFoundError:
            pass

    @classmethod
    def recover(cls, path: Path, purpose: Purpose) -> Segment | None:
        """
        What a process left at *path*, as far as it is sound; None if that is nothing.

        The rest is a put that was under way, and that nobody was told of; it is cut off.
        """
        batch = path.name.removesuffix(names.TAR)
        segment = cls(path.parent, batch, purpose)
        segment._open(os.O_RDWR)
        length = os.fstat(segment._descriptor).st_size
        for what, end in tar.scan(segment.read, length):
            if isinstance(what, tar.Opening):
                segment.purpose = purpose._replace(bucket=what.bucket)
                if what.batch != batch:
                    raise SpoolError(str(path), f"it is the batch {what.batch}")
            else:
                segment.entries.append(what)
            segment.durable = segment.end = end
        segment.count = len(segment.entries)
        segment._keep_damaged(length)
        if segment.entries:
            return segment
        segment.remove()
        return None

    def _keep_damaged(self, length: int) -> None:
        """
        Set the file aside, as well, where something sound lies behind what is not.

        A torn end has nothing behind it. Here the disk has spoilt what may have been acknowledged.
        """
        if tar.find_after(self.read, self.durable, length) is None:
            return
        aside = self.path.with_name(self.path.name + DAMAGED)
        with io.FileIO(str(aside), "w", opener=_private) as copy:
            offset = 0
            while data := self.read(offset, 2**20):
                copy.write(data)
                offset += len(data)
            os.fsync(copy.fileno())
        logger.error(
            "batch: %s is damaged from byte %d on; all before it is uploaded, and a copy is kept "
            "at %s",
            self.path,
            self.durable,
            aside,
        )


class Spool:
    """The folder, locked. Raises SpoolError."""

    def __init__(self, folder: Path, purpose: Purpose | None) -> None:
        """purpose: None for whatever the spool is for."""
        self.folder = folder
        if sys.platform == "win32":
            raise SpoolError(str(folder), "Windows has no flock and no pwrite; use POSIX")
        try:
            _make_folder(folder)
            self._lock: int | None = _lock(folder)
            try:
                self.purpose: Purpose = _agreed(folder, purpose)
            except BaseException:
                self.close()
                raise
        except OSError as error:
            raise SpoolError(str(folder), reason_of(error)) from error

    def recovered(self) -> Iterator[Segment]:
        """What an earlier process left, in the order of their beginning. Raises SpoolError."""
        try:
            for path in sorted(self.folder.glob(f"*{names.TAR}")):
                segment = Segment.recover(path, self.purpose)
                if segment is not None:
                    yield segment
        except OSError as error:
            raise SpoolError(str(self.folder), reason_of(error)) from error

    def begin(self, batch: str, opened: float) -> Segment:
        return Segment(self.folder, batch, self.purpose, opened)

    def close(self) -> None:
        """
        Give the lock up; in a forked child only its copy of it.

        Source: flock(2): the lock is the open file's, and goes with the last copy of it.
        """
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def reason_of(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.strerror}); nothing was acknowledged"
    return f"{error.strerror or type(error).__name__}"


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def _private(path: str, flags: int) -> int:
    nofollow = getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags | nofollow, 0o600)


def _make_folder(folder: Path) -> None:
    if not os.path.lexists(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=0o700)
            sync_folder(folder.parent)
        except FileExistsError:
            pass
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise SpoolError(str(folder), "it is no directory")
    if found.st_uid != os.geteuid():
        raise SpoolError(str(folder), "it belongs to another user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        _check_own(folder)
        os.chmod(folder, 0o700)


def _check_own(folder: Path) -> None:
    """Where others keep files, as in the folder for temporary ones, they are not shut out."""
    held = set(os.listdir(folder))
    if "spool.json" not in held and held - {"lock", "lost+found"}:
        raise SpoolError(str(folder), "there are other files in it; give a folder of its own")


def _lock(folder: Path) -> int:
    descriptor = _private(str(folder / "lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        reason = "another process, or another batch of this one, uses it; give each its own"
        raise SpoolLockedError(str(folder), reason) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _agreed(folder: Path, purpose: Purpose | None) -> Purpose:
    """What the spool is for; *purpose* is written down in a new one."""
    path = folder / "spool.json"
    try:
        known = json.loads(path.read_bytes())
        if known["version"] != VERSION:
            raise SpoolError(str(folder), f"it is of version {known['version']!r}, not {VERSION}")
        found = Purpose(*(str(known[name]) for name in Purpose._fields))
    except FileNotFoundError:
        if purpose is None:
            raise SpoolError(str(folder), "this is no spool: there is no spool.json") from None
        _write(path, json.dumps({"version": VERSION, **purpose._asdict()}).encode())
        return purpose
    except (ValueError, LookupError, TypeError):
        raise SpoolError(str(folder), "its spool.json cannot be read") from None
    if purpose is not None and found != purpose:
        there = f"keys of {found.bucket!r} into s3://{found.into_bucket}/{found.into_prefix}"
        raise SpoolError(str(folder), f"it is for {there}; give another spool_dir")
    return found


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    with io.FileIO(str(new), "w", opener=_private) as file:
        file.write(data)
        os.fsync(file.fileno())
    os.replace(new, path)
    sync_folder(path.parent)
