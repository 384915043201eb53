"""
moto's server, in a process of its own.

Not in a thread of the test process: importing moto adds its handler to botocore's `before-send`
for every client made afterwards, so that clients in that process are no longer plain ones; and
a frozen clock would reach into the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

# The server lives until its standard input ends, that is, no longer than the test process.
_CHILD = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@dataclass(frozen=True)
class MotoServer:
    """A running moto server; any credentials will do."""

    endpoint_url: str

    @property
    def client_options(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint_url}

    def reset(self) -> None:
        """Forget all buckets, tables and so on."""
        self._post("reset")

    def seed(self) -> None:
        """The ids and the choices that moto makes at random begin anew, always with the same."""
        self._post("seed?a=1")

    def _post(self, what: str) -> None:
        request = urllib.request.Request(f"{self.endpoint_url}/moto-api/{what}", method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()


def has_moto() -> bool:
    """Whether moto and what its server needs is installed; imports neither."""
    return find_spec("moto") is not None and find_spec("flask") is not None


@contextmanager
def run_moto_server(environment: Mapping[str, str] | None = None) -> Iterator[MotoServer]:
    """
    *environment* is added to the server's: {"INITIAL_NO_AUTH_ACTION_COUNT": "0"} makes it check
    signatures and policies.
    """
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # one line a request
        env={**os.environ, **(environment or {})},
        start_new_session=True,  # Ctrl-C ends the tests first, and they end the server
    ) as child:
        try:
            yield MotoServer(f"http://127.0.0.1:{_read_port(child)}")
        finally:
            child.kill()


def _read_port(child: subprocess.Popen[bytes]) -> int:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"moto's server did not start: exit status {child.wait()}")
    return int(line)
