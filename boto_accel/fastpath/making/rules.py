"""
Endpoint rules, made of a ruleset once for a process.

botocore makes some 400 objects of the ruleset of S3, for each client. They are evaluated and
never changed, and nothing that they refer to leaves them. So the clients share them, if their
ruleset is the packaged one and is still as it was read. The parameters are each client's own, and
so is the partition data: botocore writes into that
(`RuleSetStandardLibrary.format_partition_output`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.endpoint_provider import EndpointProvider, RuleCreator

from boto_accel.fastpath.making.documents import Document
from boto_accel.fastpath.making.shared import Copy


def make_provider(
    stock: Callable[..., Any], provider: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """`EndpointProvider.__init__(ruleset_data=…, …)`"""
    data = kwargs.get("ruleset_data")
    if args or type(provider) is not EndpointProvider or type(data) is not Copy:
        stock(provider, *args, **kwargs)
        return
    document = data.owner
    if not isinstance(document, Document) or not data.is_still("rules"):
        stock(provider, *args, **kwargs)
        return
    # `rules` alone is not looked at: all else is this client's own.
    own = {name: [] if name == "rules" else data[name] for name in data}
    stock(provider, **{**kwargs, "ruleset_data": own})
    provider.ruleset.rules[:] = document.made(_rules_of)


def _rules_of(content: Any) -> tuple[Any, ...]:
    """Source: `RuleSet.__init__`."""
    return tuple(RuleCreator.create(**rule) for rule in content["rules"])
