"""
A client that is made under the patch is the client that stock makes.

`python -m tests.making` (`make clients`) goes through all services; here are some, others each day.
"""

from __future__ import annotations

import datetime
import pydoc
import random

import boto3
import pytest

from boto_accel import accelerate
from boto_accel.fastpath.making.documents import documents
from tests.hook.patches import Passes
from tests.making.__main__ import differences
from tests.making.portrait import (
    CREDENTIALS,
    REGIONS,
    all_services,
    counted_reads,
    portrait,
    with_client,
)

ALWAYS = ("s3", "dynamodb", "sqs", "s3control", "sdb")
TODAY = datetime.date.today().isoformat()


@pytest.mark.parametrize("service", [*ALWAYS, "one of the day", "another"])
def test_made_the_same(flavour: str, service: str) -> None:
    choose = random.Random(f"{TODAY} {flavour} {service}")
    chosen = service if service in ALWAYS else choose.choice(all_services())
    region = choose.choice(REGIONS[:4])
    assert (chosen, region, differences(flavour, chosen, region)) == (chosen, region, [])


def test_documentation() -> None:
    """Docstrings are written of the whole model, of shapes that nothing else looks at."""

    def documentation(_: object, client: object) -> list[str]:
        return [pydoc.plain(pydoc.render_doc(client.put_item)), client.get_paginator.__doc__]  # type: ignore[attr-defined]

    stock = with_client("sync", "dynamodb", documentation)
    with accelerate():
        assert with_client("sync", "dynamodb", documentation) == stock
        assert with_client("sync", "dynamodb", documentation) == stock


def test_resources() -> None:
    """boto3 has models of its own for them."""

    def resource() -> tuple[object, ...]:
        session = boto3.Session(region_name="us-east-1", **CREDENTIALS)
        made = session.resource("s3")
        model = made.meta.resource_model
        actions = [(action.name, action.request.operation) for action in model.actions]
        return actions, dir(made), dir(made.Object("b", "k")), session.get_available_resources()

    stock = resource()
    with accelerate():
        assert resource() == stock
        assert resource() == stock


@pytest.mark.usefixtures("new_documents")
def test_a_second_session_opens_none_of_the_files(
    flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with accelerate(), counted_reads(monkeypatch) as opened:
        with_client(flavour, "s3", lambda *_: None)
        assert len(opened) == len(set(opened)) >= 5
        opened.clear()
        with_client(flavour, "s3", lambda *_: None)
        assert opened == []
        with_client(flavour, "sqs", lambda *_: None)
        assert {path.split("/")[-3] for path in opened} == {"sqs"}


@pytest.mark.usefixtures("new_documents")
async def test_aioboto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clients are aiobotocore's, and its resources are made of boto3's models."""
    aioboto3 = pytest.importorskip("aioboto3")
    arguments = {"region_name": "us-east-1", **CREDENTIALS}

    async def made() -> list[object]:
        session = aioboto3.Session(**arguments)
        async with session.client("sqs") as client, session.resource("s3") as resource:
            return [portrait(session, client), dir(resource), dir(await resource.Object("b", "k"))]

    stock = await made()
    with accelerate(), counted_reads(monkeypatch) as opened:
        assert await made() == stock
        assert len(opened) == len(set(opened)) > 5
        opened.clear()
        assert await made() == stock
        assert opened == []


def test_a_narrowed_patch_shares_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made is the same, and there is no client yet to narrow by."""
    with accelerate(services="dynamodb"), counted_reads(monkeypatch) as opened:
        with_client("sync", "s3", lambda *_: None)
        opened.clear()
        with_client("sync", "s3", lambda *_: None)
        assert opened == []


def test_nothing_is_shared_without_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither before, nor after, nor by another patch."""
    with Passes(), counted_reads(monkeypatch) as opened:
        with_client("sync", "sqs", lambda *_: None)
        first = len(opened)
        with_client("sync", "sqs", lambda *_: None)
        assert len(opened) == 2 * first > 0
    with accelerate():
        with_client("sync", "sqs", lambda *_: None)
    assert documents.kept == 0
    with counted_reads(monkeypatch) as opened:
        with_client("sync", "sqs", lambda *_: None)
        assert len(opened) == first
