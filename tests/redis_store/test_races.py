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


def race(url: str, task: str, rounds: int, *more: str) -> list[str]:
    """What eight processes print that begin at the same time; all must come to their end."""
    command = [sys.executable, "-W", "error", "-m", "tests.redis_store.racing", url, task]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, str(number), str(rounds), *more], cwd=ROOT, text=True, **pipes
                )
            )
            for number in range(1, PROCESSES + 1)
        ]
        for each in started:
            assert each.stdout is not None
            line = each.stdout.readline()
            assert line == "ready\n", each.communicate()
        for each in started:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        lines: list[str] = []
        for each in started:
            out, err = each.communicate()
            assert out.endswith("done\n"), err
            lines += out.splitlines()
    return lines


def test_overwrites_copies_and_deletes(url: str) -> None:
    with on(url) as s3:
        s3("create_bucket", Bucket="race")
        race(url, "overwrite", 9)
        for each in s3("list_objects_v2", Bucket="race").get("Contents", ()):
            assert is_whole(s3.body(Bucket="race", Key=each["Key"]))


def test_one_of_all_makes_an_object(url: str) -> None:
    with on(url) as s3:
        s3("create_bucket", Bucket="race")
        made = Counter(race(url, "only_new", 20))
        assert [made[f"made {turn}"] for turn in range(20)] == [1] * 20


def test_a_bucket_that_comes_and_goes(url: str) -> None:
    """A put that was acknowledged is there until it is deleted; a refused one had no bucket."""
    with on(url) as s3:
        s3("create_bucket", Bucket="coming")
        race(url, "buckets", 30)
        s3("create_bucket", Bucket="coming")
        assert "Contents" not in s3("list_objects_v2", Bucket="coming")
        s3("delete_bucket", Bucket="coming")


def test_one_upload_is_completed_once(url: str) -> None:
    with on(url) as s3:
        s3("create_bucket", Bucket="race")
        upload = s3("create_multipart_upload", Bucket="race", Key="m")["UploadId"]
        race(url, "parts", 3, upload)
        assert is_whole(s3.body(Bucket="race", Key="m"))
        assert "Uploads" not in s3("list_multipart_uploads", Bucket="race")
