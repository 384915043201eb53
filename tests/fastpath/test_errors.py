"""What a call that failed leaves behind: what its exception tells, and where the body stands."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from tests.fastpath.callers import Caller, all_fast, open_caller
from tests.faults.calls import masked
from tests.servers.capture import CaptureServer, Close, Recorded, Reset, Sleep, http_answer

ONCE = {"mode": "standard", "total_max_attempts": 1}
LONG = bytes(range(256)) * 1000


def chain(error: BaseException | None) -> list[Any]:
    """The exceptions behind *error*, as a report of it shows them."""
    seen = []
    while error is not None:
        seen.append((type(error).__module__, type(error).__name__, masked(str(error))))
        error = error.__cause__ or error.__context__
        assert len(seen) < 20, seen  # a chain that never ends
    return seen if urllib3.__version__ >= "2" else seen[:2]  # it was longer before


def told(error: Any) -> Any:
    """All that can be asked of an exception of botocore's."""
    request = getattr(error, "request", None)
    return (
        chain(error),
        {name: masked(str(value)) for name, value in getattr(error, "kwargs", {}).items()},
        request and (request.method, masked(request.url), sorted(request.headers)),
        getattr(error, "response", None),
        masked(str(pickle.loads(pickle.dumps(error)))),
        masked(str(copy.deepcopy(error))),
    )


FAILURES: dict[str, Callable[[Recorded], Any]] = {
    "closed": lambda _: (b"", Close()),
    "reset": lambda _: (b"", Reset()),
    "silent": lambda _: Sleep(30),
    "refused": lambda _: http_answer(403, b"<Error><Code>AccessDenied</Code></Error>"),
    "absent": lambda _: http_answer(404, b"<Error><Code>NoSuchKey</Code><Key>k</Key></Error>"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_an_exception_tells(
    flavour: str, capture: Callable[..., CaptureServer], name: str
) -> None:
    server = capture(FAILURES[name])
    options = {"endpoint_url": server.endpoint_url, "retries": ONCE, "read_timeout": 0.3}
    with open_caller(flavour, **options) as caller:
        stock = told(raised(caller))
        with all_fast(4):
            for _ in range(4):  # refusals are read by stock at first
                assert told(raised(caller)) == stock


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_what_an_exception_tells_where_nothing_answers(flavour: str, url: str) -> None:
    with open_caller(flavour, endpoint_url=url, retries=ONCE) as caller:
        stock = told(raised(caller))
        with all_fast(1):
            assert told(raised(caller)) == stock


def raised(caller: Caller, method: str = "get_object", **params: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 whatever is raised
        caller(method, Bucket="b", Key="k", **params)
    return caught.value


@pytest.mark.parametrize("status", [304, 400, 403, 404, 412, 500])
@pytest.mark.parametrize("start", [0, 5])
def test_where_the_body_of_a_refused_call_stands(
    flavour: str, capture: Callable[..., CaptureServer], status: int, start: int
) -> None:
    """Where sending it has left it, though stock was handed it from its beginning."""
    server = capture(http_answer(status, b""))
    with open_caller(flavour, endpoint_url=server.endpoint_url, retries=ONCE) as caller:

        def left_at() -> int:
            body = io.BytesIO(LONG)
            body.seek(start)
            raised(caller, "put_object", Body=body)
            return body.tell()

        stock = left_at()
        with all_fast(4):
            assert [left_at() for _ in range(4)] == [stock] * 4
    assert [request.body for request in server.requests] == [LONG[start:]] * 5


def test_a_body_is_sent_from_its_beginning_again(
    flavour: str, capture: Callable[..., CaptureServer], no_backoff: None
) -> None:
    server = capture([http_answer(503, b""), http_answer(503, b""), http_answer()] * 2)
    with open_caller(flavour, endpoint_url=server.endpoint_url) as caller:
        for number in range(2):
            body = io.BytesIO(LONG)
            if number == 0:
                caller("put_object", Bucket="b", Key="k", Body=body)
            else:
                with all_fast(1):
                    caller("put_object", Bucket="b", Key="k", Body=body)
            assert body.tell() == len(LONG)
    assert [request.body for request in server.requests] == [LONG] * 6


def test_a_pool_that_is_too_small_is_told_of(
    capture: Callable[..., CaptureServer], caplog: pytest.LogCaptureFixture
) -> None:
    """urllib3's warning, by which `max_pool_connections` is chosen."""
    together = threading.Barrier(2)

    def answer(_: Recorded) -> bytes:
        together.wait(30)
        return http_answer()

    def warnings() -> list[tuple[str, int, str]]:
        caplog.clear()
        options = {"endpoint_url": server.endpoint_url, "max_pool_connections": 1}
        with open_caller("sync", **options) as caller, caplog.at_level(logging.WARNING):
            call = lambda: caller("head_object", Bucket="b", Key="k")  # noqa: E731
            other = threading.Thread(target=call)
            other.start()
            call()
            other.join()
        return caplog.record_tuples

    server = capture(answer)
    stock = warnings()
    with all_fast(2):
        assert warnings() == stock
    assert len(stock) == 1
