"""One fixed time, and one fixed sequence of invocation ids, for all that botocore signs."""

from __future__ import annotations

import datetime as real_datetime
import random
import sys
import time as real_time
import types
import uuid
from email.utils import formatdate

import botocore.auth
import botocore.compat
import pytest

START = real_datetime.datetime(2024, 2, 29, 23, 59, 58, tzinfo=real_datetime.timezone.utc)


class FrozenClock:
    """
    The time stands still until `tick()` or `set()`.

    `reset()` goes back to the start and begins the sequence of uuid4 anew: call it between two runs
    whose requests are to be equal.

    Frozen is what botocore signs with: `botocore.compat.get_current_datetime()`, wherever it was
    imported to; `time.time()` and `formatdate()` in `botocore.auth` (signature version 2); the
    name `time` in the modules of boto_accel; and `uuid.uuid4()` everywhere. `time.time()` is left
    alone for everybody else: pools, timeouts and pytest itself live by it.
    """

    def __init__(self, start: real_datetime.datetime = START, seed: int = 2) -> None:
        self._start = start
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        self.now = self._start
        self._random = random.Random(self._seed)

    def set(self, now: real_datetime.datetime) -> None:
        """*now* is aware; to the second is what signatures know."""
        self.now = now.astimezone(real_datetime.timezone.utc)

    def tick(self, seconds: float) -> None:
        self.now += real_datetime.timedelta(seconds=seconds)

    def time(self) -> float:
        """Seconds since the epoch, as time.time() returns them."""
        return self.now.timestamp()

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=4)


def freeze(monkeypatch: pytest.MonkeyPatch, clock: FrozenClock) -> None:
    """Put *clock* in force until *monkeypatch* is undone."""
    # get_current_datetime() is left in place, for many modules hold it: it looks up the name
    # `datetime` in its own module on each call, and that is what is replaced.
    monkeypatch.setattr(botocore.compat, "datetime", _datetime_module(clock))
    monkeypatch.setattr(botocore.auth, "formatdate", _formatdate(clock))
    monkeypatch.setattr(uuid, "uuid4", clock.uuid4)
    shim = _TimeModule(clock)
    for module in _modules_with_time():
        monkeypatch.setattr(module, "time", shim)


def _modules_with_time() -> list[types.ModuleType]:
    ours = [module for name, module in sys.modules.items() if name.startswith("boto_accel.")]
    return [m for m in (botocore.auth, *ours) if vars(m).get("time") is real_time]


def _datetime_module(clock: FrozenClock) -> types.ModuleType:
    class Frozen(real_datetime.datetime):
        @classmethod
        def now(cls, tz: real_datetime.tzinfo | None = None) -> real_datetime.datetime:  # type: ignore[override]
            return clock.now.astimezone(tz)

        @classmethod
        def utcnow(cls) -> real_datetime.datetime:  # type: ignore[override]
            return clock.now.replace(tzinfo=None)

    module = types.ModuleType("datetime")
    vars(module).update(vars(real_datetime))
    module.datetime = Frozen  # type: ignore[attr-defined]
    return module


def _formatdate(clock: FrozenClock):  # type: ignore[no-untyped-def]
    def frozen(timeval: float | None = None, localtime: bool = False, usegmt: bool = False) -> str:
        return formatdate(clock.time() if timeval is None else timeval, localtime, usegmt)

    return frozen


class _TimeModule:
    """The time module, but for time() and gmtime() without an argument."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock

    def time(self) -> float:
        return self._clock.time()

    def gmtime(self, seconds: float | None = None) -> real_time.struct_time:
        return real_time.gmtime(self._clock.time() if seconds is None else seconds)

    def __getattr__(self, name: str) -> object:
        return getattr(real_time, name)
