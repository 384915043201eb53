"""What the code around a call asks of a cache: the usual, nothing, or to ask AWS anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

import botocore.waiter

DEEPEST_FRAME = 24  # from the call of `mode_of` to a waiter there are about ten frames


class Mode(Enum):
    """What the surrounding code asks for."""

    USUAL = "usual"
    BYPASS = "bypass"
    REFRESH = "refresh"


# The innermost first; each is of one cache.
_modes: ContextVar[tuple[tuple[object, Mode], ...]] = ContextVar("boto_accel_cache", default=())


@contextmanager
def asking_for(cache: object, mode: Mode) -> Iterator[None]:
    """*mode* is what this thread or task asks of *cache*."""
    token = _modes.set(((cache, mode), *_modes.get()))
    try:
        yield
    finally:
        _modes.reset(token)


def mode_of(cache: object) -> Mode:
    for each, mode in _modes.get():
        if each is cache:
            return mode
    # A waiter polls for a change: what is kept would keep it waiting.
    return Mode.REFRESH if _is_asked_by_a_waiter() else Mode.USUAL


def _is_asked_by_a_waiter() -> bool:
    """Whether a call is made by one: no argument and no event tells, but the stack does."""
    module = sys.modules.get("aiobotocore.waiter")
    also = None if module is None else vars(module)
    frame = sys._getframe(3)
    for _ in range(DEEPEST_FRAME):
        if frame.f_globals is _waiters or frame.f_globals is also:
            return True
        back = frame.f_back
        if back is None:
            return False
        frame = back
    return False


_waiters = vars(botocore.waiter)
