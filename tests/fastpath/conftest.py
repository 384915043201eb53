"""No test leaves a patch in force; those of the async world are run with every HTTP engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boto_accel import _hook


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture(autouse=True)
def _every_engine(engine: str) -> None: ...
