"""The S3 that is measured against: the benchmark's own server, or one the user names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto_accel.bench.errors import ServerStartError

BUCKET = "bench"
END_WITHIN_S = 5.0  # seconds a server has to end once its input is closed


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where calls go and as whom.

    *verify* is what boto3 takes: a CA file, True or False. Without *access_key* the
    credentials are found as botocore finds them.
    """

    endpoint: str
    bucket: str = BUCKET
    prefix: str = ""
    region: str = "us-east-1"
    verify: str | bool = True
    access_key: str | None = None
    secret_key: str | None = None

    @property
    def scheme(self) -> str:
        return self.endpoint.partition(":")[0]

    def client_arguments(self) -> dict[str, Any]:
        """Arguments of `client("s3", …)`, of boto3 and of aiobotocore alike."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "verify": self.verify,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
        }

    def key(self, name: str) -> str:
        return f"{self.prefix}{name}"


@contextmanager
def own_server(scheme: str, cpu: int | None = None) -> Iterator[Target]:
    """
    Run the benchmark's server in a process of its own, on *cpu* alone where that is given.

    Raises ServerStartError with what the server wrote when it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="boto-accel-bench-") as folder:
        command = [sys.executable, "-m", "boto_accel.bench.server", "--until-eof"]
        command += ["--tls-dir", folder] if scheme == "https" else []
        command += ["--cpu", str(cpu)] if cpu is not None else []
        with _process(command) as started:
            yield Target(
                endpoint=f"{scheme}://127.0.0.1:{started['port']}",
                verify=started["ca"] or True,
                access_key="AKIDBENCH",
                secret_key="benchmark-secret",
            )


@contextmanager
def _process(command: list[str]) -> Iterator[dict[str, Any]]:
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            line = process.stdout.readline()
            if not line:
                raise ServerStartError(process.stderr.read().decode(errors="replace").strip())
            yield json.loads(line)
        finally:
            process.stdin.close()
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
