"""`boto-accel cache`, run as the user runs it."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from boto_accel import botocache_context
from boto_accel.commands import cli
from tests.cache.aws import Aws, Counting, make_client
from tests.cli.test_cli import run as run_program


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["cache", *arguments])


@pytest.fixture(params=["folder", "url"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A cache with three replies of IAM's and one of EC2's, and a way to name it."""
    path = tmp_path / "cache"
    url = f"sqlite:///{path}/responses.sqlite3"
    named: Callable[[], str] = {"folder": lambda: str(path), "url": lambda: url}[request.param]
    iam, ec2 = make_client(), make_client("ec2")
    with Aws(Counting()), botocache_context(cache_path=str(path)):
        iam.list_users()
        iam.list_users(MaxItems=3)
        iam.list_roles()
        ec2.describe_instances()
    return named()


def test_stats(where: str) -> None:
    shown = run("stats", where)
    assert shown.exit_code == 0, shown.output
    assert "ListUsers" in shown.output
    rows = json.loads(run("stats", where, "--json").output)
    assert sum(row["entries"] for row in rows) == 4
    (users,) = [row for row in rows if row["operation"] == "ListUsers"]
    assert (users["service"], users["region"]) == ("iam", "eu-west-1")
    assert (users["entries"], users["fresh"]) == (2, 2)
    assert users["bytes"] > 0


def test_ls(where: str) -> None:
    assert run("ls", where).exit_code == 0
    entries = json.loads(run("ls", where, "--json", "--service", "iam").output)
    assert [each["operation"] for each in entries] == ["ListRoles", "ListUsers", "ListUsers"]
    assert all(0 < each["left"] <= 900 and each["state"] == "fresh" for each in entries)
    few = run("ls", where, "--limit", "3")
    assert "and 1 more" in few.output


def test_looking_changes_nothing(where: str) -> None:
    """Nor does a look from a program with another bound."""
    before = run("ls", where, "--json").output
    run("stats", where)
    assert len(json.loads(before)) == len(json.loads(run("ls", where, "--json").output)) == 4


def test_clear(where: str) -> None:
    assert run("clear", where, "--service", "iam", "--operation", "list_users").output == (
        "2 forgotten\n"
    )
    assert run("clear", where, "--service", "iam").output == "1 forgotten\n"
    assert run("clear", where).output == "1 forgotten\n"
    assert json.loads(run("ls", where, "--json").output) == []


def test_clear_wants_the_service_of_an_operation(where: str) -> None:
    assert run("clear", where, "--operation", "ListUsers").exit_code == 2


def test_a_cache_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("stats", "ls", "clear"):
        for place in (tmp_path / "no", tmp_path / "no.db", empty):
            for where in (str(place), f"sqlite:///{place}"):
                found = run(name, where)
                assert found.exit_code == 1
                assert f"no cache at {where}" in found.output
    assert list(tmp_path.rglob("*")) == [empty]


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_a_file_that_is_no_cache_stays_as_it_is(tmp_path: Path, journal_mode: str) -> None:
    """A cache that a program opens is set aside where it is damaged: not what is only looked at."""
    letter, database, folder = tmp_path / "letter.txt", tmp_path / "other.db", tmp_path / "folder"
    letter.write_text("Dear user, ")
    folder.mkdir()
    (folder / "responses.sqlite3").touch()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
        connection.execute("CREATE TABLE theirs (a)")
    database.chmod(0o644)
    before = _contents(tmp_path)
    for name in ("stats", "ls", "clear"):
        for place in (letter, database, folder):
            for where in (str(place), f"sqlite:///{place}"):
                refused = run(name, where)
                assert (refused.exit_code, "no response cache" in refused.output) == (1, True)
    assert _contents(tmp_path) == before


def _contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_cache_in_use_can_be_looked_at(tmp_path: Path) -> None:
    """What was written to it may all be in its -wal still."""
    path = tmp_path / "cache"
    iam = make_client()
    with Aws(Counting()), botocache_context(cache_path=str(path)):
        iam.list_users()
        (row,) = json.loads(run_program("cache", "stats", str(path), "--json").stdout)
        assert json.loads(run("stats", str(path), "--json").output) == [row]
    assert row["entries"] == 1


def test_a_server_that_is_not_there_is_told() -> None:
    """And is not taken for one that keeps nothing."""
    pytest.importorskip("redis")
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        for name in ("stats", "ls", "clear"):
            found = run(name, f"redis://user:secret@127.0.0.1:{bound.getsockname()[1]}")
            assert (found.exit_code, "goes on without" in found.output) == (1, True)
            assert "forgotten" not in found.output
            assert "secret" not in found.output


def test_a_bad_url_is_told() -> None:
    found = run("stats", "nonsense://user:password@x")
    assert found.exit_code == 1
    assert "password" not in found.output


def test_a_server_that_is_not_there_is_no_empty_cache() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{unused.getsockname()[1]}"
        for command in ("stats", "ls", "clear"):
            found = run(command, url)
            assert (found.exit_code, found.output.count("\n")) == (1, 1), found.output
            assert url in found.output


def test_policy() -> None:
    shown = run("policy", "secretsmanager", "kinesis")
    assert shown.exit_code == 0, shown.output
    assert "GetSecretValue" in shown.output
    assert "ListSecrets " not in shown.output
    decided = json.loads(run("policy", "secretsmanager", "--all", "--json").output)
    reasons = {each["operation"]: each["reason"] for each in decided}
    assert reasons["ListSecrets"] == ""
    assert reasons["GetSecretValue"]
    assert "CreateSecret" not in reasons
    allowed = json.loads(run("policy", "secretsmanager", "--json", "--allow-sensitive").output)
    assert [each["operation"] for each in allowed] == ["GetRandomPassword"]


def test_policy_names_what_is_sensitive_and_what_would_be_allowed() -> None:
    name = "DescribeDBInstances"
    found = {each["operation"]: each for each in json.loads(run("policy", "rds", "--json").output)}
    assert found[name]["sensitive"] == ["DBInstances[].PendingModifiedValues.MasterUserPassword"]
    assert "MasterUserPassword" in run("policy", "rds").output
    allowed = json.loads(run("policy", "rds", "--json", "--allow", f"rds.{name}").output)
    assert {each["operation"] for each in allowed} == found.keys() - {name}


def test_policy_of_a_service_that_is_not_there() -> None:
    assert run("policy", "nonsense").exit_code == 2
    assert "'dynamodb'" in run("policy", "dynamo").output


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("nope", "a service"),
        ("secretsmanagr", "'secretsmanager'"),
        ("GetSecretValu", "'GetSecretValue'"),
        ("secretsmanager.GetSecretValu", "'get_secret_value'"),
        ("rds.DescribeDBInstance", "'describe_db_instances'"),  # of a service that is not shown
        ("rdss.DescribeDBInstances", "'rds'"),
        ("DescribeDBInstances", "of those that are looked at"),
    ],
)
def test_policy_of_what_there_is_not(name: str, alike: str) -> None:
    refused = run("policy", "secretsmanager", "--allow", name)
    assert refused.exit_code == 2
    assert f"allow_sensitive='{name.lower()}'" in refused.output.replace(name, name.lower())
    assert alike in refused.output


@pytest.mark.parametrize(
    "name",
    [
        "secretsmanager",
        "get_secret_value",
        "secretsmanager.GetSecretValue",
        "rds",
        "rds.StopDBCluster",
    ],
)
def test_policy_of_what_there_is(name: str) -> None:
    """In whatever form, and of services that are not shown: one list may serve several commands."""
    assert run("policy", "secretsmanager", "--allow", name).exit_code == 0
