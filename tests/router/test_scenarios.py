"""What calling code sees with a router between two stores is what it sees of one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from boto_accel import accelerate
from tests.fastpath.callers import open_caller
from tests.router.scenarios import SCENARIOS, Actor, differences
from tests.router.stores import USER_BUCKETS, Stores


def seen_plain(stores: Stores, flavour: str, name: str) -> list[Any]:
    stores.reset()
    with stores.clients() as clients:
        for bucket in USER_BUCKETS:
            clients["near"].create_bucket(Bucket=bucket)
    with open_caller(flavour, **stores.near.client_options) as caller:
        actor = Actor(caller)
        SCENARIOS[name](actor)
    return actor.seen


def seen_routed(stores: Stores, flavour: str, name: str, *, fast: bool) -> list[Any]:
    stores.reset()
    stores.make_targets()
    with ExitStack() as stack:
        if fast:
            stack.enter_context(accelerate())
        caller = stack.enter_context(open_caller(flavour, **stores.near.client_options))
        actor = Actor(caller)
        with stores.route():
            SCENARIOS[name](actor)
    return actor.seen


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("fast", [False, True], ids=["stock", "accelerated"])
def test_scenario(stores: Stores, flavour: str, name: str, fast: bool) -> None:
    """Answers and errors of every call are equal."""
    plain = seen_plain(stores, flavour, name)
    routed = seen_routed(stores, flavour, name, fast=fast)
    assert len(plain) > 5
    assert differences(plain, routed) == []
