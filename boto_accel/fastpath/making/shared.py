"""
Parsed JSON that is shared, and the copies of it that are handed out.

What is shared is never handed out and never changed. A copy is one level deep: a container in it
is copied when it is first looked at, and the copy takes its place. So whoever holds a copy can
change it as he likes, and changes nobody else's; and what is not looked at, which is most of a
service model, costs nothing.

A copy is what `JSONFileLoader` gives: OrderedDict, list and scalars. A dict with containers in it
is of a subclass of OrderedDict. All ways to read it are covered, but for the methods of `dict`
called past the class: CPython's own C code asks a subclass for `keys`, `items` and single items.

Guarding: a copy takes the place of a shared container under `_lock`, which is held for just that,
so that all threads see the same one.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import ItemsView, ValuesView
from typing import Any

_lock = threading.RLock()  # re-entrant: the collector may run a finaliser that reads a copy
_CONTAINERS: frozenset[type] = frozenset((dict, list))  # exactly: what the JSON parser makes


def copy_of(shared: Any) -> Any:
    """A copy of a parsed value, for the caller to keep and to change."""
    if type(shared) is list:
        return [copy_of(each) if type(each) in _CONTAINERS else each for each in shared]
    if type(shared) is not dict:
        return shared
    for value in shared.values():
        if type(value) in _CONTAINERS:
            return copy_dict(shared)
    return OrderedDict(shared)


def copy_dict(shared: dict[str, Any], owner: object = None) -> Copy:
    """A copy of the dict *shared*, with or without containers; *owner* lives as long as it does."""
    made = Copy(shared)
    made.shared, made.owner = shared, owner
    return made


class Copy(OrderedDict[str, Any]):
    """
    A copy of the dict *shared*. A value is still a shared one as long as it is that very one.

    It is made as an OrderedDict is, also by `type(copy)(…)`; nothing in such a one is shared.
    """

    __slots__ = ("owner", "shared")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.shared: dict[str, Any] = {}
        self.owner: object = None
        super().__init__(*args, **kwargs)

    def is_still(self, key: str) -> bool:
        """Whether the container at *key* is the shared one: nobody has looked into it."""
        return key in self and _get(self, key) is self.shared.get(key)

    def _own(self, key: str, value: Any) -> Any:
        """*value*, read at *key*; a copy of it, in its place, if it is shared."""
        if self.shared.get(key) is not value:
            return value
        own = copy_of(value)
        with _lock:
            now = _get(self, key, own)
            if now is value:
                _set(self, key, own)
                return own
        return now  # another thread was faster, or set or deleted it

    def _own_all(self) -> None:
        for key in list(self):
            self.get(key)

    def __getitem__(self, key: str) -> Any:
        value = _getitem(self, key)
        return self._own(key, value) if type(value) in _CONTAINERS else value

    def get(self, key: str, default: Any = None) -> Any:
        value = _get(self, key, default)
        return self._own(key, value) if type(value) in _CONTAINERS else value

    def setdefault(self, key: str, default: Any = None) -> Any:
        value = OrderedDict.setdefault(self, key, default)
        return self._own(key, value) if type(value) in _CONTAINERS else value

    def pop(self, key: str, *default: Any, **named: Any) -> Any:  # default= is an OrderedDict's
        self.get(key)
        return OrderedDict.pop(self, key, *default, **named)

    def popitem(self, last: bool = True) -> tuple[str, Any]:
        self._own_all()
        return OrderedDict.popitem(self, last)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._own_all()
        return OrderedDict.items(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self._own_all()
        return OrderedDict.values(self)

    def __reduce__(self) -> Any:
        """Copied and pickled as what it stands for."""
        return OrderedDict, (), None, None, iter(self.items())


Copy.__name__ = Copy.__qualname__ = "OrderedDict"  # so that it reads as stock's does when printed
_getitem, _get, _set = dict.__getitem__, dict.get, OrderedDict.__setitem__


def _after_in_child() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_in_child)
