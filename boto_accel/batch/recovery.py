"""What a process left in its spool, uploaded by another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boto_accel._stack import Layer
from boto_accel.batch.counts import BatchStats
from boto_accel.batch.engine import Engine
from boto_accel.batch.options import make_options
from boto_accel.batch.spool import Spool


def recover(client: Any, folder: Path, storage_class: str | None = None) -> BatchStats:
    """
    Upload all that is in the spool at *folder*, to where that says.

    Raises SpoolLockedError while a process has it, SpoolError, BatchUploadError.
    """
    spool = Spool(folder, None)
    purpose = spool.purpose
    spool.close()
    options = make_options(
        purpose,
        max_bytes=64 * 2**20,
        max_count=1,
        max_delay=0.0,
        spool_dir=folder,
        spool_max_bytes=2**30,
        ack="spool",
        on_full="raise",
        max_object_bytes=0,
        storage_class=storage_class,
        upload_args=None,
        client=client,
        refresh_after=0.0,
    )
    stats = BatchStats()
    Engine(options, stats, frozenset({Layer.CACHE, Layer.BATCH})).close()
    return stats
