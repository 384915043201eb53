"""Event handlers of the user's: run once each, or the call is stock's; noticed when they come."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ReadTimeoutError

from boto_accel import accelerate, explain
from tests.fastpath.callers import Caller, all_fast, open_caller
from tests.fastpath.outcome import outcome, stock_and_accelerated
from tests.servers.capture import LONG_S, CaptureServer, Recorded, Sleep, http_answer


@pytest.fixture
def server(capture: Callable[..., CaptureServer]) -> CaptureServer:
    def answer(request: Recorded) -> bytes:
        return http_answer(200, b"" if request.method == b"HEAD" else b"hello", {"ETag": '"e"'})

    return capture(answer)


@pytest.fixture
def s3(flavour: str, server: CaptureServer) -> Iterator[Caller]:
    with open_caller(flavour, endpoint_url=server.endpoint_url) as caller:
        yield caller


PARAMETER_EVENTS = ("provide-client-params", "before-parameter-build")
ANSWER_EVENTS = ("response-received", "before-parse", "needs-retry", "after-call")
REQUEST_EVENTS = ("before-call", "request-created", "before-sign", "before-send")


@pytest.mark.parametrize("event", PARAMETER_EVENTS)
def test_parameter_handlers_run_once_and_may_change_parameters(
    s3: Caller, server: CaptureServer, frozen_clock: Any, event: str
) -> None:
    """The handler is run exactly once for each call, its change is sent, and the call is fast."""
    runs: list[str] = []

    def change(params: dict[str, Any], **rest: Any) -> None:
        runs.append(rest["event_name"])
        params["Key"] = "changed"

    s3.client.meta.events.register(f"{event}.s3.GetObject", change)
    params = {"Bucket": "b", "Key": "k"}
    stock, fast, stats = stock_and_accelerated(
        server, frozen_clock, lambda: outcome(s3, "get_object", **params)
    )
    assert fast == stock
    assert fast.requests[0].target == b"/b/changed"
    assert runs == [f"{event}.s3.GetObject"] * 2
    assert params == {"Bucket": "b", "Key": "k"}
    assert (stats.fast, stats.fallback, stats.retired) == (1, 0, 0)


@pytest.mark.parametrize("event", PARAMETER_EVENTS)
@pytest.mark.parametrize("metadata", [{"a": "\u00fc"}, {"a": 1}, "none"])
def test_parameter_handlers_run_once_where_the_call_is_left_to_stock(
    s3: Caller,
    server: CaptureServer,
    frozen_clock: Any,
    no_waiting: None,
    event: str,
    metadata: Any,
) -> None:
    """What they have made of the parameters goes on to stock, and so does its context."""
    runs: list[str] = []

    def change(params: dict[str, Any], **rest: Any) -> None:
        runs.append(rest["event_name"])
        params["Metadata"] = metadata

    s3.client.meta.events.register(f"{event}.s3.PutObject", change)
    for _ in range(3):
        runs.clear()
        stock, fast, stats = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, "put_object", Bucket="b", Key="k")
        )
        assert fast == stock
        assert stock.error is not None
        assert runs == [f"{event}.s3.PutObject"] * 2
        # botocore's own handlers refuse some of it: then nobody is left to ask
        assert (stats.fast, stats.retired) == (0, 0)
        assert stats.fallback == (
            0 if event == "provide-client-params" and metadata != "none" else 1
        )


@pytest.mark.botocore(">=1.43.116")  # heeds it
def test_a_read_timeout_of_the_calls_own_is_heeded(
    flavour: str, capture: Callable[..., CaptureServer]
) -> None:
    def set_timeout(context: dict[str, Any], **_: Any) -> None:
        context["read_timeout"] = 0.1

    server = capture(lambda _: Sleep(LONG_S))
    options = {"endpoint_url": server.endpoint_url, "retries": {"total_max_attempts": 1}}
    with open_caller(flavour, **options) as caller, accelerate() as patch:
        caller.client.meta.events.register("before-parameter-build.s3.GetObject", set_timeout)
        with pytest.raises(ReadTimeoutError):
            caller("get_object", Bucket="b", Key="k")
    assert patch.stats.reasons == {"a read timeout of the call's own": 1}


@pytest.mark.parametrize("event", PARAMETER_EVENTS)
def test_parameter_handlers_run_once_where_the_server_fails(
    flavour: str, capture: Any, frozen_clock: Any, no_waiting: None, event: str
) -> None:
    """Stock goes on after a 503 with the parameters as they are: no handler is run again."""
    failing = capture(lambda request: http_answer(503, b""))
    runs: list[str] = []
    retries = {"total_max_attempts": 2, "mode": "standard"}
    with open_caller(flavour, endpoint_url=failing.endpoint_url, retries=retries) as s3:
        s3.client.meta.events.register(f"{event}.s3", lambda **rest: runs.append("run"))
        call = lambda: outcome(s3, "delete_object", Bucket="b", Key="k")  # noqa: E731
        stock, fast, stats = stock_and_accelerated(failing, frozen_clock, call)
    assert fast == stock
    assert len(fast.requests) == 2
    assert runs == ["run", "run"]
    assert (stats.fast, stats.fallback) == (1, 0)


@pytest.mark.parametrize("event", ANSWER_EVENTS)
@pytest.mark.parametrize("method", ["get_object", "list_objects_v2"])
def test_answer_handlers_run_once(
    flavour: str, capture: Any, frozen_clock: Any, event: str, method: str
) -> None:
    """A handler of the answer is run exactly once a call, with what stock gives it."""
    body = b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
    server = capture(http_answer(200, body, {"x-amz-request-id": "r"}))
    runs: list[Any] = []
    params = {"Bucket": "b", **({"Key": "k"} if method == "get_object" else {})}
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        s3.client.meta.events.register(f"{event}.s3", lambda **given: runs.append(sorted(given)))
        stock, fast, _ = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, method, **params)
        )
    assert fast == stock
    assert len(fast.requests) == 1
    assert len(runs) == 2
    assert runs[0] == runs[1]


def test_after_call_handlers_may_change_the_answer(s3: Caller) -> None:
    """What a handler of after-call puts into the answer is in the answer, and the call is fast."""
    s3.client.meta.events.register(
        "after-call.s3.HeadObject", lambda parsed, **rest: parsed.update(Mine=1)
    )
    with all_fast(2):
        for _ in range(2):
            assert s3("head_object", Bucket="b", Key="k")["Mine"] == 1


CONTEXTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("get_object", {"Key": "k"}),
    ("put_object", {"Key": "k", "Body": io.BytesIO(b"x")}),
    ("put_object", {"Key": "k", "ChecksumAlgorithm": "SHA256"}),
    ("copy_object", {"Key": "k", "CopySource": {"Bucket": "b", "Key": "a b"}}),
    ("list_objects_v2", {}),
    ("delete_objects", {"Delete": {"Objects": [{"Key": "k"}]}}),
)


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize("anonymous", [False, True])
def test_after_call_handlers_find_the_context_that_stock_leaves(
    flavour: str, capture: Any, frozen_clock: Any, mode: str, anonymous: bool
) -> None:
    """All that is in it, of each call; and they may change it."""
    server = capture(http_answer(200, b"<R></R>"))
    found: list[dict[str, Any]] = []

    def look(context: dict[str, Any], **_: Any) -> None:
        found.append(copy.deepcopy({k: v for k, v in context.items() if k != "client_config"}))
        assert len(found[-1]["retries"].pop("invocation-id")) == 36
        context.get("signing", {}).update(mine=True)

    def call() -> list[dict[str, Any]]:
        found.clear()
        for method, params in CONTEXTS * 2:
            s3(method, Bucket="b", **params)
        for context in found:
            context["s3_redirect"]["params"].pop("Body", None)
        return list(found)

    signature = {"signature_version": UNSIGNED} if anonymous else {}
    options = {"endpoint_url": server.endpoint_url, "retries": {"mode": mode}, **signature}
    with open_caller(flavour, **options) as s3:
        s3.client.meta.events.register("after-call.s3", look)
        stock = call()
        with all_fast(2 * len(CONTEXTS)):
            assert call() == stock


@pytest.mark.parametrize("event", REQUEST_EVENTS)
def test_request_handlers_make_the_call_stocks(
    s3: Caller, server: CaptureServer, frozen_clock: Any, event: str
) -> None:
    """The handler is run once, what it sets is sent, and the reason is counted and explained."""
    runs: list[str] = []

    def mark(**given: Any) -> None:
        runs.append(given["event_name"])
        if event == "before-call":
            given["params"]["headers"]["x-mine"] = "1"
        else:
            given["request"].headers["x-mine"] = "1"

    s3.client.meta.events.register(f"{event}.s3.GetObject", mark)
    stock, fast, stats = stock_and_accelerated(
        server, frozen_clock, lambda: outcome(s3, "get_object", Bucket="b", Key="k")
    )
    assert fast == stock
    assert dict(fast.requests[0].headers)[b"x-mine"] == b"1"
    assert runs == [f"{event}.s3.GetObject"] * 2
    assert stats.fast == 0
    assert stats.reasons == {f"handlers of {event} ({__name__})": 1}
    told = explain(s3.client, "get_object")
    assert not told.fast
    assert told.reason == f"handlers of {event} ({__name__})"


def test_handlers_that_come_and_go_are_noticed(s3: Caller, server: CaptureServer) -> None:
    """A registration after the plan was made is noticed at the next call; unregistering too."""
    runs: list[str] = []

    def handler(request: Any, **rest: Any) -> None:
        runs.append("run")

    events = s3.client.meta.events
    with accelerate() as patch:
        for _ in range(3):
            s3("head_object", Bucket="b", Key="k")
        events.register("before-send.s3", handler)
        s3("head_object", Bucket="b", Key="k")
        events.unregister("before-send.s3", handler)
        s3("head_object", Bucket="b", Key="k")
    assert runs == ["run"]
    assert (patch.stats.fast, patch.stats.fallback) == (4, 1)
    assert len(server.requests) == 5


def test_a_before_send_handler_that_answers_is_obeyed(s3: Caller, server: CaptureServer) -> None:
    """An answer made by a handler (as moto and VCR do) is the answer; nothing is sent."""
    from boto_accel.fastpath.stock import aws_response

    class Raw:
        def stream(self, *args: Any, **rest: Any) -> Iterator[bytes]:
            yield b""

    def answer(request: Any, **rest: Any) -> Any:
        return aws_response(request.url, 200, {"ETag": '"made"'}, Raw(), b"", s3.is_async)

    s3.client.meta.events.register("before-send.s3.HeadObject", answer)
    with accelerate() as patch:
        assert s3("head_object", Bucket="b", Key="k")["ETag"] == '"made"'
    assert server.requests == []
    assert patch.stats.fallback == 1


@pytest.mark.parametrize("event", [*PARAMETER_EVENTS, "after-call"])
def test_a_handler_that_raises_raises(s3: Caller, event: str) -> None:
    """The handler's own exception reaches the caller, as in stock."""

    def fail(**rest: Any) -> None:
        raise ZeroDivisionError("mine")

    s3.client.meta.events.register(f"{event}.s3", fail)
    stock = outcome(s3, "head_object", Bucket="b", Key="k")
    with accelerate():
        fast = outcome(s3, "head_object", Bucket="b", Key="k")
    assert fast == stock
    assert fast.error is not None
    assert fast.error[0] is ZeroDivisionError


def test_a_fallback_leaves_no_trace_in_tracebacks(s3: Caller, server: CaptureServer) -> None:
    """An error of a call that fell back has no exception of this package as its context."""

    def fail(**rest: Any) -> None:
        raise ZeroDivisionError("mine")

    s3.client.meta.events.register("before-send.s3", fail)
    with accelerate() as patch, pytest.raises(ZeroDivisionError) as raised:
        s3("head_object", Bucket="b", Key="k")
    assert patch.stats.fallback == 1
    assert raised.value.__context__ is None
