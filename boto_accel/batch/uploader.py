"""
The uploader: one thread that brings complete segments to S3, in order, until they are there.

First the tar, then its index, then the file of the spool goes:

* who finds an index finds the tar, since S3 is consistent from the moment a PutObject is answered;
* an object that was acknowledged is in the spool until the index is there, so that there is no
  moment in which this process, or the next one with the spool, does not have it;
* a crash in between leaves the file, and all is done again: the tar under the same key with the
  same bytes, and the index of the same batch, which counts once.

Were the index first, a reader would be sent to a tar that may come much later, or never.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from boto_accel.batch.counts import BatchStats
from boto_accel.batch.errors import BatchUploadError
from boto_accel.batch.place import Place
from boto_accel.batch.spool import Segment
from boto_accel.batch.waiters import Waiter, resolve_all

logger = logging.getLogger("boto_accel")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0  # seconds between attempts; doubled, with jitter
_jitter = random.Random()  # of our own: numbers drawn of the global one are the user's
ATTEMPTS = 3  # of one batch, on top of the client's own, before those who wait are told


class Uploader:
    """
    place(): where to; it may raise what an attempt may. uploaded(segment, index key): it is in S3.
    """

    def __init__(
        self,
        place: Callable[[], Place],
        uploaded: Callable[[Segment, str], None],
        stats: BatchStats,
        *,
        clock: Callable[[], float] = time.time,
        first_pause: float = FIRST_PAUSE_S,
    ) -> None:
        self._place = place
        self._uploaded = uploaded
        self._stats = stats
        self._clock = clock
        self._first_pause = first_pause
        self._changed = threading.Condition()
        self._waiting: deque[Segment] = deque()
        self._is_ready = False
        self._is_closed = False
        self._hurry = False
        self._thread = threading.Thread(target=self._run, name="batch upload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ready(self) -> None:
        """There is a client to upload with."""
        if not self._is_ready:
            with self._changed:
                self._is_ready = True
                self._changed.notify_all()

    def add(self, segment: Segment) -> None:
        with self._changed:
            self._waiting.append(segment)
            self._count()
            self._changed.notify_all()

    def _count(self) -> None:
        self._stats.spooled_batches = len(self._waiting)

    def finish(self, timeout: float | None = None) -> None:
        """
        Wait until all that is there now is uploaded.

        Raises BatchUploadError once an attempt has failed ATTEMPTS times from now, or after
        *timeout* seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self.ready()
        with self._changed:
            wanted = set(self._waiting)
            before = {segment: segment.failures for segment in wanted}
            self._hurry = True
            self._changed.notify_all()
            try:
                while wanted & set(self._waiting):
                    first = self._waiting[0]
                    left = None if deadline is None else deadline - time.monotonic()
                    failed = first.failures - before.get(first, 0) >= ATTEMPTS
                    if failed or (left is not None and left <= 0) or not self._thread.is_alive():
                        raise BatchUploadError(len(self._waiting), self._reason())
                    self._changed.wait(left)
            finally:
                self._hurry = False

    def _reason(self) -> str:
        return self._stats.last_failure or "there was no time"

    def close(self) -> None:
        """End the thread after the attempt it is at; what is not uploaded stays in the spool."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            waiting = list(self._waiting)
        for segment in waiting:
            error = BatchUploadError(len(waiting), self._reason())
            resolve_all(_taken(segment), error)

    def join(self, timeout: float | None = None) -> None:
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    # The thread

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._is_closed or (self._waiting and self._is_ready)):
                    self._changed.wait()
                if self._is_closed:
                    return
                segment = self._waiting[0]
            try:
                key = self._upload(segment)
            except Exception as error:
                self._failed(segment, error)
            else:
                self._succeeded(segment, key)

    def _upload(self, segment: Segment) -> str:
        segment.complete()
        place = self._place()
        place.put_tar(segment)
        return place.put_index(segment.index(), self._clock())

    def _succeeded(self, segment: Segment, key: str) -> None:
        try:
            self._uploaded(segment, key)
        except Exception as error:
            # It is in S3, and its file stays: uploaded again by the next process, it counts once.
            logger.error("batch: after an upload: %s: %s", type(error).__name__, error)
        with self._changed:
            self._waiting.popleft()
            self._count()
            self._changed.notify_all()
        resolve_all(_taken(segment), None)

    def _failed(self, segment: Segment, error: Exception) -> None:
        kind = kind_of(error)
        if self._stats.count_failure(kind):
            logger.warning("batch: uploading failed, and goes on being tried: %s", kind)
        with self._changed:
            segment.failures += 1
            self._changed.notify_all()
            if segment.failures % ATTEMPTS == 0:
                resolve_all(_taken(segment), BatchUploadError(len(self._waiting), kind))
            pause = min(LONGEST_PAUSE_S, self._first_pause * 2 ** min(segment.failures - 1, 16))
            deadline = time.monotonic() + pause * _jitter.uniform(0.5, 1)
            while not self._is_closed and (left := deadline - time.monotonic()) > 0:
                if self._hurry and left > self._first_pause:
                    deadline = time.monotonic() + self._first_pause
                    continue
                self._changed.wait(left)


def _taken(segment: Segment) -> list[Waiter]:
    waiters, segment.waiters = segment.waiters, []
    return waiters


def kind_of(error: Exception) -> str:
    """What went wrong, without what may be secret: a message may quote a URL or a key."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return f"{error.operation_name}: {code}"
    if isinstance(error, BotoCoreError | OSError):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"
