"""
The steps of a routed call: which place it is for, and the one way to send something there.

All but `send_at` is in the names of the calling code; `send_at` translates, both ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from boto_accel._call import Call, Flavour
from boto_accel._effects import Await, Forward, Steps
from boto_accel.router import buckets, copying, deletes, listing
from boto_accel.router.clienterrors import for_user
from boto_accel.router.counts import RouteStats
from boto_accel.router.errors import UnroutableError
from boto_accel.router.rules import Place, Rules
from boto_accel.router.targets import Targets
from boto_accel.router.translate import (
    Operation,
    Unmappable,
    answer_for_user,
    params_at_target,
    read_operation,
)

# Whether the surrounding code is on its way to a target. What botocore asks there on its own (the
# region of a bucket) and what another router hands on is in the target's names already.
_on_the_way: ContextVar[bool] = ContextVar("boto_accel_routing", default=False)


class Router:
    """Rules and targets, and what comes of a call by them."""

    def __init__(self, rules: Rules, targets: Targets) -> None:
        self.rules = rules
        self.targets = targets
        self.stats: RouteStats = RouteStats()
        self._operations: dict[str, Operation] = {}

    def is_routed(self, client: Any) -> bool:
        """Whether a call on *client*, made here and now, is in the target's names already."""
        return _on_the_way.get() or self.targets.is_arrived(client)

    @contextmanager
    def on_the_way(self) -> Iterator[None]:
        token = _on_the_way.set(True)
        try:
            yield
        finally:
            _reset(token)

    def steps(self, call: Call) -> Steps:
        """What answers *call*."""
        operation = self.operation(call.client, call.operation)
        params = call.params
        if not operation.takes_bucket:
            return (yield from self._without_bucket(call))
        bucket = params.get("Bucket")
        if type(bucket) is not str or not bucket:
            return (yield Forward(call))  # botocore says what is wrong with it
        if operation.takes_key:
            key = params.get("Key")
            if type(key) is not str or not key:
                return (yield Forward(call))
            place = self.rules.place_of_key(bucket, key)
            if operation.takes_source:
                return (yield from copying.copy(self, call, place))
            return (yield from self.send_at(call, place, call.operation, params))
        if operation.takes_prefix:
            return (yield from self._list(call, bucket))
        if operation.takes_objects:
            return (yield from deletes.delete(self, call, bucket))
        if call.operation == "DeleteBucket":
            yield from buckets.check_empty(self, call, bucket)
        return (yield from self.send_at(call, self.rules.home(bucket), call.operation, params))

    def _without_bucket(self, call: Call) -> Steps:
        if call.operation == "ListBuckets":
            return (yield from buckets.list_buckets(self, call))
        return (yield Forward(call))

    def _list(self, call: Call, bucket: str) -> Steps:
        prefix = call.params.get("Prefix") or ""
        if type(prefix) is not str:
            return (yield Forward(call))
        places = self.rules.places_of_prefix(bucket, prefix)
        if len(places) == 1:
            return (yield from self.send_at(call, places[0], call.operation, call.params))
        return (yield from listing.list_places(self, call, places))

    def operation(self, client: Any, name: str) -> Operation:
        known = self._operations.get(name)
        if known is None:
            model = client.meta.service_model.operation_model(name)
            known = self._operations[name] = read_operation(model)
        return known

    def client_at(self, name: str, call: Call) -> Steps:
        """The client *name*, of the world of *call*."""
        client = self.targets.find(name, call.client, call.flavour)
        if client is None:
            is_sync = call.flavour is Flavour.SYNC
            make = self.targets.open if is_sync else self.targets.aopen
            client = yield Await(partial(make, name))
        return client

    def send_at(self, call: Call, place: Place, operation: str, params: Mapping[str, Any]) -> Steps:
        """
        The answer of *operation* at *place*, on behalf of *call*.

        What is raised is of the classes of the client that the caller has, and names the
        caller's operation.
        """
        self.stats.count(place.client)
        client = self.targets.find(place.client, call.client, call.flavour)
        if client is None:
            client = yield from self.client_at(place.client, call)
        if client is call.client and params is call.params and not place.is_renamed:
            return (yield Forward(call))
        plan = self.operation(client, operation)
        there = self.params_at(call.operation, plan, place, params)
        try:
            answer = yield from self.forward(Call(client, operation, there, call.flavour))
        except ClientError as error:
            raised = for_user(error, call, client, place)
        else:
            if plan.has_names_in_answer and place.is_renamed:
                answer_for_user(plan, place, answer, self.rules)
            return answer
        raise raised from None

    def forward(self, call: Call) -> Steps:
        """The answer to *call*, which is in the target's names."""
        token = _on_the_way.set(True)
        try:
            return (yield Forward(call))
        finally:
            _reset(token)

    def params_at(
        self, asked: str, plan: Operation, place: Place, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Raises UnroutableError, in the name of the operation that was *asked* for."""
        try:
            return params_at_target(plan, place, params, self.rules)
        except Unmappable as error:
            raise UnroutableError(asked, str(place.rule), error.reason) from None


def _reset(token: Any) -> None:
    try:
        _on_the_way.reset(token)
    except ValueError:
        pass  # closed from another context, as a coroutine that nobody awaits any more is
