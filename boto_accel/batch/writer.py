"""
The writer: many puts, one thread that writes them, one fsync for those that came together.

A put is given its place (a segment, an offset) under the lock, in which nothing waits. The thread
takes all that is queued, writes it, syncs it, and tells all of them. What comes meanwhile is the
next group.

Guarding: the lock is that of the queue, the current segment and `_held`. Files are touched by the
thread alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from boto_accel.batch import names
from boto_accel.batch.counts import BatchStats
from boto_accel.batch.errors import QueueFull, SpoolError, WriterClosed
from boto_accel.batch.index import Entry
from boto_accel.batch.spool import Segment, Spool, reason_of
from boto_accel.batch.tar import END, padding
from boto_accel.batch.waiters import ThreadWaiter, Waiter, resolve_all

logger = logging.getLogger("boto_accel")

MOST_QUEUED_BYTES = 64 * 2**20  # in memory, not yet written
GATHER_S = 0.0005  # seconds; longest a group waits for those who were in the last one


class Bounds(NamedTuple):
    """Of one batch (max_delay in seconds), and of all that is spooled."""

    max_bytes: int
    max_count: int
    max_delay: float
    spool_max_bytes: int


class Queued(NamedTuple):
    """waiter: told when it is on the disk, or, if it waits_for_upload, in S3."""

    segment: Segment
    offset: int
    entry: Entry
    data: tuple[bytes, ...]
    waiter: Waiter | None
    waits_for_upload: bool


class Writer:
    """
    publish(segment, entries): they are on the disk. completed(segment): nothing more comes to it.

    Both are called by the thread.
    """

    def __init__(
        self,
        spool: Spool,
        bounds: Bounds,
        stats: BatchStats,
        publish: Callable[[Segment, list[Entry]], None],
        completed: Callable[[Segment], None],
    ) -> None:
        self._spool = spool
        self._bounds = bounds
        self._stats = stats
        self._publish = publish
        self._completed = completed
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._queue: list[Queued] = []
        self._queued_bytes = 0
        self._completing: list[Segment] = []
        self._current: Segment | None = None
        self._held = 0  # bytes in the queue and the spool
        self._expected = 0  # how many were in the last group
        self._asleep = False
        self._busy = False
        self._is_over = False
        self._barriers: tuple[Waiter, ...] = ()
        self._closed = ""
        self.lost: SpoolError | None = None  # why what nobody waited for is not on the disk
        self._thread = threading.Thread(target=self._run, name="batch writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(
        self,
        entry: Entry,
        head: bytes,
        body: bytes,
        waiter: Waiter | None,
        *,
        waits_for_upload: bool = False,
        is_bounded: bool = True,
    ) -> tuple[Segment, int]:
        """
        Queue an entry; the segment and the offset of its content. Waits for nothing.

        Raises QueueFull (never for what is not bounded), WriterClosed.
        """
        pad = padding(len(body))
        size = len(head) + len(body) + len(pad)
        with self._lock:
            if self._closed:
                raise WriterClosed(self._closed)
            if is_bounded and self._is_full(size):
                raise QueueFull(self._held, self._bounds.spool_max_bytes)
            segment = self._segment_for(size)
            offset = segment.end
            segment.end += size
            segment.count += 1
            self._held += size
            self._queued_bytes += size
            content = offset + len(head)
            if body or entry.is_object:
                entry = entry._replace(offset=content)
            data = (head, body, pad) if pad else (head, body)
            self._queue.append(Queued(segment, offset, entry, data, waiter, waits_for_upload))
            if self._asleep and len(self._queue) >= self._expected:
                self._asleep = False
                self._wake.notify()
        return segment, content

    def _is_full(self, size: int) -> bool:
        if not self._held:
            return False
        too_much = self._held + size > self._bounds.spool_max_bytes
        return too_much or self._queued_bytes + size > MOST_QUEUED_BYTES

    def _segment_for(self, size: int) -> Segment:
        bounds, segment, now = self._bounds, self._current, time.monotonic()
        if segment is not None and (
            segment.count >= bounds.max_count
            or segment.end + size + len(END) > bounds.max_bytes
            or now - segment.opened >= bounds.max_delay
        ):
            self._rotate()
            segment = None
        if segment is None:
            segment = self._current = self._spool.begin(names.new_id(time.time()), now)
        return segment

    def _rotate(self) -> None:
        if self._current is not None:
            self._completing.append(self._current)
            self._current = None

    def wait_for_room(self, size: int, timeout: float) -> None:
        """Until *size* bytes may come. Raises QueueFull after *timeout* seconds."""
        bound = self._bounds.spool_max_bytes
        with self._lock:
            if self._held + size > bound:
                # What fills the spool may be a batch that would be completed only later.
                self._rotate()
                self._wake.notify()
            if not self._room.wait_for(lambda: self._closed or not self._is_full(size), timeout):
                raise QueueFull(self._held, bound)

    def free(self, size: int) -> None:
        """*size* bytes have left the spool."""
        with self._lock:
            self._held -= size
            self._room.notify_all()

    def hold(self, size: int) -> None:
        """*size* bytes are in the spool from before."""
        with self._lock:
            self._held += size

    @property
    def held(self) -> int:
        return self._held

    def rotate(self) -> None:
        """Complete the current segment, and wait for what is queued to be on the disk."""
        waiter = ThreadWaiter()
        with self._lock:
            if self._is_over:
                return
            self._rotate()
            self._barrier(waiter)
        waiter.wait()

    def settle(self) -> None:
        """Wait until all that is queued is on the disk, or has failed."""
        waiter = ThreadWaiter()
        with self._lock:
            if self._is_over or not (self._queue or self._busy):
                return
            self._barrier(waiter)
        waiter.wait()

    def _barrier(self, waiter: Waiter) -> None:
        self._barriers = (*self._barriers, waiter)
        self._wake.notify()

    def close(self, reason: str) -> None:
        """Write what is queued, complete the segment, and end the thread."""
        with self._lock:
            self._closed = self._closed or reason
            self._rotate()
            self._wake.notify()
            self._room.notify_all()
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join()

    # The thread

    def _run(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        with self._lock:
            self._wait_for_work()
            group, self._queue = self._queue, []
            completing, self._completing = self._completing, []
            barriers, self._barriers = self._barriers, ()
            self._queued_bytes = 0
            self._room.notify_all()
            self._busy = bool(group or completing)
            self._is_over = bool(self._closed) and not self._busy
        for segment, several in groupby(group, _segment_of):
            self._commit(segment, list(several))
        for segment in completing:
            self._complete(segment)
        self._expected = len(group)
        self._busy = False
        resolve_all(barriers, None)
        return not self._is_over

    def _wait_for_work(self) -> None:
        """With the lock. Until something is queued, a segment is old, or it is closed."""
        if self._expected > 1 and len(self._queue) < self._expected:
            # Those of the last group are probably about to put again: one fsync for all.
            self._sleep(GATHER_S)
        self._expected = 0
        while not (self._queue or self._completing or self._barriers or self._closed):
            left = self._until_old()
            if left is not None and left <= 0:
                self._rotate()
            else:
                self._sleep(left)

    def _sleep(self, timeout: float | None) -> None:
        if self._completing or self._barriers or self._closed:
            return
        self._asleep = True
        self._wake.wait(timeout)
        self._asleep = False

    def _until_old(self) -> float | None:
        if self._current is None:
            return None
        return self._current.opened + self._bounds.max_delay - time.monotonic()

    def _commit(self, segment: Segment, group: list[Queued]) -> None:
        if segment.failure is None:
            try:
                segment.write(group[0].offset, b"".join(_pieces(group)))
            except OSError as error:
                segment.failure = SpoolError(str(segment.path), reason_of(error))
            except BaseException as error:  # of memory, say; whoever waits must be told
                segment.failure = SpoolError(str(segment.path), type(error).__name__)
        if segment.failure is not None:
            self._fail(segment, group, segment.failure)
            return
        entries = [each.entry for each in group]
        segment.entries += entries
        self._publish(segment, entries)
        later = [each.waiter for each in group if each.waiter and each.waits_for_upload]
        segment.waiters += later
        now = (each.waiter for each in group if each.waiter and not each.waits_for_upload)
        resolve_all(now, None)

    def _fail(self, segment: Segment, group: list[Queued], error: SpoolError) -> None:
        """What is durable in the segment stays and is uploaded; it takes no more."""
        with self._lock:
            if self._current is segment:
                self._rotate()
            self._held -= sum(len(piece) for piece in _pieces(group))
        self._stats.count("failed_writes", len(group))
        if any(each.waiter is None for each in group):
            self.lost = error
            logger.error("batch: puts with ack='memory' are lost: %s", error)
        resolve_all((each.waiter for each in group if each.waiter), error)

    def _complete(self, segment: Segment) -> None:
        if segment.entries:
            self._completed(segment)
            return
        try:
            segment.remove()
        except OSError:
            pass  # the next process finds nothing in it, and removes it


def _segment_of(queued: Queued) -> Segment:
    return queued.segment


def _pieces(group: list[Queued]) -> Iterator[bytes]:
    for each in group:
        yield from each.data
