"""`route_s3()`: calls of S3, sent where the rules say, in the names that the code uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from boto_accel._call import Call
from boto_accel._effects import Forward, Steps
from boto_accel._patch import Narrowing, Patch
from boto_accel._stack import Layer
from boto_accel.router import presigning
from boto_accel.router.counts import RouteStats
from boto_accel.router.routes import read_routes_of
from boto_accel.router.routing import Router
from boto_accel.router.rules import Place, Rules
from boto_accel.router.targets import Targets


class Explanation(NamedTuple):
    """location: "s3://bucket/key" at the target. where: the target. rule: what leads there."""

    location: str
    where: str
    rule: str


class RoutePatch(Patch):
    """See `route_s3`, which makes it."""

    layer = Layer.ROUTE

    def __init__(self, rules: Rules, targets: Targets, narrowing: Narrowing) -> None:
        super().__init__(narrowing)
        self.rules = rules
        self._targets = targets
        self._router = Router(rules, targets)
        self.stats: RouteStats = self._router.stats

    def __repr__(self) -> str:
        return f"<RoutePatch of {len(self.rules.rules)} rules, {self._targets!r}>"

    def explain(self, bucket: str, key: str = "") -> list[Explanation]:
        """
        Where *key* of *bucket* goes, and by which rule; sends nothing.

        Without a key, or for a prefix ("logs/*"), all places where such keys may be.
        """
        if key and not key.endswith("*"):
            places: Sequence[Place] = [self.rules.place_of_key(bucket, key)]
        else:
            places = self.rules.places_of_prefix(bucket, key.removesuffix("*"))
        return [
            Explanation(
                f"s3://{place.mapped}/{place.prefix}{key}",
                self._targets.described(place.client),
                str(place.rule),
            )
            for place in places
        ]

    def handle(self, call: Call) -> Steps:
        if self._router.is_routed(call.client):
            return (yield Forward(call))
        return (yield from self._router.steps(call))

    def presign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        return presigning.presign(self._router, client, args, kwargs, stock)

    async def apresign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        return await presigning.apresign(self._router, client, args, kwargs, stock)

    def _left_last(self) -> None:
        self._targets.close()

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        # Waited for: what `close` would only begin.
        if self._depth == 1:
            await self._targets.aclose_of_loop()
        self.__exit__(kind, error, trace)


def route_s3(
    clients: Mapping[str, Any] | str | os.PathLike[str],
    mapping: Any = None,
    *,
    operations: Any = None,
) -> RoutePatch:
    """
    A patch that sends calls of S3 where *mapping* says, in boto3, botocore, aiobotocore, aioboto3.

    clients: name to a client, or to what one is made of: endpoint_url, region_name,
    aws_access_key_id, aws_secret_access_key, aws_session_token, profile_name, verify, use_ssl,
    and options of botocore's `Config`; a value "${NAME}" is read from the environment. Or the
    path of a file (.toml, .yaml, .json) that has both *clients* and *mapping*.
    mapping: rules in order, of which the first that matches counts:
    {"bucket_name": "old-*", "key_pattern": "dev/*", "client": "lakefs",
    "mapped_bucket_name": "repo", "key_prefix": "main/"}. The last has the bucket_name "*"; if its
    client is not among *clients*, it is the client that a call was made on. Or profiles, as of
    boto-s3-router. operations: only these; None for all.

    Raises InvalidOptionError, which names rule and field, before anything is changed.
    """
    clients, rules = read_routes_of(clients, mapping)
    targets = Targets(clients, rules, needs_all=False)
    return RoutePatch(rules, targets, Narrowing.of(services="s3", operations=operations))
