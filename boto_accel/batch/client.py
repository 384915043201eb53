"""`S3BatchPutClient`: puts into batches without a patch, in the shape of the crate s3-batch-put."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from botocore.client import BaseClient

from boto_accel._stack import Layer
from boto_accel.batch import names
from boto_accel.batch.counts import BatchStats, Savings
from boto_accel.batch.engine import Engine
from boto_accel.batch.errors import NameTooLong, QueueFull
from boto_accel.batch.match import read_place
from boto_accel.batch.options import make_options
from boto_accel.batch.putting import LONGEST_KEY
from boto_accel.batch.spool import Purpose
from boto_accel.batch.syncclient import sync_client_of
from boto_accel.batch.tar import is_member_name
from boto_accel.batch.writer import Placed
from boto_accel.errors import InvalidOptionError

_INSIDE = frozenset({Layer.CACHE, Layer.BATCH})


class BatchObjectRef(NamedTuple):
    """
    Where an object is: `Range: bytes={offset_bytes}-{offset_bytes + size_bytes - 1}` of s3://bucket/key.
    """

    batch_id: str
    bucket: str
    key: str
    offset_bytes: int
    size_bytes: int


class S3BatchPutClient:
    """
    Puts objects into batches under s3://*bucket*/*key_prefix*.

    s3_client: of botocore, boto3, aiobotocore or aioboto3 (then with credentials that stay).
    batch_duration: seconds until a batch is uploaded. The other options are those of `batch_puts`.
    Safe for threads and tasks, and closed with its block. Raises InvalidOptionError, SpoolError.
    """

    def __init__(
        self,
        s3_client: Any,
        *,
        bucket: str,
        key_prefix: str,
        spool_dir: Any,
        batch_duration: float = 5.0,
        storage_class: str | None = None,
        upload_args: Mapping[str, Any] | None = None,
        max_bytes: int = 64 * 2**20,
        max_count: int = 10_000,
        ack: str = "spool",
        spool_max_bytes: int = 2**30,
        on_full: str = "raise",
    ) -> None:
        into_bucket, prefix = read_place("bucket, key_prefix", f"s3://{bucket}/{key_prefix}")
        if not isinstance(s3_client, BaseClient):
            raise InvalidOptionError("s3_client", type(s3_client).__name__, "a client of S3")
        options = make_options(
            Purpose(into_bucket, into_bucket, prefix),
            max_bytes=max_bytes,
            max_count=max_count,
            max_delay=batch_duration,
            spool_dir=spool_dir,
            spool_max_bytes=spool_max_bytes,
            ack=ack,
            on_full=on_full,
            max_object_bytes=max_bytes,
            storage_class=storage_class,
            upload_args=upload_args,
            client=sync_client_of(s3_client),
            refresh_after=0.0,
        )
        self.stats: BatchStats = BatchStats()
        self._engine = Engine(options, self.stats, _INSIDE)
        self._bucket = into_bucket

    @staticmethod
    def recover(
        s3_client: Any, spool_dir: str | os.PathLike[str], storage_class: str | None = None
    ) -> BatchStats:
        """
        Upload what a process that is no more has left in its spool, to where that says.

        Raises SpoolLockedError while a process has it, SpoolError, BatchUploadError.
        """
        from boto_accel.batch.recovery import recover

        return recover(s3_client, Path(spool_dir), storage_class)

    def put_object(self, name: str, body: bytes) -> BatchObjectRef:
        """
        Put an object; returns when it is as safe as `ack` says.

        Raises NameTooLong, QueueFull, WriterClosed, SpoolError; BatchUploadError with ack="upload".
        """
        _check(name, body)
        while True:
            try:
                placed = self._engine.put(name, bytes(body), {}, {}, is_sync=True)
                break
            except QueueFull as error:
                self._engine.wait_for_room(error, len(body))
        if placed.waiter is not None:
            placed.waiter.wait()
        return self._ref(placed)

    async def aput_object(self, name: str, body: bytes) -> BatchObjectRef:
        """The same, for code on an event loop."""
        _check(name, body)
        while True:
            try:
                placed = self._engine.put(name, bytes(body), {}, {}, is_sync=False)
                break
            except QueueFull as error:
                await asyncio.to_thread(self._engine.wait_for_room, error, len(body))
        if placed.waiter is not None:
            await placed.waiter.wait()
        return self._ref(placed)

    def _ref(self, placed: Placed) -> BatchObjectRef:
        self.stats.count("puts")
        self.stats.count("batched")
        batch, size = placed.segment.batch, placed.entry.size
        key = names.tar_key(placed.segment.purpose.into_prefix, batch)
        return BatchObjectRef(batch, self._bucket, key, placed.offset, size)

    def flush(self, timeout: float | None = None) -> None:
        """Bring to S3 all that was put until now. Raises BatchUploadError; nothing is lost."""
        self._engine.flush(timeout)

    async def aflush(self, timeout: float | None = None) -> None:
        await asyncio.to_thread(self.flush, timeout)

    def savings(self, price_per_1000: float = 0.005) -> Savings:
        return self.stats.savings(price_per_1000)

    def close(self) -> None:
        """Bring to S3 what is not there, and end. Raises BatchUploadError: then it is spooled."""
        self._engine.close()

    def __enter__(self) -> S3BatchPutClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._engine.close(flush=kind is None or issubclass(kind, Exception))

    async def __aenter__(self) -> S3BatchPutClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)


def _check(name: Any, body: Any) -> None:
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidOptionError("body", type(body).__name__, "bytes")
    if not isinstance(name, str) or not is_member_name(name):
        expected = "a key without NUL, '.' and '..', and without a slash at either end"
        raise InvalidOptionError("name", name, expected)
    if len(name.encode()) > LONGEST_KEY:
        raise NameTooLong(len(name.encode()))
