"""
The handlers of a call: those of botocore and of the user, around an answer that is not of HTTP.

Run are `provide-client-params` and `before-parameter-build` (all handlers), `before-call`,
`after-call` and `after-call-error` (the user's; what botocore's do is done by the store), and
`needs-retry` (`retrying.py`). There is no request, so those of `request-created`, `before-sign`,
`before-send` and `response-received` are not run.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import prepare_request_dict
from botocore.exceptions import ParamValidationError

from boto_accel import _compat
from boto_accel._call import Call, Flavour
from boto_accel._effects import Await, Steps
from boto_accel.redis_store.answers import http_response
from boto_accel.redis_store.state import state_of


def context_of(client: Any, model: Any) -> dict[str, Any]:
    """Source: `botocore.client.BaseClient._make_api_call`."""
    return {
        "client_region": client.meta.region_name,
        "client_config": client.meta.config,
        "has_streaming_input": model.has_streaming_input,
        "auth_type": None,  # nothing is signed
    }


def emit_params(call: Call, model: Any, context: dict[str, Any]) -> Steps:
    """The parameters as the handlers leave them. Raises what they raise."""
    emit = _compat.parameter_emitter_of(call.client)
    return (
        yield Await(
            lambda: emit(api_params=dict(call.params), operation_model=model, context=context)
        )
    )


def invalid(report: Any) -> ParamValidationError:
    return ParamValidationError(report=report.generate_report())


def emit_before_call(
    call: Call, model: Any, params: Mapping[str, Any], context: dict[str, Any]
) -> Steps:
    """
    (HTTP response, parsed) of the first handler that has an answer; None if none has.

    The request that they are handed is botocore's own; what they change in it has no effect.
    """
    client = call.client
    state = state_of(client)
    assert state is not None
    request = _compat.serializer_of(client).serialize_to_request(params, model)
    prepare_request_dict(request, endpoint_url="http://redis", context=context)
    for handler in state.handlers(client, "before-call", call.operation):
        answer = yield from called(
            call,
            handler,
            "before-call",
            model=model,
            params=request,
            request_signer=_compat.signer_of(client),
            context=context,
        )
        if answer is not None:
            return answer
    return None


def finish(call: Call, parsed: dict[str, Any], context: dict[str, Any], http: Any) -> Steps:
    """After-call, and then what the user is given, or the exception."""
    client = call.client
    response = http or http_response(parsed)
    facts = {"http_response": response, "parsed": parsed, "context": context}
    yield from _tell(call, "after-call", **facts, model=_model_of(call))
    if response.status_code >= 300:
        code = parsed.get("Error", {}).get("Code")
        raise client.exceptions.from_code(code)(parsed, call.operation)
    return parsed


def failed(call: Call, error: Exception, context: dict[str, Any]) -> Steps:
    """After-call-error: there is an exception in place of an answer."""
    yield from _tell(call, "after-call-error", exception=error, context=context)


def _model_of(call: Call) -> Any:
    return call.client.meta.service_model.operation_model(call.operation)


def _tell(call: Call, event: str, **arguments: Any) -> Steps:
    """The user's handlers of *event*."""
    state = state_of(call.client)
    assert state is not None
    for handler in state.handlers(call.client, event, call.operation):
        yield from called(call, handler, event, **arguments)


def called(call: Call, handler: Any, event: str, **arguments: Any) -> Steps:
    """What *handler* returns; in the async world it may be a coroutine function, or not."""
    name = f"{event}.s3.{call.operation}"
    answer = handler(event_name=name, **arguments)
    if call.flavour is Flavour.ASYNC and inspect.isawaitable(answer):
        answer = yield Await(lambda: answer)
    return answer
