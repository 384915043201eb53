"""A sentinel that watches a server of a test, which it calls "main"."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from tests.servers.valkey import _free_port


@contextmanager
def run_sentinel(program: Path, configuration: Path) -> Iterator[int]:
    """The port of a sentinel that knows its server."""
    port = _free_port()
    command = [str(program), str(configuration), "--sentinel", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if b"+monitor" in line:
                    break
            threading.Thread(target=process.stdout.read, daemon=True).start()
            with Redis(port=port) as redis:
                while not is_known(redis):
                    time.sleep(0.02)  # it has no event for it
            yield port
        finally:
            process.kill()


def is_known(redis: Any) -> bool:
    """Whether the sentinel has asked its server, and found it to be a primary."""
    return bool(redis.sentinel_master("main")["flags"] == "master")
