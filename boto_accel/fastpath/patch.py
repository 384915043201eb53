"""
`accelerate()`, its two entrances (`send` for boto3, `asend` for aiobotocore), and `explain()`.

The entrances are the hot path, and differ in what is awaited only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

from boto_accel import _compat, _hook
from boto_accel._compat import Declined
from boto_accel._patch import Narrowing, Patch
from boto_accel._services import operation_of
from boto_accel._stack import Layer, Stock
from boto_accel.errors import InvalidOptionError
from boto_accel.fastpath import call, presign, presign_post, shadow, state
from boto_accel.fastpath.call import Prepared
from boto_accel.fastpath.making.documents import documents
from boto_accel.fastpath.making.makers import MAKERS
from boto_accel.fastpath.plan import Plan, PostPlan, PresignPlan
from boto_accel.fastpath.state import ClientState, state_of
from boto_accel.fastpath.steps import Steps, arun, run
from boto_accel.fastpath.transport import engines
from boto_accel.fastpath.transport.wire import Reply
from boto_accel.stats import Stats


class Presigner(NamedTuple):
    """One presigning function: its plan, and the steps of its module."""

    plan: type[Any]
    asked: Callable[[Any, tuple[Any, ...]], tuple[str, Any]]
    name: Callable[[Any, tuple[Any, ...]], str]
    quick: Callable[..., Any]
    slow: Callable[..., Any]


_draw = random.Random()  # of our own: numbers drawn of the global one are the user's

PRESIGNERS = {
    presign.FUNCTION: Presigner(
        PresignPlan, presign.asked, presign.name_of, presign.quick, presign.slow
    ),
    presign_post.FUNCTION: Presigner(
        PostPlan,
        lambda _, args: (presign_post.OPERATION, presign_post.asked(args)),
        lambda *_: "PutObject (presigned post)",
        presign_post.quick,
        presign_post.slow,
    ),
}

_active: set[int] = set()  # identities of the patches in force; guarded by Patch's own lock


class Accelerate(Patch):
    """See `accelerate`."""

    layer = Layer.SEND
    makes: ClassVar[frozenset[str]] = frozenset(MAKERS)

    def __init__(self, http: str, shadow_share: float, narrowing: Narrowing) -> None:
        super().__init__(narrowing)
        self.http = http
        self.shadow_share = shadow_share
        self.stats: Stats = Stats()
        self._counters: dict[tuple[str, str], Any] = {}

    def _entered_first(self) -> None:
        _active.add(id(self))

    def _left_last(self) -> None:
        _active.discard(id(self))
        if not _active:
            state.close_idle_connections()
            documents.forget()

    def send(self, client: Any, operation: str, params: Mapping[str, Any], stock: Stock) -> Any:
        """One call of boto3."""
        known = _compat.kept_on(client)
        if known is None or known.owner != id(client):
            known = state_of(client, False)
        plan = raised = None
        try:
            if stock is not known.stock:
                known.check_stock(stock)
            plan = known.plan(client, operation)
            credentials, ready = _compat.known_credentials(client)
            if not ready:
                credentials = call.freeze(credentials)
            prepared = call.prepare(plan, params, credentials)
            if prepared is None:
                slowly = call.prepare_slowly(stock, client, plan, params, credentials, self.stats)
                prepared = run(slowly)
            pool = known.pool(client, prepared.endpoint)
        except call.StocksOwn as error:
            raised = error.raised
        except Exception as error:
            prepared = None
            client, params, error = call.left_to_stock(client, params, error)
            self._leave(client, known, plan, operation, error)
        # Out of the handlers above: what is raised from here has no context of ours.
        if raised is not None:
            raise raised
        if prepared is None:
            return stock(client, operation, params)
        self._count(plan)
        try:
            reply = pool.exchange(prepared.wire)
        except Exception as error:
            failed = error
        else:
            result, steps = self._finish(stock, client, known, prepared, reply)
            return result if steps is None else run(steps)
        return run(call.go_on(stock, client, prepared, None, failed))

    def _finish(
        self, stock: Stock, client: Any, known: ClientState, prepared: Prepared, reply: Reply
    ) -> tuple[Any, Steps[Any] | None]:
        """The result of an answer, or the steps that lead to it where there are any left."""
        result = call.read(prepared, reply)
        if result is None:
            refusal = call.refusal(prepared, client, reply)
            if refusal is not None:
                raise refusal
            return None, call.go_on(stock, client, prepared, reply, None)
        answers = prepared.plan.answers
        steps = None
        if answers.proofs_left or answers.emits_after_call:
            steps = call.finish_slowly(stock, client, known, prepared, reply, result, self.stats)
        elif answers.after_call:
            answers.finish_quietly(result, reply.status, call.context_after(prepared))
        if self.shadow_share and _draw.random() < self.shadow_share:
            steps = shadow.check(self.stats, stock, client, prepared, result, steps)
        return result, steps

    async def asend(
        self, client: Any, operation: str, params: Mapping[str, Any], stock: Stock
    ) -> Any:
        """One call of aiobotocore."""
        known = _compat.kept_on(client)
        if known is None or known.owner != id(client):
            known = state_of(client, True)
        plan = raised = None
        try:
            if stock is not known.stock:
                known.check_stock(stock)
            plan = known.plan(client, operation)
            credentials, ready = _compat.known_credentials(client)
            if not ready:
                credentials = await call.afreeze(credentials)
            prepared = call.prepare(plan, params, credentials)
            if prepared is None:
                slowly = call.prepare_slowly(stock, client, plan, params, credentials, self.stats)
                prepared = await arun(slowly)
            pool = known.async_pool(client, self.http)
            if not pool.ready:
                await pool.open()
        except call.StocksOwn as error:
            raised = error.raised
        except Exception as error:
            prepared = None
            client, params, error = call.left_to_stock(client, params, error)
            self._leave(client, known, plan, operation, error)
        # Out of the handlers above: what is raised from here has no context of ours.
        if raised is not None:
            raise raised
        if prepared is None:
            return await stock(client, operation, params)
        self._count(plan)
        try:
            reply = await pool.exchange(prepared.wire, prepared.endpoint)
        except Exception as error:
            failed = error
        else:
            result, steps = self._finish(stock, client, known, prepared, reply)
            return result if steps is None else await arun(steps)
        return await arun(call.go_on(stock, client, prepared, None, failed))

    def _count(self, plan: Any) -> None:
        key = (plan.service, plan.operation)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters.setdefault(key, self.stats.fast_counter(*key))
        counter()

    def _leave(
        self, client: Any, known: ClientState, plan: Plan | None, operation: str, error: Exception
    ) -> None:
        """Nothing was sent, and the call goes to stock: count why, and say what is a fault."""
        if isinstance(error, Declined):
            reason = error.reason
        elif isinstance(error, UnicodeError):
            reason = "text that has no UTF-8 form"
        elif plan is None or isinstance(error, call.StocksOwn):
            reason = "a fault before there was a plan"
        else:
            reason = "the plan differed from botocore"
            known.retire(plan, error)
            self.stats.count_retired()
        service = client.meta.service_model.service_name
        self.stats.count_fallback(service, operation, reason)

    def presign(self, client: Any, args: Any, kwargs: Any, stock: Any) -> Any:
        """`generate_presigned_url` and `generate_presigned_post` of boto3."""
        kind = PRESIGNERS[stock.__name__]
        known = state_of(client, False)
        made = plan = raised = None
        try:
            operation, asked = kind.asked(client, args)
            plan = known.plan(client, operation, kind.plan)
            credentials, ready = _compat.known_credentials(client)
            if not ready:
                credentials = call.freeze(credentials)
            made = kind.quick(plan, asked, credentials)
            if made is None:
                again = partial(stock, client, *args)
                made = run(kind.slow(known, plan, client, asked, credentials, again, self.stats))
        except call.StocksOwn as error:
            raised = error.raised
        except Exception as error:
            self._leave(client, known, plan, kind.name(client, args), error)
        if raised is not None:
            raise raised
        return stock(client, *args, **kwargs) if made is None else made

    async def apresign(self, client: Any, args: Any, kwargs: Any, stock: Any) -> Any:
        """`generate_presigned_url` and `generate_presigned_post` of aiobotocore."""
        kind = PRESIGNERS[stock.__name__]
        known = state_of(client, True)
        made = plan = raised = None
        try:
            operation, asked = kind.asked(client, args)
            plan = known.plan(client, operation, kind.plan)
            credentials, ready = _compat.known_credentials(client)
            if not ready:
                credentials = await call.afreeze(credentials)
            made = kind.quick(plan, asked, credentials)
            if made is None:
                again = partial(stock, client, *args)
                slow = kind.slow(known, plan, client, asked, credentials, again, self.stats)
                made = await arun(slow)
        except call.StocksOwn as error:
            raised = error.raised
        except Exception as error:
            self._leave(client, known, plan, kind.name(client, args), error)
        if raised is not None:
            raise raised
        return await stock(client, *args, **kwargs) if made is None else made

    def make(self, name: str, stock: Any, owner: Any, args: Any, kwargs: Any) -> Any:
        """A step of making a session or client, of boto3 and aiobotocore alike."""
        return MAKERS[name](stock, owner, args, kwargs)

    def __repr__(self) -> str:
        return f"<accelerate http={self.http!r} fast={self.stats.fast}>"


def accelerate(
    *,
    http: str = "direct",
    clients: Any = None,
    services: Any = None,
    operations: Any = None,
    shadow: float = 0.0,
) -> Accelerate:
    """
    A patch that makes calls of boto3, aiobotocore and aioboto3 cheap: same bytes, same answers.

    http: the HTTP engine of aiobotocore's calls: "direct" is the package's own, "aiohttp" the
    client's own connections, "aiosonic" those of that library. boto3's calls go by "direct".
    clients, services, operations: only these; a client, a service name ("s3") or an operation
    ("get_object" or "GetObject"), or several; None for all.
    shadow: share of read calls, 0.0 to 1.0, that are also sent through botocore as it is, to
    compare the answers; differences are logged and counted in `.stats`.

    Use it with `with`, `async with`, as a decorator, or `.install()`. The entered object has
    `.stats`. Raises InvalidOptionError for bad options, and MissingExtraError for an engine that
    is not installed, before anything is changed.
    """
    engines.check(http)
    if type(shadow) not in (int, float) or not 0 <= shadow <= 1:
        raise InvalidOptionError("shadow", shadow, "a share between 0.0 and 1.0")
    return Accelerate(http, float(shadow), Narrowing.of(clients, services, operations))


@dataclass(frozen=True)
class Explanation:
    """
    Whether a call would be fast. reason: why not, in one sentence; "" where it would be.

    Particular parameters or answers can still make a call stock's; `.stats` counts those.
    """

    fast: bool
    reason: str

    def __bool__(self) -> bool:
        return self.fast

    def __str__(self) -> str:
        return "fast" if self.fast else f"stock: {self.reason}"


def explain(client: Any, operation: str) -> Explanation:
    """
    Whether *operation* ("get_object" or "GetObject") of *client* would go fast, and why not.

    Sends nothing. Raises InvalidOptionError for what is no client, or has no such operation.
    """
    name = operation_of(client, operation)
    is_async = _compat.is_async(client)
    try:
        known = ClientState(client, is_async)
        known.check_stock(_hook.stock_of(is_async))
        known.plan(client, name)
    except Declined as declined:
        return Explanation(False, declined.reason)
    return Explanation(True, "")
