"""Mappings of the user's own, and what `open_store` takes for what."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cachetools import LRUCache, TTLCache

from boto_accel.cache.store import Store
from boto_accel.cache.stores import open_store
from boto_accel.cache.stores.mapping import MappingStore
from boto_accel.cache.stores.memory import MemoryStore
from boto_accel.cache.stores.redis import RedisStore
from boto_accel.cache.stores.sqlite import SQLiteStore
from boto_accel.errors import InvalidOptionError
from tests.cache.stores.places import Place, entry, keys_of

# Mappings -----------------------------------------------------------------------------------------


def place_in(mapping: Any) -> Place:
    return Place("mapping", lambda **options: MappingStore(mapping, **options))


def test_the_mapping_holds_bytes_by_bytes() -> None:
    mapping: dict[Any, Any] = {}
    place = place_in(mapping)
    place.put(place.open(), b"key", b"reply", "tag")
    assert [(type(key), type(value)) for key, value in mapping.items()] == [(bytes, bytes)]


def test_what_the_mapping_drops_is_gone() -> None:
    place = place_in(LRUCache(maxsize=2))
    store = place.open()
    for key in (b"1", b"2", b"3"):
        place.put(store, key, b"", "tag")
    assert store.get(b"1") is None
    assert keys_of(store) == [b"3", b"2"]
    assert store.invalidate(["tag"]) == 2


def test_what_is_too_large_for_the_mapping_is_not_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = place_in(TTLCache(maxsize=1000, ttl=900, getsizeof=len))
    store = place.open()
    made = place.put(store, b"key", b"x" * 500)
    for _ in range(2):
        assert store.put(b"large", place.entry(b"x" * 2000), store.ticket(())) is False
    assert store.get(b"key") == made
    assert [each.levelno for each in caplog.records] == [logging.WARNING]


def test_what_is_in_the_mapping_already_is_used_and_bounded() -> None:
    """Of an earlier cache; what is not ours is left alone."""
    mapping: dict[Any, Any] = {"theirs": object(), b"theirs": b"too"}
    place = place_in(mapping)
    store = place.open()
    for number in range(4):
        place.put(store, b"%d" % number, b"", "tag", f"tag{number}")
    later = place.open(max_entries=2)
    assert len(keys_of(later)) == 2
    assert later.invalidate(["tag3"]) == 1
    assert later.clear() == 1
    assert set(mapping) == {"theirs", b"theirs"}


class Broken(dict[Any, Any]):
    """Raises what *fails* says, when it is asked to."""

    fails: str = ""

    def __getitem__(self, key: Any) -> Any:
        if self.fails == "get":
            raise OSError("no disk")
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.fails == "set":
            raise ZeroDivisionError(value)
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        if self.fails == "del":
            raise RuntimeError("no")
        super().__delitem__(key)


@pytest.mark.parametrize("fails", ["get", "set", "del"])
def test_a_mapping_that_raises(fails: str, caplog: pytest.LogCaptureFixture) -> None:
    """The calls go on, and what was forgotten stays so even if it cannot be deleted."""
    mapping = Broken()
    place = place_in(mapping)
    store = place.open()
    place.put(store, b"key", b"private reply", "tag")
    mapping.fails = fails
    for _ in range(2):
        store.put(b"other", place.entry(b"private reply"), store.ticket(()))
        store.get(b"key")
        store.invalidate(["tag"])
        store.drop(b"other")
    mapping.fails = ""
    assert store.get(b"key") is None
    assert store.get(b"other") is None
    assert len(caplog.records) == 1
    assert "private" not in caplog.text


# What is taken for what -----------------------------------------------------------------------


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; the folder `folder` and the file `file` are in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    return tmp_path


def keep_one(store: Store) -> None:
    made = entry(now=time.time())
    assert store.put(b"key", made, store.ticket(()))
    assert store.get(b"key") == made


@pytest.mark.parametrize(
    ("where", "path"),
    [
        (".cache", ".cache/responses.sqlite3"),
        ("folder", "folder/responses.sqlite3"),
        ("file", "file"),
        ("new.db", "new.db"),
        ("new.sqlite3", "new.sqlite3"),
        ("sqlite:///folder/x.sqlite", "folder/x.sqlite"),
        ("sqlite:///with%20space.db", "with space.db"),
        ("sqlite:///folder", "folder/responses.sqlite3"),
        ("deep/er/cache", "deep/er/cache/responses.sqlite3"),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_paths(inside: Path, where: str, path: str, kind: Callable[[str], Any]) -> None:
    if "://" in where:
        kind = str
    store = open_store(kind(where), max_entries=5)
    assert isinstance(store, SQLiteStore)
    assert store.path == os.path.join(inside, path)
    keep_one(store)
    assert (inside / path).exists()
    store.close()


def test_an_absolute_path_has_four_slashes(inside: Path) -> None:
    store = open_store(f"sqlite:///{inside}/x.db", max_entries=5)
    assert isinstance(store, SQLiteStore)
    assert store.path == str(inside / "x.db")


def test_a_store_stays_where_it_is_when_the_working_directory_changes(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store("cache", max_entries=5)
    monkeypatch.chdir(inside / "folder")
    keep_one(store)
    assert (inside / "cache" / "responses.sqlite3").exists()
    store.close()


def test_other_places() -> None:
    assert isinstance(open_store("memory://", max_entries=5), MemoryStore)
    assert isinstance(open_store("redis://localhost", max_entries=5), RedisStore)
    assert isinstance(open_store("rediss://localhost", max_entries=5), RedisStore)
    assert isinstance(open_store({}, max_entries=5), MappingStore)


@pytest.mark.parametrize("where", ["http://user:word@host", "sqlite://x.db", "sqlite:///", 7, None])
def test_what_is_no_place(where: Any) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        open_store(where, max_entries=5)
    assert "word" not in str(caught.value)
