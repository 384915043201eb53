"""What is under a `StreamingBody`, asked for what nearly nobody asks it: as stock's answers."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.fastpath.callers import Caller, all_fast, open_caller
from tests.servers.capture import CaptureServer, Close, Recorded, http_answer

BODIES = {  # in one piece with the head, in several, and none
    "short": b"line one\r\nline two\nlast",
    "long": random.Random(1).randbytes(200_000),
    "empty": b"",
}
PACKED = {key: gzip.compress(body) for key, body in BODIES.items()}


def serve(request: Recorded) -> bytes:
    key = request.target.rpartition(b"/")[2].decode()
    if key == "204":
        return http_answer(204)
    return http_answer(200, BODIES[key], {"X-Twice": "1", "x-amz-meta-A": "b"}).replace(
        b"\r\n", b"\r\nX-Twice: 2\r\n", 1
    )


def serve_packed(request: Recorded) -> bytes:
    key = request.target.rpartition(b"/")[2].decode()
    return http_answer(200, PACKED[key], {"Content-Encoding": "gzip"})


def came_of(caller: Caller, step: Callable[[], Any]) -> Any:
    """What *step* gives, awaited within the loop where there is one; or what it raises."""

    async def within() -> Any:
        given = step()
        return await given if hasattr(given, "__await__") else given

    try:
        return caller.run(within()) if caller.is_async else step()
    except Exception as error:
        return type(error), str(error)


Way = Callable[[Any], list[Any]]  # of a StreamingBody, to what was seen of it


def compare(server: CaptureServer, key: str, steps: list[Callable[[Any], Any]]) -> list[Any]:
    """What each of *steps* gives of one body of boto3's, which is stock's."""

    def seen() -> list[Any]:
        body = caller("get_object", Bucket="b", Key=key)["Body"]
        try:
            return [came_of(caller, lambda step=step: step(body)) for step in steps]
        finally:
            body.close()

    with open_caller("sync", endpoint_url=server.endpoint_url) as caller:
        stock = seen()
        with all_fast(1):
            assert seen() == stock
    return stock


READ: Callable[[Any], Any] = lambda body: body.read()  # noqa: E731
TELL: Callable[[Any], Any] = lambda body: body.tell()  # noqa: E731


@pytest.mark.parametrize("key", BODIES)
def test_a_timeout_may_be_set_on_each_body(capture: Callable[..., CaptureServer], key: str) -> None:
    """Until all was read; then it is an error."""
    set_timeout: Callable[[Any], Any] = lambda body: body.set_socket_timeout(30)  # noqa: E731
    # of one that is empty the error is not told: whether it was read is not known
    after = [set_timeout] if key != "empty" else []
    came = compare(capture(serve), key, [set_timeout, READ, *after])
    assert came[0] is None


DECODING: dict[str, Callable[[Any], Any]] = {
    "read": lambda raw: raw.read(decode_content=True),
    "read some": lambda raw: (raw.read(3, decode_content=True), raw.read(4, True)),
    "stream": lambda raw: b"".join(raw.stream(decode_content=True)),
    "stream some": lambda raw: list(raw.stream(10_000, True)),
    "keep": lambda raw: (raw.read(cache_content=True), raw.data),
    "data": lambda raw: (raw.data, raw.data),
}

KEPT = ("keep", "data")  # nothing of them is kept once something was read


@pytest.mark.parametrize("key", BODIES)
@pytest.mark.parametrize("how", DECODING)
def test_a_body_is_decoded_where_that_is_asked_for(
    capture: Callable[..., CaptureServer], key: str, how: str
) -> None:
    """By urllib3; and what comes then is what comes in stock."""
    step = DECODING[how]
    server = capture(serve_packed)
    came = compare(server, key, [lambda body: step(body._raw_stream), READ])
    if how == "read":
        assert came[0] == BODIES[key]
    if how not in KEPT:
        compare(server, key, [lambda body: body.read(5), lambda body: step(body._raw_stream), READ])


ATTRIBUTES = (
    "status",
    "reason",
    "version",
    "headers",
    "msg",
    "decode_content",
    "length_remaining",
    "chunked",
    "no_such_thing",
)
METHODS = ("info", "getheaders", "drain_conn", "readable", "writable", "seekable")


@pytest.mark.parametrize("key", BODIES)
def test_the_attributes_of_urllib3s_class(capture: Callable[..., CaptureServer], key: str) -> None:
    """Asked for in the middle of a body, they leave it where it is."""
    server = capture(serve)
    steps: list[Callable[[Any], Any]] = [lambda body: body.read(4)]
    for name in ATTRIBUTES[:-1]:
        steps += [lambda body, name=name: str(getattr(body._raw_stream, name)), TELL]
    steps += [
        lambda body: hasattr(body._raw_stream, ATTRIBUTES[-1]),
        lambda body: body._raw_stream.headers.getlist("x-twice"),
        lambda body: body._raw_stream.getheader("x-amz-meta-a"),
        lambda body: body.read(2),
        TELL,
        READ,
        TELL,
    ]
    compare(server, key, steps)
    for name in METHODS:
        ask = lambda body, name=name: str(getattr(body._raw_stream, name)())  # noqa: E731
        compare(server, key, [lambda body: body.read(4), ask, READ])


@pytest.mark.parametrize("key", BODIES)
@pytest.mark.parametrize("size", [3, 10**6])
def test_a_body_that_urllib3s_class_has_read_and_that_is_closed(
    capture: Callable[..., CaptureServer], key: str, size: int
) -> None:
    """It was read as far as that has read it."""
    steps: list[Callable[[Any], Any]] = [
        lambda body: body.read(2),
        lambda body: body._raw_stream.status,
        lambda body: body.read(size),
        lambda body: body.close(),
        TELL,
        lambda body: body.read(1),
    ]
    compare(capture(serve), key, steps)


FILES: dict[str, Callable[[Any], Any]] = {
    "a buffer": lambda body: io.BufferedReader(body, 16).read(20),
    "text": lambda body: io.TextIOWrapper(io.BufferedReader(body._raw_stream), "latin-1").read(),
    "lines": lambda body: body.readlines(),
    "into": lambda body: (body.readinto(bytearray(7)), body.readinto(bytearray(0)), body.tell()),
    "nothing": lambda body: (body.read(0), body.tell()),
    "closed": lambda body: (body.close(), body.tell()),
    "within": lambda body: body.__enter__().read(5),
}


@pytest.mark.parametrize("key", BODIES)
@pytest.mark.parametrize("how", FILES)
def test_a_body_as_a_file(capture: Callable[..., CaptureServer], key: str, how: str) -> None:
    compare(capture(serve), key, [FILES[how], READ, TELL, lambda body: body.read(1), READ])


READS: dict[str, list[Callable[[Any], Any]]] = {
    "all": [READ, TELL, READ, TELL],
    "too much, all": [lambda body: body.read(9999), TELL, READ, TELL, READ],
    "too much, some, all": [lambda body: body.read(9999), lambda body: body.read(1), READ, TELL],
    "some, all": [lambda body: body.read(2), READ, TELL, READ],
    "some, all, some": [
        lambda body: body.read(2),
        READ,
        lambda body: body.read(0),
        lambda body: body.read(1),
        TELL,
    ],
    "closed": [lambda body: body.read(2), lambda body: body.close(), READ, TELL],
    "closed, some": [lambda body: body.close(), lambda body: body.read(1), lambda body: list(body)],
}


@pytest.mark.parametrize("how", READS)
def test_a_body_that_is_cut_off_and_read_on(
    capture: Callable[..., CaptureServer], how: str
) -> None:
    """Each read gives or raises what it does in stock, and counts what it gave."""
    answer = http_answer(200, b"x" * 10)[:-5]
    compare(capture(lambda _: (answer, Close())), "short", READS[how])


ASYNC_STEPS: dict[str, Callable[[Any], Any]] = {
    "read": lambda body: body.read(),
    "read some": lambda body: body.read(2),
    "read nothing": lambda body: body.read(0),
    "tell": lambda body: body.tell(),
    "under it": lambda body: body._raw_stream.read(),
    "any": lambda body: body._raw_stream.content.readany(),
    "line": lambda body: body._raw_stream.content.readline(),
    "at its end": lambda body: body._raw_stream.content.at_eof(),
    "its error": lambda body: repr(body._raw_stream.content.exception()),
}


@pytest.mark.botocore(">=1.43")  # what is not aiobotocore's own class has other methods
@pytest.mark.parametrize("key", [*BODIES, "204"])
@pytest.mark.parametrize("before", ["nothing", "some", "all", "all, under it"])
@pytest.mark.parametrize("how", ["close", "release"])
@pytest.mark.aiobotocore
def test_a_body_of_aiobotocore_that_was_closed(
    capture: Callable[..., CaptureServer], engine: str, key: str, before: str, how: str
) -> None:
    """It cannot be read any more, not even what had come already; of a 204 nothing can come."""
    server = capture(serve)

    def seen() -> list[Any]:
        body = caller("get_object", Bucket="b", Key=key)["Body"]
        raw = body._raw_stream
        if before == "some":
            caller.run(body.read(2))
        elif before == "all":
            caller.run(body.read())
        elif before != "nothing":
            caller.run(raw.read())
        came_of(caller, getattr(raw, how))
        return [came_of(caller, lambda step=step: step(body)) for step in ASYNC_STEPS.values()]

    with open_caller("async", endpoint_url=server.endpoint_url) as caller:
        stock = seen()
        with all_fast(1, http=engine):
            assert seen() == stock
    assert key == "204" or any("Connection closed" in str(came) for came in stock)
