"""Batched puts as the fast side of a case: an object each, of its own key, with `ack="spool"`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from itertools import count
from typing import Any

from boto_accel.bench.cases import Case
from boto_accel.bench.subjects import SyncCall, object_key
from boto_accel.bench.target import Target


def open_batch(target: Target, stack: ExitStack) -> Any:
    """A batch with a spool on the disk of the temporary folder, removed with *stack*."""
    # Imported when needed: what is measured stock must not depend on it.
    from boto_accel import batch_puts

    folder = tempfile.mkdtemp(prefix="boto-accel-bench-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    place = f"s3://{target.bucket}/{target.prefix}"
    return batch_puts(f"{place}many/*", f"{place}batches/", spool_dir=folder)


def boto3_call(client: Any, case: Case, target: Target) -> SyncCall:
    """One put; threads share the numbers."""
    numbers, body = count(), bytes(case.size)
    keys = [target.key(object_key(case.size, number)) for number in range(case.objects)]
    put, bucket, length = client.put_object, target.bucket, len(keys)
    return lambda: put(Bucket=bucket, Key=keys[next(numbers) % length], Body=body)
