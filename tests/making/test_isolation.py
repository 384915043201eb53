"""What a session does to its models, its own clients see, and those of no other session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from boto_accel import accelerate
from tests.making.portrait import CREDENTIALS, portrait, with_client

SERVICE = "sqs"
FILES = (
    *("endpoints", "partitions", "_retry", "sdk-default-configuration"),
    *("sqs/2012-11-05/service-2", "sqs/2012-11-05/paginators-1"),
    *("sqs/2012-11-05/endpoint-rule-set-1", "dynamodb/2012-08-10/waiters-2"),
)


def spoil(value: Any) -> None:
    """Change everything in it, at every depth."""
    if isinstance(value, dict):
        for inner in list(value.values()):
            spoil(inner)
        value["spoilt"] = True
        for key in list(value)[:1]:
            value[key] = "spoilt"
    elif isinstance(value, list):
        for inner in value:
            spoil(inner)
        value.append("spoilt")


def loader_of(session: Any) -> Any:
    return getattr(session, "_session", session).get_component("data_loader")


def spoil_files(session: Any, _: Any) -> None:
    loader = loader_of(session)
    for name in FILES:
        spoil(loader.load_data(name))
    spoil(loader.list_available_services("service-2"))


@pytest.fixture
def _accelerated() -> Iterator[None]:
    with accelerate():
        yield


@pytest.mark.usefixtures("_accelerated")
def test_data_that_a_session_changes_is_its_own(flavour: str) -> None:
    """Every file that clients are made of, changed in every place, before and after use."""
    before = with_client(flavour, SERVICE, portrait)
    with_client(flavour, SERVICE, spoil_files)
    assert with_client(flavour, SERVICE, portrait) == before


@pytest.mark.usefixtures("_accelerated")
def test_models_of_a_client_that_are_changed_are_its_own(flavour: str) -> None:
    """By the ways to them that a user has: `client.meta.service_model` and its parts."""
    before = with_client(flavour, SERVICE, portrait)

    def spoiled(_: Any, client: Any) -> None:
        model = client.meta.service_model
        spoil(model.metadata)
        for name in model.operation_names:
            operation = model.operation_model(name)
            spoil(operation.http)
            spoil(operation.metadata)
            for shape in (operation.input_shape, operation.output_shape, *operation.error_shapes):
                spoil(shape.metadata if shape is not None else {})
                spoil(shape.serialization if shape is not None else {})
        spoil(model._service_description)

    with_client(flavour, SERVICE, spoiled)
    assert with_client(flavour, SERVICE, portrait) == before


@pytest.mark.usefixtures("_accelerated")
def test_a_living_client_does_not_see_it_either() -> None:
    """Nor does one whose models are only looked at afterwards."""
    lives = boto3.Session(region_name="us-east-1", **CREDENTIALS)
    client = lives.client(SERVICE)
    with_client("sync", SERVICE, spoil_files)
    stock = boto3.Session(region_name="us-east-1", **CREDENTIALS)
    assert portrait(lives, client) == portrait(stock, stock.client(SERVICE))
    client.close()


def renamed(loader: Any) -> None:
    """What users do: another target, a member more, an operation less."""
    model = loader.load_service_model(SERVICE, "service-2")
    model["metadata"]["signingName"] = "other"
    model["operations"]["SendMessage"]["http"]["requestUri"] = "/other"
    model["shapes"]["SendMessageRequest"]["members"]["Extra"] = {"shape": "String"}
    del model["operations"]["PurgeQueue"]


def prepared(flavour: str, change: Callable[[Any], None]) -> dict[str, Any]:
    """The portrait of a client of a session whose data was changed before it was made."""
    if flavour == "async":
        return asyncio.run(_prepared_async(change))
    session = boto3.Session(region_name="us-east-1", **CREDENTIALS)
    change(loader_of(session))
    client = session.client(SERVICE)
    try:
        return portrait(session, client)
    finally:
        client.close()


async def _prepared_async(change: Callable[[Any], None]) -> dict[str, Any]:
    from aiobotocore.session import get_session

    session = get_session()
    change(loader_of(session))
    arguments = {"region_name": "us-east-1", **CREDENTIALS}
    async with session.create_client(SERVICE, **arguments) as client:
        return portrait(session, client)


def rules_changed(loader: Any) -> None:
    ruleset = loader.load_service_model(SERVICE, "endpoint-rule-set-1")
    ruleset["rules"][:] = [
        {"type": "endpoint", "conditions": [], "endpoint": {"url": "https://other.example"}}
    ]


def parameters_changed(loader: Any) -> None:
    ruleset = loader.load_service_model(SERVICE, "endpoint-rule-set-1")
    del ruleset["parameters"]["UseDualStack"]


def partitions_changed(loader: Any) -> None:
    for partition in loader.load_data("partitions")["partitions"]:
        partition["outputs"]["dnsSuffix"] = "example.com"


@pytest.mark.parametrize("change", [renamed, rules_changed, parameters_changed, partitions_changed])
def test_what_a_session_has_changed_is_in_its_clients(
    flavour: str, change: Callable[[Any], None]
) -> None:
    """As in stock, where the loader of a session gives the same data each time."""
    untouched = with_client(flavour, SERVICE, portrait)
    stock = prepared(flavour, change)
    assert stock != untouched
    with accelerate():
        with_client(flavour, SERVICE, portrait)
        assert prepared(flavour, change) == stock
        assert with_client(flavour, SERVICE, portrait) == untouched


@pytest.mark.usefixtures("_accelerated")
def test_a_class_that_a_session_changes_is_its_own() -> None:
    """Handlers of `creating-client-class` add to the class; classes are not shared."""

    def add(class_attributes: dict[str, Any], **_: Any) -> None:
        class_attributes["mine"] = True

    session, other = (boto3.Session(region_name="us-east-1", **CREDENTIALS) for _ in range(2))
    session.events.register("creating-client-class.sqs", add)
    assert session.client(SERVICE).mine
    assert not hasattr(other.client(SERVICE), "mine")


def target_of_listing(session: Any) -> str:
    """Where ListObjectsV2 is sent to, by the model of a new client that has sent nothing."""
    model = session.client("s3").meta.service_model
    return str(model.operation_model("ListObjectsV2").http["requestUri"])


@pytest.mark.usefixtures("_accelerated")
def test_a_model_that_botocore_changes_is_the_sessions_own() -> None:
    """
    A call of S3 takes the bucket out of the operation's target, in the model and for good.

    Source: `botocore.handlers.remove_bucket_from_url_paths_from_model`.
    """
    one, other = (boto3.Session(region_name="us-east-1", **CREDENTIALS) for _ in range(2))
    one.client("s3").generate_presigned_url("list_objects_v2", {"Bucket": "b"})
    assert target_of_listing(one) == "?list-type=2"
    assert target_of_listing(other) == "/{Bucket}?list-type=2"


def test_files_on_disk_stay_as_they_are() -> None:
    """What is parsed once more afterwards is what was there at first."""
    text = json.dumps(with_client("sync", SERVICE, portrait))
    with accelerate():
        with_client("sync", SERVICE, lambda _, client: spoil(client.meta.service_model.metadata))
    assert json.dumps(with_client("sync", SERVICE, portrait)) == text
