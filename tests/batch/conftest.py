"""No test leaves a patch in force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boto_accel import _hook
from tests.batch.memory import MemoryS3


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture
def s3_server() -> Iterator[MemoryS3]:
    """The benchmark's S3, in this process, with a bucket `events`."""
    with MemoryS3() as server:
        yield server
