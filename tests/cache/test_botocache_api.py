"""Code written for botocache, either API of it, works by changing the import."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Any

import cachetools
import pytest

from boto_accel import botocache_context
from tests.cache.aws import Aws, Counting, is_hit, make_client


@pytest.fixture
def iam() -> Any:
    client = make_client()
    yield client
    client.close()


def test_the_signature_of_the_readme() -> None:
    """By position as well."""
    names = list(inspect.signature(botocache_context).parameters)
    assert names[:4] == ["cache_max_size", "cache_ttl", "cache_path", "call_verbs_to_cache"]


def test_the_example_of_the_readme(iam: Any, tmp_path: Path) -> None:
    path = str(tmp_path / ".cache")
    options = {"cache_max_size": 100, "cache_ttl": 900, "cache_path": path}
    with Aws(Counting()) as aws:
        for _ in range(2):  # a second program
            verbs = ["List", "Get", "Describe"]
            with botocache_context(**options, call_verbs_to_cache=verbs):
                for _page in iam.get_paginator("list_groups").paginate():
                    pass
                iam.get_user()
        with botocache_context(100, 900, path, ["List"]):
            assert is_hit(iam.list_groups())
            assert not is_hit(iam.get_user())
    assert aws.count == 3


@pytest.mark.parametrize(
    "make",
    [
        dict,
        lambda: cachetools.TTLCache(100, 60),
        lambda: cachetools.LRUCache(100),
        lambda: cachetools.LFUCache(100),
    ],
)
def test_any_mapping_is_a_cache(iam: Any, make: Any) -> None:
    """And what is in it is there the next time."""
    mapping = make()
    with Aws(Counting()) as aws:
        for _ in range(2):
            with botocache_context(cache=mapping, action_regex_to_cache=["List.*"]):
                iam.list_users()
                iam.get_user()
    assert [operation for operation, _ in aws.calls] == ["ListUsers", "GetUser", "GetUser"]
    assert len(mapping) == 1


def test_the_last_release_by_position(iam: Any) -> None:
    """`botocache_context(cache, action_regex_to_cache, call_log, supress_warning_message)`."""
    mapping: dict[Any, Any] = {}
    with Aws(Counting()) as aws, botocache_context(mapping, "ListUs.*", False, True):
        for call in (iam.list_users, iam.list_users, iam.list_roles, iam.list_roles):
            call()
    assert aws.count == 3
    assert len(mapping) == 1


def test_a_mapping_that_knows_its_time_to_live_keeps_it() -> None:
    """The API had no other place to say it."""
    assert botocache_context(cache=cachetools.TTLCache(100, 36_000)).options.ttl == 36_000
    assert botocache_context(cache=cachetools.TTLCache(100, 36_000), cache_ttl=5).options.ttl == 5
    assert botocache_context(cache=cachetools.LRUCache(100)).options.ttl == 900
    assert botocache_context(cache=cachetools.TTLCache(1, float("inf"))).options.ttl > 1e9


def test_calls_are_logged_without_their_values(iam: Any, caplog: pytest.LogCaptureFixture) -> None:
    """botocache logs the values too, which may be secrets."""
    caplog.set_level(logging.INFO, "boto_accel")
    with Aws(Counting()), botocache_context(cache={}, call_log=True):
        iam.create_login_profile(UserName="u", Password="hunter2")
    (message,) = caplog.messages
    assert message.startswith("API Call Logger: Region - eu-west-1, Service - iam, Action - Create")
    assert message.endswith(", API Params - UserName, Password")


class Broken(dict[Any, Any]):
    def __getitem__(self, key: Any) -> Any:
        raise OSError("broken")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise OSError("broken")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_broken_cache_is_warned_of_and_costs_no_call(
    iam: Any, quiet: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with Aws(Counting()), botocache_context(cache=Broken(), supress_warning_message=quiet):
        assert [iam.list_users()["n"], iam.list_users()["n"]] == [1, 2]
    assert bool(caplog.records) is not quiet
    logging.getLogger("boto_accel").warning("response cache: of another cache")
    assert "of another cache" in caplog.text
