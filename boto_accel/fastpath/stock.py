"""
botocore's own code, handed a part of a call.

Two things are asked of it. `request_of`: what would you send? `go_on`: this came of the first
attempt, go on from here. Both run stock's whole `_make_api_call` on a *stand-in*: an object of
the client's class with the client's own parts, save for an endpoint that does not send (the
first) request. So retries, redirects, quotas, events, parsing and exceptions are stock's by
construction, with the true attempt count and the same invocation id.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError

from boto_accel import _compat
from boto_accel.fastpath.checksums import Place
from boto_accel.fastpath.steps import Steps

Stock = Callable[[Any, str, Mapping[str, Any]], Any]


class _Captured(BaseException):
    """Carries a request out of stock; no Exception, so that no handler of errors sees it."""

    def __init__(self, request: Any) -> None:
        super().__init__()  # without it: its `repr` has the signature
        self.request = request


class Outcome:
    """
    What came of the first attempt: an AWSResponse, or the exception that it raised; and *place*,
    where it has left the body.
    """

    def __init__(
        self, response: Any, error: Exception | None, invocation_id: str, place: Place
    ) -> None:
        self.response = response
        self.error = error
        self.invocation_id = invocation_id
        self.place = place


def request_of(
    stock: Stock,
    client: Any,
    operation: str,
    params: Mapping[str, Any],
    settled: Mapping[str, Any] | None,
) -> Steps[Any]:
    """The `AWSPreparedRequest` that stock would send first; nothing is sent."""
    stand_in = _stand_in(client, _capturing(client), params, settled)
    try:
        yield stock(stand_in, operation, dict(params))
    except _Captured as captured:
        return captured.request
    raise AssertionError("stock answered without making a request")


def go_on(
    stock: Stock,
    client: Any,
    operation: str,
    params: Mapping[str, Any],
    settled: Mapping[str, Any] | None,
    outcome: Outcome,
) -> Steps[Any]:
    """What stock makes of *outcome*: its result or its exception, after its retries."""
    stand_in = _stand_in(client, _told(client, outcome), params, settled)
    result = yield stock(stand_in, operation, params)
    return result


def settled_client(client: Any, params: Mapping[str, Any], settled: Mapping[str, Any]) -> Any:
    """What stock is to make a call with whose parameter handlers have run."""
    return _stand_in(client, _compat.endpoint_of(client), params, settled)


def _stand_in(
    client: Any, endpoint: Any, params: Mapping[str, Any], settled: Mapping[str, Any] | None
) -> Any:
    """
    *client* with another endpoint. Where its parameter handlers have run already, *settled* is
    the context that they left, and they are not run again.
    """
    stand_in = object.__new__(type(client))
    stand_in.__dict__.update(client.__dict__)
    stand_in.__dict__["_endpoint"] = endpoint
    if settled is not None:
        emit = _settled_async if _is_async(endpoint) else _settled
        stand_in.__dict__["_emit_api_params"] = emit(settled)
    return stand_in


def _settled(left: Mapping[str, Any]) -> Callable[..., Any]:
    def emit(api_params: Any, operation_model: Any, context: dict[str, Any]) -> Any:
        context.update(left)
        return api_params

    return emit


def _settled_async(left: Mapping[str, Any]) -> Callable[..., Any]:
    emit = _settled(left)

    async def emit_async(api_params: Any, operation_model: Any, context: dict[str, Any]) -> Any:
        return emit(api_params, operation_model, context)

    return emit_async


def _is_async(endpoint: Any) -> bool:
    return inspect.iscoroutinefunction(type(endpoint)._send_request)


def _like(endpoint: Any, overrides: Mapping[str, Any]) -> Any:
    """*endpoint* with some methods replaced, on an object of its own."""
    twin = object.__new__(type(endpoint))
    twin.__dict__.update(endpoint.__dict__)
    twin.__dict__.update({name: method.__get__(twin) for name, method in overrides.items()})
    return twin


def _capturing(client: Any) -> Any:
    endpoint = _compat.endpoint_of(client)
    return _like(endpoint, {"_send": _capture_async if _is_async(endpoint) else _capture})


def _capture(_: Any, request: Any) -> Any:
    raise _Captured(request)


async def _capture_async(_: Any, request: Any) -> Any:
    raise _Captured(request)


def _told(client: Any, outcome: Outcome) -> Any:
    """An endpoint whose first send has the outcome that there was, and whose others are real."""
    endpoint = _compat.endpoint_of(client)
    cls = type(endpoint)
    pending = [outcome]

    def first(request: Any) -> Any:
        told = pending.pop()
        told.place.restore()
        if told.error is not None:
            if isinstance(told.error, ConnectionClosedError):  # the one that sessions tell it
                told.error.request = request
            raise told.error
        return told.response

    def send(self: Any, request: Any) -> Any:
        return first(request) if pending else cls._send(self, request)

    async def send_async(self: Any, request: Any) -> Any:
        return first(request) if pending else await cls._send(self, request)

    def update_context(self: Any, context: Any, attempt: int, *rest: Any, **named: Any) -> Any:
        retries = context.setdefault("retries", {})
        retries.setdefault("invocation-id", outcome.invocation_id)
        return cls._update_retries_context(self, context, attempt, *rest, **named)

    return _like(
        endpoint,
        {
            "_send": send_async if _is_async(endpoint) else send,
            "_update_retries_context": update_context,
        },
    )


class AnswerReader:
    """Parses answers of one operation as stock does, without any events of the user's."""

    def __init__(self, model: Any, before_parse: tuple[Callable[..., Any], ...]) -> None:
        self._model = model
        self._before_parse = before_parse

    def parse(self, client: Any, response: Any, context: dict[str, Any]) -> Steps[dict[str, Any]]:
        """The parsed answer, from `Endpoint._do_get_response`. Raises what that raises."""
        endpoint = _compat.endpoint_of(client)
        is_async = _is_async(endpoint)
        twin = _like(endpoint, {"_send": _answer_async if is_async else _answer})
        twin._event_emitter = _Only(self._before_parse, is_async)
        result = yield twin._do_get_response(_Answered(response), self._model, context)
        answered, error = result
        if error is not None:
            raise error
        return answered[1]


class _Answered:
    """Stands where the request would, and knows its answer."""

    method = url = ""
    headers: Mapping[str, str] = {}
    body = None

    def __init__(self, response: Any) -> None:
        self.response = response


def _answer(_: Any, request: _Answered) -> Any:
    return request.response


async def _answer_async(_: Any, request: _Answered) -> Any:
    return request.response


class _Only:
    """An emitter that knows one event."""

    def __init__(self, handlers: tuple[Callable[..., Any], ...], is_async: bool) -> None:
        self._handlers = handlers
        self.emit = self._emit_async if is_async else self._emit

    def _emit(self, event: str, **arguments: Any) -> list[Any]:
        if event.startswith("before-parse."):
            for handler in self._handlers:
                handler(event_name=event, **arguments)
        return []

    async def _emit_async(self, event: str, **arguments: Any) -> list[Any]:
        return self._emit(event, **arguments)


# Answers that aiohttp follows, where they have a Location (aiohttp.ClientSession._request).
FOLLOWED = frozenset((301, 302, 303, 307, 308))


def redirected(
    method: str,
    url: str,
    headers: dict[str, str],
    body: Any,
    status: int,
    location: str,
    streams: bool,
) -> AWSPreparedRequest:
    """
    The request that aiohttp makes of one that was redirected to *location*.

    Another method for 303 and for a redirected POST, then without its body; without the
    signature where the origin is another. Source: `aiohttp.ClientSession._request`.
    """
    target = urljoin(url, location)
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if name != "content-length"}
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        headers = {name: value for name, value in headers.items() if name != "authorization"}
    return AWSPreparedRequest(method, target, HeadersDict(headers), body, streams)


def aws_response(
    url: str, status: int, headers: Mapping[str, str], raw: Any, body: bytes | None, is_async: bool
) -> Any:
    """An `AWSResponse` as the session's `send` makes it; *body* is its content where known."""
    cls = sys.modules["aiobotocore.awsrequest"].AioAWSResponse if is_async else AWSResponse
    response = cls(url, status, headers, raw)
    response._content = body
    return response
