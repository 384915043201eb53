"""
Where replies are kept: a file, the memory, a server, or a mapping of the user's own.

`open_store` tells them apart by what it is given. Nothing is opened before it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from boto_accel.errors import InvalidOptionError

if TYPE_CHECKING:
    from boto_accel.cache.store import Store
    from boto_accel.cache.stores.sqlite import SQLiteStore

FILE_NAME = "responses.sqlite3"  # in a folder
_FILE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_URLS = "sqlite:///, memory://, redis(s)://"
_NO_PATH = re.compile(r"(sqlite|memory|rediss?):", re.IGNORECASE)  # a URL without its slashes

Where = str | os.PathLike[str] | MutableMapping[Any, Any]


def open_store(
    where: Where, *, max_entries: int, max_bytes: int | None = None, parameter: str = "cache"
) -> Store:
    """
    The store that *where* names. parameter: what it was given as.

    A path, or `sqlite:///path`: a SQLite file. As in SQLAlchemy, three slashes begin a relative
    path and four an absolute one. A path of a file is one that is a file, or ends in .db, .sqlite
    or .sqlite3; another one is a folder, which is made where it is not there. A file of something
    else is refused.
    `memory://`: the memory of this process.
    `redis://...`, `rediss://...`: a server, see `redis.py` for what the query may say.
    A MutableMapping: see `mapping.py`.

    Raises InvalidOptionError, or MissingExtraError where the library for it is not installed.
    """
    if isinstance(where, MutableMapping):
        from boto_accel.cache.stores.mapping import MappingStore

        return MappingStore(where, max_entries=max_entries, max_bytes=max_bytes)
    if not isinstance(where, str | os.PathLike):
        raise InvalidOptionError(
            parameter, type(where).__name__, "a path, a URL or a MutableMapping"
        )
    text = os.fspath(where)
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if not scheme and (found := _NO_PATH.match(text)):
        raise InvalidOptionError(parameter, f"{found.group()}...", _URLS)
    if scheme in ("", "sqlite"):
        path = _path_of(parameter, text) if scheme else text
        store = _sqlite_store(path, max_entries, max_bytes)
        if store.is_foreign():
            expected = "a folder or a new file: this one is no response cache"
            raise InvalidOptionError(parameter, path, expected)
        return store
    if scheme == "memory":
        from boto_accel.cache.stores.memory import MemoryStore

        return MemoryStore(max_entries=max_entries, max_bytes=max_bytes)
    if scheme in ("redis", "rediss"):
        from boto_accel.cache.stores.redis import RedisStore

        return RedisStore(text, max_entries=max_entries, max_bytes=max_bytes)
    # Not the whole of it: there may be a password in it.
    raise InvalidOptionError(parameter, f"{scheme}://...", _URLS)


def _path_of(parameter: str, url: str) -> str:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or len(path) < 2:
        raise InvalidOptionError(parameter, url, "sqlite:///relative/path or sqlite:////absolute")
    return path[1:]


def _sqlite_store(path: str, max_entries: int, max_bytes: int | None) -> SQLiteStore:
    from boto_accel.cache.stores.sqlite import SQLiteStore

    is_file = os.path.isfile(path) or (path.endswith(_FILE_SUFFIXES) and not os.path.isdir(path))
    return SQLiteStore(
        path if is_file else os.path.join(path, FILE_NAME),
        max_entries=max_entries,
        max_bytes=max_bytes,
        own_folder=not is_file,
    )
