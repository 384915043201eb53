"""`boto-accel doctor`, for people and for programs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

click_testing = pytest.importorskip("click.testing")
pytest.importorskip("rich")

import botocore  # noqa: E402

from boto_accel.commands import cli  # noqa: E402

OPERATIONS = ["s3.get_object", "s3.put_object", "s3.head_object", "s3.list_objects_v2"]


def test_json_has_versions_engines_and_operations() -> None:
    ended = click_testing.CliRunner().invoke(cli, ["doctor", "--json"])
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)
    assert found["versions"]["botocore"] == botocore.__version__
    engines = {engine["name"]: engine for engine in found["engines"]}
    assert list(engines) == ["direct", "aiohttp", "aiosonic"]
    assert engines["direct"]["good"]
    assert all(engine["good"] or engine["reason"] for engine in found["engines"])
    usual = [op for op in found["operations"] if op["client"] == "botocore"]
    assert [op["name"] for op in usual][:4] == OPERATIONS
    assert {op["name"].partition(".")[0] for op in usual} > {"dynamodb", "sqs"}
    assert {extra["name"] for extra in found["extras"]} >= {"async", "cache", "redis", "router"}
    assert [each["good"] for each in found["environment"]] == [True, True]
    assert {each["name"] for each in found["in_the_way"]} <= {"awscrt"}
    assert all(op["good"] for op in usual), usual


def test_what_would_not_be_fast_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is one of the things that stock alone does."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    ended = click_testing.CliRunner().invoke(cli, ["doctor", "--json"])
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)
    usual = [op for op in found["operations"] if op["client"] == "botocore"]
    assert not any(op["good"] for op in usual)
    assert all("prox" in op["reason"].lower() for op in usual)
    assert "https" in {each["name"]: each["reason"] for each in found["in_the_way"]}["proxies"]
    assert "127.0.0.1" not in ended.output


def test_check_ends_with_one_where_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTO_ACCEL_STATS", "perhaps")
    ended = click_testing.CliRunner().invoke(cli, ["doctor", "--json", "--check"])
    assert ended.exit_code == 1
    (_, variables) = json.loads(ended.stdout)["environment"]
    assert (variables["good"], "BOTO_ACCEL_STATS" in variables["reason"]) == (False, True)


def with_function(stock: Any) -> Any:
    @functools.wraps(stock)
    def traced(self: object, operation_name: str, api_params: object) -> object:
        return stock(self, operation_name, api_params)

    return traced


def with_wrapt(stock: Any) -> Any:
    wrapt = pytest.importorskip("wrapt")
    return wrapt.FunctionWrapper(stock, lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs))


@pytest.mark.parametrize("wrap", [with_function, with_wrapt])
def test_a_wrapper_at_the_hook_point_is_named(
    monkeypatch: pytest.MonkeyPatch, wrap: Callable[[Any], Any]
) -> None:
    from botocore.client import BaseClient

    monkeypatch.setattr(BaseClient, "_make_api_call", wrap(BaseClient._make_api_call))
    ended = click_testing.CliRunner().invoke(cli, ["doctor", "--json"])
    found = {each["name"]: each["reason"] for each in json.loads(ended.stdout)["in_the_way"]}
    assert f"is wrapped by {__name__}" in found["wrapper of botocore"]


def test_the_tables_name_what_the_json_names() -> None:
    ended = click_testing.CliRunner().invoke(cli, ["doctor"])
    assert ended.exit_code == 0, ended.output
    for name in (*OPERATIONS, "direct", botocore.__version__):
        assert name in ended.output
