"""Programs that the command line is to run, and Python environments to run them in."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

from tests.servers.capture import http_answer

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT_S = 300  # seconds; of a process that hangs, on a machine with much else to do
LISTED = http_answer(
    200,
    b"<?xml version='1.0'?><ListAllMyBucketsResult><Buckets><Bucket><Name>one</Name>"
    b"<CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
    b"</Buckets></ListAllMyBucketsResult>",
)
# Lists the buckets at AWS_ENDPOINT_URL.
LIST = """\
import sys
import boto3
names = [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]]
print(*names, *sys.argv[1:], flush=True)
"""
# One line, after which `patched()` tells whether calls pass us.
PATCHED = (
    "import botocore.client as c; patched = lambda: "
    "c.BaseClient._make_api_call.__globals__['__name__'] == 'boto_accel._hook'\n"
)
AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "hush",
    "AWS_DEFAULT_REGION": "us-east-1",
    "PYTHONWARNINGS": "ignore:Boto3 will no longer support Python",
}


def execute(
    *words: str | Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """What came of a command line, with *environment* added to that of AWS."""
    return subprocess.run(
        [str(word) for word in words],
        env=variables(environment),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def variables(added: Mapping[str, str] | None = None) -> dict[str, str]:
    outer = {name: text for name, text in os.environ.items() if not name.startswith("BOTO_ACCEL")}
    return {**outer, **AWS, **(added or {})}


def run(*words: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """`boto-accel run` with *words*."""
    return execute(sys.executable, "-m", "boto_accel.cli", "run", *words, **options)  # type: ignore[arg-type]


def console_script(path: Path, interpreter: str | Path, text: str) -> Path:
    """A command as pip installs it: its first line names the interpreter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{interpreter}\n{text}")
    path.chmod(0o755)
    return path


class Environment:
    """A virtual environment without anything in it, of this Python; on POSIX."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        names = {"base": str(folder), "platbase": str(folder)}
        # Not "venv", which Python 3.10 does not know.
        self.python = Path(sysconfig.get_path("scripts", "posix_prefix", names), "python")
        self.site_packages = Path(sysconfig.get_path("purelib", "posix_prefix", names))
        self._paths = self.site_packages / "a_paths.pth"

    def add_packages(self) -> None:
        """boto_accel, and what this Python has installed."""
        self._paths.write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")

    def remove_packages(self) -> None:
        self._paths.unlink()
