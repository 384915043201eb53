"""
The data files of botocore and boto3, each read and parsed once for a process.

A document stays while somebody holds a copy of it. The last ones used stay besides, up to
`MOST_KEPT` of text, until the last `accelerate()` is left. A file that has changed on disk is read
again. Files from elsewhere (`AWS_DATA_PATH`, `~/.aws/models`) are not looked at here.

Guarding: one re-entrant lock, held while a file is read, so that threads that want the same file
wait for the one that reads it. It is taken before a fork: a child goes on with what there is.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from botocore.compat import json

from boto_accel import _compat
from boto_accel.fastpath.making.shared import copy_dict, copy_of

# Bytes of JSON text: the data of about ten services. Parsed, it takes some 2.5 times as much.
MOST_KEPT = 16 * 1024 * 1024

MOST_LISTINGS = 32  # kinds of data are a handful ("service-2", "resources-1")

# Of a file: device, inode, size, time of the last change in nanoseconds.
Identity = tuple[int, int, int, int]


class Document:
    """One parsed file; *size* is that of its text in bytes."""

    __slots__ = ("__weakref__", "_made", "content", "identity", "size")

    def __init__(self, content: Any, identity: Identity, size: int) -> None:
        self.content = content
        self.identity = identity
        self.size = size
        self._made: Any = None

    def made(self, make: Callable[[Any], Any]) -> Any:
        """What *make* makes of the content, once. Two threads make equal ones; the later wins."""
        if self._made is None:
            self._made = make(self.content)
        return self._made

    def copy(self) -> Any:
        content = self.content
        return copy_dict(content, self) if type(content) is dict else copy_of(content)


class Documents:
    """The documents that there are, by the path without extension that botocore asks for."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self._most_kept = most_kept
        self._lock = threading.RLock()
        self._known: WeakValueDictionary[str, Document] = WeakValueDictionary()
        self._kept: OrderedDict[str, Document] = OrderedDict()  # used last comes last
        self._kept_size = 0
        self._listings: dict[tuple[str, str], tuple[Identity, frozenset[str]]] = {}

    def read(self, path: str) -> Document | None:
        """The document at *path*, or None without one. Raises what reading and parsing do."""
        for extension, opener in _compat.json_openers():
            try:
                identity = _identity(path + extension)
            except OSError:
                continue
            with self._lock:
                document = self._known.get(path)
                if document is None or document.identity != identity:
                    document = self._known[path] = _parse(path + extension, opener, identity)
                self._keep(path, document)
            return document
        return None

    def _keep(self, path: str, document: Document) -> None:
        before = self._kept.pop(path, None)
        self._kept_size += document.size - (before.size if before is not None else 0)
        self._kept[path] = document
        while self._kept and self._kept_size > self._most_kept:
            _, oldest = self._kept.popitem(last=False)
            self._kept_size -= oldest.size

    def services(self, folder: str, kind: str, look: Callable[[], list[str]]) -> frozenset[str]:
        """
        The services that *folder* has data of this *kind* for ("service-2"); *look* finds them.

        They are known as long as nothing is added to the folder itself, or taken away from it.
        """
        identity = _identity(folder)
        with self._lock:
            known = self._listings.get((folder, kind))
            if known is None or known[0] != identity:
                if len(self._listings) >= MOST_LISTINGS:
                    self._listings.clear()
                known = self._listings[(folder, kind)] = (identity, frozenset(look()))
            return known[1]

    @property
    def kept(self) -> int:
        """Bytes of text of the documents that stay though nobody may hold a copy."""
        return self._kept_size

    @property
    def listings(self) -> int:
        return len(self._listings)

    def forget(self) -> None:
        """Let go of what nobody has a copy of."""
        with self._lock:
            self._kept.clear()
            self._kept_size = 0
            self._listings.clear()

    # Around a fork, so that a child finds all in order.

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_in_parent(self) -> None:
        self._lock.release()

    def after_in_child(self) -> None:
        self._lock = threading.RLock()


def _identity(path: str) -> Identity:
    status = os.stat(path)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _parse(path: str, opener: Callable[..., Any], identity: Identity) -> Document:
    """Source: `JSONFileLoader._load_file`; a plain dict keeps the order as well."""
    with opener(path, "rb") as file:
        payload = file.read()
    return Document(json.loads(payload.decode("utf-8")), identity, len(payload))


documents = Documents()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=documents.before_fork,
        after_in_parent=documents.after_in_parent,
        after_in_child=documents.after_in_child,
    )
