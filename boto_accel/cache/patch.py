"""
The patch of `botocache_context()`: replies of AWS, given again.

A call is looked for where it costs least first: at hand (`peek`), and then as `asking.py` says.

Guarding: flights and refreshes have locks of their own; plans are kept with the client's scope,
and two threads that make the same one make equal ones; `_inner` is replaced, never mutated.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from types import TracebackType
from typing import Any

from boto_accel._call import Call
from boto_accel._effects import Closed, Forward, Steps
from boto_accel._patch import Narrowing, Patch
from boto_accel._services import operation_of
from boto_accel._stack import Layer
from boto_accel.cache import freshness, policy
from boto_accel.cache.asking import Asker, on_store
from boto_accel.cache.attempt import Asked, target_of
from boto_accel.cache.background import Background
from boto_accel.cache.counts import CacheStats
from boto_accel.cache.drive import single
from boto_accel.cache.flights import Flights
from boto_accel.cache.freshness import State
from boto_accel.cache.key import Uncacheable
from boto_accel.cache.modes import Mode, asking_for, mode_of
from boto_accel.cache.options import Options
from boto_accel.cache.plan import Plan, make_plan, principal_from, principal_of, raise_reason
from boto_accel.cache.replies import Replies
from boto_accel.cache.scope import Scope, scope_of
from boto_accel.cache.store import Store
from boto_accel.cache.survey import Decided, Held, decided, read_decided, read_held
from boto_accel.errors import InvalidOptionError

logger = logging.getLogger("boto_accel")

MOST_PLANS = 4096  # that are kept with one client


class CachePatch(Patch):
    """
    See `botocache_context`, which makes it. open_: opens the store, once, when it is needed.

    Has `.stats`, `invalidate`, `clear`, `bypass`, `refresh`, `entries` and `decisions`.
    """

    layer = Layer.CACHE

    def __init__(
        self,
        open_: Callable[[], Store],
        chosen: Options,
        narrowing: Narrowing | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(narrowing)
        self.options = chosen
        self.stats: CacheStats = CacheStats()
        self._open = open_
        self._opened: Store | None = None
        self._opening = threading.Lock()
        self._clock = clock
        self._flights = Flights()
        self._background = Background()
        self._replies = Replies(chosen, self.stats, clock, self._count_uncached)
        self._asker = Asker(
            lambda: self.store,
            self._replies,
            self._flights,
            self._background,
            clock,
            self._count_uncached,
        )
        self._serial = next(_serials)
        self._quiet = _Quiet()
        self._inner: tuple[CachePatch, ...] = ()

    # For users

    @property
    def store(self) -> Store:
        opened = self._opened
        if opened is None:
            with self._opening:
                opened = self._opened = self._opened or self._open()
        return opened

    def invalidate(
        self,
        service: str | None = None,
        operation: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> int:
        """
        Forget the replies of a service ("iam"), of one of its operations, or of one call.

        Without arguments all. Returns how many there were. Raises InvalidOptionError for an
        operation without its service, or parameters without their operation.
        """
        if service is None and operation is None and params is None:
            return self.clear()
        if service is None:
            raise InvalidOptionError("service", None, "the service of the operation, 'iam'")
        if operation is None and params is not None:
            raise InvalidOptionError("operation", None, "the operation of the parameters")
        try:
            tag = freshness.tag_of_choice(service, operation, params)
        except Uncacheable:
            return 0  # no entry can be of such a call
        return self.store.invalidate([tag])

    def clear(self) -> int:
        """Forget all, those of other programs at the same store too; how many there were."""
        self._replies.forget()
        return self.store.clear()

    def entries(self) -> Iterator[Held]:
        """What is kept, the most recently used first."""
        return read_held(self.store.entries(), self._clock())

    def decisions(self, services: str | Iterable[str] | None = None) -> Iterator[Decided]:
        """
        Each operation that is asked for, and why it is not cached; of all services, or of some.

        Raises InvalidOptionError for a service that botocore does not know.
        """
        several = [services] if isinstance(services, str) else services
        return read_decided(self.options, several)

    def explain(self, client: Any, operation: str) -> Decided:
        """
        Whether calls of *operation* ("list_users", or "ListUsers") by *client* are cached.

        Asks nobody. A single call may still not be, for its parameters.
        Raises InvalidOptionError for an operation that the client does not have.
        """
        name = operation_of(client, operation)
        model = client.meta.service_model.operation_model(name)
        if not policy.is_read(name):
            return decided(model, policy.WRITE)
        try:
            return decided(model, self._plan(scope_of(client), name).reason)
        except Uncacheable as error:
            return decided(model, error.reason)

    def bypass(self) -> Any:
        """`with cache.bypass():` the calls of this thread or task go by the cache."""
        return asking_for(self, Mode.BYPASS)

    def refresh(self) -> Any:
        """`with cache.refresh():` the calls of this thread or task ask AWS, and are kept."""
        return asking_for(self, Mode.REFRESH)

    # Entering and leaving

    def _entered_first(self) -> None:
        self.store  # noqa: B018  opened now: a bad URL is an error here, not at the first call
        if self.options.quiet:
            logger.addFilter(self._quiet)
        _change_in_force(lambda caches: (*caches, self))

    def inner_to_this(self, caches: tuple[CachePatch, ...]) -> None:
        """Those that were entered later."""
        self._inner = caches

    def _left_last(self) -> None:
        _change_in_force(lambda caches: tuple(each for each in caches if each is not self))
        self._background.close()
        self.store.close()
        self._replies.forget()
        logger.removeFilter(self._quiet)

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        try:
            if self._depth == 1:
                await self._close_of_loop()  # first: what is noted is written from here
        finally:
            self.__exit__(kind, error, trace)
        if not self._depth:
            await self._background.finish()
            await self._close_of_loop()

    async def _close_of_loop(self) -> None:
        aio = self.store.aio
        if aio is not None:
            await aio.close()

    # A call

    def handle(self, call: Call) -> Steps:
        if self.options.call_log:
            _log_call(call)
        if not policy.is_read(call.operation):
            return (yield from self._write(call))
        try:
            scope = scope_of(call.client)
            plan = self._plan(scope, call.operation)
            if self._inner and self._is_for_inner(scope, call):
                return (yield Forward(call))
            mode = mode_of(self)
            raise_reason(plan, mode, call.params)
            principal = scope.principal()
            if not isinstance(principal, bytes):
                principal = yield from principal_from(principal)
            caller = plan.callers.get(principal) or plan.learn(principal)
            key = scope.keys.of(caller, call.params)
        except Uncacheable as error:
            self._count_uncached(call, error.reason)
            return (yield Forward(call))
        if mode is Mode.REFRESH:
            return (yield from self._asker.ask_alone(Asked(call, scope, plan, key, principal)))
        entry = self.store.peek(key)
        found = None if entry is None else self._replies.read(plan, key, entry)
        if found is not None and found.state is State.FRESH:
            return self._replies.give(call, found)
        asked = Asked(call, scope, plan, key, principal)
        if found is None:
            return (yield from self._asker.look_further(asked))
        return (yield from self._asker.give_found(asked, found))

    def _count_uncached(self, call: Call, reason: str) -> None:
        operation = f"{call.service}.{call.operation}"
        number = self.stats.count_uncached(reason, operation)
        if number == 1 and self.options.call_log:
            logger.info("response cache: %s is not cached: %s", operation, reason)

    def _plan(self, scope: Scope, operation: str) -> Plan:
        plan: Plan | None = scope.plans.get((self._serial, operation))
        if plan is None:
            if len(scope.plans) >= MOST_PLANS:
                scope.plans.clear()
            plan = scope.plans[self._serial, operation] = make_plan(self.options, scope, operation)
        return plan

    def _is_for_inner(self, scope: Scope, call: Call) -> bool:
        """A cache that was entered later, and would keep this reply, does so alone."""
        return any(
            inner.matches(call.client, call.operation)
            and not inner._plan(scope, call.operation).reason
            for inner in self._inner
        )

    # Writes

    def _write(self, call: Call) -> Steps:
        """What it made stale goes when it is over, however it ended: it may have got through."""
        tags = yield from self._tags_of_write(call)
        if not tags:
            return (yield Forward(call))
        self.stats.count("writes")
        closing = False
        try:
            return (yield Forward(call))
        except Closed:
            closing = True
            raise
        finally:
            yield on_store(self.store, call, single("invalidate", tags), closing=closing)

    def _tags_of_write(self, call: Call) -> Steps:
        service = call.service
        if not self.options.forgets_after(service):
            return ()
        try:
            scope = scope_of(call.client)
            principal = b"" if service == "s3" else (yield from principal_of(scope))
            return freshness.tags_of_write(target_of(call, scope, principal))
        except Uncacheable:
            return (freshness.service_tag(service),)


def _log_call(call: Call) -> None:
    """In botocache's words; but the names of the parameters only, for values may be secrets."""
    logger.info(
        "API Call Logger: Region - %s, Service - %s, Action - %s, API Params - %s",
        call.client.meta.region_name,
        call.service,
        call.operation,
        ", ".join(map(str, call.params)),
    )


# The caches in force, in the order in which they were entered. Replaced under the lock.
_in_force: tuple[CachePatch, ...] = ()
_changing = threading.RLock()
_serials = count()


def _change_in_force(step: Callable[[tuple[CachePatch, ...]], tuple[CachePatch, ...]]) -> None:
    global _in_force
    with _changing:
        _in_force = step(_in_force)
        for index, cache in enumerate(_in_force):
            cache.inner_to_this(_in_force[index + 1 :])


class _Quiet(logging.Filter):
    """Leaves out what stores warn of."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno < logging.WARNING or not str(record.msg).startswith("response cache")
