"""
Waiting for a module, without importing it.

It is imported at the start of interpreters that may never need it: nothing but `sys`, not even
`importlib.abc`, whose `MetaPathFinder` a finder need not be.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


# Names of modules that are being executed, and after which somebody is told: nobody needs to wait
# for them. Guarded by the GIL, or the lock of the set; only one thread executes a module.
followed: set[str] = set()


class ImportWatch:
    """
    A finder that calls *then* once the module *name* has been executed.

    Before its importer goes on, and in the thread that imports it.

    To be put in front of `sys.meta_path`, which has at most one of a name: each asks the others.
    """

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name = name
        self._then = then

    def start(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """For what is not being imported yet: an import under way still calls *then*."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = self._found_by_others(fullname, path, target)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader)
        return spec

    def _found_by_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None:
                return spec
        return None

    def _follow(self, loader: Any) -> None:
        """On the loader object itself, so that all else about it stays (getsource, resources)."""
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            loader.exec_module = execute
            if module.__name__ in followed:
                # A finder of another tool has asked all finders, us a second time.
                execute(module)
                return
            followed.add(module.__name__)
            try:
                execute(module)
                if module.__name__ == self._name:
                    self._then()
            finally:
                followed.discard(module.__name__)

        loader.exec_module = exec_module
