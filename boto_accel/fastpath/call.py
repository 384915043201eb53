"""
One call on the fast path, from parameters to result: quick where all is known, else slow steps.

`prepare` makes the request or says that something is to be learned first; `prepare_slowly` learns
it; `read` makes the result of a reply. The two worlds differ in `patch.py` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import contexts, eligibility, proof, stock
from boto_accel.fastpath.checksums import Body, Place
from boto_accel.fastpath.endpoints import Endpoint
from boto_accel.fastpath.invocation import new_invocation_id
from boto_accel.fastpath.plan import Plan
from boto_accel.fastpath.proof import Different
from boto_accel.fastpath.replies import UNREADABLE, Head
from boto_accel.fastpath.state import ClientState
from boto_accel.fastpath.steps import Steps
from boto_accel.fastpath.transport.rawbody import RawBody
from boto_accel.fastpath.transport.wire import Reply, Wire
from boto_accel.fastpath.variant import Variant

MOST_PROVED = 64  # kinds of calls that one variant remembers having proved


class StocksOwn(Exception):
    """*raised* by a handler or a credential provider of the user's: stock raises it as well."""

    def __init__(self, raised: Exception) -> None:
        self.raised = raised


class HandlersHaveRun(Exception):
    """
    *error* ended the preparing of a call whose parameter handlers are the user's and have run.

    They are not to run again: stock goes on from *params* and the context that they left.
    """

    def __init__(
        self, error: Exception, params: Mapping[str, Any], settled: Mapping[str, Any]
    ) -> None:
        super().__init__()  # without them: its `repr` would have the parameters
        self.error = error
        self.params = params
        self.settled = settled


class Given(NamedTuple):
    """
    The parameters of one call after the handlers: as the plan takes them, and as stock is given
    them; settled: the context that the handlers left where stock is not to run them again.
    """

    params: Mapping[str, Any]
    stocks: Mapping[str, Any]
    settled: dict[str, Any] | None


class Prepared:
    """
    A request ready to be sent.

    params: as they go to stock if it has to go on; settled: the context that the parameter
    handlers left, where they have run, else None.
    """

    __slots__ = (
        "body",
        "endpoint",
        "invocation_id",
        "params",
        "plan",
        "settled",
        "variant",
        "wire",
    )

    def __init__(
        self,
        plan: Plan,
        variant: Variant,
        endpoint: Endpoint,
        params: Mapping[str, Any],
        settled: dict[str, Any] | None,
        invocation_id: str,
        wire: Wire,
        body: Body | None,
    ) -> None:
        self.plan = plan
        self.variant = variant
        self.endpoint = endpoint
        self.params = params
        self.settled = settled
        self.invocation_id = invocation_id
        self.wire = wire
        self.body = body


def prepare(plan: Plan, params: Mapping[str, Any], credentials: Any) -> Prepared | None:
    """The request for *params*, or None where `prepare_slowly` has to learn something first."""
    if plan.runs_parameter_handlers:
        return None
    if plan.tokens:
        params = plan.with_tokens(params)
    variant = plan.variant(tuple(params))
    if variant.triggered:
        return None
    endpoint = plan.resolver.find(params, credentials)
    if endpoint is None:
        return None
    if endpoint.sessions is not None:
        credentials = endpoint.sessions.credentials(params["Bucket"])
        if credentials is None:
            return None
    algorithm = variant.algorithm(params)
    learned = variant.proved.get((_compat.current_features(), algorithm, endpoint.marks))
    if learned is None:
        return None
    if credentials is None and endpoint.signs:
        raise Declined("no credentials")
    invocation_id = new_invocation_id()
    wire, body = variant.build(
        params, endpoint, credentials, algorithm, learned, _compat.signing_time(), invocation_id
    )
    return Prepared(plan, variant, endpoint, params, None, invocation_id, wire, body)


def prepare_slowly(
    call_stock: stock.Stock,
    client: Any,
    plan: Plan,
    params: Mapping[str, Any],
    credentials: Any,
    counts: Any,
) -> Steps[Prepared]:
    """Run parameter handlers, resolve the endpoint, prove the plan: whatever is missing."""
    context = dict(plan.context)
    settled = None
    if plan.runs_parameter_handlers:
        try:
            params = yield client._emit_api_params(
                api_params=dict(params), operation_model=plan.model, context=context
            )
        except Exception as error:
            raise StocksOwn(error) from None
        settled = context
    else:
        params = plan.with_tokens(params)
    try:
        return (
            yield from _learn(
                call_stock, client, plan, params, settled, context, credentials, counts
            )
        )
    except Exception as error:
        if settled is None or isinstance(error, StocksOwn):
            raise
        raise HandlersHaveRun(error, params, settled) from None


def _learn(
    call_stock: stock.Stock,
    client: Any,
    plan: Plan,
    params: Mapping[str, Any],
    settled: dict[str, Any] | None,
    context: dict[str, Any],
    credentials: Any,
    counts: Any,
) -> Steps[Prepared]:
    """The same once the user's handlers have run. *context*: of the request, as they left it."""
    if context.get("read_timeout") is not None:  # `URLLib3Session._get_request_timeout`
        raise Declined("a read timeout of the call's own")
    stocks = params
    variant = plan.variant(tuple(params), settled=settled is not None)
    if variant.triggered:
        params = variant.run_triggered(dict(params), context)
        variant = plan.variant(tuple(params), settled=True)
    given = Given(params, stocks, settled)
    endpoint = plan.resolver.find(params, credentials)
    if endpoint is None:
        check_bucket(plan, params)
        endpoint = yield from plan.resolver.resolve(client, params, context, credentials)
    if credentials is None and endpoint.signs:
        raise Declined("no credentials")
    algorithm = variant.algorithm(params)
    key = (_compat.current_features(), algorithm, endpoint.marks)
    learned = variant.proved.get(key)
    sessions = endpoint.sessions
    if sessions is not None:
        credentials = sessions.credentials(params["Bucket"])
    if learned is None or (sessions is not None and credentials is None):
        theirs = yield from _stocks_request(call_stock, client, plan, variant, given, endpoint)
        if sessions is not None:
            credentials = yield from sessions.learn(params["Bucket"])
        if learned is None:
            learned = _prove(variant, params, endpoint, credentials, algorithm, theirs)
            if len(variant.proved) >= MOST_PROVED:
                variant.proved.clear()
            variant.proved[key] = learned
            counts.count_proved()
    invocation_id = new_invocation_id()
    wire, body = variant.build(
        params, endpoint, credentials, algorithm, learned, _compat.signing_time(), invocation_id
    )
    return Prepared(plan, variant, endpoint, given.stocks, given.settled, invocation_id, wire, body)


def left_to_stock(client: Any, params: Any, error: Exception) -> tuple[Any, Any, Exception]:
    """The client and parameters that stock is to be called with after *error*; what that was."""
    if not isinstance(error, HandlersHaveRun):
        return client, params, error
    stand_in = stock.settled_client(client, error.params, error.settled)
    return stand_in, error.params, error.error


def check_bucket(plan: Plan, params: Mapping[str, Any]) -> None:
    """Endpoints are kept for valid names only, so that a kept one says that the name is valid."""
    for handler, _ in plan.parameter_handlers:
        if eligibility.name_of(handler) == "validate_bucket_name":
            try:
                handler(params=params)
            except Exception:
                raise Declined("parameters that botocore refuses") from None


def _stocks_request(
    call_stock: stock.Stock,
    client: Any,
    plan: Plan,
    variant: Variant,
    given: Given,
    endpoint: Endpoint,
) -> Steps[Any]:
    """The request that stock would send. Raises Declined where it refuses the call."""
    place = Place(variant.given_body(given.params))
    try:
        return (
            yield from stock.request_of(
                call_stock, client, plan.operation, given.stocks, given.settled
            )
        )
    except Exception as error:
        if endpoint.sessions is not None:
            raise StocksOwn(error) from None  # asked again, stock would ask S3 for a session again
        try:
            place.restore()  # it may have been in the middle of a checksum
        except Exception:
            raise StocksOwn(error) from None  # asked again, stock would send what is left
        raise Declined("parameters that botocore refuses") from None


def _prove(
    variant: Variant,
    params: Mapping[str, Any],
    endpoint: Endpoint,
    credentials: Any,
    algorithm: str | None,
    stocks: Any,
) -> str:
    """
    Build this request beside *stocks*; what stock's alone can tell is returned.

    Raises Different where the requests are not equal.
    """
    headers = proof.text_headers(stocks)
    learned = proof.learned_lines(headers)
    if endpoint.signs and not proof.is_signed_by(headers, credentials):
        raise Declined("credentials that were renewed meanwhile")
    wire, body = variant.build(
        params,
        endpoint,
        credentials,
        algorithm,
        learned,
        headers.get(proof.TIMESTAMP) or _compat.signing_time(),
        headers.get(proof.INVOCATION_ID) or new_invocation_id(),
    )
    try:
        proof.compare_requests(wire, body, stocks)
    finally:
        if body is not None:
            body.restore()
    return learned


def freeze(credentials: Any) -> Any:
    """The credentials that a call signs with now."""
    try:
        return credentials.get_frozen_credentials()
    except Exception as error:
        raise StocksOwn(error) from None


async def afreeze(credentials: Any) -> Any:
    """The same for aiobotocore."""
    try:
        return await credentials.get_frozen_credentials()
    except Exception as error:
        raise StocksOwn(error) from None


# Answers


def read(prepared: Prepared, reply: Reply) -> dict[str, Any] | None:
    """The result of a good answer that the compiled reader can read; else None."""
    answers = prepared.plan.answers
    if not 200 <= reply.status < 300 or answers.tells_all:
        return None
    try:
        return answers.read(reply, prepared.variant.validates_answer)
    except UNREADABLE:
        return None


def context_after(prepared: Prepared) -> dict[str, Any]:
    """The request context, as far as botocore's own handlers of after-call look at it."""
    context = dict(prepared.plan.context)
    context.update(prepared.endpoint.context)
    if prepared.settled is not None:
        context.update(prepared.settled)
    if prepared.variant.auto_encoding:
        context["encoding_type_auto_set"] = True
    return context


def finish_slowly(
    call_stock: stock.Stock,
    client: Any,
    state: ClientState,
    prepared: Prepared,
    reply: Reply,
    result: dict[str, Any],
    counts: Any,
) -> Steps[dict[str, Any]]:
    """For a result that is to be proved, or that somebody else's handlers are to see."""
    answers = prepared.plan.answers
    context = context_after(prepared)
    if answers.proofs_left > 0:
        try:
            yield from _prove_answer(client, prepared, reply, result, context)
            answers.proofs_left = max(answers.proofs_left - 1, 0)
        except Different as different:
            state.retire(prepared.plan, different)
            counts.count_retired()
            told = yield from go_on(call_stock, client, prepared, reply, None)
            return told
    if answers.emits_after_call:
        plan = prepared.plan
        service = plan.model.service_model.service_id.hyphenize()
        yield client.meta.events.emit(
            f"after-call.{service}.{plan.operation}",
            http_response=response_of(prepared, reply),
            parsed=result,
            model=plan.model,
            context=contexts.as_stocks(prepared, context),
        )
    else:
        answers.finish_quietly(result, reply.status, context)
    return result


def _prove_answer(
    client: Any, prepared: Prepared, reply: Reply, result: dict[str, Any], context: dict[str, Any]
) -> Steps[None]:
    """Parse the answer as stock does, and compare. A stream is not read for it."""
    answers = prepared.plan.answers
    stocks_context = dict(context)
    if prepared.variant.validates_answer and answers.algorithms:
        stocks_context["checksum"] = {
            "response_algorithms": [algorithm for algorithm, _ in answers.algorithms]
        }
    unread_raw = None if reply.raw is None else RawBody(b"", None, reply)
    unread = Reply(reply.status, reply.headers, reply.body, unread_raw)
    stocks = yield from answers.stock_reader.parse(
        client, response_of(prepared, unread), stocks_context
    )
    stocks["ResponseMetadata"]["RetryAttempts"] = 0
    if answers.one_attempt:  # by a handler of needs-retry, which is not run for a comparison
        stocks["ResponseMetadata"]["MaxAttemptsReached"] = True
    ours = _copy(result)
    for handler in answers.pure_after_call():
        handler(parsed=stocks, context=stocks_context, model=answers.model)
        handler(parsed=ours, context=stocks_context, model=answers.model)
    proof.compare_answers(ours, stocks, answers.reader.payload if answers.streams else None)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def response_of(prepared: Prepared, reply: Reply) -> Any:
    """The `AWSResponse` (or its async kin) that stock would have made of *reply*."""
    plan = prepared.plan
    headers = Head(reply.headers, plan.is_async).as_sent()
    raw = RawBody(b"", None, reply) if reply.raw is None else reply.raw  # never None in stock
    return stock.aws_response(
        prepared.wire.url, reply.status, headers, raw, reply.body, plan.is_async
    )


def go_on(
    call_stock: stock.Stock,
    client: Any,
    prepared: Prepared,
    reply: Reply | None,
    error: Exception | None,
) -> Steps[Any]:
    """Tell stock what came of the first attempt; its result, after its retries."""
    place = Place(None if prepared.body is None else prepared.body.file)
    if prepared.body is not None:
        prepared.body.restore()
    response = None
    if reply is not None and prepared.plan.is_async and reply.status in stock.FOLLOWED:
        try:
            response = yield from _follow(client, prepared, reply)
        except BotoCoreError as failed:
            facts = {**failed.kwargs}
            if "endpoint_url" in facts:  # stock names where the call was sent first
                facts["endpoint_url"] = prepared.wire.url
            error = type(failed)(**facts)
    if reply is not None and response is None and error is None:
        try:
            response = response_of(prepared, reply)
        except UnicodeDecodeError as bad:  # aiobotocore reads header values as UTF-8
            error = HTTPClientError(error=bad)
    outcome = stock.Outcome(response, error, prepared.invocation_id, place)
    steps = stock.go_on(
        call_stock, client, prepared.plan.operation, prepared.params, prepared.settled, outcome
    )
    if reply is not None and reply.status >= 300:
        return (yield from _compare_refusal(prepared, reply, steps))
    try:
        return (yield from steps)
    except BaseException:
        if reply is not None and reply.raw is not None:
            reply.raw.close()  # nobody will be given it
        raise


def _follow(client: Any, prepared: Prepared, reply: Reply) -> Steps[Any]:
    """
    aiohttp follows a redirection that says where to; what it finds there is the answer.

    None where it does not say. The rest of the way is gone by the client's own session.
    """
    location = next((value for name, value in reply.headers if name.lower() == b"location"), b"")
    if not location:
        return None
    session = _compat.endpoint_of(client).http_session
    wire = prepared.wire
    where = location.strip(b" \t").decode("utf-8", "surrogateescape")  # aiohttp.http_parser
    body = None
    if prepared.body is not None:
        body = prepared.body.data if prepared.body.in_memory else prepared.body.file
    headers = proof.headers_in(wire.head)
    request = stock.redirected(
        wire.method, wire.url, headers, body, reply.status, where, wire.streams
    )
    return (yield session.send(request))


def _compare_refusal(prepared: Prepared, reply: Reply, steps: Steps[Any]) -> Steps[Any]:
    """Let stock raise what it raises; where we could have read it, compare."""
    refusals = prepared.plan.refusals
    ours = refusals.read(reply)
    try:
        return (yield from steps)
    except ClientError as error:
        if ours is not None:
            refusals.compare(ours, error.response, proof.same)
        raise


def refusal(prepared: Prepared, client: Any, reply: Reply) -> Exception | None:
    """What a plain refusal raises, once such answers have been compared; None: ask stock."""
    refusals = prepared.plan.refusals
    if refusals.proofs_left != 0:
        return None
    response = refusals.read(reply)
    return None if response is None else refusals.exception(client, response)
