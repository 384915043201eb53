"""`boto-accel route explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import run

pytest.importorskip("click")
pytest.importorskip("rich")

ROUTES = {
    "clients": {
        "lakefs": {
            "endpoint_url": "https://user:hush@lakefs.example.com",
            "aws_access_key_id": "AKIAHUSH",
            "aws_secret_access_key": "${NOT_NEEDED_TO_EXPLAIN}",
        }
    },
    "mapping": [
        {
            "bucket_name": "old",
            "key_pattern": "dev/*",
            "mapped_bucket_name": "repo",
            "client": "lakefs",
            "key_prefix": "main/",
        },
        {"bucket_name": "*", "client": "s3"},
    ],
}


@pytest.fixture
def routes(tmp_path: Path) -> str:
    path = tmp_path / "routes.json"
    path.write_text(json.dumps(ROUTES))
    return str(path)


def test_a_key(routes: str) -> None:
    ended = run("route", "explain", routes, "s3://old/dev/a b")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "s3://repo/main/dev/a b at lakefs (https://lakefs.example.com)\n"
        "  by mapping[0] (bucket_name='old', key_pattern='dev/*')\n"
    )
    ended = run("route", "explain", routes, "s3://other/k")
    assert ended.stdout == (
        "s3://other/k at s3 (the calling client)\n  by mapping[1] (bucket_name='*')\n"
    )


def test_a_bucket_and_a_prefix(routes: str) -> None:
    """All places are told; and as JSON."""
    ended = run("route", "explain", routes, "s3://old", "--json")
    found = json.loads(ended.stdout)
    assert [each["location"] for each in found] == ["s3://repo/main/", "s3://old/"]
    ended = run("route", "explain", routes, "s3://old/dev/*", "--json")
    assert [each["location"] for each in json.loads(ended.stdout)] == ["s3://repo/main/dev/*"]
    assert "HUSH" not in ended.stdout.upper()


def test_what_is_wrong_is_told(routes: str, tmp_path: Path) -> None:
    assert run("route", "explain", routes, "old/k").returncode == 2
    assert run("route", "explain", str(tmp_path / "none.toml"), "s3://b/k").returncode == 2
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**ROUTES, "mapping": ROUTES["mapping"][:1]}))
    ended = run("route", "explain", str(wrong), "s3://b/k")
    assert ended.returncode == 1
    assert "'*'" in ended.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.json", '{"clients": {},\n"key": "hush" "hush"}'),
        ("r.toml", '[clients]\nkey = "hush" "hush"\n'),
        ("r.yaml", 'clients: {}\nkey: ["hush" "hush"\n'),
    ],
)
def test_a_file_that_cannot_be_read_names_the_line(name: str, text: str, tmp_path: Path) -> None:
    """And quotes nothing of it."""
    if name == "r.yaml":
        pytest.importorskip("yaml")
    path = tmp_path / name
    path.write_text(text)
    ended = run("route", "explain", str(path), "s3://b/k")
    assert ended.returncode == 1
    assert ended.stderr.endswith("see line 2\n")
    assert "hush" not in ended.stderr
