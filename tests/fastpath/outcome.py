"""What came of a call: the answer with its body, or the exception; and what went over the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from boto_accel import accelerate
from tests.fastpath.callers import Caller
from tests.servers.capture import CaptureServer
from tests.servers.recorded import Normalised, normalised

INVOCATION_ID = b"amz-sdk-invocation-id"


@dataclass(frozen=True)
class Outcome:
    """
    Equal where a caller could not tell two calls apart.

    answer: as returned, the body read. error: class, text and `response` of what was raised.
    requests: what the server received for it, in order.
    """

    answer: Any
    error: tuple[type[BaseException], str, Any] | None
    requests: tuple[Normalised, ...] = ()


def outcome(caller: Caller, method: str, **params: Any) -> Outcome:
    try:
        answer = dict(caller(method, **params))
        if hasattr(answer.get("Body"), "read"):
            answer["Body"] = caller.drain(answer["Body"])
    except Exception as error:
        return Outcome(None, (type(error), str(error), getattr(error, "response", None)))
    return Outcome(answer, None)


def on_the_wire(server: CaptureServer, call: Callable[[], Outcome]) -> Outcome:
    """*call*, with the requests that *server* received for it. The clock is to be frozen."""
    before = len(server.requests)
    seen = call()
    received = tuple(normalised(request) for request in server.requests[before:])
    return Outcome(seen.answer, seen.error, _with_numbered_ids(received))


def _with_numbered_ids(requests: tuple[Normalised, ...]) -> tuple[Normalised, ...]:
    """Invocation ids are random: what counts is which requests share one."""
    numbers: dict[bytes, bytes] = {}
    found = []
    for each in requests:
        headers = dict(each.headers)
        given = headers.get(INVOCATION_ID)
        if given is not None:
            headers[INVOCATION_ID] = numbers.setdefault(given, b"%d" % len(numbers))
        found.append(replace(each, headers=tuple(headers.items())))
    return tuple(found)


def stock_and_accelerated(
    server: CaptureServer, clock: Any, call: Callable[[], Outcome]
) -> tuple[Outcome, Outcome, Any]:
    """
    *call* as stock, then inside `accelerate()`, the clock and the ids begun anew for each.

    Returns both outcomes, and the stats of the patch.
    """
    clock.reset()
    stock = on_the_wire(server, call)
    clock.reset()
    with accelerate() as patch:
        fast = on_the_wire(server, call)
    return stock, fast, patch.stats
