"""A name that botocore does not know is refused where it is given; what works is not."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
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
    batch_puts,
    botocache_context,
    explain,
    redis_s3,
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


# Clients and services that have nothing in common

with_redis = pytest.mark.skipif(find_spec("redis") is None, reason="redis is not installed")


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    client = client_of(botocore.session.Session(), "sqs")
    yield client
    client.close()


@pytest.mark.parametrize(
    "make",
    [
        partial(Answers, services="s3"),
        partial(accelerate, services=["s3", "iam"]),
        partial(botocache_context, services="s3", operations="send_message"),
        pytest.param(redis_s3, marks=with_redis),
        partial(batch_puts, "s3://events/raw/*", "s3://events/batches/", spool_dir="spool"),
    ],
)
def test_clients_of_another_service(make: Callable[..., Any], sqs: Any) -> None:
    """No call would be of both. The patches of S3 have their service themselves."""
    with pytest.raises(InvalidOptionError, match=r"services=.*'s3'\]") as caught:
        make(clients=sqs)
    assert (caught.value.parameter, caught.value.value) == ("clients", "sqs")


def test_clients_of_which_some_are_of_the_services(sqs: Any) -> None:
    s3 = client_of(botocore.session.Session(), "s3")
    patch = Answers(clients=[s3, sqs], services="s3")
    assert patch.matches(s3, "GetObject")
    assert not patch.matches(sqs, "SendMessage")
    assert Answers(clients=[s3, sqs], services=["s3", "iam"]).matches(s3, "GetObject")
    assert Answers(clients=[], services="s3").matches(s3, "GetObject") is False
    s3.close()


def test_operations_of_both(sqs: Any) -> None:
    """It is enough that one of the services has it, but one that counts."""
    s3 = client_of(botocore.session.Session(), "s3")
    patch = Answers(clients=[s3, sqs], operations="send_message")
    assert patch.matches(sqs, "SendMessage")
    assert Answers(services=["s3", "sqs"], operations="send_message").matches(sqs, "SendMessage")
    with pytest.raises(InvalidOptionError, match=r"operations='send_message'.* of s3 "):
        Answers(clients=[s3, sqs], services="s3", operations="send_message")
    with pytest.raises(InvalidOptionError, match=r"operations='send_message'.* of s3 "):
        Answers(clients=s3, services=["s3", "sqs"], operations="send_message")
    s3.close()


# What a cache does with which


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("dynamo", "'dynamodb'"),
        ("cognito-idq", "'cognito-idp'"),
        ("iamm", "'iam'"),
        ("EC3", "'ec2'"),
        ("iamm.ListUsers", "'iam'"),
        ("iam.ListUser", "'list_users'"),
        ("iam.", "an operation of iam"),
        (".ListUsers", "a service"),
        ("get object", "a service"),
        ("get-object", "a service"),
        ("", "a service"),
    ],
)
@pytest.mark.parametrize(
    ("parameter", "made"),
    [("ttl_by_operation", lambda name: {name: 60}), ("allow_sensitive", list)],
)
def test_a_name_of_a_cache_that_stands_for_nothing(
    parameter: str, made: Callable[[Any], Any], name: str, alike: str
) -> None:
    given = made(name) if made is not list else ["iam", name]
    with pytest.raises(InvalidOptionError, match=alike) as caught:
        botocache_context(**{parameter: given})
    assert caught.value.parameter == parameter
    assert caught.value.value in (name, name.lower())


@pytest.mark.parametrize(
    "name",
    [
        *("iam", "ec2", "EC2", "cognito-idp"),
        *("iam.ListUsers", "iam.list_users", "IAM.listusers", "rds.StopDBCluster"),
        *("ListUsers", "list_users", "listusers", "RunInstances", "run_instances", "scan", "Query"),
        *("GetParametersByPath", "describe_db_instances", "DescribeVTLDevices"),
    ],
)
def test_a_name_of_a_cache_that_stands_for_something(name: str) -> None:
    botocache_context(ttl_by_operation={name: 60}, allow_sensitive=[name])


def test_a_name_of_a_cache_that_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations of any service; and what was found before."""
    times = {"iam.ListUsers": 1, "iam": 2}
    botocache_context(ttl_by_operation=times)
    forbid_looking(monkeypatch)
    botocache_context(ttl_by_operation={**times, "ListUsers": 3}, allow_sensitive=["get_user"])


def test_decisions_of_a_service_that_one_session_knows(mine: str, tmp_path: Path) -> None:
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.append(str(tmp_path))
    cache = botocache_context(action_regex_to_cache=".", ttl_by_operation={f"{mine}.do_this": 1})
    assert [each.operation for each in cache.decisions(mine)] == ["DoThis"]
    with pytest.raises(InvalidOptionError, match=rf"^service='{mine}s'"):
        list(cache.decisions(f"{mine}s"))


# An operation of a client


@pytest.mark.parametrize("told", [explain, lambda *args: botocache_context().explain(*args)])
def test_an_operation_that_a_client_does_not_have(told: Callable[..., Any], sqs: Any) -> None:
    for name in ("send_message", "SendMessage", "sendmessage"):
        told(sqs, name)
    with pytest.raises(InvalidOptionError, match=r"operation='send_msg'.* sqs .*'send_message'"):
        told(sqs, "send_msg")
    with pytest.raises(InvalidOptionError, match="operation=3"):
        told(sqs, 3)
    with pytest.raises(InvalidOptionError, match="client='sqs'"):
        told("sqs", "send_message")
