"""What is worked out once for an operation of a client, and what one call adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from boto_accel._effects import Await, Steps
from boto_accel.cache import policy
from boto_accel.cache.freshness import Lifetime
from boto_accel.cache.key import Uncacheable, caller_digest
from boto_accel.cache.modes import Mode
from boto_accel.cache.options import Options
from boto_accel.cache.scope import Scope, named_by_key

MOST_CALLERS = 64  # of one plan: as many as its credentials have had keys

BYPASSED = "by the user's wish"
NO_CREDENTIALS = "no credentials to be had"


class Plan(NamedTuple):
    """
    What is worked out once for an operation of a client. reason: why it is not cached, or "".

    encoded: what tells the operation from all others. callers: `caller_digest` by principal.
    stream: the member of the reply that is a stream.
    """

    reason: str
    encoded: bytes = b""
    callers: dict[bytes, bytes] = {}  # noqa: RUF012  of an uncached operation, and never filled
    stream: str = ""
    lifetime: Lifetime = Lifetime(0, 0)
    allows_sensitive: bool = False
    label: str = ""

    def learn(self, principal: bytes) -> bytes:
        if len(self.callers) >= MOST_CALLERS:
            self.callers.clear()
        caller = self.callers[principal] = caller_digest(self.encoded, principal)
        return caller


def make_plan(chosen: Options, scope: Scope, operation: str) -> Plan:
    service = scope.service
    model = scope.model.operation_model(operation)
    allows = chosen.allows_sensitive(service, operation)
    reason = policy.reason_against(model, chosen.is_asked, allow_sensitive=allows)
    if reason:
        return Plan(reason)
    lifetime = chosen.lifetime(service, operation)
    if lifetime.fresh <= 0:
        return Plan(policy.TTL_OF_ZERO)
    stream = policy.streaming_member(model)
    if stream and scope.is_httpx:
        return Plan(policy.HTTPX_STREAM)
    try:
        encoded = scope.encoded(operation)
    except Uncacheable as error:
        return Plan(error.reason)
    label = f"{service} {scope.region} {operation}"
    return Plan("", encoded, {}, stream, lifetime, allows, label)


def raise_reason(plan: Plan, mode: Mode, params: Mapping[str, Any]) -> None:
    """Raise Uncacheable for a call that is not cached."""
    if plan.reason:
        raise Uncacheable(plan.reason)
    if mode is Mode.BYPASS:
        raise Uncacheable(BYPASSED)
    reason = policy.reason_against_call(params, allow_sensitive=plan.allows_sensitive)
    if reason:
        raise Uncacheable(reason)


def principal_of(scope: Scope) -> Steps:
    """Who calls. Raises Uncacheable."""
    found = scope.principal()
    return found if isinstance(found, bytes) else (yield from principal_from(found))


def principal_from(get: Callable[[], Any]) -> Steps:
    try:
        frozen = yield Await(get)
    except Exception:
        raise Uncacheable(NO_CREDENTIALS) from None  # botocore will say so itself
    return named_by_key(getattr(frozen, "access_key", None))
