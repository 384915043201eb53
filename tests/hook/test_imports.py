"""Waiting for a module: told once, when it has been executed, whoever else hooks into imports."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from boto_accel._imports import ImportWatch, followed

NAME = "boto_accel_test_waited_for"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a module that nobody has imported yet."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / f"{NAME}.py"
    path.write_text("done = True\n")
    finders = list(sys.meta_path)
    yield path
    sys.meta_path[:] = finders
    sys.modules.pop(NAME, None)
    assert not followed


def watched(told: list[Any]) -> ImportWatch:
    watch = ImportWatch(NAME, lambda: told.append(vars(sys.modules[NAME]).get("done")))
    watch.start()
    watch.start()  # once is enough
    assert sys.meta_path.count(watch) == 1  # type: ignore[comparison-overlap]
    return watch


def test_it_tells_when_the_module_has_been_executed(module: Path) -> None:
    told: list[Any] = []
    watched(told)
    importlib.import_module("json.tool")
    assert told == []
    importlib.import_module(NAME)
    importlib.import_module(NAME)
    assert told == [True]


def test_stopped_in_time_it_does_not_tell_and_later_it_does(module: Path) -> None:
    """An import under way is followed to its end."""
    told: list[Any] = []
    watch = watched(told)
    watch.stop()
    watch.stop()
    importlib.import_module(NAME)
    assert told == []
    del sys.modules[NAME]
    watch.start()
    module.write_text(f"import sys; sys.modules[{__name__!r}].WATCH.stop()\ndone = True\n")
    globals()["WATCH"] = watch
    importlib.import_module(NAME)
    assert told == [True]


def test_a_module_that_fails_is_not_told_of(module: Path) -> None:
    told: list[Any] = []
    watched(told)
    module.write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        importlib.import_module(NAME)
    assert told == []
    module.write_text("done = True  # mended\n")
    importlib.invalidate_caches()
    importlib.import_module(NAME)
    assert told == [True]


class Asking(MetaPathFinder):
    """Asks all finders, as tools do that wrap loaders (ddtrace's ModuleWatchdog)."""

    def __init__(self) -> None:
        self._asking = False

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if self._asking or name != NAME:
            return None
        self._asking = True
        try:
            return find_spec(name)
        finally:
            self._asking = False


@pytest.mark.parametrize("first", [True, False])
def test_another_that_asks_all_finders(module: Path, first: bool) -> None:
    told: list[Any] = []
    watch = watched(told)
    sys.meta_path.insert(0 if first else sys.meta_path.index(watch) + 1, Asking())  # type: ignore[arg-type]
    importlib.import_module(NAME)
    assert told == [True]
