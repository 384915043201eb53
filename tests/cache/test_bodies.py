"""Streaming bodies: kept up to a size, and given as ones that work."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.response import StreamingBody

from boto_accel import accelerate
from tests.cache.aws import Aws, cached, is_hit, make_client, reply
from tests.generate.answers import digests
from tests.servers.capture import Close, http_answer
from tests.servers.clients import make_client as make_real_client

TEXT = b"one\ntwo\nthree"
KEY = {"Bucket": "bucket", "Key": "k"}


def with_body(data: bytes, length: int | None = -1) -> dict[str, Any]:
    """As botocore gives it; -1: the length is that of *data*, None: it is not told."""
    found = len(data) if length == -1 else length
    answer = reply(ContentType="text/plain")
    if found is not None:
        answer["ResponseMetadata"]["HTTPHeaders"]["content-length"] = str(found)
        answer["ContentLength"] = found
    raw = io.BytesIO(data)
    answer["Body"] = StreamingBody(raw, None if found is None else str(found))
    return answer


@pytest.fixture
def s3() -> Iterator[Any]:
    client = make_client("s3")
    yield client
    client.close()


@pytest.fixture(params=["miss", "hit"])
def body(request: pytest.FixtureRequest, s3: Any) -> Iterator[Any]:
    """The body of the first caller, and that of the second."""
    with Aws(lambda *_: with_body(TEXT)), cached():
        first = s3.get_object(**KEY)["Body"]
        yield first if request.param == "miss" else s3.get_object(**KEY)["Body"]


READINGS: list[Callable[[Any], Any]] = [
    lambda body: body.read(),
    lambda body: [body.read(5), body.read(5), body.read(5), body.read(5), body.read()],
    lambda body: [body.read(0), body.read(100), body.read()],
    lambda body: list(body.iter_lines()),
    lambda body: list(body.iter_lines(chunk_size=2, keepends=True)),
    lambda body: list(body.iter_chunks(4)),
    lambda body: list(body),
    lambda body: [next(body)],
    lambda body: body.readlines(),
    lambda body: [body.tell(), body.read(3), body.tell()],
    lambda body: [body.readinto(buffer := bytearray(20)), bytes(buffer), body.readinto(buffer)],
    lambda body: body.readable(),
    lambda body: body.close(),
    lambda body: io.TextIOWrapper(io.BufferedReader(body)).read(),
]


@pytest.mark.parametrize("reading", READINGS, ids=range(len(READINGS)))
def test_a_body_reads_as_botocores(body: Any, reading: Callable[[Any], Any]) -> None:
    assert type(body) is StreamingBody
    assert reading(body) == reading(with_body(TEXT)["Body"])


def test_a_body_is_a_context_manager_and_has_time_outs(body: Any) -> None:
    body.set_socket_timeout(1)
    with body as raw:
        assert b"".join(raw.stream(4)) == TEXT


def test_each_hit_has_a_body_of_its_own(s3: Any) -> None:
    with Aws(lambda *_: with_body(TEXT)) as aws, cached():
        bodies = [s3.get_object(**KEY)["Body"] for _ in range(3)]
        assert [each.read(3) for each in bodies] == [b"one"] * 3
        bodies[0].close()
        assert bodies[1].read() == TEXT[3:]
    assert aws.count == 1


@pytest.mark.parametrize("data", [b"", b"x" * 100])
def test_bodies_up_to_the_bound_are_kept(s3: Any, data: bytes) -> None:
    with Aws(lambda *_: with_body(data)), cached(max_body_bytes=100):
        found = [s3.get_object(**KEY) for _ in range(2)]
        assert [is_hit(each) for each in found] == [False, True]
        assert [each["Body"].read() for each in found] == [data, data]


@pytest.mark.parametrize(("data", "length"), [(b"x" * 101, -1), (b"x", None)])
def test_longer_ones_and_those_of_unknown_length_pass_untouched(
    s3: Any, data: bytes, length: int | None
) -> None:
    """The very object, of which nothing has been read."""
    made = [with_body(data, length) for _ in range(2)]
    answers = iter(made)
    with Aws(lambda *_: next(answers)) as aws, cached(max_body_bytes=100):
        for each in made:
            assert s3.get_object(**KEY)["Body"] is each["Body"]
            assert each["Body"].tell() == 0
    assert aws.count == 2


# Over a real connection --------------------------------------------------------------------------


@pytest.fixture(params=["stock", "accelerated"])
def patched(request: pytest.FixtureRequest) -> Iterator[None]:
    """With botocore's own bodies, and with those of the fast path."""
    if request.param == "stock":
        yield
    else:
        with accelerate():
            yield


def answered(data: bytes, checksum_of: bytes, length: int | None = None) -> bytes:
    """An answer to GetObject; *length*: as it says."""
    return http_answer(
        200,
        data,
        {
            "Content-Length": str(len(data) if length is None else length),
            "x-amz-checksum-crc32": digests(checksum_of)["crc32"],
        },
    )


WHOLE = answered(TEXT, TEXT)
WRONG = answered(TEXT, b"something else")
CUT = (answered(TEXT, TEXT, length=100), Close())


def read_all(body: Any) -> Any:
    try:
        return body.read()
    except Exception as error:
        return type(error), str(error)


def read_by_and_by(body: Any) -> list[Any]:
    found: list[Any] = []
    try:
        while not found or found[-1]:
            found.append(body.read(5))
    except Exception as error:
        found.append(type(error))
    return found


@pytest.mark.usefixtures("patched")
def test_a_body_with_a_checksum_is_checked_and_kept(capture: Any) -> None:
    server = capture([WHOLE])
    with make_real_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, cached():
        assert [s3.get_object(**KEY)["Body"].read() for _ in range(2)] == [TEXT, TEXT]
    assert len(server.requests) == 1


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("bad", [WRONG, CUT], ids=["checksum", "cut"])
@pytest.mark.parametrize("reading", [read_all, read_by_and_by])
def test_a_body_that_fails_is_the_callers_and_is_not_kept(
    capture: Any, bad: Any, reading: Any
) -> None:
    """It raises where and what it raises without a cache; then AWS is asked again."""
    server = capture([bad, bad, bad, WHOLE])
    with make_real_client("sync", "s3", endpoint_url=server.endpoint_url) as s3:
        stocks = reading(s3.get_object(**KEY)["Body"])
        with cached():
            ours = [reading(s3.get_object(**KEY)["Body"]) for _ in range(2)]
            assert s3.get_object(**KEY)["Body"].read() == TEXT
            assert is_hit(s3.get_object(**KEY))
    assert ours == [stocks, stocks]


# Async -------------------------------------------------------------------------------------------


async def aread_all(body: Any) -> Any:
    try:
        return await body.read()
    except Exception as error:
        return type(error), str(error)


async def aread_by_and_by(body: Any) -> list[Any]:
    found: list[Any] = []
    try:
        while not found or found[-1]:
            found.append(await body.read(5))
    except Exception as error:
        found.append(type(error))
    return found


async def lines(body: Any) -> list[bytes]:
    return [line async for line in body.iter_lines()]


async def chunks(body: Any) -> list[bytes]:
    return [chunk async for chunk in body.iter_chunks(4)]


async def in_a_block(body: Any) -> bytes:
    async with body as entered:
        found: bytes = await entered.read()
    return found


@pytest.mark.aiobotocore
@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("reading", [aread_all, aread_by_and_by, lines, chunks, in_a_block])
async def test_an_async_body_reads_as_aiobotocores(capture: Any, reading: Any) -> None:
    server = capture([WHOLE, WHOLE])
    url = {"endpoint_url": server.endpoint_url}
    async with make_real_client("async", "s3", **url) as s3:  # type: ignore[union-attr]
        stocks = await reading((await s3.get_object(**KEY))["Body"])
        with cached():
            found = [await s3.get_object(**KEY) for _ in range(2)]
            assert [is_hit(each) for each in found] == [False, True]
            assert [await reading(each["Body"]) for each in found] == [stocks, stocks]


@pytest.mark.aiobotocore
@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("bad", [WRONG, CUT], ids=["checksum", "cut"])
@pytest.mark.parametrize("reading", [aread_all, aread_by_and_by])
async def test_an_async_body_that_fails_is_not_kept(capture: Any, bad: Any, reading: Any) -> None:
    server = capture([bad, bad, WHOLE])
    url = {"endpoint_url": server.endpoint_url}
    async with make_real_client("async", "s3", **url) as s3:  # type: ignore[union-attr]
        body = (await s3.get_object(**KEY))["Body"]
        stocks = await reading(body)
        body.close()
        with cached():
            assert await reading((await s3.get_object(**KEY))["Body"]) == stocks
            assert await (await s3.get_object(**KEY))["Body"].read() == TEXT
            assert is_hit(await s3.get_object(**KEY))


@pytest.mark.aiobotocore
async def test_a_body_kept_by_one_world_is_read_in_the_other(capture: Any) -> None:
    server = capture([WHOLE])
    url = {"endpoint_url": server.endpoint_url}
    async with make_real_client("async", "s3", **url) as async_s3:  # type: ignore[union-attr]
        with make_real_client("sync", "s3", **url) as s3, cached():
            assert s3.get_object(**KEY)["Body"].read() == TEXT
            found = await async_s3.get_object(**KEY)
            assert is_hit(found)
            assert await found["Body"].read() == TEXT
            assert s3.get_object(**KEY)["Body"].read() == TEXT
