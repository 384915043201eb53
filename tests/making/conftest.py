"""No test leaves a patch in force, or botocore other than it found it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from boto_accel import _hook
from boto_accel.fastpath import patch
from boto_accel.fastpath.making import loading
from boto_accel.fastpath.making.documents import Documents


def hooked_objects() -> list[Any]:
    """What stands in the places of `_hook.MAKING`, the very objects."""
    owners = [getattr(import_module(place.module), place.owner) for place in _hook.MAKING]
    return [vars(owner)[place.name] for owner, place in zip(owners, _hook.MAKING, strict=True)]


@pytest.fixture
def new_documents(monkeypatch: pytest.MonkeyPatch) -> Documents:
    """Documents of which none is known: a client that still lives may hold some of the others."""
    new = Documents()
    monkeypatch.setattr(loading, "documents", new)
    monkeypatch.setattr(patch, "documents", new)
    return new


@pytest.fixture(autouse=True)
def _left_as_found() -> Iterator[None]:
    before = hooked_objects()
    yield
    assert _hook.stack.active == ()
    assert all(a is b for a, b in zip(before, hooked_objects(), strict=True))
