"""
Registering event handlers, of which a session begins with 140.

* botocore asks `inspect` whether a handler takes keyword arguments. A function's code tells that.
* botocore looks for 480 old names in the name of each event. Those that its own handlers are
  registered for are looked up once for a process.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS
from botocore.hooks import EventAliaser

from boto_accel import _compat
from boto_accel._compat import Declined

Names = dict[str, str]


def verify_accept_kwargs(
    stock: Callable[..., Any], emitter: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """`BaseEventHooks._verify_accept_kwargs(func)`: None for a handler that has **kwargs."""
    handler = args[0] if len(args) == 1 else None
    function = handler.__func__ if type(handler) is MethodType else handler
    if type(function) is FunctionType and _takes_keywords(function):
        return None
    return stock(emitter, *args, **kwargs)


def _takes_keywords(function: FunctionType) -> bool:
    # `inspect` believes a `__signature__` before the code: then stock is asked.
    by_code = function.__code__.co_flags & inspect.CO_VARKEYWORDS
    return bool(by_code) and not hasattr(function, "__signature__")


def make_aliaser(
    stock: Callable[..., Any], aliaser: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """`EventAliaser.__init__(event_emitter)`, as a session makes it: it knows the usual names."""
    stock(aliaser, *args, **kwargs)
    if len(args) == 1 and not kwargs and type(aliaser) is EventAliaser:
        try:
            aliases, names = _compat.aliases_of(aliaser)
            names.update(_usual_names(stock, aliases))
        except Declined:
            pass


def _usual_names(stock: Callable[..., Any], aliases: Mapping[str, str]) -> Names:
    """The names that botocore's own handlers are registered for, as *aliases* change them."""
    global _usual
    known, names = _usual
    if known != aliases:
        asked = EventAliaser.__new__(EventAliaser)
        stock(asked, None, aliases)
        names = {name: _compat.alias_of(asked, name) for name, *_ in BUILTIN_HANDLERS}
        _usual = (dict(aliases), names)
    return names


# One pair, replaced whole: (aliases, names by them). Two threads make equal ones.
_usual: tuple[Names, Names] = ({}, {})
