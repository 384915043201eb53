"""No test leaves a patch in force; those of the async world are run with every HTTP engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import botocore.endpoint
import pytest

from boto_accel import _hook


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once, and what is drawn for their pauses is the same."""
    pause = asyncio.sleep
    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(asyncio, "sleep", lambda seconds, *rest: pause(0, *rest))
    monkeypatch.setattr(random, "random", lambda: 0.5)


@pytest.fixture(autouse=True)
def _every_engine(engine: str) -> None: ...
