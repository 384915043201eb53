"""Eight processes at one store, alone and as a cluster: nothing is lost, and nothing is mixed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from boto_accel import redis_s3
from tests.fastpath.callers import Caller, open_caller
from tests.redis_store.racing import is_whole
from tests.servers.valkey import Valkey

PROCESSES = 8
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["server", "cluster"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "cluster":
        return str(request.getfixturevalue("cluster"))
    server: Valkey = request.getfixturevalue("valkey")
    return server.url


@contextmanager
def on(url: str) -> Iterator[Caller]:
    with redis_s3(), open_caller("sync", endpoint_url=url) as s3:
        yield s3


class Racers:
    """Eight processes, which take part in one race after another."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def race(self, url: str, task: str, rounds: int, *more: str) -> list[str]:
        """What they print. They begin at the same time, and all must come to their end."""
        words = (url, task, str(rounds), *more)
        self._tell(" ".join(words))
        for each in self._processes:
            assert _lines_to(each, "ready") == []
        self._tell("go")
        return [line for each in self._processes for line in _lines_to(each, "done")]

    def _tell(self, line: str) -> None:
        for each in self._processes:
            assert each.stdin is not None
            each.stdin.write(line + "\n")
            each.stdin.flush()


def _lines_to(process: subprocess.Popen[str], last: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if line == last + "\n":
            return lines
        lines.append(line.rstrip("\n"))
    raise AssertionError(process.communicate()[1])


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    command = [sys.executable, "-W", "error", "-m", "tests.redis_store.racing"]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen([*command, str(number)], cwd=ROOT, text=True, **pipes)
            )
            for number in range(1, PROCESSES + 1)
        ]
        yield Racers(processes)
        ended = [each.communicate() for each in processes]  # their input ends, and so do they
        assert [error for _, error in ended] == [""] * PROCESSES
        assert [each.returncode for each in processes] == [0] * PROCESSES


def test_overwrites_copies_and_deletes(url: str, racers: Racers) -> None:
    with on(url) as s3:
        s3("create_bucket", Bucket="race")
        racers.race(url, "overwrite", 9)
        for each in s3("list_objects_v2", Bucket="race").get("Contents", ()):
            assert is_whole(s3.body(Bucket="race", Key=each["Key"]))


def test_one_of_all_makes_an_object(url: str, racers: Racers) -> None:
    with on(url) as s3:
        s3("create_bucket", Bucket="race")
        made = Counter(racers.race(url, "only_new", 20))
        assert [made[f"made {turn}"] for turn in range(20)] == [1] * 20


def test_a_bucket_that_comes_and_goes(url: str, racers: Racers) -> None:
    """A put that was acknowledged is there until it is deleted; a refused one had no bucket."""
    with on(url) as s3:
        s3("create_bucket", Bucket="coming")
        racers.race(url, "buckets", 30)
        s3("create_bucket", Bucket="coming")
        assert "Contents" not in s3("list_objects_v2", Bucket="coming")
        s3("delete_bucket", Bucket="coming")


def test_one_upload_is_completed_once(url: str, racers: Racers) -> None:
    with on(url) as s3:
        s3("create_bucket", Bucket="race")
        upload = s3("create_multipart_upload", Bucket="race", Key="m")["UploadId"]
        racers.race(url, "parts", 3, upload)
        assert is_whole(s3.body(Bucket="race", Key="m"))
        assert "Uploads" not in s3("list_multipart_uploads", Bucket="race")
