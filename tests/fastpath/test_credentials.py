"""Credentials that expire, are refreshed, have a token, or are not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.session
import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import NoCredentialsError

from boto_accel import accelerate, explain
from tests.fastpath.callers import all_fast, open_caller
from tests.fastpath.outcome import outcome, stock_and_accelerated
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.clients import make_client


def _metadata(number: int, lives: timedelta) -> dict[str, str]:
    return {
        "access_key": f"AKIA{number}",
        "secret_key": f"secret-{number}",
        "token": f"token-{number}",
        "expiry_time": (datetime.now(timezone.utc) + lives).isoformat(),
    }


def test_credentials_refresh_as_in_stock(capture: Callable[..., CaptureServer]) -> None:
    """Expired credentials are refreshed before a fast call, valid ones are not; each is signed."""
    server = capture(http_answer(200))
    refreshed: list[int] = []

    def refresh() -> dict[str, str]:
        refreshed.append(1)
        # The second ones live for ever; the first ones are over at once.
        return _metadata(len(refreshed), timedelta(hours=5 if len(refreshed) > 1 else 0))

    session = botocore.session.Session()
    session._credentials = RefreshableCredentials.create_from_metadata(
        metadata=_metadata(0, timedelta(hours=5)), refresh_using=refresh, method="test"
    )
    s3 = session.create_client("s3", region_name="us-east-1", endpoint_url=server.endpoint_url)
    try:
        with all_fast(4):
            s3.head_object(Bucket="b", Key="k")
            assert refreshed == []
            session._credentials._expiry_time = datetime.now(timezone.utc)
            for _ in range(3):
                try:
                    s3.head_object(Bucket="b", Key="k")
                except RuntimeError:  # still expired after the refresh: stock's words
                    s3.head_object(Bucket="b", Key="k")
    finally:
        s3.close()
    tokens = [request.header("x-amz-security-token") for request in server.requests]
    assert tokens[0] == b"token-0"
    assert set(tokens[1:]) == {b"token-2"}
    assert len(refreshed) == 2
    assert b"Credential=AKIA2/" in (server.requests[-1].header("authorization") or b"")


@pytest.mark.aiobotocore
async def test_async_credentials_refresh(capture: Callable[..., CaptureServer]) -> None:
    """The same for aiobotocore's refreshable credentials, awaited."""
    from aiobotocore.credentials import AioRefreshableCredentials
    from aiobotocore.session import AioSession

    server = capture(http_answer(200))
    refreshed: list[int] = []

    async def refresh() -> dict[str, str]:
        refreshed.append(1)
        return _metadata(len(refreshed), timedelta(hours=5))

    session = AioSession()
    session._credentials = AioRefreshableCredentials.create_from_metadata(
        metadata=_metadata(0, timedelta(hours=5)), refresh_using=refresh, method="test"
    )
    async with session.create_client(
        "s3", region_name="us-east-1", endpoint_url=server.endpoint_url
    ) as s3:
        with all_fast(3):
            await s3.head_object(Bucket="b", Key="k")
            session._credentials._expiry_time = datetime.now(timezone.utc)
            await s3.head_object(Bucket="b", Key="k")
            await s3.head_object(Bucket="b", Key="k")
    tokens = [request.header("x-amz-security-token") for request in server.requests]
    assert tokens == [b"token-0", b"token-1", b"token-1"]
    assert refreshed == [1]


def test_a_session_token_is_sent_and_signed(
    flavour: str, capture: Callable[..., CaptureServer], frozen_clock: Any
) -> None:
    """With a session token the request is stock's byte for byte."""
    server = capture(http_answer(200))
    options = {"endpoint_url": server.endpoint_url, "aws_session_token": "to/ken+=="}
    with open_caller(flavour, **options) as s3:
        stock, fast, stats = stock_and_accelerated(
            server, frozen_clock, lambda: outcome(s3, "head_object", Bucket="b", Key="k")
        )
    assert fast == stock
    assert dict(fast.requests[0].headers)[b"x-amz-security-token"] == b"to/ken+=="
    assert (stats.fast, stats.fallback) == (1, 0)


def test_credentials_that_are_renewed_while_a_call_is_proved(
    capture: Callable[..., CaptureServer],
) -> None:
    """Such a call proves nothing, and nothing against the plan: the next one proves it."""
    server = capture(http_answer(200))
    frozen: list[ReadOnlyCredentials] = []

    class Renewed(Credentials):
        renews = True

        def get_frozen_credentials(self) -> ReadOnlyCredentials:
            if self.renews:
                frozen.append(ReadOnlyCredentials(f"AKIA{len(frozen)}", "secret", None))
            return frozen[-1]

    session = botocore.session.Session()
    session._credentials = Renewed("AKIA", "secret")
    s3 = session.create_client("s3", region_name="us-east-1", endpoint_url=server.endpoint_url)
    try:
        with accelerate() as patch:
            s3.head_object(Bucket="b", Key="k")
            assert patch.stats.reasons == {"credentials that were renewed meanwhile": 1}
            session._credentials.renews = False
            s3.head_object(Bucket="b", Key="k")
    finally:
        s3.close()
    assert (patch.stats.fast, patch.stats.retired) == (1, 0)
    assert len(server.requests) == 2


def test_no_credentials(capture: Callable[..., CaptureServer], monkeypatch: Any) -> None:
    """Without credentials stock's NoCredentialsError is raised, and nothing is sent."""
    server = capture(http_answer(200))
    session = botocore.session.Session()
    session._credentials = None
    monkeypatch.setattr(session, "get_credentials", lambda: None)
    s3 = session.create_client("s3", region_name="us-east-1", endpoint_url=server.endpoint_url)
    try:
        with accelerate() as patch, pytest.raises(NoCredentialsError):
            s3.head_object(Bucket="b", Key="k")
    finally:
        s3.close()
    assert server.requests == []
    assert patch.stats.reasons == {"no credentials": 1}


def test_two_clients_share_no_credentials(flavour: str, capture: Any) -> None:
    """Each call is signed with its own client's key, over one patch."""
    server = capture(http_answer(200))
    url = {"endpoint_url": server.endpoint_url}
    with (
        open_caller(flavour, **url, aws_access_key_id="AKIAONE") as one,
        open_caller(flavour, **url, aws_access_key_id="AKIATWO") as two,
        all_fast(6),
    ):
        for _ in range(3):
            one("head_object", Bucket="b", Key="k")
            two("head_object", Bucket="b", Key="k")
    keys = [request.header("authorization").split(b"=")[1][:7] for request in server.requests]
    assert keys == [b"AKIAONE", b"AKIATWO"] * 3


def test_explain_without_credentials_of_a_client_that_is_fast(capture: Any) -> None:
    """`explain` sends nothing and asks for no credentials."""
    server = capture(http_answer(200))
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3:
        assert explain(s3, "GetObject").fast
    assert server.accepted == 0
