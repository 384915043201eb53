"""Calls that a patch makes on its own account, past some of the layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.client import BaseClient

from boto_accel import _hook
from boto_accel._stack import Layer, Stock, sender


def call_past(
    layers: frozenset[Layer], client: Any, operation: str, params: Mapping[str, Any]
) -> Any:
    """
    What *client*, of botocore, answers; the patches of *layers* do not see the call.

    Who calls through the client would meet a cache that has kept an old answer, and a router that
    takes the names for the caller's own.
    """
    rest = tuple(patch for patch in _hook.stack.active if patch.layer not in layers)
    send, stock = sender(rest, "send"), _stock()
    return (
        stock(client, operation, params) if send is None else send(client, operation, params, stock)
    )


def _stock() -> Stock:
    """What is beneath our hook; what is there, where that is not to be seen."""
    method: Any = vars(BaseClient)[_hook.METHOD]
    found = method
    while found is not None:
        inner = getattr(found, "__wrapped__", None)
        if getattr(found, "__globals__", None) is vars(_hook) and inner is not None:
            return inner
        found = inner
    return method
