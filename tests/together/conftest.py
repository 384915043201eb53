"""Each tool is the real one; no test leaves a patch of ours, or a tool's, in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from boto_accel import _hook
from tests.together.orders import Phases
from tests.together.orders import phases as in_phases

# What tools replace, (module, class, attribute).
REPLACED = (
    ("botocore.client", "BaseClient", "_make_api_call"),
    ("botocore.endpoint", "Endpoint", "prepare_request"),
    ("aiobotocore.client", "AioBaseClient", "_make_api_call"),
    ("aiobotocore.endpoint", "AioEndpoint", "prepare_request"),
)


def replaced() -> list[tuple[type, str, Any]]:
    """(class, attribute, what is there; None where it is inherited)."""
    found = []
    for module, owner, attribute in REPLACED:
        if find_spec(module.partition(".")[0]) is not None:
            cls = getattr(import_module(module), owner)
            found.append((cls, attribute, vars(cls).get(attribute)))
    return found


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture
def phases() -> Iterator[Callable[..., Phases]]:
    """`phases(order, ours, theirs)`: see there."""
    with ExitStack() as undo:
        yield partial(in_phases, undo=undo)


@pytest.fixture
def put_back() -> Iterator[None]:
    """For tools that cannot be left, or not in each order: botocore is as before at the end."""
    before = replaced()
    yield
    for cls, attribute, value in before:
        if value is not None:
            setattr(cls, attribute, value)
        elif attribute in vars(cls):
            delattr(cls, attribute)
