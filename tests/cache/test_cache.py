"""What a cache gives, and when: hits, misses, writes, times, errors, wishes."""

from __future__ import annotations

import copy
import io
import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from boto_accel import InvalidOptionError, botocache_context
from boto_accel.cache import CachePatch, policy
from tests.cache.aws import (
    Aws,
    Clock,
    Counting,
    cached,
    error,
    is_hit,
    make_async_client,
    make_cache,
    make_client,
    reply,
)


@pytest.fixture
def iam() -> Any:
    client = make_client()
    yield client
    client.close()


def test_a_second_call_is_answered_from_the_cache(iam: Any) -> None:
    """Equal but for the marker, whatever the order of the parameters."""
    with Aws(Counting()) as aws, cached() as cache:
        first = iam.list_users(MaxItems=3, PathPrefix="/")
        second = iam.list_users(PathPrefix="/", MaxItems=3)
    assert aws.count == 1
    assert not is_hit(first)
    marker = second["ResponseMetadata"].pop("BotoAccelCache")
    assert marker.keys() == {"Hit", "Stale", "AgeSeconds"}
    assert (marker["Hit"], marker["Stale"]) == (True, False)
    assert first == second
    assert (cache.stats.hits, cache.stats.misses) == (1, 1)


def test_other_parameters_and_operations_are_other_calls(iam: Any) -> None:
    with Aws(Counting()) as aws, cached():
        iam.list_users()
        iam.list_users(MaxItems=3)
        iam.list_users(Marker="page-2")
        iam.list_roles()
    assert aws.count == 4


def test_each_hit_is_the_callers_own(iam: Any) -> None:
    """Whoever changes a reply changes nobody else's, the first caller included."""
    with Aws(lambda *_: reply(Users=[{"UserName": "a"}])), cached():
        first = iam.list_users()
        kept = copy.deepcopy(first)
        first["Users"][0]["UserName"] = "changed"
        second = iam.list_users()
        second["Users"].clear()
        third = iam.list_users()
    del third["ResponseMetadata"]["BotoAccelCache"]
    assert third == kept


def test_clients_made_before_inside_and_after_the_block(iam: Any) -> None:
    """And when it is left, all of them are as they were."""
    with Aws(Counting()) as aws:
        with cached():
            inside = make_client()
            assert [iam.list_users()["n"], inside.list_users()["n"]] == [1, 1]
        assert [iam.list_users()["n"], inside.list_users()["n"]] == [2, 3]
        inside.close()
    assert aws.count == 3


def test_a_paginator_made_inside_does_not_go_on_caching_outside(iam: Any) -> None:
    """As the original's did."""
    pages = {
        "": reply(Users=[1], IsTruncated=True, Marker="m"),
        "m": reply(Users=[2], IsTruncated=False),
    }
    with Aws(lambda _, params: copy.deepcopy(pages[params.get("Marker", "")])) as aws:
        with cached():
            paginator = iam.get_paginator("list_users")
            assert [page["Users"] for page in paginator.paginate()] == [[1], [2]]
            assert [page["Users"] for page in paginator.paginate()] == [[1], [2]]
            assert aws.count == 2
        assert [page["Users"] for page in paginator.paginate()] == [[1], [2]]
        assert aws.count == 4


# Who, and where --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"key": "AKIATWO"},
        {"endpoint_url": "http://127.0.0.1:2"},
        {"region_name": "us-east-1"},
        {"config": Config(signature_version=UNSIGNED)},
        {"config": Config(use_dualstack_endpoint=True)},
        {"config": Config(s3={"use_accelerate_endpoint": True})},
    ],
)
def test_no_two_principals_endpoints_or_regions_share(other: dict[str, Any]) -> None:
    """Nor two configurations that might go to different places."""
    one, two = make_client("s3"), make_client("s3", **other)
    with Aws(Counting()), cached():
        seen = [one.list_buckets()["n"], two.list_buckets()["n"], one.list_buckets()["n"]]
        assert seen == [1, 2, 1]
    one.close()
    two.close()


def test_services_do_not_share() -> None:
    """One operation name, one set of parameters, two services."""
    one, two = make_client("ecs"), make_client("eks")
    with Aws(Counting()), cached():
        assert [one.list_clusters()["n"], two.list_clusters()["n"]] == [1, 2]


def test_clients_of_one_principal_share() -> None:
    one, two = make_client(), make_client()
    with Aws(Counting()), cached():
        assert [one.list_users()["n"], two.list_users()["n"]] == [1, 1]


def test_a_client_whose_credentials_change_is_another_principal(iam: Any) -> None:
    with Aws(Counting()), cached():
        assert iam.list_users()["n"] == 1
        iam._request_signer._credentials.access_key = "AKIATWO"
        assert iam.list_users()["n"] == 2


def test_a_call_without_credentials_is_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has the words for it."""
    client = make_client()
    client._request_signer._credentials = None
    with Aws(Counting()) as aws, cached() as cache:
        client.list_users()
        client.list_users()
    assert aws.count == 2
    assert list(cache.stats.uncached) == ["no credentials"]


def test_a_dynamodb_resource_and_a_client_do_not_share() -> None:
    """The resource's replies are transformed, and its parameters mean something else."""
    options: dict[str, Any] = {
        "region_name": "eu-west-1",
        "aws_access_key_id": "AKIAONE",
        "aws_secret_access_key": "x",
        "endpoint_url": "http://127.0.0.1:1",
    }
    client = boto3.client("dynamodb", **options)
    resource = boto3.resource("dynamodb", **options).meta.client
    other = boto3.resource("dynamodb", **options).meta.client
    with Aws(Counting()), cached():
        key = {"TableName": "t", "Key": {"id": {"S": "x"}}}
        assert [each.get_item(**key)["n"] for each in (client, resource, client, other)] == [
            1,
            2,
            1,
            2,
        ]


def module_level_handler(**_: Any) -> None: ...


def test_a_client_with_a_named_handler_does_not_share_with_one_without(iam: Any) -> None:
    other = make_client()
    other.meta.events.register("before-call.iam.ListUsers", module_level_handler)
    with Aws(Counting()), cached():
        assert [each.list_users()["n"] for each in (iam, other, iam, other)] == [1, 2, 1, 2]


def test_a_client_with_a_handler_that_has_no_name_is_not_cached(iam: Any) -> None:
    """What a closure does, another one of the same name may not do."""
    with Aws(Counting()), cached() as cache:
        assert iam.list_users()["n"] == 1
        iam.meta.events.register("before-call.iam.ListUsers", lambda **_: None)
        assert [iam.list_users()["n"], iam.list_users()["n"]] == [2, 3]
        iam.list_roles()
        iam.list_roles()
    assert cache.stats.hits == 1
    assert list(cache.stats.uncached) == ["an event handler that no name stands for"]


def test_what_a_stubber_says_is_not_kept(iam: Any) -> None:
    with cached() as cache, Stubber(iam) as stubber:
        for name in ("a", "b"):
            stubber.add_response("list_users", {"Users": [], "Marker": name})
        assert [iam.list_users()["Marker"] for _ in range(2)] == ["a", "b"]
    assert cache.stats.hits == 0


# What is not cached ----------------------------------------------------------------------------


def test_writes_and_what_is_not_asked_for_pass(iam: Any) -> None:
    with Aws(Counting()) as aws, cached(call_verbs_to_cache=["List"]):
        iam.get_user()
        iam.get_user()
        iam.create_user(UserName="u")
        iam.create_user(UserName="u")
    assert aws.count == 4


def test_sensitive_answers_are_not_kept_unless_asked_for() -> None:
    secrets, ssm = make_client("secretsmanager"), make_client("ssm")
    with Aws(Counting()) as aws:
        with cached():
            for _ in range(2):
                secrets.get_secret_value(SecretId="s")
                ssm.get_parameter(Name="n")
        assert aws.count == 4
        with cached(allow_sensitive=["ssm"]):
            for _ in range(2):
                secrets.get_secret_value(SecretId="s")
                ssm.get_parameter(Name="n", WithDecryption=True)
        assert aws.count == 7
        with cached(allow_sensitive=True):
            for _ in range(2):
                secrets.get_secret_value(SecretId="s")
        assert aws.count == 8


@pytest.mark.parametrize(
    ("allowed", "cached_"),
    [
        (["rds.DescribeDBInstances"], True),
        (["rds.describe_db_instances"], True),
        ("DescribeDBInstances", True),
        ("rds", True),
        (["rds.DescribeDBClusters", "lambda"], False),
    ],
)
def test_named_operations_are_allowed_and_no_others(allowed: Any, cached_: bool) -> None:
    rds = make_client("rds")
    with Aws(Counting()), cached(allow_sensitive=allowed) as cache:
        found = [rds.describe_db_instances()["n"] for _ in range(2)]
        assert found == ([1, 1] if cached_ else [1, 2])
        assert bool(cache.explain(rds, "describe_db_instances").reason) is not cached_


def test_why_an_operation_is_not_cached_is_told(iam: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Before a call by `explain`, after it by the counts, and with `call_log` in the log, once."""
    rds = make_client("rds")
    caplog.set_level("INFO", logger="boto_accel")
    with Aws(Counting()), cached(call_log=True) as cache:
        decided = cache.explain(rds, "describe_db_instances")
        for _ in range(3):
            rds.describe_db_instances()
        rds.describe_db_clusters()
        iam.list_users()
    assert decided == cache.explain(rds, "DescribeDBInstances")
    assert (decided.service, decided.operation) == ("rds", "DescribeDBInstances")
    assert decided.reason == policy.SENSITIVE
    assert decided.sensitive == ("DBInstances[].PendingModifiedValues.MasterUserPassword",)
    assert cache.stats.uncached == {policy.SENSITIVE: 4}
    assert cache.stats.uncached_operations == {
        "rds.DescribeDBInstances": {policy.SENSITIVE: 3},
        "rds.DescribeDBClusters": {policy.SENSITIVE: 1},
    }
    assert "3: rds.DescribeDBInstances" in str(cache.stats)
    told = [each.getMessage() for each in caplog.records if "not cached" in each.getMessage()]
    assert told == [
        f"response cache: rds.{name} is not cached: {policy.SENSITIVE}"
        for name in ("DescribeDBInstances", "DescribeDBClusters")
    ]


def test_explain(iam: Any) -> None:
    """It asks nobody, and knows what is of this client alone."""
    with Aws(Counting()) as aws, cached(ttl_by_operation={"iam.GetUser": 0}) as cache:
        assert cache.explain(iam, "list_users").reason == ""
        assert cache.explain(iam, "get_user").reason == policy.TTL_OF_ZERO
        assert cache.explain(iam, "create_user").reason == policy.WRITE
        assert cache.explain(iam, "simulate_custom_policy").reason == policy.NOT_ASKED
        iam.meta.events.register("before-call.iam.ListRoles", lambda **_: None)
        assert "handler" in cache.explain(iam, "list_roles").reason
        with pytest.raises(InvalidOptionError, match="list_nothing"):
            cache.explain(iam, "list_nothing")
        with pytest.raises(InvalidOptionError, match=r"^client="):
            cache.explain("iam", "list_users")
        assert aws.count == 0
    assert cache.stats.uncached == {}


def test_a_parameter_that_is_a_file_makes_the_call_uncacheable(iam: Any) -> None:
    with Aws(Counting()) as aws, cached() as cache:
        for _ in range(2):
            iam._make_api_call("ListUsers", {"PathPrefix": io.BytesIO(b"/")})
    assert aws.count == 2
    assert list(cache.stats.uncached) == ["a file as a parameter"]


def test_a_reply_of_unknown_types_is_given_and_not_kept(iam: Any) -> None:
    with Aws(lambda *_: reply(Users=(1, 2))) as aws, cached():
        assert iam.list_users()["Users"] == (1, 2)
        assert iam.list_users()["Users"] == (1, 2)
    assert aws.count == 2


# Times -----------------------------------------------------------------------------------------


def test_the_time_to_live(iam: Any) -> None:
    clock = Clock()
    with Aws(Counting()), cached(clock, cache_ttl=10):
        assert iam.list_users()["n"] == 1
        clock.now += 9.9
        found = iam.list_users()
        assert found["n"] == 1
        assert found["ResponseMetadata"]["BotoAccelCache"]["AgeSeconds"] == pytest.approx(9.9)
        clock.now += 0.1
        assert iam.list_users()["n"] == 2


def test_the_time_to_live_of_an_operation(iam: Any) -> None:
    clock = Clock()
    times = {"iam.ListUsers": 1, "list_roles": 100, "iam": 0}
    with Aws(Counting()), cached(clock, cache_ttl=10, ttl_by_operation=times) as cache:
        for call in (iam.list_users, iam.list_roles, iam.list_groups):
            call()
        clock.now += 50
        seen = [is_hit(call()) for call in (iam.list_users, iam.list_roles, iam.list_groups)]
    assert seen == [False, True, False]
    assert cache.stats.uncached == {"a time to live of zero": 2}


def test_the_age_counts_from_when_aws_was_asked(iam: Any) -> None:
    """What it says was true at the latest then."""
    clock = Clock()

    def slow(*_: Any) -> Any:
        clock.now += 8
        return reply()

    with Aws(slow), cached(clock, cache_ttl=10):
        iam.list_users()
        assert iam.list_users()["ResponseMetadata"]["BotoAccelCache"]["AgeSeconds"] == 8
        clock.now += 2
        assert not is_hit(iam.list_users())


def test_stale_while_revalidate(iam: Any) -> None:
    """Given at once, and asked for anew in the background; what that brings is given next."""
    clock, asked = Clock(), threading.Event()
    answer = Counting()

    def noted(operation: str, params: Any) -> Any:
        found = answer(operation, params)
        if found["n"] > 1:
            asked.set()
        return found

    with Aws(noted) as aws:
        with cached(clock, cache_ttl=10, stale_while_revalidate=5) as cache:
            iam.list_users()
            clock.now += 12
            stale = iam.list_users()
            assert stale["n"] == 1
            assert stale["ResponseMetadata"]["BotoAccelCache"]["Stale"] is True
            assert asked.wait(60)
            cache._background.close()  # waits for the thread
            fresh = iam.list_users()
            assert fresh["n"] == 2
            assert fresh["ResponseMetadata"]["BotoAccelCache"]["Stale"] is False
        assert aws.count == 2
        assert cache.stats.stale == 1


def test_what_is_too_old_is_not_given_even_stale(iam: Any) -> None:
    clock = Clock()
    with Aws(Counting()), cached(clock, cache_ttl=10, stale_while_revalidate=5):
        iam.list_users()
        clock.now += 15
        assert iam.list_users()["n"] == 2


def test_a_refresh_that_fails_is_nobodys_error(iam: Any) -> None:
    """The stale reply is given until its time is over."""
    clock, tried = Clock(), threading.Event()

    def answer(operation: str, params: Any) -> Any:
        if clock.now > 1_800_000_000:
            tried.set()
            raise EndpointConnectionError(endpoint_url="x")
        return reply(n=1)

    with Aws(answer), cached(clock, cache_ttl=10, stale_while_revalidate=50) as cache:
        iam.list_users()
        clock.now += 20
        assert iam.list_users()["n"] == 1
        assert tried.wait(60)
        cache._background.close()
        assert iam.list_users()["n"] == 1
        clock.now += 50
        with pytest.raises(EndpointConnectionError):
            iam.list_users()


def test_leaving_waits_for_the_refreshes(iam: Any) -> None:
    clock, go = Clock(), threading.Event()
    finished = []

    def answer(operation: str, params: Any) -> Any:
        if clock.now > 1_800_000_000:
            assert go.wait(60)
            finished.append(True)
        return reply()

    with Aws(answer):
        with cached(clock, cache_ttl=10, stale_while_revalidate=50):
            iam.list_users()
            clock.now += 20
            iam.list_users()
            threading.Timer(0.05, go.set).start()
        assert finished == [True]


# Errors ----------------------------------------------------------------------------------------


def raising(client: Any, code: str, status: int = 404) -> Any:
    def answer(operation: str, params: Any) -> Any:
        raise error(client, code, operation, status)

    return answer


def test_errors_are_not_kept_by_default(iam: Any) -> None:
    with Aws(raising(iam, "NoSuchEntity")) as aws, cached():
        for _ in range(2):
            with pytest.raises(iam.exceptions.NoSuchEntityException):
                iam.get_user(UserName="u")
    assert aws.count == 2


def test_an_absence_is_kept_where_asked_for(iam: Any) -> None:
    """Of the same class, with the same words, and a response of its own."""
    clock, seen = Clock(), []
    with Aws(raising(iam, "NoSuchEntity")) as aws, cached(clock, cache_errors=5):
        for _ in range(3):
            with pytest.raises(iam.exceptions.NoSuchEntityException) as raised:
                iam.get_user(UserName="u")
            seen.append(raised.value)
            raised.value.response["Error"]["Message"] += "!"
        assert aws.count == 1
        clock.now += 5
        with pytest.raises(ClientError):
            iam.get_user(UserName="u")
        assert aws.count == 2
    assert [type(each) for each in seen] == [type(seen[0])] * 3
    assert str(seen[0]) == str(seen[1]) == str(seen[2])
    assert is_hit(seen[1].response)
    assert seen[1].response["Error"]["Message"] == "m!"
    assert seen[1].operation_name == "GetUser"


def test_other_errors_are_kept_by_code_only(iam: Any) -> None:
    with Aws(raising(iam, "AccessDenied", 403)) as aws:
        for options, count in (
            ({"cache_errors": 5}, 2),
            ({"cache_errors": {"AccessDenied": 5}}, 3),
        ):
            with cached(**options):
                for _ in range(2):
                    with pytest.raises(ClientError, match="AccessDenied"):
                        iam.get_user(UserName="u")
            assert aws.count == count


def test_an_error_that_is_no_answer_is_never_kept(iam: Any) -> None:
    def answer(*_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="x")

    with Aws(answer) as aws, cached(cache_errors=5):
        for _ in range(2):
            with pytest.raises(EndpointConnectionError):
                iam.get_user()
    assert aws.count == 2


def test_who_does_not_want_errors_is_not_given_those_of_others(iam: Any) -> None:
    mapping: dict[Any, Any] = {}
    with Aws(raising(iam, "NoSuchEntity")) as aws:
        for errors, count in ((60, 1), (60, 1), (0, 2), (60, 2)):
            with cached(cache=mapping, cache_errors=errors), pytest.raises(ClientError):
                iam.get_user(UserName="u")
            assert aws.count == count


def test_who_wants_fresher_replies_is_not_given_the_older_ones_of_others(iam: Any) -> None:
    """Two programs at one store, each with a time to live of its own."""
    clock = Clock()
    patient, hasty = make_cache(clock, cache_ttl=1000), make_cache(clock, cache_ttl=10)
    with Aws(Counting()):
        with patient:
            assert iam.list_users()["n"] == 1
        hasty._opened = patient.store
        clock.now += 20
        with hasty:
            assert iam.list_users()["n"] == 2
        with patient:
            assert iam.list_users()["n"] == 2


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"\x94\x01\x00\xa0\x80"[:3], b"\xdd\xff\xff\xff\xff"]
)
def test_damaged_entries_cost_a_call_and_no_error(iam: Any, junk: bytes) -> None:
    """And are replaced."""
    with Aws(Counting()) as aws, cached() as cache:
        iam.list_users()
        ((key, entry),) = cache.store.entries()
        ticket = cache.store.ticket(entry.tags)
        assert cache.store.put(key, replace(entry, payload=junk), ticket)
        assert iam.list_users()["n"] == 2
        assert is_hit(iam.list_users())
    assert aws.count == 2


# Writes ----------------------------------------------------------------------------------------


def test_a_write_drops_what_it_makes_stale(iam: Any) -> None:
    other_service, other_principal = make_client("ec2"), make_client(key="AKIATWO")
    with Aws(Counting()), cached() as cache:
        for each in (iam.list_users, iam.list_roles, other_principal.list_users):
            each()
        other_service.describe_instances()
        iam.create_user(UserName="u")
        assert not is_hit(iam.list_users())
        assert not is_hit(iam.list_roles())
        assert is_hit(other_principal.list_users())
        assert is_hit(other_service.describe_instances())
    assert cache.stats.writes == 1


def test_a_write_that_fails_drops_it_too(iam: Any) -> None:
    """It may have got through."""

    def answer(operation: str, params: Any) -> Any:
        if operation == "CreateUser":
            raise EndpointConnectionError(endpoint_url="x")
        return reply()

    with Aws(answer), cached():
        iam.list_users()
        with pytest.raises(EndpointConnectionError):
            iam.create_user(UserName="u")
        assert not is_hit(iam.list_users())


def test_a_read_that_a_write_overtook_is_not_kept(iam: Any) -> None:
    """Asked before the write was over, it may say what was before."""
    asked, written = threading.Event(), threading.Event()

    def answer(operation: str, params: Any) -> Any:
        if operation == "ListUsers" and not written.is_set():
            asked.set()
            assert written.wait(60)
            return reply(Users="before")
        return reply(Users="after")

    with Aws(answer), cached():
        reader = threading.Thread(target=iam.list_users)
        reader.start()
        assert asked.wait(60)
        iam.create_user(UserName="u")
        written.set()
        reader.join()
        found = iam.list_users()
        assert not is_hit(found)
        assert found["Users"] == "after"


def test_writes_can_be_told_to_drop_nothing(iam: Any) -> None:
    for wanted, hit in ((True, False), (False, True), (["iam"], False), ("ec2", True)):
        with Aws(Counting()), cached(invalidate_on_write=wanted):
            iam.list_users()
            iam.create_user(UserName="u")
            assert is_hit(iam.list_users()) is hit


def test_a_write_is_seen_though_only_some_operations_are_cached(iam: Any) -> None:
    with Aws(Counting()), cached(operations=["list_users"]):
        iam.list_users()
        iam.get_user()
        assert not is_hit(iam.get_user())
        assert is_hit(iam.list_users())
        iam.create_user(UserName="u")
        assert not is_hit(iam.list_users())


def test_a_write_by_a_client_that_no_scope_can_be_made_of_drops_the_service(iam: Any) -> None:
    other = make_client()
    other._request_signer._credentials = None
    with Aws(Counting()), cached():
        iam.list_users()
        other.create_user(UserName="u")
        assert not is_hit(iam.list_users())


# Wishes ----------------------------------------------------------------------------------------


def test_invalidate(iam: Any) -> None:
    ec2 = make_client("ec2")

    def hits(cache: CachePatch) -> list[bool]:
        return [
            is_hit(iam.get_user(UserName="a")),
            is_hit(iam.get_user(UserName="b")),
            is_hit(iam.list_users()),
            is_hit(ec2.describe_instances()),
        ]

    with Aws(Counting()), cached() as cache:
        hits(cache)
        assert cache.invalidate(service="iam", operation="get_user", params={"UserName": "a"}) == 1
        assert hits(cache) == [False, True, True, True]
        assert cache.invalidate("iam", "GetUser") == 2
        assert hits(cache) == [False, False, True, True]
        assert cache.invalidate("iam") == 3
        assert hits(cache) == [False, False, False, True]
        assert cache.invalidate() == 4
        assert hits(cache) == [False, False, False, False]


@pytest.mark.parametrize(
    "arguments", [{"operation": "GetUser"}, {"params": {}}, {"service": "iam", "params": {}}]
)
def test_invalidate_is_told_what_of(arguments: dict[str, Any]) -> None:
    with cached() as cache, pytest.raises(InvalidOptionError):
        cache.invalidate(**arguments)


def test_bypass_and_refresh_are_of_this_thread(iam: Any) -> None:
    seen: list[bool] = []
    with Aws(Counting()), cached() as cache:
        iam.list_users()
        with cache.bypass():
            assert iam.list_users()["n"] == 2
            thread = threading.Thread(target=lambda: seen.append(is_hit(iam.list_users())))
            thread.start()
            thread.join()
            with cache.refresh():
                assert iam.list_users()["n"] == 3
            assert iam.list_users()["n"] == 4
        found = iam.list_users()
        assert is_hit(found)
        assert found["n"] == 3
    assert seen == [True]


def test_a_waiter_is_not_given_what_it_waits_to_change() -> None:
    """It polls until AWS says something else; what it last saw is kept for others."""
    ec2 = make_client("ec2")
    states = iter(["pending", "running"])

    def answer(operation: str, params: Any) -> Any:
        return reply(Reservations=[{"Instances": [{"State": {"Name": next(states)}}]}])

    def state() -> str:
        name: str = ec2.describe_instances()["Reservations"][0]["Instances"][0]["State"]["Name"]
        return name

    with Aws(answer) as aws, cached():
        assert state() == "pending"
        ec2.get_waiter("instance_running").wait(WaiterConfig={"Delay": 0, "MaxAttempts": 3})
        assert state() == "running"
    assert aws.count == 2


@pytest.mark.aiobotocore
async def test_an_async_waiter_is_not_given_it_either() -> None:
    states = iter(["pending", "running"])

    def answer(operation: str, params: Any) -> Any:
        return reply(Reservations=[{"Instances": [{"State": {"Name": next(states)}}]}])

    async with AsyncExitStack() as stack:
        ec2 = await make_async_client(stack, "ec2")
        with Aws(answer) as aws, cached():
            await ec2.describe_instances()
            waiter = ec2.get_waiter("instance_running")
            await waiter.wait(WaiterConfig={"Delay": 0, "MaxAttempts": 3})
            assert is_hit(await ec2.describe_instances())
        assert aws.count == 2


# Narrowing and nesting -------------------------------------------------------------------------


def test_narrowing(iam: Any) -> None:
    ec2, other = make_client("ec2"), make_client(key="AKIATWO")
    with Aws(Counting()):
        with cached(services="iam"):
            assert [is_hit(each()) for each in (iam.list_users, iam.list_users)] == [False, True]
            assert [is_hit(ec2.describe_vpcs()) for _ in range(2)] == [False, False]
        with cached(clients=[iam]):
            assert [is_hit(iam.list_users()) for _ in range(2)] == [False, True]
            assert [is_hit(other.list_users()) for _ in range(2)] == [False, False]


def test_of_two_caches_the_inner_one_decides(iam: Any) -> None:
    """As with `unittest.mock.patch`: a shorter time to live inside is kept."""
    clock = Clock()
    outer, inner = make_cache(clock, cache_ttl=1000), make_cache(clock, cache_ttl=10)
    with Aws(Counting()), outer:
        assert iam.list_users()["n"] == 1
        with inner:
            assert iam.list_users()["n"] == 2
            clock.now += 20
            assert iam.list_users()["n"] == 3
        assert iam.list_users()["n"] == 1
    assert (outer.stats.hits, inner.stats.hits) == (1, 0)


def test_the_outer_cache_has_what_the_inner_one_does_not_want(iam: Any) -> None:
    outer, inner = make_cache(), make_cache(operations="list_users")
    with Aws(Counting()), outer, inner:
        assert [iam.list_roles()["n"] for _ in range(2)] == [1, 1]
        assert [iam.list_users()["n"] for _ in range(2)] == [2, 2]
    assert (outer.stats.hits, inner.stats.hits) == (1, 1)


def test_a_write_drops_it_from_both(iam: Any) -> None:
    outer, inner = make_cache(), make_cache(operations="list_users")
    with Aws(Counting()), outer, inner:
        iam.list_roles()
        iam.list_users()
        iam.create_user(UserName="u")
        assert [is_hit(iam.list_roles()), is_hit(iam.list_users())] == [False, False]


def test_caches_left_out_of_order(iam: Any) -> None:
    outer, inner = make_cache(), make_cache()
    with Aws(Counting()):
        outer.__enter__()
        inner.__enter__()
        iam.list_users()
        outer.__exit__()
        assert is_hit(iam.list_users())
        inner.__exit__()
        assert not is_hit(iam.list_users())


def test_a_decorated_function_caches_while_it_runs(iam: Any) -> None:
    cache = make_cache()

    @cache
    def users() -> Any:
        return iam.list_users()["n"]

    with Aws(Counting()):
        assert [users(), users()] == [1, 1]
        assert iam.list_users()["n"] == 2


def test_entering_twice_is_entering_once(iam: Any) -> None:
    cache = make_cache()
    with Aws(Counting()), cache:
        with cache:
            iam.list_users()
        assert is_hit(iam.list_users())


@pytest.mark.aiobotocore
async def test_sync_and_async_share(iam: Any) -> None:
    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        with Aws(Counting()) as aws:
            async with make_cache():
                assert iam.list_users()["n"] == 1
                assert is_hit(await client.list_users())
                await client.list_roles()
                assert is_hit(iam.list_roles())
            assert not is_hit(await client.list_users())
        assert aws.count == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cache_max_size", 0),
        ("cache_max_size", True),
        ("cache_ttl", -1),
        ("cache_ttl", "900"),
        ("call_verbs_to_cache", 5),
        ("action_regex_to_cache", ["("]),
        ("ttl_by_operation", {"iam": -1}),
        ("ttl_by_operation", 5),
        ("max_body_bytes", 1.5),
        ("stale_while_revalidate", None),
        ("cache_errors", {"X": "1"}),
        ("allow_sensitive", 1),
        ("invalidate_on_write", 1),
        ("invalidate_on_write", ["iam", "dynamo"]),
        ("cache_max_bytes", 0),
        ("operations", 5),
        ("clients", 5),
    ],
)
def test_a_bad_option_is_told_before_anything_is_changed(name: str, value: Any) -> None:
    with pytest.raises(InvalidOptionError):
        botocache_context(**{"cache": "memory://", name: value})


@pytest.mark.parametrize("url", ["nonsense://x", "redis:/:hush@host", "SQLite:/a.db", "memory:"])
def test_a_bad_url_is_told_on_entering(url: str) -> None:
    """A URL that lacks slashes is no folder of that name."""
    with pytest.raises(InvalidOptionError) as caught, botocache_context(cache=url):
        raise AssertionError
    assert "hush" not in str(caught.value)


def test_decisions_of_one_service() -> None:
    cache = botocache_context(cache="memory://")
    assert {each.service for each in cache.decisions("sts")} == {"sts"}


def test_decisions_tell_of_a_time_for_nothing() -> None:
    """When they are made, such names are not looked for: that takes the models of all services."""
    times = {"sts": 1, "ListUsers": 1, "iam.list_roles": 1, "ec2.DescribeInstances": 1}
    list(botocache_context(cache="memory://", ttl_by_operation=times).decisions(["sts", "iam"]))
    cache = botocache_context(cache="memory://", ttl_by_operation={**times, "ListUser": 1})
    with pytest.raises(InvalidOptionError, match=r"^ttl_by_operation='listuser'.*'ListUsers'"):
        list(cache.decisions("iam"))
