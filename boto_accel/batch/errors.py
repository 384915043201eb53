"""
What batching says on its own account.

    BotoAccelError
    └── BatchError
        ├── NameTooLong           a key of more than 1,024 bytes
        ├── QueueFull             the spool has reached its bound
        ├── WriterClosed          a put after the end, or in a forked child
        ├── SpoolError            the disk, or what lies there; nothing was acknowledged
        │   └── SpoolLockedError  another process has the spool
        ├── BatchUploadError      what is spooled could not be brought to S3 yet
        ├── BatchedObjectError    asked of an object in a batch, and not possible there
        └── DamagedBatchError     an index or tar that is not what was written

`NameTooLong`, `QueueFull` and `WriterClosed` have the names of the Rust crate s3-batch-put.
"""

from __future__ import annotations

from boto_accel.errors import BotoAccelError


class BatchError(BotoAccelError):
    """The root of the errors of batching."""


class NameTooLong(BatchError):
    """The key has *length* bytes in UTF-8; S3 takes 1,024."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def __str__(self) -> str:
        return f"the key has {self.length:,} bytes in UTF-8; S3 takes at most 1,024"


class QueueFull(BatchError):
    """*waiting* bytes are not yet in S3, and no more than *bound* may be."""

    def __init__(self, waiting: int, bound: int) -> None:
        super().__init__(waiting, bound)
        self.waiting = waiting
        self.bound = bound

    def __str__(self) -> str:
        return (
            f"{self.waiting:,} bytes wait in the spool to be uploaded, and its bound is "
            f"{self.bound:,}; see batch.stats for failing uploads, or raise spool_max_bytes"
        )


class WriterClosed(BatchError):
    """Nothing more is taken, because of *reason*."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the batch is closed: {self.reason}"


class SpoolError(BatchError):
    """The spool at *path* cannot be used, because of *reason*; nothing was acknowledged."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"spool {self.path}: {self.reason}"


class SpoolLockedError(SpoolError):
    """Another process, or another batch of this one, has the spool."""


class BatchUploadError(BatchError):
    """
    *batches* batches wait in the spool, for uploading failed: *reason*.

    They stay there and are tried again, by this process or by the next one with the spool.
    """

    def __init__(self, batches: int, reason: str) -> None:
        super().__init__(batches, reason)
        self.batches = batches
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"batches that are still in the spool: {self.batches}; nothing is lost; "
            f"uploading failed: {self.reason}"
        )


class BatchedObjectError(BatchError):
    """*operation* cannot be done with s3://*bucket*/*key*, which is in a batch: *reason*."""

    def __init__(self, operation: str, bucket: str, key: str, reason: str) -> None:
        super().__init__(operation, bucket, key, reason)
        self.operation = operation
        self.bucket = bucket
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.operation} of s3://{self.bucket}/{self.key}: {self.reason}"


class DamagedBatchError(BatchError):
    """*name*, an index or a tar, is not what was written: *reason*."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}; see `boto-accel batch reindex`"
