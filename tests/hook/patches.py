"""Small patches, and what they say: real ones, entered on real clients."""

from __future__ import annotations

from typing import Any

from boto_accel._call import Call
from boto_accel._effects import Forward, Steps
from boto_accel._patch import Narrowing, Patch
from boto_accel._stack import Layer


class Answers(Patch):
    """A sender that answers each call itself, so that nothing goes to a network."""

    layer = Layer.SEND

    def __init__(self, name: str = "answers", **narrowing: Any) -> None:
        super().__init__(Narrowing.of(**narrowing))
        self.name = name
        self.opened = 0
        self.closed = 0

    def _entered_first(self) -> None:
        self.opened += 1

    def _left_last(self) -> None:
        self.closed += 1

    def send(self, client: Any, operation: str, params: Any, stock: Any) -> Any:
        return {"by": self.name, "operation": operation, "params": params}

    async def asend(self, client: Any, operation: str, params: Any, stock: Any) -> Any:
        return {"by": self.name, "operation": operation, "params": params}

    def presign(self, client: Any, args: Any, kwargs: Any, stock: Any) -> Any:
        return (self.name, stock.__name__, args, stock(client, *args, **kwargs))

    async def apresign(self, client: Any, args: Any, kwargs: Any, stock: Any) -> Any:
        return (self.name, stock.__name__, args, await stock(client, *args, **kwargs))


class Passes(Patch):
    """A sender that hands each call to stock and counts it."""

    layer = Layer.SEND

    def __init__(self, **narrowing: Any) -> None:
        super().__init__(Narrowing.of(**narrowing))
        self.seen = 0

    def send(self, client: Any, operation: str, params: Any, stock: Any) -> Any:
        self.seen += 1
        return stock(client, operation, params)

    asend = send


class Marks(Patch):
    """A layer that writes its name in front of `via` of the reply."""

    layer = Layer.CACHE

    def __init__(self, name: str, layer: Layer = Layer.CACHE, **narrowing: Any) -> None:
        super().__init__(Narrowing.of(**narrowing))
        self.name = name
        self.layer = layer  # type: ignore[misc]

    def handle(self, call: Call) -> Steps:
        reply = yield Forward(call)
        return {**reply, "via": [self.name, *reply.get("via", [])]}
