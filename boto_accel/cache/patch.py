"""
`botocache_context()`: replies of AWS, given again.

A call is looked for where it costs least first: at hand (`peek`), in the flight of another thread
or task, in the store, in the flight of another process, and then at AWS.

Guarding: flights and refreshes have locks of their own; plans are kept with the client's scope,
and two threads that make the same one make equal ones; `_inner` is replaced, never mutated.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple

import botocore.waiter
from botocore.exceptions import ClientError

from boto_accel._bodies import Read, body_of, length_of, read_body
from boto_accel._call import Call, Flavour
from boto_accel._effects import Await, Blocking, Closed, Detach, Effect, Forward, Sleep, Steps
from boto_accel._patch import Patch
from boto_accel._stack import Layer
from boto_accel.cache import freshness, options, policy
from boto_accel.cache.attempt import Attempt, Found
from boto_accel.cache.background import Background
from boto_accel.cache.codec import ERROR, REPLY, Damaged, Kept, Unencodable, encode
from boto_accel.cache.copies import Copies
from boto_accel.cache.counts import CacheStats
from boto_accel.cache.drive import Steps as StoreSteps
from boto_accel.cache.drive import arun_to_the_end, run, single
from boto_accel.cache.flights import Flight, Flights, Landing
from boto_accel.cache.freshness import Lifetime, State, Target
from boto_accel.cache.key import Uncacheable, caller_digest
from boto_accel.cache.options import Options
from boto_accel.cache.scope import Scope, named_by_key, scope_of
from boto_accel.cache.store import Entry, Store
from boto_accel.cache.stores import open_store
from boto_accel.cache.survey import Decided, Held, decided, read_decided, read_held
from boto_accel.errors import InvalidOptionError

logger = logging.getLogger("boto_accel")

MARKER = "BotoAccelCache"  # in ResponseMetadata of a hit
MOST_ROUNDS = 3  # of waiting for others in this process; then one asks for itself
LONGEST_LEAD_S = 30.0  # seconds to wait for another process; then likewise
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.1  # seconds between looks at what it does
MOST_PLANS = 4096  # that are kept with one client
MOST_CALLERS = 64  # of one plan: as many as its credentials have had keys
DEEPEST_FRAME = 24  # from `handle` to a waiter there are about ten frames


class Mode(Enum):
    """What the surrounding code asks for."""

    USUAL = "usual"
    BYPASS = "bypass"
    REFRESH = "refresh"


_modes: ContextVar[tuple[tuple[object, Mode], ...]] = ContextVar("boto_accel_cache", default=())


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


class Asked(NamedTuple):
    """A call that is looked for."""

    call: Call
    scope: Scope
    plan: Plan
    key: bytes
    principal: bytes

    def tags(self) -> tuple[str, ...]:
        return freshness.tags_of_read(_target(self.call, self.scope, self.principal))


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
        *,
        clients: Any = None,
        services: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clients=clients, services=services)
        self.options = chosen
        self.stats: CacheStats = CacheStats()
        self._open = open_
        self._opened: Store | None = None
        self._opening = threading.Lock()
        self._clock = clock
        self._copies = Copies()
        self._flights = Flights()
        self._background = Background()
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
        self._copies = Copies()
        return self.store.clear()

    def entries(self) -> Iterator[Held]:
        """What is kept, the most recently used first."""
        return read_held(self.store.entries(), self._clock())

    def decisions(self, services: Iterable[str] | None = None) -> Iterator[Decided]:
        """
        Each operation that is asked for, and why it is not cached; of all services, or of some.

        Raises InvalidOptionError for a service that botocore does not know.
        """
        return read_decided(self.options, services)

    def explain(self, client: Any, operation: str) -> Decided:
        """
        Whether calls of *operation* ("list_users", or "ListUsers") by *client* are cached.

        Asks nobody. A single call may still not be, for its parameters.
        Raises InvalidOptionError for an operation that the client does not have.
        """
        name = client.meta.method_to_api_mapping.get(operation, operation)
        if name not in client.meta.service_model.operation_names:
            raise InvalidOptionError("operation", operation, "one of the client: 'list_users'")
        model = client.meta.service_model.operation_model(name)
        if not policy.is_read(name):
            return decided(model, policy.WRITE)
        try:
            return decided(model, self._plan(scope_of(client), name).reason)
        except Uncacheable as error:
            return decided(model, error.reason)

    def bypass(self) -> Any:
        """`with cache.bypass():` the calls of this thread or task go by the cache."""
        return self._asking_for(Mode.BYPASS)

    def refresh(self) -> Any:
        """`with cache.refresh():` the calls of this thread or task ask AWS, and are kept."""
        return self._asking_for(Mode.REFRESH)

    @contextmanager
    def _asking_for(self, mode: Mode) -> Iterator[None]:
        token = _modes.set(((self, mode), *_modes.get()))
        try:
            yield
        finally:
            _modes.reset(token)

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
        self._copies = Copies()
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
            mode = self._mode()
            _raise_reason(plan, mode, call.params)
            principal = scope.principal()
            if not isinstance(principal, bytes):
                principal = yield from _principal_from(principal)
            caller = plan.callers.get(principal) or plan.learn(principal)
            key = scope.keys.of(caller, call.params)
        except Uncacheable as error:
            self._count_uncached(call, error.reason)
            return (yield Forward(call))
        if mode is Mode.REFRESH:
            return (yield from self._ask_alone(Asked(call, scope, plan, key, principal)))
        entry = self.store.peek(key)
        found = None if entry is None else self._read(plan, key, entry)
        if found is not None and found.state is State.FRESH:
            return self._give(call, found)
        asked = Asked(call, scope, plan, key, principal)
        if found is None:
            return (yield from self._look_further(asked))
        return (yield from self._give_found(asked, found))

    def _count_uncached(self, call: Call, reason: str) -> None:
        operation = f"{call.service}.{call.operation}"
        number = self.stats.count_uncached(reason, operation)
        if number == 1 and self.options.call_log:
            logger.info("response cache: %s is not cached: %s", operation, reason)

    def _mode(self) -> Mode:
        for cache, mode in _modes.get():
            if cache is self:
                return mode
        # A waiter polls for a change: what is kept would keep it waiting.
        return Mode.REFRESH if _is_asked_by_a_waiter() else Mode.USUAL

    def _plan(self, scope: Scope, operation: str) -> Plan:
        plan: Plan | None = scope.plans.get((self._serial, operation))
        if plan is None:
            if len(scope.plans) >= MOST_PLANS:
                scope.plans.clear()
            plan = scope.plans[self._serial, operation] = self._make_plan(scope, operation)
        return plan

    def _make_plan(self, scope: Scope, operation: str) -> Plan:
        chosen, service = self.options, scope.service
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

    def _is_for_inner(self, scope: Scope, call: Call) -> bool:
        """A cache that was entered later, and would keep this reply, does so alone."""
        return any(
            inner.matches(call.client, call.operation)
            and not inner._plan(scope, call.operation).reason
            for inner in self._inner
        )

    def _read(self, plan: Plan, key: bytes, entry: Entry) -> Found | None:
        """None for an entry that cannot be given, here: another program may have other wishes."""
        state = freshness.state_of(entry, self._clock(), plan.lifetime)
        if state is State.EXPIRED:
            return None
        try:
            kept = self._copies.read(key, entry.payload, time.tzname)
        except Damaged:
            return None
        if kept.kind == ERROR and not self._is_wanted_error(entry, kept):
            return None
        return Found(entry, kept, state)

    def _is_wanted_error(self, entry: Entry, kept: Kept) -> bool:
        return self._clock() - entry.stored_at < self.options.lifetime_of_error(kept.value)

    def _give(self, call: Call, found: Found) -> Any:
        """The reply of a hit, the caller's own; or raise the error that was kept."""
        entry, kept, state = found
        self.stats.count("hits" if state is State.FRESH else "stale")
        metadata = kept.value.get("ResponseMetadata")
        if type(metadata) is dict:
            age = max(0.0, self._clock() - entry.stored_at)
            metadata[MARKER] = {"Hit": True, "Stale": state is State.STALE, "AgeSeconds": age}
        if kept.kind == ERROR:
            raise _error_class(call.client, kept.value)(kept.value, call.operation)
        if kept.member:
            data = kept.value[kept.member]
            kept.value[kept.member] = body_of(Read(data), len(data), call.flavour)
        return kept.value

    # Not at hand

    def _look_further(self, asked: Asked) -> Steps:
        """What another thread, task or process has or gets, or AWS says."""
        failures = 0
        for _ in range(MOST_ROUNDS):
            flight, leads = self._flights.join(asked.key)
            if leads:
                attempt = self._attempt(asked)
                outcome = yield from self._fly(
                    asked.call, flight, attempt, self._lead(asked, attempt)
                )
                if isinstance(outcome, Found):
                    return (yield from self._give_found(asked, outcome))
                return outcome
            is_sync = asked.call.flavour is Flavour.SYNC
            how = yield Await(flight.wait if is_sync else flight.wait_async)
            if how is Landing.KEPT:
                found = yield from self._look(asked)
                if found is not None:
                    return (yield from self._give_found(asked, found))
            # One failure may have been an accident. After a second one all that still wait ask
            # at once, as they would have done: a queue of time-outs helps nobody.
            failures += how is Landing.FAILED
            if how is Landing.TIMED_OUT:
                self._flights.land(asked.key, flight, how)
            if failures > 1 or how not in (Landing.KEPT, Landing.FAILED, Landing.VANISHED):
                break
        return (yield from self._ask_alone(asked))

    def _look(self, asked: Asked) -> Steps:
        """What a flight has brought."""
        entry = self.store.peek(asked.key)
        if entry is None:
            entry = yield self._on_store(asked.call, single("get", asked.key))
        return None if entry is None else self._read(asked.plan, asked.key, entry)

    def _attempt(self, asked: Asked) -> Attempt:
        read = partial(self._read, asked.plan, asked.key)
        return Attempt(asked.key, asked.tags(), read)

    def _fly(self, call: Call, flight: Flight, attempt: Attempt, steps: Steps) -> Steps:
        """Run *steps*, which are of *attempt*, and tell those who wait how it ended."""
        how, closing = Landing.VANISHED, False
        try:
            flight.take()
            outcome = yield from steps
            how = Landing.KEPT if attempt.kept else Landing.UNKEPT
            return outcome
        except Exception:
            how = Landing.KEPT if attempt.kept else Landing.FAILED
            raise
        except Closed:
            closing = True
            raise
        finally:
            self._flights.land(attempt.key, flight, how)
            attempt.abandon()
            if attempt.leads:
                yield self._on_store(call, attempt.done(), closing=closing)

    def _lead(self, asked: Asked, attempt: Attempt) -> Steps:
        """
        What the store has, a `Found`; or else what AWS says to one process on behalf of all.

        Another process that asks is waited for, within bounds.
        """
        found = yield self._on_store(asked.call, attempt.begin())
        waited, pause = 0.0, FIRST_PAUSE_S
        while found is None and not attempt.leads and waited < LONGEST_LEAD_S:
            yield Sleep(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_S)
            found = yield self._on_store(asked.call, attempt.begin())
        if found is not None:
            return found
        return (yield from self._ask(asked, attempt))

    def _give_found(self, asked: Asked, found: Found) -> Steps:
        if found.state is State.STALE:
            yield from self._revalidate(asked)
        return self._give(asked.call, found)

    def _revalidate(self, asked: Asked) -> Steps:
        """Ask anew in the background, unless somebody is at it."""
        flight, leads = self._flights.join(asked.key)
        if not leads:
            return
        attempt = self._attempt(asked)
        run = yield Detach(self._fly(asked.call, flight, attempt, self._renew(asked, attempt)))
        ended = partial(self._flights.land, asked.key, flight, Landing.VANISHED)
        if asked.call.flavour is Flavour.ASYNC:
            self._background.start_task(run, ended)
        elif not self._background.start_thread(run, ended):
            ended()

    def _renew(self, asked: Asked, attempt: Attempt) -> Steps:
        if (yield self._on_store(asked.call, attempt.begin_anew())):
            yield from self._ask(asked, attempt)

    # AWS

    def _ask_alone(self, asked: Asked) -> Steps:
        attempt = self._attempt(asked)
        yield self._on_store(asked.call, attempt.depart())
        return (yield from self._ask(asked, attempt))

    def _ask(self, asked: Asked, attempt: Attempt) -> Steps:
        """The reply of AWS, kept if it can be. Its age counts from when it was asked for."""
        self.stats.count("misses")
        asked_at = self._clock()
        try:
            reply = yield Forward(asked.call)
        except ClientError as error:
            entry = self._entry_of_error(asked, error, asked_at, attempt)
            if entry is not None:
                yield self._on_store(asked.call, attempt.arrive(entry))
            raise
        kept: Kept | None = Kept(REPLY, "", reply)
        if asked.plan.stream:
            kept, reply = yield from self._read_stream(asked, reply)
        entry = self._entry_of(asked, kept, asked.plan.lifetime, asked_at, attempt)
        if entry is not None:
            yield self._on_store(asked.call, attempt.arrive(entry))
        return reply

    def _read_stream(self, asked: Asked, reply: Any) -> Steps:
        """(what to keep or None, the caller's reply with a body that can be read)"""
        member = asked.plan.stream
        body, length = reply.get(member), length_of(reply)
        if not hasattr(body, "read") or length is None or length > self.options.max_body_bytes:
            self._count_uncached(asked.call, LONG_STREAM)
            return None, reply
        found = yield from read_body(body)
        kept = Kept(REPLY, member, {**reply, member: found.data}) if found.error is None else None
        return kept, {**reply, member: body_of(found, length, asked.call.flavour)}

    def _entry_of(
        self,
        asked: Asked,
        kept: Kept | None,
        lifetime: Lifetime,
        asked_at: float,
        attempt: Attempt,
    ) -> Entry | None:
        if kept is None or type(kept.value) is not dict:
            return None
        try:
            payload = encode(kept)
        except Unencodable:
            self._count_uncached(asked.call, UNKNOWN_TYPE)
            return None
        span = freshness.span_of(lifetime, asked_at)
        return Entry(payload, attempt.tags, *span, asked.plan.label)

    def _entry_of_error(
        self, asked: Asked, error: ClientError, asked_at: float, attempt: Attempt
    ) -> Entry | None:
        response: Any = error.response
        fresh = self.options.lifetime_of_error(response)
        if not fresh or type(error) is not _error_class(asked.call.client, response):
            return None
        kept = Kept(ERROR, "", response)
        return self._entry_of(asked, kept, Lifetime(fresh, 0), asked_at, attempt)

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
            yield self._on_store(call, single("invalidate", tags), closing=closing)

    def _on_store(self, call: Call, steps: StoreSteps[Any], *, closing: bool = False) -> Effect:
        """
        Run *steps* on the store: in the event loop of *call* where both can, else in a thread.

        closing: the call is being closed, and can await no more.
        """
        store = self.store
        if call.flavour is Flavour.SYNC or closing or store.aio is None:
            return Blocking(partial(run, steps, store))
        return Await(partial(arun_to_the_end, steps, store.aio))

    def _tags_of_write(self, call: Call) -> Steps:
        service = call.service
        if not self.options.forgets_after(service):
            return ()
        try:
            scope = scope_of(call.client)
            principal = b"" if service == "s3" else scope.principal()
            if not isinstance(principal, bytes):
                principal = yield from _principal_from(principal)
            return freshness.tags_of_write(_target(call, scope, principal))
        except Uncacheable:
            return (freshness.service_tag(service),)


LONG_STREAM = "a stream of unknown length, or too long"
UNKNOWN_TYPE = "a reply with values of other types than botocore's"
BYPASSED = "by the user's wish"
NO_CREDENTIALS = "no credentials to be had"


def _raise_reason(plan: Plan, mode: Mode, params: Mapping[str, Any]) -> None:
    if plan.reason:
        raise Uncacheable(plan.reason)
    if mode is Mode.BYPASS:
        raise Uncacheable(BYPASSED)
    reason = policy.reason_against_call(params, allow_sensitive=plan.allows_sensitive)
    if reason:
        raise Uncacheable(reason)


def _principal_from(get: Callable[[], Any]) -> Steps:
    try:
        frozen = yield Await(get)
    except Exception:
        raise Uncacheable(NO_CREDENTIALS) from None  # botocore will say so itself
    return named_by_key(getattr(frozen, "access_key", None))


def _target(call: Call, scope: Scope, principal: bytes) -> Target:
    return Target(
        scope.service, call.operation, scope.region, scope.endpoint, principal, call.params
    )


def _error_class(client: Any, response: Mapping[str, Any]) -> Any:
    """Source: `BaseClient._make_api_call`."""
    error = response.get("Error", {})
    return client.exceptions.from_code(error.get("QueryErrorCode") or error.get("Code"))


def _is_asked_by_a_waiter() -> bool:
    """Whether `handle` is run for one: no argument and no event tells, but the stack does."""
    module = sys.modules.get("aiobotocore.waiter")
    also = None if module is None else vars(module)
    frame = sys._getframe(2)
    for _ in range(DEEPEST_FRAME):
        if frame.f_globals is _waiters or frame.f_globals is also:
            return True
        back = frame.f_back
        if back is None:
            return False
        frame = back
    return False


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


def botocache_context(
    cache_max_size: Any = options.DEFAULT_MAX_ENTRIES,
    cache_ttl: Any = options.DEFAULT_TTL_S,
    cache_path: Any = ".cache",
    call_verbs_to_cache: Any = options.DEFAULT_VERBS,
    *,
    cache: Any = None,
    action_regex_to_cache: Any = None,
    call_log: bool = False,
    supress_warning_message: bool = False,
    ttl_by_operation: Mapping[str, float] | None = None,
    max_body_bytes: int = options.DEFAULT_MAX_BODY_BYTES,
    stale_while_revalidate: float = 0,
    cache_errors: float | Mapping[str, float] = 0,
    allow_sensitive: Any = False,
    clients: Any = None,
    services: Any = None,
    operations: Any = None,
    cache_max_bytes: int | None = options.DEFAULT_MAX_BYTES,
    invalidate_on_write: Any = True,
) -> CachePatch:
    """
    A patch that gives replies of AWS again, in boto3, botocore, aiobotocore and aioboto3.

    cache_max_size: entries that are kept. cache_ttl: seconds that one is fresh. cache_path: a
    folder, or a SQLite file. call_verbs_to_cache: what the names of the operations begin with.
    cache: in place of cache_path a URL (`sqlite:///path`, `memory://`, `redis://host`), or any
    MutableMapping; one that has a `ttl` of its own keeps that. action_regex_to_cache: in place of
    the verbs, for `re.match` on the operation. call_log: log each call, without the values of its
    parameters. supress_warning_message: do not warn of a store that is broken.
    ttl_by_operation: {"iam.ListUsers": 60, "DescribeInstances": 10, "ec2": 300}; 0 is never.
    max_body_bytes: the longest body of a stream that is kept. stale_while_revalidate: seconds that
    a reply is given after its time, while AWS is asked in the background. cache_errors: seconds
    that an error is kept which says that something is not there; or {"AccessDenied": 10}.
    allow_sensitive: keep what the service model marks as sensitive, and credentials; True, or
    names of services or operations. clients, services, operations: only these; None for all.
    cache_max_bytes: of all entries together. invalidate_on_write: whether a write drops what it
    may have made stale; True, False, or names of services.

    The first four are the API of botocache's README, `cache` to `supress_warning_message` that of
    its last release, which are taken by position too. Use it with `with`, `async with`, as a
    decorator, or `.install()`. Raises InvalidOptionError, or MissingExtraError, before anything is
    changed.
    """
    named = {name: value for name, value in locals().items() if name not in _POSITIONAL}
    old = options.of_last_release(
        (cache_max_size, cache_ttl, cache_path, call_verbs_to_cache), named
    )
    if old is not None:
        return botocache_context(**old)
    max_entries = options.whole("cache_max_size", cache_max_size, 1)
    if cache_max_bytes is not None:
        options.whole("cache_max_bytes", cache_max_bytes, 1)
    own_ttl = getattr(cache, "ttl", None)
    if cache_ttl == options.DEFAULT_TTL_S and type(own_ttl) in (int, float):
        cache_ttl = own_ttl
    chosen = options.make_options(
        cache_ttl=cache_ttl,
        call_verbs_to_cache=call_verbs_to_cache,
        action_regex_to_cache=action_regex_to_cache,
        ttl_by_operation=ttl_by_operation,
        stale_while_revalidate=stale_while_revalidate,
        cache_errors=cache_errors,
        max_body_bytes=max_body_bytes,
        allow_sensitive=allow_sensitive,
        invalidate_on_write=invalidate_on_write,
        call_log=call_log,
        quiet=supress_warning_message,
        operations=operations,
    )
    where = cache_path if cache is None else cache
    open_ = partial(open_store, where, max_entries=max_entries, max_bytes=cache_max_bytes)
    return CachePatch(open_, chosen, clients=clients, services=services)


_POSITIONAL = ("cache_max_size", "cache_ttl", "cache_path", "call_verbs_to_cache")
_waiters = vars(botocore.waiter)
