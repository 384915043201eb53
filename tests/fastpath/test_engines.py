"""The HTTP engines: chosen, checked, kept apart, and what only one of them can get wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from boto_accel import accelerate
from boto_accel.errors import InvalidOptionError, MissingExtraError
from boto_accel.fastpath.transport import engines
from tests.fastpath.callers import all_fast, open_caller
from tests.fastpath.test_lifecycle import connected_to
from tests.servers.capture import CaptureServer, Send, Send100, Sleep, WaitForRequest, http_answer
from tests.servers.clients import make_client
from tests.servers.engines import ENGINES, is_installed


def test_the_tests_know_every_engine() -> None:
    assert list(engines.ENGINES) == list(ENGINES)


@pytest.mark.parametrize("http", ["requests", "", None, 1, ["direct"]])
def test_an_unknown_engine_is_refused(http: Any) -> None:
    with pytest.raises(InvalidOptionError, match="expected one of direct, aiohttp, aiosonic"):
        accelerate(http=http)


@pytest.mark.parametrize(("http", "extra"), [("aiohttp", "async"), ("aiosonic", "aiosonic")])
def test_an_engine_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, http: str, extra: str
) -> None:
    """Said by `accelerate()` itself, before anything is changed."""
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError) as missing:
        accelerate(http=http)
    assert (missing.value.package, missing.value.extra) == (http, extra)
    assert f"pip install 'boto_accel[{extra}]'" in str(missing.value)


@pytest.mark.aiobotocore
def test_it_shows_in_the_repr() -> None:
    assert "http='aiohttp'" in repr(accelerate(http="aiohttp"))


def test_the_sync_world_has_the_one(capture: Callable[..., CaptureServer], engine: str) -> None:
    """boto3 goes fast whatever is chosen for aiobotocore."""
    server = capture(http_answer(200))
    with open_caller("sync", endpoint_url=server.endpoint_url) as s3, all_fast(1):
        s3("head_object", Bucket="b", Key="k")


@pytest.mark.aiobotocore
def test_engines_are_kept_apart(
    capture: Callable[..., CaptureServer], monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """
    One client, called under one engine after another: each has connections of its own, which go
    when it is left, and a call goes by the engine that is entered then.
    """
    used: list[str] = []
    real = engines.open_pool

    def noted(http: str, client: Any) -> Any:
        used.append(http)
        return real(http, client)

    monkeypatch.setattr(engines, "open_pool", noted)
    server = capture(http_answer(200))
    others = [each for each in ENGINES if is_installed(each)]
    with open_caller("async", endpoint_url=server.endpoint_url) as s3:
        for http in (engine, *others, engine):
            with all_fast(2, http=http):
                s3("head_object", Bucket="b", Key="k")
                s3("head_object", Bucket="b", Key="k")
    assert sorted(used) == sorted(others)
    assert connected_to(server.port) == 0


@pytest.mark.aiobotocore
def test_engines_of_two_clients(capture: Callable[..., CaptureServer], engine: str) -> None:
    """Two patches in force at once, each narrowed to a client."""
    server = capture(http_answer(200))
    options = {"endpoint_url": server.endpoint_url}
    with open_caller("async", **options) as one, open_caller("async", **options) as two:
        direct = accelerate(http="direct", clients=[one.client])
        other = accelerate(http=engine, clients=[two.client])
        with direct, other:
            for s3 in (one, two, one, two):
                s3("head_object", Bucket="b", Key="k")
        assert (direct.stats.fast, other.stats.fast) == (2, 2)


@pytest.mark.aiobotocore
def test_a_read_timeout_ends_with_its_answer(capture: Callable[..., CaptureServer]) -> None:
    """
    A connection that was idle for longer than `read_timeout` serves the next call, though the
    answer before came as soon as it was asked for 100 Continue.
    """
    early = b"HTTP/1.1 100 Continue\r\n\r\n" + http_answer(200)
    server = capture(
        lambda request: [early, WaitForRequest()] if request.method == b"PUT" else http_answer(200),
        early=True,
    )
    options = {"endpoint_url": server.endpoint_url, "read_timeout": 1.0}
    with open_caller("async", **options) as s3, all_fast(2):
        s3("put_object", Bucket="b", Key="k", Body=b"x" * 100)
        s3.run(asyncio.sleep(1.2))
        answer = s3("head_object", Bucket="b", Key="k")
        assert answer["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.aiobotocore
def test_connector_args_are_the_connectors_of_aiohttp(
    capture: Callable[..., CaptureServer], engine: str
) -> None:
    """What the user gives aiohttp's connector only that one has; with another engine stock goes."""
    from aiobotocore.config import AioConfig

    server = capture(http_answer(200))
    config = AioConfig(connector_args={"use_dns_cache": False, "keepalive_timeout": 5})
    with open_caller("async", endpoint_url=server.endpoint_url, config=config) as s3:
        with accelerate() as patch:
            s3("head_object", Bucket="b", Key="k")
        stats = patch.stats
        assert (stats.fast, stats.fallback) == ((1, 0) if engine == "aiohttp" else (0, 1))


@pytest.mark.aiobotocore
def test_bytes_that_nobody_asked_for_end_a_connection(
    capture: Callable[..., CaptureServer], engine: str
) -> None:
    """An answer that comes before its request is never taken for it."""
    smuggled = http_answer(200, b"", {"x-amz-request-id": "smuggled"})
    server = capture(lambda request: [http_answer(200), Sleep(0.05), Send(smuggled)])
    with open_caller("async", endpoint_url=server.endpoint_url) as s3, all_fast(3):
        for _ in range(3):
            answer = s3("head_object", Bucket="b", Key="k")
            assert "x-amz-request-id" not in answer["ResponseMetadata"]["HTTPHeaders"]
            s3.run(asyncio.sleep(0.2))
    assert server.accepted == 3


@pytest.mark.aiobotocore
def test_an_idle_connection_is_let_go(capture: Callable[..., CaptureServer], engine: str) -> None:
    """After `keepalive_timeout`, without another call to notice it."""
    from aiobotocore.config import AioConfig

    server = capture(http_answer(200))
    config = AioConfig(connector_args={"keepalive_timeout": 0.2})
    with open_caller("async", endpoint_url=server.endpoint_url, config=config) as s3, all_fast(1):
        s3("head_object", Bucket="b", Key="k")
        for _ in range(500):  # aiohttp looks every now and then
            if not connected_to(server.port):
                break
            s3.run(asyncio.sleep(0.02))
        assert connected_to(server.port) == 0


@pytest.mark.aiobotocore
def test_an_upload_may_take_longer_than_the_read_timeout(
    capture: Callable[..., CaptureServer], engine: str
) -> None:
    """The peer has to say something only when all is sent, as with aiohttp."""
    slow = [Send100(), Sleep(4.5), WaitForRequest(), http_answer(200)]
    server = capture(lambda request: slow, early=True)
    options = {"endpoint_url": server.endpoint_url, "read_timeout": 3.0}
    with open_caller("async", **options) as s3, all_fast(1):
        answer = s3("put_object", Bucket="b", Key="k", Body=BytesIO(bytes(24_000_000)))
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.aiobotocore
async def test_a_client_closes_over_a_body_that_nobody_reads(
    capture: Callable[..., CaptureServer],
) -> None:
    """Also where more of it has come than is held for a reader that does not read."""
    head = http_answer(200, b"", {"Content-Length": "10000000"})
    server = capture(lambda request: [Send(head + bytes(1_000_000)), Sleep(60)])
    with all_fast(1):
        async with make_client("async", "s3", endpoint_url=server.endpoint_url) as s3:
            body = (await s3.get_object(Bucket="b", Key="k"))["Body"]
            await body.read(1)
        with pytest.raises(Exception, match=r"not completed|closed"):
            await asyncio.wait_for(body.read(), 30)
        body.close()
