"""A name that botocore does not know is refused where it is given; what works is not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.loaders import Loader

from boto_accel import (
    InvalidOptionError,
    _services,
    accelerate,
    botocache_context,
    route_s3,
)
from tests.hook.patches import Answers

MODEL = {
    "version": "2.0",
    "metadata": {
        "apiVersion": "2020-01-01",
        "endpointPrefix": "mine",
        "protocol": "json",
        "serviceId": "Mine",
        "signatureVersion": "v4",
    },
    "operations": {"DoThis": {"name": "DoThis", "http": {"method": "POST", "requestUri": "/"}}},
    "shapes": {},
}


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have found is no help to these."""
    monkeypatch.setattr(_services, "_services", {"s3"})
    monkeypatch.setattr(_services, "_operations", set())


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A service of the user's own, in `tmp_path`. No other test, and no loader of one, knows it."""
    name = f"mine-{next(_numbers)}"
    folder = tmp_path / name / "2020-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(MODEL))
    return name


_numbers = itertools.count(1)


def client_of(session: Any, service: str) -> Any:
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    return session.create_client(service, region_name="eu-west-1", endpoint_url="http://[::1]:1")


@pytest.mark.parametrize("make", [Answers, accelerate, botocache_context])
@pytest.mark.parametrize(
    ("given", "named", "alike"),
    [
        ("dynamo", "dynamo", "'dynamodb'"),
        ("S3", "S3", "'s3'"),
        (["s3", "sqs", "lamda"], "lamda", "'lambda'"),
        (("sqs", "nope"), "nope", botocore.__version__),
    ],
)
def test_a_service_that_there_is_not(
    make: Callable[..., Any], given: Any, named: str, alike: str
) -> None:
    with pytest.raises(InvalidOptionError, match=alike) as caught:
        make(services=given)
    assert (caught.value.parameter, caught.value.value) == ("services", named)


def by_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(folder))


def by_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = folder / "config"
    config.write_text(f"[default]\ndata_path = {folder}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


def by_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~/.aws/models`, which botocore works out when it is imported."""
    monkeypatch.setattr(Loader, "CUSTOMER_DATA_PATH", str(folder))


@pytest.mark.parametrize("way", [by_environment, by_configuration, by_home])
def test_a_service_of_the_users_own(
    way: Callable[..., None], mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidOptionError, match=f"services='{mine}'"):
        Answers(services=mine)
    way(tmp_path, monkeypatch)
    Answers(services=[mine, "sqs"], operations=["do_this", "SendMessage"])
    with pytest.raises(InvalidOptionError, match="'do_this'"):
        Answers(services=mine, operations="do_that")


def test_a_service_that_one_session_knows(mine: str, tmp_path: Path) -> None:
    """As long as it, or a client of it, is there."""
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(str(tmp_path))
    client = client_of(session, mine)
    del session
    assert Answers(services=mine, operations="do_this").matches(client, "DoThis")
    client.close()


def test_a_service_of_a_given_client(
    mine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked for what the clients themselves tell."""
    by_environment(tmp_path, monkeypatch)
    client = client_of(botocore.session.Session(), mine)
    forbid_looking(monkeypatch)
    assert Answers(clients=client, services=mine, operations="do_this").matches(client, "DoThis")
    with pytest.raises(InvalidOptionError, match=rf"an operation of {mine} .*'do_this'"):
        Answers(clients=client, operations="do_that")
    client.close()


def forbid_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise AssertionError("botocore was asked")

    for name in ("list_available_services", "load_service_model"):
        monkeypatch.setattr(Loader, name, fail)


def test_what_was_found_is_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    narrowings: list[dict[str, Any]] = [
        {"services": ["sqs", "iam"]},
        {"services": "s3", "operations": ["get_object", "PutObject"]},
    ]
    for narrowing in narrowings:
        Answers(**narrowing)
    forbid_looking(monkeypatch)
    for narrowing in narrowings:
        Answers(**narrowing)


@pytest.mark.parametrize("narrowing", [{}, {"services": "s3"}, {"operations": "get_object"}])
def test_what_costs_nothing(narrowing: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """No patch that is not narrowed, none for S3 alone, none by operations of any service."""
    forbid_looking(monkeypatch)
    Answers(**narrowing)


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said where a client is made; a session may well be told another."""
    monkeypatch.setenv("AWS_PROFILE", "missing")
    Answers(services="sqs", operations="send_message")
    with pytest.raises(InvalidOptionError, match="'sqs'"):
        Answers(services="sqss")


@pytest.mark.parametrize(
    "make",
    [
        lambda name: Answers(services="s3", operations=name),
        lambda name: accelerate(services=["s3", "sqs"], operations=["send_message", name]),
        lambda name: botocache_context(services="s3", operations=name),
        lambda name: route_s3({}, [{"bucket_name": "*", "client": "own"}], operations=name),
    ],
)
@pytest.mark.parametrize("name", ["get_objct", "GetObjct"])
def test_an_operation_that_there_is_not(make: Callable[[str], Any], name: str) -> None:
    with pytest.raises(InvalidOptionError, match="'get_object'") as caught:
        make(name)
    assert (caught.value.parameter, caught.value.value) == ("operations", name)
    make("get_object")
    make("GetObject")


@pytest.mark.parametrize("name", ["get-object", "s3:GetObject", "s3.get_object", "get object"])
def test_what_is_no_name_of_an_operation(name: str) -> None:
    """Of any service."""
    with pytest.raises(InvalidOptionError, match="'get_object' or 'GetObject'"):
        Answers(operations=["put_object", name])
