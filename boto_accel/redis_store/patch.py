"""
`redis_s3()`: calls of S3, answered by Redis or Valkey.

A call of a client whose endpoint_url is one of ours ends here; every other call goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from botocore.validate import ParamValidator

from boto_accel._call import Call
from boto_accel._effects import Sleep, Steps
from boto_accel._patch import Narrowing, Patch
from boto_accel._stack import Layer
from boto_accel.errors import InvalidOptionError
from boto_accel.redis_store import events
from boto_accel.redis_store.answers import answer_of, error_of
from boto_accel.redis_store.bodies import Source
from boto_accel.redis_store.errors import UnpresignableError
from boto_accel.redis_store.links import check_redis
from boto_accel.redis_store.operations import OPERATIONS, WITH_BODY, is_plain
from boto_accel.redis_store.params import check_known
from boto_accel.redis_store.records import DamagedError
from boto_accel.redis_store.retrying import Attempts
from boto_accel.redis_store.semantics import Refusal
from boto_accel.redis_store.state import ClientState, Parts, state_of
from boto_accel.redis_store.store import Asking, Options, Reply, Store, TroubleError
from boto_accel.redis_store.troubles import translated
from boto_accel.redis_store.unserved import refuse_misspelt, watch_sessions
from boto_accel.redis_store.urls import is_ours, with_host


class RedisPatch(Patch):
    """See `redis_s3`, which makes it."""

    layer = Layer.STORE
    makes: ClassVar[frozenset[str]] = frozenset(["ClientEndpointBridge.resolve"])

    def __init__(
        self, options: Options, narrowing: Narrowing, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(narrowing)
        self.options = options
        self._clock = clock

    def __repr__(self) -> str:
        return f"<RedisPatch {self.options}>"

    def matches(self, client: Any, operation: str) -> bool:
        return state_of(client) is not None and super().matches(client, operation)

    def handle(self, call: Call) -> Steps:
        client, operation = call.client, call.operation
        state = state_of(client)
        assert state is not None  # by `matches`
        parts = state.parts(client, operation)
        params: Mapping[str, Any] = call.params
        context: dict[str, Any] = {}
        plain = parts.quiet and is_plain(operation, params)
        if not plain:
            params, answered = yield from _prepare(call, state, context)
            if answered is not None:
                return (yield from events.finish(call, answered[1], context, answered[0]))
        try:
            if not plain:
                check_known(operation, params)
        except Refusal as refusal:
            parsed = error_of(operation, refusal, 0)
        else:
            try:
                parsed = yield from self._attempted(call, state, params, context, parts)
            except Exception as error:
                yield from events.failed(call, error, context)
                raise
            if parts.quiet and "Error" not in parsed:
                return parsed
        return (yield from events.finish(call, parsed, context, None))

    def _attempted(
        self,
        call: Call,
        state: ClientState,
        params: Mapping[str, Any],
        context: dict[str, Any],
        parts: Parts,
    ) -> Steps:
        """The parsed answer to the last attempt. Raises what there is in place of one."""
        store = Store(call.client, state, self.options, self._clock)
        source = Source(params.get("Body", b"")) if call.operation in WITH_BODY else None
        steps = partial(OPERATIONS[call.operation], store, params, source or context)
        attempts = Attempts(call, parts, context)
        while True:
            if parts.before_send:
                yield from attempts.begin()
            outcome = yield from _outcome(call, state, steps(), attempts.retries)
            delay = (yield from attempts.delay(outcome)) if attempts.decides(outcome) else None
            if delay is None or (source is not None and not source.can_rewind):
                break
            yield Sleep(delay)
            attempts.retries += 1
            if source is not None:
                source.rewind()
        if isinstance(outcome, Exception):
            raise outcome
        if parts.after_call and "Error" not in outcome:
            yield from attempts.end(outcome)
        return outcome

    def presign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        if state_of(client) is None:
            return stock(client, *args, **kwargs)
        raise UnpresignableError(stock.__name__)

    async def apresign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        if state_of(client) is None:
            return await stock(client, *args, **kwargs)
        raise UnpresignableError(stock.__name__)

    def make(
        self,
        name: str,
        stock: Callable[..., Any],
        owner: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Where a client's endpoint is: with a host, without which botocore makes no client."""
        resolved = stock(owner, *args, **kwargs)
        url = resolved["endpoint_url"]
        if resolved["service_name"] != "s3":
            return resolved
        refuse_misspelt(url)
        if not is_ours(url):
            return resolved
        return {**resolved, "endpoint_url": with_host(url)}


def _outcome(call: Call, state: ClientState, steps: Asking, retries: int) -> Steps:
    """What comes of one attempt."""
    try:
        reply: Reply = yield from steps
        return answer_of(call.operation, reply, retries)
    except Refusal as refusal:  # kept in no variable: it would be in a cycle with this frame
        return error_of(call.operation, refusal, retries)
    except TroubleError as trouble:
        failure: Exception = trouble.error
    except DamagedError as damaged:
        failure = translated(damaged, state.address)
    if isinstance(failure, Refusal):
        return error_of(call.operation, failure, retries)
    return failure


def _prepare(call: Call, state: ClientState, context: dict[str, Any]) -> Steps:
    """
    (parameters, answer): what handlers make of the parameters, valid for botocore.

    answer: (HTTP response, parsed) where a handler of before-call has one, as botocore's Stubber.
    """
    client = call.client
    model = client.meta.service_model.operation_model(call.operation)
    context.update(events.context_of(client, model))
    params = yield from events.emit_params(call, model, context)
    if state.validates:
        report = ParamValidator().validate(params, model.input_shape)
        if report.has_errors():
            raise events.invalid(report)
    answered = None
    if state.handlers(client, "before-call", call.operation):
        answered = yield from events.emit_before_call(call, model, params, context)
    return params, answered


def redis_s3(
    *,
    default_ttl: float | None = None,
    replaced_ttl: float = 600.0,
    clients: Any = None,
    operations: Any = None,
) -> RedisPatch:
    """
    A patch that answers calls of S3 clients whose endpoint_url is redis://, rediss://, unix://,
    redis+cluster://, redis+sentinel:// or redis+embedded://; for boto3, botocore, aiobotocore and
    aioboto3. See docs/redis.md.

    default_ttl: seconds that an object lives which has no time to live of its own; None for ever.
    replaced_ttl: seconds that a long object can still be read to its end after it was replaced.
    clients, operations: only these; None for all.

    Raises InvalidOptionError, MissingExtraError.
    """
    if default_ttl is not None and not _is_seconds(default_ttl):
        raise InvalidOptionError("default_ttl", default_ttl, "seconds, more than 0; None for ever")
    if not _is_seconds(replaced_ttl):
        raise InvalidOptionError("replaced_ttl", replaced_ttl, "seconds, more than 0")
    check_redis()
    options = Options(default_ttl, replaced_ttl)
    return RedisPatch(options, Narrowing.of(clients, "s3", operations))


def _is_seconds(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0.001 <= value <= 3_000_000_000
    )


watch_sessions()  # so a client that no patch serves says so: the one effect of an import
