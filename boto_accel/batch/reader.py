"""`BatchReader`: objects out of batches in S3, by their own keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from boto_accel import _compat
from boto_accel._clienterrors import refusal_of
from boto_accel._sqlite import is_foreign
from boto_accel._stack import Layer
from boto_accel.batch import names
from boto_accel.batch.catalogue import APPLICATION_ID, Batch, Catalogue, Located
from boto_accel.batch.errors import DamagedBatchError
from boto_accel.batch.index import Entry, Index
from boto_accel.batch.match import read_place
from boto_accel.batch.place import MULTIPART_FROM, Place, is_absent
from boto_accel.errors import InvalidOptionError

# How far back indexes are looked for again: an index is named after the moment at which its upload
# begins, by the clock of its host. S3 refuses clocks that are off by 15 minutes, and an attempt of
# botocore's ends within its timeouts (60 s each, five times).
OVERLAP_S = 3600.0
FETCHERS = 8  # threads that fetch indexes

Progress = Callable[[int, int], None]  # done, of how many


class Indexes:
    """
    The indexes at a place, taken into a catalogue as they come.

    Guarding: one refresh at a time; who waits for one that began after they asked is content.
    """

    def __init__(self, catalogue: Catalogue, clock: Callable[[], float] = time.time) -> None:
        self.catalogue = catalogue
        self._clock = clock
        self._lock = threading.Lock()
        self._began = -1e9  # by time.monotonic; when the last refresh began

    def refresh(
        self,
        place: Place,
        max_age: float = 0.0,
        *,
        full: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """
        Take in what has been uploaded until now, or until *max_age* seconds ago.

        full: look at all indexes again, and not at those of the last hour and since.
        """
        wanted = time.monotonic() - max_age
        if self._began >= wanted and not full:
            return
        with self._lock:
            if self._began >= wanted and not full:
                return
            began, moment = time.monotonic(), self._clock()
            since = None if full else self.catalogue.read_up_to()
            keys = place.index_keys(None if since is None else since - OVERLAP_S)
            self._take_in(place, list(self._unknown(place, keys)), progress)
            self.catalogue.note_read(moment)
            self._began = began

    def _unknown(self, place: Place, keys: Iterator[str]) -> Iterator[str]:
        seen = set()
        for key in keys:
            batch = names.batch_of_index(place.prefix, key)
            if batch is not None and batch not in seen and not self.catalogue.knows(batch):
                seen.add(batch)
                yield key

    def _take_in(self, place: Place, keys: list[str], progress: Progress | None) -> None:
        with ThreadPoolExecutor(FETCHERS) if len(keys) > 1 else _Inline() as pool:
            for done, index in enumerate(pool.map(lambda key: _fetch(place, key), keys), 1):
                if index is not None:
                    self.catalogue.add(index)
                if progress is not None:
                    progress(done, len(keys))


def _silent(done: int, wanted: int) -> None: ...


class _Inline:
    """For one index no threads."""

    map = map

    def __enter__(self) -> _Inline:
        return self

    def __exit__(self, *_: object) -> None: ...


def _fetch(place: Place, key: str) -> Index | None:
    """None for an index that is gone: its batch was compacted into another one."""
    try:
        index = place.index(key)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    if index.batch != names.batch_of_index(place.prefix, key):
        raise DamagedBatchError(key, f"it is the index of {index.batch}")
    return index


def read_content(indexes: Indexes, place: Place, found: Located, first: int, size: int) -> bytes:
    """
    Bytes of an object, checked against its MD5 where they are all of it.

    A batch that is gone has been compacted: then it is looked for once more. Raises
    DamagedBatchError, ClientError.
    """
    try:
        data = place.content(found.batch, found.entry.offset + first, size)
    except ClientError as error:
        if not is_absent(error):
            raise
        indexes.refresh(place)
        again = indexes.catalogue.newest(found.entry.key)
        if again is None or again == found or again.entry.etag != found.entry.etag:
            raise
        return read_content(indexes, place, again, first, size)
    if size == found.entry.size:
        check_content(names.tar_key(place.prefix, found.batch), found.entry, data)
    return data


def check_content(name: str, entry: Entry, data: bytes) -> None:
    if md5(data, usedforsecurity=False).hexdigest() != entry.etag:
        raise DamagedBatchError(name, f"the content of {entry.key!r} has not the MD5 of its index")


class BatchReader:
    """
    The objects in the batches at *location* ("s3://bucket/prefix/"), the newest of each key.

    s3_client: of botocore or boto3. catalogue: a file for the copy of the indexes, which several
    processes may share; None keeps it in memory. refresh_after: seconds for which it is not asked
    anew what batches there are; 0 asks before each read.

    Objects that were put past the batches are not its business. Raises InvalidOptionError.
    """

    def __init__(
        self,
        s3_client: Any,
        location: str,
        *,
        catalogue: str | Path | None = None,
        refresh_after: float = 1.0,
    ) -> None:
        if not isinstance(s3_client, BaseClient) or _compat.is_async(s3_client):
            expected = "a client of botocore or boto3; from async code use it in a thread"
            raise InvalidOptionError("s3_client", type(s3_client).__name__, expected)
        bucket, prefix = read_place("location", location)
        inside = frozenset({Layer.CACHE, Layer.BATCH})
        self.place: Place = Place(s3_client, bucket, prefix, inside=inside)
        path = None if catalogue is None else Path(catalogue)
        if path is not None and is_foreign(str(path), APPLICATION_ID):
            raise InvalidOptionError("catalogue", str(path), "a new file, or one of a BatchReader")
        self._indexes = Indexes(Catalogue(path, str(self.place)))
        self._refresh_after = refresh_after

    def __enter__(self) -> BatchReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalogue; not the client."""
        self._indexes.catalogue.close()

    def refresh(self, *, full: bool = False, progress: Progress | None = None) -> None:
        """
        Take in the indexes that are new. full: look at all of them.

        progress(done, of how many) is called after each index.
        """
        self._indexes.refresh(self.place, full=full, progress=progress)

    def get(self, key: str) -> bytes:
        """The content; its MD5 is checked. Raises NoSuchKey as the client does."""
        return self.content(self.find(key))

    def content(self, found: Located) -> bytes:
        """Of what `find` or `entries` gave."""
        return read_content(self._indexes, self.place, found, 0, found.entry.size)

    def open(self, key: str) -> Any:
        """A `StreamingBody` of the content, to be read as it comes; without a check of its MD5."""
        found = self.find(key)
        if not found.entry.size:
            from boto_accel._bodies import Read, body_of
            from boto_accel._call import Flavour

            return body_of(Read(b""), 0, Flavour.SYNC)
        return self.place.stream(found.batch, found.entry.offset, found.entry.size)

    def find(self, key: str) -> Located:
        """Where *key* is, and what is known of it. Raises NoSuchKey."""
        found = self._catalogue().newest(key)
        if found is None or not found.entry.is_object:
            message = "The specified key does not exist."
            raise refusal_of(self.place.client, "GetObject", "NoSuchKey", message, 404, Key=key)
        return found

    def keys(self, prefix: str = "") -> Iterator[str]:
        """In the order of S3."""
        for found in self.entries(prefix):
            yield found.entry.key

    def entries(self, prefix: str = "") -> Iterator[Located]:
        return (each for each in self._catalogue().after(prefix, "") if each.entry.is_object)

    def is_newest(self, entry: Entry, batch: str) -> bool:
        """Whether *entry*, of *batch*, is what counts for its key; without looking into S3."""
        found = self._indexes.catalogue.newest(entry.key)
        return found is not None and (found.entry.stamp, found.batch) == (entry.stamp, batch)

    def iter_batches(self) -> Iterator[Batch]:
        """In the order of their beginning."""
        return iter(self._catalogue().batches())

    def __contains__(self, key: str) -> bool:
        found = self._catalogue().newest(key)
        return found is not None and found.entry.is_object

    def counts(self) -> tuple[int, int]:
        """(entries of all batches, keys that have an object)"""
        return self._catalogue().counts()

    # Whole batches; see `maintenance`, which needs this class.

    def extract(
        self, folder: str | Path, prefix: str = "", progress: Progress | None = None
    ) -> list[str]:
        """Write the objects with *prefix* to files under *folder*; what could not be, and why."""
        from boto_accel.batch import maintenance

        return maintenance.extract(self, Path(folder), prefix, progress or _silent)

    def reindex(self, *, all_: bool = False, progress: Progress | None = None) -> Any:
        """Make the indexes that are missing, or all_, from the tars: `Reindexed(made, damaged)`."""
        from boto_accel.batch import maintenance

        return maintenance.reindex(self.place, all_=all_, progress=progress or _silent)

    def compact(self, *, max_bytes: int = MULTIPART_FROM, progress: Progress | None = None) -> Any:
        """Join small batches: `Compacted(joined, made, dropped)`."""
        from boto_accel.batch import maintenance

        return maintenance.compact(self, max_bytes=max_bytes, progress=progress or _silent)

    def savings(self, price_per_1000: float = 0.005) -> dict[str, Any]:
        """For what is in S3: objects, batches, requests, and what was saved."""
        from boto_accel.batch import maintenance

        return maintenance.savings_of(self, price_per_1000)

    def _catalogue(self) -> Catalogue:
        self._indexes.refresh(self.place, self._refresh_after)
        return self._indexes.catalogue
