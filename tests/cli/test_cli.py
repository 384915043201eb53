"""The `boto-accel` command itself."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "boto_accel.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_is_named(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from boto_accel.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        f"boto-accel needs {missing}, which is not installed: pip install 'boto_accel[cli]'\n"
    )


def test_help_names_every_command() -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    ended = run("--help")
    assert ended.returncode == 0, ended.stderr
    assert "bench" in ended.stdout
    assert "doctor" in ended.stdout
    assert "route" in ended.stdout


def test_version_is_told() -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    ended = run("--version")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("boto-accel, version ")


@pytest.mark.parametrize(
    "arguments",
    [("batch", "ls", "s3://b/x/"), ("table", "ls", "b"), ("bench", "--bucket", "b")],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize("option", ["--endpoint", "--endpoint-url"])
def test_an_endpoint_that_is_no_url_is_a_usage_error(
    arguments: tuple[str, ...], option: str
) -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    ended = run(*arguments, option, "localhost:9000")
    assert ended.returncode == 2
    assert "'localhost:9000' is no URL" in ended.stderr


def test_an_unknown_command_is_a_usage_error() -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    ended = run("frobnicate")
    assert ended.returncode == 2
    assert "frobnicate" in ended.stderr
