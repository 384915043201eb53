"""
A process that puts until it is killed: `python -m tests.batch.writing SETTINGS`.

After each acknowledgement it writes the key on its standard output, so that who reads it knows what
was acknowledged. SETTINGS is JSON: spool, endpoint_url, run, ack, torn (kill within the n-th write
to the spool, or 0), seed.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import threading
from typing import Any

from boto_accel.batch import batch_puts, spool
from tests.servers.clients import make_client

THREADS = 4
MOST = 400  # puts of a thread; a process that was not killed ends


def body_of(key: str) -> bytes:
    """Known from the key; from none to some thousand bytes."""
    digest = hashlib.sha256(key.encode()).digest()
    return digest * (int.from_bytes(digest[:2], "big") % 100)


def kill_within_write(number: int, chosen: random.Random) -> None:
    """The process dies in the *number*-th write to the spool, with a part of it written."""
    original, left = os.pwrite, [number]

    def pwrite(descriptor: int, data: Any, offset: int) -> int:
        left[0] -= 1
        if left[0]:
            return original(descriptor, data, offset)
        original(descriptor, data[: chosen.randrange(len(data))], offset)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("killed")

    spool.os.pwrite = pwrite  # type: ignore[attr-defined]


def put_until_the_end(client: Any, run: int, thread: int) -> None:
    for number in range(MOST):
        key = f"raw/{run}/{thread}/{number}"
        client.put_object(Bucket="events", Key=key, Body=body_of(key))
        os.write(1, f"{key}\n".encode())  # one write, shorter than PIPE_BUF: not torn


def main(settings: dict[str, Any]) -> None:
    if settings["torn"]:
        kill_within_write(settings["torn"], random.Random(settings["seed"]))
    options = {"endpoint_url": settings["endpoint_url"], "s3": {"addressing_style": "path"}}
    batch = batch_puts(
        "s3://events/raw/*",
        "s3://events/batches/",
        spool_dir=settings["spool"],
        max_count=40,
        max_delay=0.05,
        ack=settings["ack"],
        check_plain=False,
    )
    with make_client("sync", "s3", **options) as client, batch:  # type: ignore[union-attr]
        threads = [
            threading.Thread(target=put_until_the_end, args=(client, settings["run"], number))
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
