"""
What the fast path knows of one client: its plans, and its connections.

Guarding: the plans and the pools are dicts that are only added to or replaced whole; two threads
that make the same plan, or pool, make equal ones, and the later wins.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import eligibility
from boto_accel.fastpath.endpoints import Endpoint
from boto_accel.fastpath.plan import Plan
from boto_accel.fastpath.proof import Different
from boto_accel.fastpath.transport import engines, sync
from boto_accel.fastpath.transport.sync import Pool

logger = logging.getLogger("boto_accel")

P = TypeVar("P", bound=Plan)


class ClientState:
    """Lives in the client (`_compat.keep_on`); a copy of the client gets one of its own."""

    def __init__(self, client: Any, is_async: bool) -> None:
        self.owner = id(client)
        self.is_async = is_async
        self.stock: Any = None  # `_make_api_call`, once it was seen to be botocore's own
        self._refused: str | None = None
        self.emitter = _compat.emitter_of(client)
        self._registrations = _compat.registrations(self.emitter)
        self._plans: dict[tuple[type[Plan], str], Plan | Declined] = {}
        self._pools: Callable[[], Pools | None] = _nothing  # a weak reference, once there are any
        self._async_pools: dict[str, Any] = {}  # by the name of the engine
        self._seams: eligibility.Seams | None = None
        self._parts: tuple[dict[str, Any], ...] = ()
        self._part_sizes = 0
        named = client.__dict__
        self._endpoint = named.get(_compat.ENDPOINT)
        self._signer = named.get(_compat.SIGNER)
        self._session = getattr(self._endpoint, _compat.SESSION, None)
        try:
            self._seams = eligibility.Seams(is_async)
            self._parts = eligibility.parts_of(client)
        except Declined as declined:
            self._refused = declined.reason
        else:
            self._check_parts(client)

    def _check_parts(self, client: Any) -> None:
        """
        Refuses a client with parts of somebody else's; noted is how many attributes the parts
        have, since a method that is replaced on an object becomes an attribute of it.
        """
        sizes = sum(map(len, self._parts))
        try:
            eligibility.check_client(client, self.is_async)
        except Declined as declined:
            self._refused = declined.reason
        else:
            self._refused = None
        self._part_sizes = sizes

    def check_stock(self, stock: Any) -> None:
        """Declines where *stock*, that ours is around, is a wrapper of somebody's."""
        eligibility.check_stock("AioBaseClient" if self.is_async else "BaseClient", stock)
        self.stock = stock

    def plan(self, client: Any, operation: str, kind: type[P] = Plan) -> P:  # type: ignore[assignment]
        """The plan of *operation*; raises Declined. Made anew after handlers were registered."""
        named = client.__dict__
        if (
            named.get(_compat.ENDPOINT) is not self._endpoint
            or named.get(_compat.SIGNER) is not self._signer
            or (self._parts and self._parts[0].get(_compat.SESSION) is not self._session)
        ):
            # By a test, say. All that is known here is of the parts that there were.
            _compat.keep_on(client, ClientState(client, self.is_async))
            raise Declined("a part of the client was replaced since its last call")
        if sum(map(len, self._parts)) != self._part_sizes:
            self._check_parts(client)
        if self._refused is not None:
            raise Declined(self._refused)
        if _compat.is_recording_history():
            raise Declined("history recording")
        registrations = _compat.registrations(self.emitter)
        if registrations is not self._registrations:
            self._plans = {}
            self._registrations = registrations
        assert self._seams is not None  # else refused
        self._seams.check()
        key = (kind, operation)
        plan = self._plans.get(key)
        if plan.__class__ is kind:
            return plan  # pyright: ignore[reportReturnType]
        return self._make(client, operation, kind, plan)  # type: ignore[arg-type]

    def _make(self, client: Any, operation: str, kind: type[P], known: Declined | None) -> P:
        key = (kind, operation)
        if known is None:
            try:
                plan = kind(client, operation, self.is_async, self.emitter)
            except Declined as declined:
                known = Declined(declined.reason)
            except AttributeError as missing:  # a private function of botocore's that is gone
                known = Declined(f"botocore internals differ: no {missing.name}")
            else:
                self._plans[key] = plan
                return plan
            self._plans[key] = known
        raise Declined(known.reason)

    def retire(self, plan: Plan, fault: Exception) -> None:
        """
        The plan has shown a difference to stock, or failed: such calls are stock's from now on.

        Said once, as the plan is gone then, and without any value of the call's.
        """
        what = fault.what if isinstance(fault, Different) else type(fault).__name__
        logger.warning(
            "boto_accel: %s.%s differs from botocore (%s); such calls are stock from now on",
            plan.service,
            plan.operation,
            what,
        )
        self._plans[(type(plan), plan.operation)] = Declined("the plan differed from botocore")

    def pool(self, client: Any, endpoint: Endpoint) -> Pool:
        """
        The connections of a boto3 client to the origin of *endpoint*.

        All pools of the client are held by its own session, beside its urllib3 pools, and only
        weakly here: `client.close()` lets go of them as of those.
        """
        pools = self._pools()
        if pools is None:
            pools = self._make_pools(client)
        pool = pools.get(endpoint.origin)
        if pool is None:
            pool = pools[endpoint.origin] = self._make_pool(client, endpoint)
        return pool

    def _make_pools(self, client: Any) -> Pools:
        pools = Pools()
        session = _compat.endpoint_of(client).http_session
        _compat.companions_of(session)[POOLS_KEY] = pools
        self._pools = weakref.ref(pools)
        return pools

    def _make_pool(self, client: Any, endpoint: Endpoint) -> Pool:
        session = _compat.endpoint_of(client).http_session
        timeout, most_kept = _compat.session_settings(session)
        pool = Pool(_compat.connection_pool_of(session, endpoint.url), timeout, most_kept)
        # The session keeps the ten pools used last; this makes ours the last after that new one.
        _compat.companions_of(session).get(POOLS_KEY)
        return pool

    def async_pool(self, client: Any, http: str) -> Any:
        """
        The connections that the engine *http* has for an aiobotocore client on the running loop.

        A pool never crosses loops: on another loop than before, a new one is made, and the old
        one's connections are left to the loop that they belong to.
        """
        pool = self._async_pools.get(http)
        if pool is None or pool.loop is not asyncio.get_running_loop():
            pool = self._async_pools[http] = engines.open_pool(http, client)
        return pool


class Pools(dict[str, Pool]):
    """The pools of one client, by origin. A dict that can be referred to weakly."""

    def close(self) -> None:
        """Called by sessions that close what they let go of (urllib3 1)."""
        for pool in list(self.values()):
            pool.close()


POOLS_KEY = ("boto_accel",)  # among urllib3's keys, which are other tuples


def _nothing() -> None:
    return None


def state_of(client: Any, is_async: bool) -> ClientState:
    """The state kept with *client*, made at its first call."""
    state = _compat.kept_on(client)
    if state is None or state.owner != id(client):
        state = ClientState(client, is_async)
        _compat.keep_on(client, state)
    return state


def close_idle_connections() -> None:
    """Close what no call is using; called when the last `accelerate()` is left."""
    sync.close_idle_connections()
    asyncpool = sys.modules.get("boto_accel.fastpath.transport.asyncpool")
    if asyncpool is not None:
        asyncpool.close_idle_connections()
