"""`boto-accel table`, run as the user runs it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from boto_accel.commands import cli
from tests.datastore.worlds import World
from tests.servers.clients import ACCESS_KEY, REGION, SECRET_KEY


@pytest.fixture
def run(sync: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    options = ["--endpoint-url", sync.caller.client.meta.endpoint_url, "--region", REGION]

    def called(command: str, *arguments: str, **more: Any) -> Any:
        given = ["table", command, *options, sync.name, *arguments]
        return CliRunner().invoke(cli, given, **more)

    return called


def test_rows_are_put_got_and_found(run: Any) -> None:
    columns = ("--columns", "id:int,day:date")
    for number in (1, 10):
        done = run("put", "t", f"id={number}", "day=2020-01-02", "--data", f"é{number}", *columns)
        assert done.exit_code == 0, done.output
        assert done.output.startswith('"')
    got = run("get", "t", "id=10", "day=2020-01-02")
    assert (got.exit_code, got.stdout_bytes) == (0, "é10".encode())
    shown = json.loads(run("get", "t", "id=1", "day=2020-01-02", "--json").output)
    assert (shown["id"], shown["day"], shown["data"]) == (1, "2020-01-02", "é1")
    assert json.loads(run("query", "t", "--json").output) == [
        {"id": 1, "day": "2020-01-02"}, {"id": 10, "day": "2020-01-02"},
    ]  # fmt: skip
    assert json.loads(run("query", "t", "id=1", "--json").output) == [
        {"id": 1, "day": "2020-01-02"}
    ]
    assert json.loads(run("query", "t", "id=5", "--json").output) == []
    assert len(json.loads(run("query", "t", "--limit", "1", "--json").output)) == 1
    assert "2020-01-02" in run("query", "t").output
    assert run("count", "t").output == "2\n"
    assert json.loads(run("count", "t", "id=1", "--json").output) == {"count": 1}
    assert run("ls").output == "t  id:int, day:date\n"
    assert json.loads(run("ls", "--json").output) == [
        {"table": "t", "columns": {"id": "int", "day": "date"}}
    ]


def test_data_comes_from_a_file_and_goes_out_as_it_is(run: Any) -> None:
    data = bytes(range(256))
    assert run("put", "t", "id=1", "--columns", "id", "--file", "-", input=data).exit_code == 0
    assert run("get", "t", "id=1").stdout_bytes == data
    assert "data_base64" in json.loads(run("get", "t", "id=1", "--json").output)


def test_writes_on_condition(run: Any) -> None:
    first = json.loads(run("put", "t", "id=1", "--columns", "id", "--data", "x", "--json").output)
    again = run("put", "t", "id=1", "--data", "y", "--if-absent")
    assert again.exit_code == 1
    assert "has a row at '1' already" in again.output
    assert run("put", "t", "id=1", "--data", "y", "--if-match", first["etag"]).exit_code == 0
    stale = run("put", "t", "id=1", "--data", "z", "--if-match", first["etag"])
    assert stale.exit_code == 1
    assert "another ETag" in stale.output
    assert run("get", "t", "id=1").output == "y"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("get", "t", "id=1"), 1, "its columns are not known"),
        (("get", "t", "id=1", "--columns", "id"), 1, "has no row at '1'"),
        (("get", "t", "x=1", "--columns", "id"), 1, "there is no such column"),
        (("get", "t", "id", "--columns", "id"), 2, "not of the form COLUMN=VALUE"),
        (("get", "t", "id=x", "--columns", "id:int"), 2, "is not what a value of int"),
        (("get", "t", "id=1", "--columns", "id:bytes"), 2, "'bytes' is no type"),
        (("put", "t", "id=1", "--columns", "id"), 2, "either --data or --file"),
        (("put", "t", "id=1", "--data", "x", "--if-absent", "--if-match", "y"), 2, "together"),
    ],
)
def test_what_is_wrong_is_told(
    run: Any, arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = run(*arguments)
    assert (done.exit_code, message in done.output) == (status, True), done.output


def test_an_error_of_s3_is_told(run: Any, sync: World) -> None:
    sync.caller("delete_bucket", Bucket=sync.name)
    done = run("ls")
    assert done.exit_code == 1
    assert "NoSuchBucket" in done.output
