"""
One batch at work: spool, writer, uploader and catalogue, and what is read through all of them.

Guarding: the view of what is spooled is changed under its lock, by the writer's and the uploader's
thread, and read without one. An entry leaves it only when it is in the catalogue: who looks into
the view first and into the catalogue then misses nothing.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from hashlib import md5
from heapq import merge
from typing import Any, NamedTuple

from boto_accel._stack import Layer
from boto_accel.batch import tar
from boto_accel.batch.catalogue import Catalogue, Located
from boto_accel.batch.clock import Clock
from boto_accel.batch.counts import BatchStats
from boto_accel.batch.errors import BatchError, QueueFull, WriterClosed
from boto_accel.batch.index import OBJECT, Entry
from boto_accel.batch.options import Options
from boto_accel.batch.place import Place
from boto_accel.batch.reader import Indexes, read_content
from boto_accel.batch.replies import answered_at
from boto_accel.batch.spool import Segment, Spool
from boto_accel.batch.syncclient import sync_client_of
from boto_accel.batch.uploader import Uploader
from boto_accel.batch.waiters import TaskWaiter, ThreadWaiter, Waiter
from boto_accel.batch.writer import THREADS, Placed, Writer

logger = logging.getLogger("boto_accel")

LONGEST_WAIT_S = 60.0  # for room in the spool, where a put waits for it
HEAD_BYTES = 2048  # of a member, about
AT_EXIT_S = 30.0  # seconds; longest the end of the interpreter waits for uploads
_FORKED = "this process is a child of the one that has the spool; make a batch of its own"


class Held(NamedTuple):
    """An entry that is on the disk and not yet in S3."""

    entry: Entry
    segment: Segment


class Engine:
    """inside: the layers that see nothing of what it sends."""

    def __init__(
        self, options: Options, stats: BatchStats, inside: frozenset[Layer], **uploading: Any
    ) -> None:
        self.options = options
        self.stats = stats
        self.clock: Clock = Clock()
        self._inside = inside
        self._client = options.client
        self._place: Place | None = None
        self._view: dict[str, Held] = {}
        self._view_lock = threading.Lock()
        self._shared: dict[Any, bytes] = {}
        self._refused = ""
        self._spool = Spool(options.spool_dir, options.purpose)
        try:
            place = f"s3://{options.purpose.into_bucket}/{options.purpose.into_prefix}"
            self.indexes: Indexes = Indexes(
                Catalogue(self._spool.folder / "catalogue.sqlite", place)
            )
        except BaseException:
            self._spool.close()
            raise
        try:
            self._writer = Writer(
                self._spool, options.bounds, stats, self._publish, self._completed
            )
            self._uploader = Uploader(self.place, self._uploaded, stats, **uploading)
            self._recover()
            self.clock.observe(self.indexes.catalogue.newest_stamp())
        except BaseException:
            self.indexes.catalogue.close()
            self._spool.close()
            raise
        self._writer.start()
        self._uploader.start()
        if self._client is not None:
            self._uploader.ready()
        _engines.add(self)
        self._at_exit = _at_exit(self)
        atexit.register(self._at_exit)

    def _recover(self) -> None:
        for segment in self._spool.recovered():
            self.stats.count("recovered", len(segment.entries))
            self._writer.hold(segment.durable)
            self._publish(segment, segment.entries)
            self.clock.observe(max(each.stamp for each in segment.entries))
            self._uploader.add(segment)

    # Clients

    def seen(self, client: Any) -> None:
        """
        A call on *client* came by: it can upload, where none was given. Raises WriterClosed.

        First of all: in a forked child no lock of ours may be taken.
        """
        self.check_open()
        if self._client is None:
            self._client = client
            self._uploader.ready()

    def place(self) -> Place:
        """Where batches go. Raises InvalidOptionError for a client that cannot upload."""
        found = self._place
        if found is None:
            purpose = self.options.purpose
            client = self._client
            if client is None:
                from botocore.session import Session

                client = Session().create_client("s3")
            found = self._place = Place(
                sync_client_of(client),
                purpose.into_bucket,
                purpose.into_prefix,
                self.options.tar_args,
                inside=self._inside,
                on_request=self._count_request,
                on_stored=self._compare_clocks,
                host_time=self.clock.host_time,
            )
        return found

    def _count_request(self) -> None:
        self.stats.count("requests")

    def _compare_clocks(self, answer: Mapping[str, Any], asked: int) -> None:
        date = answered_at(answer)
        if date is not None:
            self.clock.compare(date, asked)

    # Writing

    def put(
        self,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        metadata: Mapping[str, str],
        *,
        is_sync: bool,
    ) -> Placed:
        """
        Queue an object. Who is not is_sync is a task, and awaits what the waiter gives.

        Raises QueueFull, WriterClosed.
        """
        self.check_open()
        stamp = self.clock.stamp()
        size, etag = len(body), md5(body, usedforsecurity=False).hexdigest()
        shared = b""
        if headers or metadata:
            shared = self._attributes(headers, metadata)
        head = tar.member_head(key, stamp, size, etag, shared)
        ack = self.options.ack
        return self._writer.submit(
            lambda offset: Entry(key, stamp, OBJECT, offset, size, etag, headers, metadata),
            head,
            body,
            None if ack == "memory" else self._waiter(is_sync),
            waits_for_upload=ack == "upload",
        )

    def _waiter(self, is_sync: bool) -> Waiter:
        if not is_sync:
            return TaskWaiter()
        # Of those who wait for the upload, some are told of a failure that others never see.
        return ThreadWaiter() if self.options.ack == "upload" else THREADS

    def _attributes(self, headers: Mapping[str, str], metadata: Mapping[str, str]) -> bytes:
        if metadata:
            return tar.attributes(headers, metadata)
        key = tuple(headers.items())
        shared = self._shared.get(key)
        if shared is None:
            if len(self._shared) >= 256:
                self._shared.clear()
            shared = self._shared[key] = tar.attributes(headers, metadata)
        return shared

    def note(self, key: str, kind: int, *, is_sync: bool) -> Placed:
        """
        Queue what is no object. Raises WriterClosed.

        The spool takes it beyond its bound: an object that is deleted must not come back.
        """
        self.check_open()
        entry = Entry(key, self.clock.stamp(), kind)
        return self._writer.submit(
            lambda offset: entry,
            tar.note(entry),
            b"",
            self._waiter(is_sync),
            waits_for_upload=self.options.ack == "upload",
            is_bounded=False,
        )

    def wait_for_room(self, error: QueueFull, size: int) -> None:
        """Until a put of *size* bytes has room; raises *error* where it is not waited for."""
        if not self.options.waits_when_full:
            raise error
        self._writer.wait_for_room(size + HEAD_BYTES, LONGEST_WAIT_S)

    def check_open(self) -> None:
        if self._refused:
            raise WriterClosed(self._refused)

    def _publish(self, segment: Segment, entries: list[Entry]) -> None:
        view = self._view
        with self._view_lock:
            for entry in entries:
                held = Held(entry, segment)
                known = view.setdefault(entry.key, held)
                if known.entry.stamp < entry.stamp:
                    view[entry.key] = held
            self.stats.spooled_bytes = self._writer.held

    def _completed(self, segment: Segment) -> None:
        self._uploader.add(segment)

    def _uploaded(self, segment: Segment, index_key: str) -> None:
        self.indexes.catalogue.add(segment.index())
        with self._view_lock:
            for entry in segment.entries:
                held = self._view.get(entry.key)
                if held is not None and held.segment is segment:
                    del self._view[entry.key]
        segment.remove()
        self._writer.free(segment.durable - len(segment.opening))
        self.stats.spooled_bytes = self._writer.held
        self.stats.count("batches")
        self.stats.count("uploaded_objects", len(segment.entries))
        self.stats.count("uploaded_bytes", segment.length)

    # Reading

    def newest(self, key: str, max_age: float | None = None) -> Located | Held | None:
        """
        The newest entry of *key*, of the spool and of the batches in S3.

        Other processes' batches count as they were up to *max_age* seconds ago.
        """
        self.check_open()
        if self.options.ack == "memory":
            self._writer.settle()
        held = self._view.get(key)
        if max_age is None:
            max_age = self.options.refresh_after
        self.indexes.refresh(self.place(), max_age)
        return _newer(held, self.indexes.catalogue.newest(key))

    def known(self, key: str) -> Located | Held | None:
        """`newest`, as far as it is known without asking S3."""
        self.check_open()
        return _newer(self._view.get(key), self.indexes.catalogue.newest(key))

    def entries(self, prefix: str, start: str) -> Iterator[Entry]:
        """The newest entries of the keys with *prefix* behind *start*, in order."""
        self.check_open()
        if self.options.ack == "memory":
            self._writer.settle()
        held = [
            each.entry
            for key, each in list(self._view.items())
            if key.startswith(prefix) and key > start
        ]
        self.indexes.refresh(self.place(), self.options.refresh_after)
        there = (each.entry for each in self.indexes.catalogue.after(prefix, start))
        last: Entry | None = None
        for entry in merge(sorted(held, key=_key_of), there, key=_key_of):
            if last is not None and last.key != entry.key:
                yield last
                last = None
            if last is None or entry.stamp > last.stamp:
                last = entry
        if last is not None:
            yield last

    def content(self, found: Located | Held, first: int, size: int) -> bytes:
        """Bytes of an object. Raises DamagedBatchError, ClientError."""
        if isinstance(found, Held):
            return found.segment.read(found.entry.offset + first, size)
        return read_content(self.indexes, self.place(), found, first, size)

    # The end

    def flush(self, timeout: float | None = None) -> None:
        """Bring all that was put to S3. Raises BatchUploadError, SpoolError."""
        self.check_open()
        self._writer.rotate()
        self._uploader.finish(timeout)
        lost, self._writer.lost = self._writer.lost, None
        if lost is not None:
            raise lost

    def close(self, *, flush: bool = True, timeout: float | None = None) -> None:
        """
        End it. flush: bring to S3 what is not there yet; else it stays in the spool.

        Raises what `flush` does, and is closed all the same.
        """
        if self._refused:
            return
        atexit.unregister(self._at_exit)
        try:
            self._writer.close("it has been left")
            if flush:
                self._uploader.finish(timeout)
                if self._writer.lost is not None:
                    raise self._writer.lost
        finally:
            self._refused = "it has been left"
            self._uploader.close()
            # An attempt that hangs is left to its time-out: it may finish, and is then repeated.
            self._uploader.join(AT_EXIT_S if flush else 1.0)
            self.indexes.catalogue.close()
            # Where Ctrl-C has cut short the wait for it, the process keeps the lock to its end.
            if not self._writer.is_at_work:
                self._spool.close()

    def forget(self) -> None:
        """In a forked child: the spool is the parent's."""
        self._refused = _FORKED
        self._spool.close()


def _newer(held: Held | None, located: Located | None) -> Located | Held | None:
    if held is None or located is None:
        return held or located
    return held if held.entry.stamp >= located.entry.stamp else located


def _key_of(entry: Entry) -> str:
    return entry.key


def _at_exit(engine: Engine) -> Callable[[], None]:
    kept = weakref.ref(engine)

    def run() -> None:
        found = kept()
        if found is None or found._refused:
            return
        try:
            found.close(timeout=AT_EXIT_S)
        except BatchError as error:
            logger.error("batch: at exit: %s", error)

    return run


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _after_in_child() -> None:
    for engine in list(_engines):
        engine.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
