"""The worlds of the parity tests; no test leaves a patch in force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boto_accel import _hook
from tests.parity.conftest import frozen, parity_tls, world

__all__ = ["frozen", "parity_tls", "world"]


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()
