"""
The writer: many puts, one thread that writes them, one fsync for those that came together.

A put is given its place (a segment, an offset) under the lock, in which nothing waits. The thread
takes all that is queued, writes it, syncs it, and tells all of them. What comes meanwhile is the
next group.

Guarding: the lock is that of the groups, the current segment and `_held`. Files are touched by the
thread alone, and so is a group that it has taken.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
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
# Seconds that a group waits for the next of those who were in the last one, and for all of them.
GATHER_S, LONGEST_GATHER_S = 0.0005, 0.004


class Bounds(NamedTuple):
    """Of one batch (max_delay in seconds), and of all that is spooled."""

    max_bytes: int
    max_count: int
    max_delay: float
    spool_max_bytes: int


class Placed(NamedTuple):
    """Where a put is, or will be: *offset* of its content. waiter: None for who does not wait."""

    segment: Segment
    offset: int
    entry: Entry
    waiter: Waiter | None


class Group:
    """
    What is queued for a segment, and written and synced at once; it begins at *first*.

    threads: where they wait for it, all of them at one place. waiters: those who are told when it
    is on the disk; for_upload: when it is in S3. unwatched: how many nobody waits for.
    """

    def __init__(self, segment: Segment, first: int) -> None:
        self.segment = segment
        self.first = first
        self.size = 0
        self.pieces: list[bytes] = []
        self.entries: list[Entry] = []
        self.threads = ThreadWaiter()
        self.waiters: list[Waiter] = [self.threads]
        self.for_upload: list[Waiter] = []
        self.unwatched = 0


# Stands for the place where the threads of a group wait, which is not known before it is queued.
THREADS = ThreadWaiter()


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
        self._groups: list[Group] = []
        self._queued = 0
        self._queued_bytes = 0
        self._completing: list[Segment] = []
        self._current: Segment | None = None
        self._held = 0  # bytes in the queue and the spool
        self._expected = 0  # how many were in the last group
        self._asleep = False
        self._busy = False
        self._is_over = False
        self._barriers: tuple[Waiter, ...] = ()
        self._taken: list[Group] = []  # with the thread
        self._told: tuple[Waiter, ...] = ()  # barriers that are
        self._closed = ""
        self.lost: SpoolError | None = None  # why what nobody waited for is not on the disk
        self.failure: WriterClosed | None = None  # why the thread is no more
        self._thread = threading.Thread(target=self._run, name="batch writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(
        self,
        entry_at: Callable[[int], Entry],
        head: bytes,
        body: bytes,
        waiter: Waiter | None,
        *,
        waits_for_upload: bool = False,
        is_bounded: bool = True,
    ) -> Placed:
        """
        Queue an entry, made by entry_at(offset of its content). Waits for nothing.

        waiter: told when it is on the disk, or, if it waits_for_upload, in S3; THREADS for that of
        its group, None for nobody. Raises QueueFull (never for what is not bounded), WriterClosed.
        """
        pad = padding(len(body))
        size = len(head) + len(body) + len(pad)
        with self._lock:
            if self._closed:
                raise WriterClosed(self._closed)
            if is_bounded and self._is_full(size):
                raise QueueFull(self._held, self._bounds.spool_max_bytes)
            group = self._group_for(size)
            segment = group.segment
            offset = segment.end + len(head)
            entry = entry_at(offset)
            segment.end += size
            segment.count += 1
            self._held += size
            self._queued += 1
            self._queued_bytes += size
            group.size += size
            group.pieces += (head, body, pad)
            group.entries.append(entry)
            if waiter is THREADS:
                waiter = group.threads
            elif waiter is None:
                group.unwatched += 1
            else:
                (group.for_upload if waits_for_upload else group.waiters).append(waiter)
            if self._asleep and self._queued >= self._expected:
                self._asleep = False
                self._wake.notify()
        return Placed(segment, offset, entry, waiter)

    def _group_for(self, size: int) -> Group:
        segment = self._segment_for(size)
        groups = self._groups
        if not groups or groups[-1].segment is not segment:
            groups.append(Group(segment, segment.end))
        return groups[-1]

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
        """
        Complete the current segment, and wait for what is queued to be on the disk.

        Raises WriterClosed where the thread has failed.
        """
        waiter = ThreadWaiter()
        with self._lock:
            if self.failure is not None:
                raise self.failure
            if self._is_over:
                return
            self._rotate()
            self._barrier(waiter)
        waiter.wait()

    def settle(self) -> None:
        """Wait until all that is queued is on the disk, or has failed."""
        waiter = ThreadWaiter()
        with self._lock:
            if self._is_over or not (self._groups or self._busy):
                return
            self._barrier(waiter)
        waiter.wait()

    def _barrier(self, waiter: Waiter) -> None:
        self._barriers = (*self._barriers, waiter)
        self._wake.notify()

    @property
    def is_at_work(self) -> bool:
        """Whether it may still write to the spool."""
        return self._thread.is_alive()

    def close(self, reason: str) -> None:
        """
        Write what is queued, complete the segment, and end the thread.

        Raises WriterClosed where that has failed.
        """
        with self._lock:
            self._closed = self._closed or reason
            self._rotate()
            self._wake.notify()
            self._room.notify_all()
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join()
        if self.failure is not None:
            raise self.failure

    # The thread

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:  # of memory, say; nobody may wait for a thread that is gone
            self._collapse(error)

    def _collapse(self, error: BaseException) -> None:
        """What is on the disk stays there, for the next process; who waits is told."""
        failure = WriterClosed(f"its writer has failed ({type(error).__name__}); see the log")
        logger.error("batch: the writer has failed; make a new batch", exc_info=error)
        with self._lock:
            self.failure, self._closed, self._is_over = failure, failure.reason, True
            groups, self._groups = [*self._taken, *self._groups], []
            barriers, self._barriers = (*self._told, *self._barriers), ()
            self._room.notify_all()
        for group in groups:
            resolve_all((*group.waiters, *group.for_upload), failure)
        resolve_all(barriers, failure)

    def _step(self) -> bool:
        with self._lock:
            self._wait_for_work()
            groups, self._groups = self._groups, []
            completing, self._completing = self._completing, []
            barriers, self._barriers = self._barriers, ()
            self._taken, self._told = groups, barriers
            size, self._queued, self._queued_bytes = self._queued, 0, 0
            self._room.notify_all()
            self._busy = bool(groups or completing)
            self._is_over = bool(self._closed) and not self._busy
        for group in groups:
            self._commit(group)
        for segment in completing:
            self._complete(segment)
        self._expected = size
        self._busy = False
        resolve_all(barriers, None)
        self._taken, self._told = [], ()
        return not self._is_over

    def _wait_for_work(self) -> None:
        """With the lock. Until something is queued, a segment is old, or it is closed."""
        if self._expected > 1:
            self._gather()
        self._expected = 0
        while not (self._groups or self._completing or self._barriers or self._closed):
            left = self._until_old()
            if left is not None and left <= 0:
                self._rotate()
            else:
                self._sleep(left)

    def _gather(self) -> None:
        """
        Those of the last group are probably about to put again: one fsync for all.

        Threads come one after the other (see `waiters`), so it goes on for as long as some come.
        """
        before, end = -1, time.monotonic() + LONGEST_GATHER_S
        while before < self._queued < self._expected and time.monotonic() < end:
            before = self._queued
            self._sleep(GATHER_S)

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

    def _commit(self, group: Group) -> None:
        segment = group.segment
        if segment.failure is None:
            try:
                segment.write(group.first, _whole(group))
            except OSError as error:
                segment.failure = SpoolError(str(segment.path), reason_of(error))
            except BaseException as error:  # of memory, say; whoever waits must be told
                segment.failure = SpoolError(str(segment.path), type(error).__name__)
        if segment.failure is not None:
            self._fail(group, segment.failure)
            return
        segment.entries += group.entries
        self._publish(segment, group.entries)
        segment.waiters += group.for_upload
        resolve_all(group.waiters, None)

    def _fail(self, group: Group, error: SpoolError) -> None:
        """What is durable in the segment stays and is uploaded; it takes no more."""
        with self._lock:
            if self._current is group.segment:
                self._rotate()
            self._held -= group.size
        self._stats.count("failed_writes", len(group.entries))
        if group.unwatched:
            self.lost = error
            logger.error("batch: puts with ack='memory' are lost: %s", error)
        resolve_all((*group.waiters, *group.for_upload), error)

    def _complete(self, segment: Segment) -> None:
        if segment.entries:
            self._completed(segment)
            return
        try:
            segment.remove()
        except OSError:
            pass  # the next process finds nothing in it, and removes it


def _whole(group: Group) -> bytes:
    """Raises ValueError where a put was interrupted within: what follows has not its place."""
    data = b"".join(group.pieces)
    if len(data) != group.size:
        raise ValueError(f"{len(data)} bytes in a group of {group.size}")
    return data
