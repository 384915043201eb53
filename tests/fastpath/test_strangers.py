"""Tools that put themselves between a client and the network keep working."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any
from unittest import mock

import botocore.endpoint
import botocore.history
import botocore.httpsession
import pytest
from botocore.stub import Stubber

from boto_accel import accelerate, explain
from tests.fastpath.callers import Caller, open_caller
from tests.fastpath.outcome import outcome
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.clients import make_client

NOWHERE = "http://127.0.0.1:1"  # nobody listens there


def test_stubber(frozen_clock: Any) -> None:
    """A Stubber answers, and checks what is expected, while accelerated; then calls are fast."""
    with make_client("sync", "s3", endpoint_url=NOWHERE) as s3, accelerate() as patch:
        with Stubber(s3) as stubber:
            stubber.add_response("head_object", {"ETag": '"x"'}, {"Bucket": "b", "Key": "k"})
            stubber.add_client_error("get_object", "NoSuchKey")
            assert s3.head_object(Bucket="b", Key="k")["ETag"] == '"x"'
            with pytest.raises(s3.exceptions.NoSuchKey):
                s3.get_object(Bucket="b", Key="k")
            stubber.assert_no_pending_responses()
        assert (patch.stats.fast, patch.stats.fallback) == (0, 2)
        assert explain(s3, "head_object").fast


def test_moto_in_process() -> None:
    """`mock_aws` answers boto3 while accelerated, for clients made before and inside it."""
    code = """
import boto3, warnings
warnings.simplefilter("ignore")
from moto import mock_aws
from boto_accel import accelerate
options = dict(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
with accelerate() as patch, mock_aws():
    s3 = boto3.client("s3", **options)
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"moto")
    assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"moto"
    assert [o.key for o in boto3.resource("s3", **options).Bucket("bucket").objects.all()] == ["k"]
    s3.close()
assert patch.stats.fast == 0, patch.stats
reason = "handlers of before-send (moto.core.botocore_stubber)"
assert set(patch.stats.reasons) == {reason}, patch.stats
print("done")
"""
    if find_spec("moto") is None:  # not imported here: that would reach all later clients
        pytest.skip("moto is not installed")
    assert _run(code) == "done"


def _run(code: str) -> str:
    """In a process of its own: moto registers itself with botocore for good."""
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("owner", "attribute"),
    [
        (botocore.endpoint.Endpoint, "_send"),
        (botocore.endpoint.Endpoint, "make_request"),
        (botocore.httpsession.URLLib3Session, "send"),
    ],
    ids=["Endpoint._send", "Endpoint.make_request", "URLLib3Session.send"],
)
def test_a_seam_that_is_mocked_while_accelerated(
    capture: Callable[..., CaptureServer], owner: type, attribute: str
) -> None:
    """`unittest.mock.patch` of a method on stock's way is called; after it calls are fast again."""
    server = capture(http_answer(200))
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, accelerate() as patch:
        s3.head_object(Bucket="b", Key="k")
        with (
            mock.patch.object(
                owner, attribute, autospec=True, side_effect=ZeroDivisionError("mocked")
            ) as mocked,
            pytest.raises(Exception, match="mocked"),
        ):
            s3.head_object(Bucket="b", Key="k")
        assert mocked.called
        s3.head_object(Bucket="b", Key="k")
    assert (patch.stats.fast, patch.stats.fallback) == (2, 1)
    assert patch.stats.reasons == {f"{owner.__name__}.{attribute} is replaced": 1}
    assert len(server.requests) == 2


@pytest.mark.aiobotocore
async def test_an_async_seam_that_is_mocked_while_accelerated(
    capture: Callable[..., CaptureServer],
) -> None:
    """The same for `AioEndpoint._send`."""
    from aiobotocore.endpoint import AioEndpoint

    server = capture(http_answer(200))
    async with make_client("async", "s3", endpoint_url=server.endpoint_url) as s3:
        with accelerate() as patch:
            await s3.head_object(Bucket="b", Key="k")
            with (
                mock.patch.object(AioEndpoint, "_send", side_effect=ZeroDivisionError("mocked")),
                pytest.raises(Exception, match="mocked"),
            ):
                await s3.head_object(Bucket="b", Key="k")
            await s3.head_object(Bucket="b", Key="k")
    assert (patch.stats.fast, patch.stats.fallback) == (2, 1)


def test_a_method_mocked_on_the_clients_own_parts(capture: Callable[..., CaptureServer]) -> None:
    """A mock put on one client's endpoint object is called while accelerated."""
    server = capture(http_answer(200))
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, accelerate():
        s3.head_object(Bucket="b", Key="k")
        with (
            mock.patch.object(s3._endpoint, "_send", side_effect=ZeroDivisionError("mocked")),
            pytest.raises(Exception, match="mocked"),
        ):
            s3.head_object(Bucket="b", Key="k")


def test_history_recording(flavour: str, capture: Callable[..., CaptureServer]) -> None:
    """While botocore's history is recorded it sees every call; afterwards calls are fast."""
    server = capture(http_answer(200))
    recorder = botocore.history.get_global_history_recorder()
    seen: list[str] = []

    class Handler(botocore.history.BaseHistoryHandler):  # type: ignore[misc]
        def emit(self, event_type: str, payload: Any, source: str) -> None:
            seen.append(event_type)

    handler = Handler()
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3, accelerate() as patch:
        recorder.add_handler(handler)
        recorder.enable()
        try:
            s3("head_object", Bucket="b", Key="k")
        finally:
            recorder.disable()
            recorder._handlers.remove(handler)
        s3("head_object", Bucket="b", Key="k")
    assert {"API_CALL", "HTTP_REQUEST", "PARSED_RESPONSE"} <= set(seen)
    assert patch.stats.reasons == {"history recording": 1}
    assert patch.stats.fast == 1


@pytest.mark.parametrize("where", ["config", "environment"])
def test_proxies(
    flavour: str, capture: Callable[..., CaptureServer], monkeypatch: Any, where: str
) -> None:
    """Calls through a proxy are stock's, and reach the proxy."""
    proxy = capture(http_answer(200))
    options: dict[str, Any] = {"endpoint_url": "http://s3.invalid"}
    if where == "config":
        options["proxies"] = {"http": proxy.endpoint_url}
    else:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint_url)
        monkeypatch.setenv("http_proxy", proxy.endpoint_url)
    with open_caller(flavour, **options) as s3, accelerate() as patch:
        assert outcome(s3, "head_object", Bucket="b", Key="k").error is None
        assert explain(s3.client, "head_object").reason == "proxies"
    assert proxy.requests[0].target == b"http://s3.invalid/b/k"
    assert patch.stats.fast == 0
    assert patch.stats.reasons == {"proxies": 1}


# What has it, its name there, and another one.
PARTS: dict[str, Callable[[Any, Any], tuple[Any, str, Any]]] = {
    "session": lambda own, other: (own._endpoint, "http_session", other._endpoint.http_session),
    "endpoint": lambda own, other: (own, "_endpoint", other._endpoint),
    "signer": lambda own, other: (own, "_request_signer", other._request_signer),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_client_that_is_replaced(
    flavour: str, capture: Callable[..., CaptureServer], part: str
) -> None:
    """What was known of it is forgotten; whose key signs, over whose connections, is stock's."""
    server = capture(http_answer(200))

    def keys_seen() -> list[bool]:
        before = len(server.requests)
        with ExitStack() as stack:
            s3, other = two_clients(stack, flavour, server.endpoint_url)
            for _ in range(2):
                s3("head_object", Bucket="b", Key="k")
            with mock.patch.object(*PARTS[part](s3.client, other)):
                for _ in range(3):
                    s3("head_object", Bucket="b", Key="k")
        sent = server.requests[before:]
        if part == "session":
            assert {one.connection for one in sent[:2]}.isdisjoint(o.connection for o in sent[2:])
        return [b"AKIAOTHER" in (one.header("authorization") or b"") for one in sent]

    stock = keys_seen()
    with accelerate() as patch:
        assert keys_seen() == stock
    assert patch.stats.fast == (4 if part == "session" else 2)
    assert patch.stats.retired == 0


def two_clients(stack: ExitStack, flavour: str, url: str) -> tuple[Caller, Any]:
    """A caller, and another client on its loop, for an aiohttp session belongs to one."""
    s3 = stack.enter_context(open_caller(flavour, endpoint_url=url))
    options = {"endpoint_url": url, "aws_access_key_id": "AKIAOTHER"}
    opening: Any = make_client(flavour, "s3", **options)
    if not s3.is_async:
        return s3, stack.enter_context(opening)
    other = s3.run(opening.__aenter__())
    stack.callback(lambda: s3.run(opening.__aexit__(None, None, None)))
    return s3, other
