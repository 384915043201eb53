"""`boto-accel doctor`, for people and for programs."""

from __future__ import annotations

import json

import pytest

click_testing = pytest.importorskip("click.testing")
pytest.importorskip("rich")

import botocore  # noqa: E402

from boto_accel.commands import cli  # noqa: E402

OPERATIONS = ["get_object", "put_object", "head_object", "list_objects_v2"]


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
    assert [op["name"] for op in usual] == OPERATIONS
    assert all(op["good"] for op in usual), usual


def test_what_would_not_be_fast_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is one of the things that stock alone does."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    ended = click_testing.CliRunner().invoke(cli, ["doctor", "--json"])
    assert ended.exit_code == 0, ended.output
    usual = [op for op in json.loads(ended.stdout)["operations"] if op["client"] == "botocore"]
    assert not any(op["good"] for op in usual)
    assert all("prox" in op["reason"].lower() for op in usual)


def test_the_tables_name_what_the_json_names() -> None:
    ended = click_testing.CliRunner().invoke(cli, ["doctor"])
    assert ended.exit_code == 0, ended.output
    for name in (*OPERATIONS, "direct", botocore.__version__):
        assert name in ended.output
