"""
What is done with whole batches: indexes made anew, batches joined, objects written out.

A tar is fetched to a temporary file and read from there, so memory stays bounded.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from boto_accel.batch import names, tar
from boto_accel.batch.catalogue import Batch, Located
from boto_accel.batch.errors import DamagedBatchError
from boto_accel.batch.index import Entry, Index
from boto_accel.batch.place import MULTIPART_FROM, PART_BYTES, Place
from boto_accel.batch.reader import BatchReader
from boto_accel.batch.spool import Purpose, Segment

Progress = Callable[[int, int], None]  # done, of how many


def _silent(done: int, wanted: int) -> None: ...


class Reindexed(NamedTuple):
    """made: batches that an index was made of. damaged: tars that are not sound to their end."""

    made: list[str]
    damaged: list[str]


def reindex(place: Place, *, all_: bool = False, progress: Progress = _silent) -> Reindexed:
    """Make the indexes that are missing, or all_, from the tars themselves."""
    indexed = {names.batch_of_index(place.prefix, key) for key in place.index_keys(None)}
    wanted = [
        key
        for key, _ in place.tar_keys()
        if all_ or names.batch_of_tar(place.prefix, key) not in indexed
    ]
    made, damaged = [], []
    for done, key in enumerate(wanted, 1):
        try:
            with _fetched(place, key) as (read, length):
                place.put_index(index_of(key, place.prefix, read, length), time.time())
            made.append(key)
        except DamagedBatchError as error:
            damaged.append(str(error))
        progress(done, len(wanted))
    return Reindexed(made, damaged)


def index_of(key: str, prefix: str, read: tar.Read, length: int) -> Index:
    """Raises DamagedBatchError for a tar that is not sound to its end."""
    bucket, end, entries = None, 0, []
    for what, found_end in tar.scan(read, length):
        end = found_end
        if isinstance(what, Entry):
            entries.append(what)
        elif what.batch != names.batch_of_tar(prefix, key):
            raise DamagedBatchError(key, f"it is the tar of {what.batch}")
        else:
            bucket = what.bucket
    if bucket is None:
        raise DamagedBatchError(key, "it is no batch of boto_accel")
    if end + len(tar.END) != length:
        raise DamagedBatchError(key, f"it is damaged from byte {end} on, {len(entries)} entries in")
    return Index(names.batch_of_tar(prefix, key) or "", bucket, length, entries)


@contextmanager
def _fetched(place: Place, key: str) -> Iterator[tuple[tar.Read, int]]:
    with tempfile.TemporaryFile() as file:
        body = place.tar(key)
        shutil.copyfileobj(body, file, 2**20)

        def read(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        yield read, file.seek(0, os.SEEK_END)


class Compacted(NamedTuple):
    """Batches that were joined, and made; entries that nobody can see any more."""

    joined: int
    made: int
    dropped: int


def compact(
    reader: BatchReader, *, max_bytes: int = MULTIPART_FROM, progress: Progress = _silent
) -> Compacted:
    """
    Join the batches of less than half of *max_bytes*, without what is overwritten or deleted.

    The new ones are in S3 before an old one goes. Deletions are kept: a batch that is uploaded
    late, from a host that was down, may hold what they deleted.
    """
    place = reader.place
    reader.refresh(full=True)
    small = [each for each in reader.iter_batches() if each.length < max_bytes // 2]
    there = {key for key, _ in place.tar_keys()}
    small = [each for each in small if names.tar_key(place.prefix, each.batch) in there]
    if len(small) < 2:
        return Compacted(0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="boto-accel-compact-") as folder:
        joining = _Joining(reader, Path(folder), max_bytes)
        for done, batch in enumerate(small, 1):
            joining.take(batch)
            progress(done, len(small))
        joining.upload()
    _remove(place, {each.batch for each in small})
    return Compacted(len(small), joining.made, joining.dropped)


class _Joining:
    def __init__(self, reader: BatchReader, folder: Path, max_bytes: int) -> None:
        self._reader = reader
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment: Segment | None = None
        self.made = 0
        self.dropped = 0

    def take(self, batch: Batch) -> None:
        place = self._reader.place
        key = names.tar_key(place.prefix, batch.batch)
        with _fetched(place, key) as (read, length):
            index = index_of(key, place.prefix, read, length)
            if len(index.entries) != batch.entries:
                raise DamagedBatchError(
                    key, f"its index has {batch.entries} entries, it has others"
                )
            for entry in index.entries:
                if self._reader.is_newest(entry, batch.batch):
                    self._add(entry, index.bucket, read)
                else:
                    self.dropped += 1

    def _add(self, entry: Entry, bucket: str, read: tar.Read) -> None:
        if entry.is_object:
            shared = tar.attributes(entry.headers, entry.metadata)
            head = tar.member_head(entry.key, entry.stamp, entry.size, entry.etag, shared)
            data = head + read(entry.offset, entry.size) + tar.padding(entry.size)
        else:
            head = data = tar.note(entry)
        segment = self._segment
        if segment is not None and (
            segment.purpose.bucket != bucket or segment.end + len(data) > self._max_bytes
        ):
            self.upload()
        segment = self._segment = self._segment or self._begin(bucket)
        if entry.is_object:
            entry = entry._replace(offset=segment.end + len(head))
        segment.append(data, entry)

    def _begin(self, bucket: str) -> Segment:
        place = self._reader.place
        purpose = Purpose(bucket, place.bucket, place.prefix)
        return Segment(self._folder, names.new_id(time.time()), purpose)

    def upload(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        segment.complete()
        self._reader.place.put_tar(segment)
        self._reader.place.put_index(segment.index(), time.time())
        segment.remove()
        self.made += 1


def _remove(place: Place, batches: set[str]) -> None:
    """The index first: who finds one finds the tar."""
    for key in list(place.index_keys(None)):
        if names.batch_of_index(place.prefix, key) in batches:
            place.delete(key)
    for batch in sorted(batches):
        place.delete(names.tar_key(place.prefix, batch))


def extract(
    reader: BatchReader, folder: Path, prefix: str = "", progress: Progress = _silent
) -> list[str]:
    """
    Write the objects with *prefix* to files under *folder*; what cannot be written, and why.

    Nothing is written outside of it: no key with "..", and nothing through a symbolic link.
    """
    found = list(reader.entries(prefix))
    problems = []
    for done, each in enumerate(found, 1):
        problem = _write(reader, folder, each)
        if problem:
            problems.append(f"{each.entry.key}: {problem}")
        progress(done, len(found))
    return problems


def _write(reader: BatchReader, folder: Path, found: Located) -> str:
    key = found.entry.key
    if not tar.is_member_name(key):
        return "the key is no safe path"
    path = folder
    for part in key.split("/")[:-1]:
        path = path / (part or "_")
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            return f"{path} is there, and no folder"
        path.mkdir(exist_ok=True, parents=True)
    path = path / key.rpartition("/")[2]
    if path.is_symlink() or path.is_dir():
        return f"{path} is there, and no file"
    try:
        path.write_bytes(reader.content(found))
    except OSError as error:
        return error.strerror or type(error).__name__
    os.utime(path, ns=(found.entry.stamp, found.entry.stamp))
    return ""


def requests_of(length: int) -> int:
    """How many requests at the price of a PutObject a batch of *length* bytes took."""
    if length <= MULTIPART_FROM:
        return 2
    size = max(PART_BYTES, -(-length // 10_000))
    return 3 + -(-length // size)


def savings_of(reader: BatchReader, price_per_1000: float) -> dict[str, Any]:
    """For what is in S3: entries, batches, requests, and what was saved."""
    batches = list(reader.iter_batches())
    entries = sum(each.entries for each in batches)
    requests = sum(requests_of(each.length) for each in batches)
    return {
        "objects": entries,
        "batches": len(batches),
        "requests": requests,
        "saved_requests": entries - requests,
        "saved_money": (entries - requests) * price_per_1000 / 1000,
    }
