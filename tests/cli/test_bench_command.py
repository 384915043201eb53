"""`boto-accel bench`, from options to report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

click_testing = pytest.importorskip("click.testing")
pytest.importorskip("rich")
pytest.importorskip("boto3")

from boto_accel.bench.cases import all_cases  # noqa: E402
from boto_accel.bench.target import own_server  # noqa: E402
from boto_accel.commands import cli  # noqa: E402

SHORT = ("--quick", "--rounds", "1", "--round-seconds", "0.01")


def bench(*arguments: str) -> Any:
    return click_testing.CliRunner().invoke(cli, ["bench", *arguments])


def test_it_runs_end_to_end_and_writes_json_and_a_chart(tmp_path: Path) -> None:
    report_file, chart_file = tmp_path / "report.json", tmp_path / "chart.svg"
    only = ["boto3/http/get/1KiB/t1", "boto3/http/put/1KiB/t1", "socket/http/get/1KiB/t1"]
    patterns = [part for name in only for part in ("--only", name)]
    files = ["--json", str(report_file), "--plot", str(chart_file)]
    ended = subprocess.run(
        [sys.executable, "-m", "boto_accel.cli", "bench", *SHORT, *patterns, *files],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "200"},  # a narrow table folds the names of cases
    )
    assert ended.returncode == 0, ended.stderr
    assert "boto3/http/get/1KiB/t1" in ended.stdout
    report = json.loads(report_file.read_text())
    assert report["skipped"] == []
    assert [row["case"] for row in report["results"]] == only[:2]
    assert [row["case"] for row in report["beside"]] == only[2:]
    check_row(report["results"][0])
    check_circumstances(report)
    assert ElementTree.fromstring(chart_file.read_text()).tag.endswith("svg")


def check_row(row: dict[str, Any]) -> None:
    assert (row["client"], row["operation"], row["size"]) == ("boto3", "get", 1024)
    assert (row["scheme"], row["in_flight"], row["loop"]) == ("http", 1, None)
    assert row["engine"] == "direct"
    for side in ("stock", "fast"):
        assert row[side]["cpu_us"] > 0
        assert row[side]["wall_us"] > 0
        assert row[side]["per_second"] > 0
        assert row[side]["calls"] == sum(one["calls"] for one in row[side]["rounds"])
    assert row["cpu_ratio"] > 0
    assert row["wall_ratio"] > 0
    assert row["fast_calls"] > 0
    assert (row["fallback_calls"], row["fallback_reasons"]) == (0, {})


def check_circumstances(report: dict[str, Any]) -> None:
    assert report["format"] == 1
    assert set(report["machine"]) == {"cpu", "cpus", "system", "python", "gc"}
    assert report["versions"]["botocore"]
    assert report["settings"]["endpoint"] == "in-memory"
    assert report["settings"]["rounds"] == 1


def test_json_goes_to_standard_output_and_the_table_out_of_its_way() -> None:
    ended = bench(*SHORT, "--only", "socket/http/get/1KiB/t1", "--json")
    assert ended.exit_code == 0, ended.output
    assert [row["case"] for row in json.loads(ended.stdout)["beside"]] == [
        "socket/http/get/1KiB/t1"
    ]
    assert "socket/http/get/1KiB/t1" in ended.stderr


def test_list_shows_every_case_and_runs_none() -> None:
    ended = bench("--list")
    assert ended.exit_code == 0
    assert listed_in(ended) == [c.name for c in all_cases()]


def listed_in(ended: Any) -> list[str]:
    return [line.split()[0] for line in ended.output.splitlines()]


def test_list_shows_those_that_would_be_run() -> None:
    only = ("--only", "boto3/http/head/t1", "--only", "socket/http/get/1KiB/t1")
    assert listed_in(bench("--list", *only)) == list(only[1::2])
    quick = listed_in(bench("--list", "--quick"))
    assert "boto3/http/head/t1" in quick
    assert set(quick) < {each.name for each in all_cases()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "get/2KiB"), "get/2KiB"),
        (("--list", "--only", "get/2KiB"), "get/2KiB"),
        (("--endpoint", "http://127.0.0.1:1"), "--bucket"),
        (("--rounds", "0"), "--rounds"),
        (("--json", "no/such/folder/report.json"), "no folder 'no/such/folder'"),
        (("--plot", "no/such/folder/chart.svg"), "no folder 'no/such/folder'"),
        (("--json", "/"), "--json"),
    ],
)
def test_options_that_mean_nothing_are_usage_errors(arguments: tuple[str, ...], said: str) -> None:
    ended = bench(*arguments)
    assert ended.exit_code == 2
    assert said in ended.stderr


def test_an_engine_that_is_not_there_ends_with_the_packages_words() -> None:
    ended = bench(*SHORT, "--http", "carrier-pigeon")
    assert ended.exit_code == 1
    assert "carrier-pigeon" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_all_engines_are_measured_or_skipped_with_their_reason(tmp_path: Path) -> None:
    """Side by side; boto3, which has but one, is measured once."""
    pytest.importorskip("aiobotocore")
    file = tmp_path / "report.json"
    cases = ("--only", "boto3/http/head/t1", "--only", "aiobotocore/http/head/c1/asyncio")
    ended = bench(*SHORT, "--http", "all", *cases, "--json", str(file))
    assert ended.exit_code == 0, ended.output
    report = json.loads(file.read_text())
    rows = [*report["results"], *report["skipped"]]
    assert [row["engine"] for row in rows if row["client"] == "boto3"] == ["direct"]
    engines = [row["engine"] for row in rows if row["client"] == "aiobotocore"]
    assert engines == ["direct", "aiohttp", "aiosonic"]
    assert all(row["fallback_calls"] == 0 for row in report["results"])
    assert all(row["engine"] in row["reason"] for row in report["skipped"])


def test_an_endpoint_that_does_not_answer_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    ended = bench(
        *SHORT, "--only", "boto3/http/head/t1", "--endpoint", "http://127.0.0.1:1", "--bucket", "b"
    )
    assert ended.exit_code == 1
    assert "EndpointConnectionError" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_bucket_that_is_not_there_is_an_error_and_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with own_server("http") as target:
        where = ("--endpoint", target.endpoint, "--bucket", "misspelt")
        ended = bench(*SHORT, "--only", "boto3/http/head/t1", *where)
    assert ended.exit_code == 1
    assert "HeadBucket" in ended.stderr
    assert "Traceback" not in ended.stderr
