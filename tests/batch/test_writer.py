"""The writer on its own: who waits is told, whatever becomes of the thread or of another waiter."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from boto_accel.batch import tar
from boto_accel.batch.counts import BatchStats
from boto_accel.batch.errors import SpoolError, WriterClosed
from boto_accel.batch.index import DELETED, Entry
from boto_accel.batch.spool import Purpose, Segment, Spool
from boto_accel.batch.waiters import TaskWaiter, ThreadWaiter, resolve_all
from boto_accel.batch.writer import THREADS, Bounds, Placed, Writer

THREADS_AT_ONCE = 8


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool", Purpose("events", "events", "batches/"))
    yield opened
    opened.close()


def writer_on(spool: Spool, publish: Any, completed: Any = lambda segment: None) -> Writer:
    bounds = Bounds(2**20, 1000, 3600.0, 2**30)
    return Writer(spool, bounds, BatchStats(), publish, completed)


def submit(writer: Writer, key: str, waiter: Any = THREADS) -> Placed:
    entry = Entry(key, 1, DELETED)
    return writer.submit(lambda offset: entry, tar.note(entry), b"", waiter)


def test_a_group_is_on_the_disk_before_any_of_its_threads_goes_on(spool: Spool) -> None:
    """And all of them go on, those too who come to wait when it is long done."""
    writer = writer_on(spool, lambda segment, entries: None)
    placed = [submit(writer, f"key{number}") for number in range(THREADS_AT_ONCE)]

    def wait(each: Placed) -> int:
        assert each.waiter is not None
        each.waiter.wait()
        return each.segment.durable

    with ThreadPoolExecutor(THREADS_AT_ONCE) as threads:
        waiting = [threads.submit(wait, each) for each in placed]
        writer.start()
        durable = [each.result() for each in waiting]
    assert durable == [placed[0].segment.end] * THREADS_AT_ONCE
    assert wait(placed[0]) == durable[0]
    writer.close("over")


def test_a_writer_that_fails_leaves_nobody_waiting(spool: Spool) -> None:
    def publish(segment: Segment, entries: list[Entry]) -> None:
        raise MemoryError

    writer = writer_on(spool, publish)
    first, second = submit(writer, "a"), submit(writer, "b", ThreadWaiter())
    writer.start()
    for each in (first, second):
        assert each.waiter is not None
        with pytest.raises(WriterClosed, match="MemoryError"):
            each.waiter.wait()
    for refused in (writer.rotate, lambda: submit(writer, "c"), lambda: writer.close("over")):
        with pytest.raises(WriterClosed, match="MemoryError"):
            refused()
    with pytest.raises(WriterClosed, match="MemoryError"):
        writer.close("over")


class _Interrupted:
    """A lock in which a signal comes the moment that the thread has it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.release = lock.release

    def acquire(self) -> None:
        self._lock.acquire()
        raise KeyboardInterrupt


def test_a_thread_that_is_interrupted_lets_the_next_one_through() -> None:
    waiter = ThreadWaiter()
    lock: Any = waiter._lock
    waiter.resolve(None)
    waiter._lock = _Interrupted(lock)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        waiter.wait()
    waiter._lock = lock
    done = threading.Thread(target=waiter.wait, daemon=True)
    done.start()
    done.join(30)
    assert not done.is_alive()


async def test_the_first_that_a_waiter_is_told_counts() -> None:
    error = SpoolError("spool", "the disk is full")
    thread, task = ThreadWaiter(), TaskWaiter()
    resolve_all([thread, task], error)
    resolve_all([thread, task], None)
    for wait in (asyncio.to_thread(thread.wait), task.wait()):
        with pytest.raises(SpoolError, match="full"):
            await wait


def test_what_has_not_its_place_is_not_acknowledged(spool: Spool) -> None:
    """As memory that runs out within a put would leave it."""
    writer = writer_on(spool, lambda segment, entries: None)
    placed = submit(writer, "a")
    del writer._groups[0].pieces[-1], writer._groups[0].pieces[0]
    writer.start()
    assert placed.waiter is not None
    with pytest.raises(SpoolError, match="ValueError"):
        placed.waiter.wait()
    writer.close("over")
    assert placed.segment.entries == []
