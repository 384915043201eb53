"""Clients that are made under the patch, and go on when it is gone; and the end of what is kept."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from boto_accel import accelerate
from boto_accel.fastpath.making.documents import Documents
from tests.making.portrait import CREDENTIALS, counted_reads, portrait, with_client
from tests.servers.capture import CaptureServer, http_answer

ANSWER = http_answer(200, b"<R><Buckets><Bucket><Name>b</Name></Bucket></Buckets></R>")
ARGUMENTS = {"region_name": "us-east-1", **CREDENTIALS}


@pytest.fixture
def server(capture: Callable[..., CaptureServer]) -> CaptureServer:
    return capture(ANSWER)


def test_a_client_of_before_goes_on_as_stock(flavour: str, server: CaptureServer) -> None:
    """Calls, paginators, exceptions, and the models that it has not looked at yet."""
    stock = with_client(flavour, "s3", portrait)
    if flavour == "async":
        return asyncio.run(_goes_on_async(server, stock))
    with accelerate():
        session = boto3.Session(**ARGUMENTS)
        here = session.client("s3", endpoint_url=server.endpoint_url)
        there = session.client("s3")
    assert portrait(session, there) == stock
    assert portrait(session, session.client("s3")) == stock
    assert here.list_buckets()["Buckets"] == [{"Name": "b"}]
    pages = here.get_paginator("list_objects_v2").paginate(Bucket="b")
    assert [page["ResponseMetadata"]["HTTPStatusCode"] for page in pages] == [200]
    here.close()


async def _goes_on_async(server: CaptureServer, stock: dict[str, Any]) -> None:
    from aiobotocore.session import get_session

    session = get_session()
    with accelerate():
        opening = session.create_client("s3", endpoint_url=server.endpoint_url, **ARGUMENTS)
        here = await opening.__aenter__()
        other = session.create_client("s3", **ARGUMENTS)
        there = await other.__aenter__()
    assert portrait(session, there) == stock
    assert (await here.list_buckets())["Buckets"] == [{"Name": "b"}]
    await opening.__aexit__(None, None, None)
    await other.__aexit__(None, None, None)


def test_left_while_a_client_is_made() -> None:
    """Half of its data is shared then, and the other half is not."""
    stock = with_client("sync", "dynamodb", portrait)
    patch = accelerate()
    patch.install()
    session = boto3.Session(**ARGUMENTS)
    session.events.register("creating-client-class.dynamodb", lambda **_: patch.uninstall())
    client = session.client("dynamodb")
    found = portrait(session, client)
    assert {name for name in stock if stock[name] != found[name]} <= {"handlers"}
    client.close()


def test_entered_while_a_client_is_made() -> None:
    stock = with_client("sync", "dynamodb", portrait)
    patch = accelerate()
    session = boto3.Session(**ARGUMENTS)
    session.events.register("creating-client-class.dynamodb", lambda **_: patch.install())
    client = session.client("dynamodb")
    try:
        assert portrait(session, client) == stock
    finally:
        patch.uninstall()
        client.close()


def test_what_living_clients_have_is_shared_by_the_next_patch(
    new_documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what no client has is read again."""
    patch = accelerate()
    with patch, counted_reads(monkeypatch) as opened:
        session = boto3.Session(**ARGUMENTS)
        client = session.client("sqs")
        with_client("sync", "sns", lambda *_: None)
    assert new_documents.kept == 0
    gc.collect()
    opened.clear()
    with patch, counted_reads(monkeypatch) as opened:
        with_client("sync", "sqs", lambda *_: None)
        assert opened == []
        with_client("sync", "sns", lambda *_: None)
        assert opened
    client.close()


def test_nothing_is_left_of_a_client_that_is_gone(new_documents: Documents) -> None:
    """Of its session, its models and its rules, once the patch is left."""

    def weak(session: Any, client: Any) -> list[weakref.ref[Any]]:
        provider = client._ruleset_resolver._provider
        description = client.meta.service_model._service_description
        return [
            weakref.ref(each) for each in (client, provider.ruleset.rules[0], description.owner)
        ]

    with accelerate():
        client, *shared = with_client("sync", "sqs", weak)
        gc.collect()
        assert client() is None
        assert all(each() is not None for each in shared)
    gc.collect()
    assert [each() for each in shared] == [None, None]
