"""Real processes with one cache file: one call among them, and each sees what the others write."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.servers.capture import CaptureServer, http_answer

ROOT = Path(__file__).resolve().parent.parent.parent
BUCKET = "bucket"
NUMBER = 8

# Answers each line it reads: "get", "put" or "end". It waits long for a busy file: by default a
# process goes on without the others after a moment, and on a busy machine a moment is soon over.
PROGRAM = """
import sys
from boto_accel import botocache_context
from boto_accel.cache import CachePatch, patch
from boto_accel.cache.stores.sqlite import SQLiteStore
from tests.servers.clients import make_client

endpoint, path = sys.argv[1:]
patch.LONGEST_LEAD_S = 600
store = SQLiteStore(path, max_entries=100, busy_s=60, lead_s=600)
cache = CachePatch(lambda: store, botocache_context(cache="memory://").options)
with make_client("sync", "s3", endpoint_url=endpoint) as s3, cache:
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "put\\n":
            s3.put_object(Bucket="bucket", Key="k", Body=b"x")
            print("done", flush=True)
        elif line == "get\\n":
            reply = s3.get_object(Bucket="bucket", Key="k")
            hit = "BotoAccelCache" in reply["ResponseMetadata"]
            print(reply["Body"].read().decode(), hit, flush=True)
        else:
            break
"""


class Child:
    """One program that is told what to do, line by line."""

    def __init__(self, endpoint: str, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM, endpoint, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the program ended: {self._process.wait()}"
        return line.strip()

    def ask(self, what: str) -> str:
        self.tell(what)
        return self.hear()

    def end(self) -> None:
        with self._process as process:
            if process.poll() is None:
                self.tell("end")
            assert process.wait(60) == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[CaptureServer, int], list[Child]]]:
    with ExitStack() as stack:

        def started(server: CaptureServer, number: int) -> list[Child]:
            path = tmp_path / "cache.sqlite3"
            children = [Child(server.endpoint_url, path) for _ in range(number)]
            for child in children:
                stack.callback(child.end)
            assert [child.hear() for child in children] == ["ready"] * number
            return children

        yield started


class Counting:
    """Each answer to a GET is another one."""

    def __init__(self) -> None:
        self.gets = 0

    def __call__(self, request: Any) -> bytes:
        if request.method == b"PUT":
            return http_answer()
        self.gets += 1
        return http_answer(200, str(self.gets).encode())


def test_many_processes_make_one_call(capture: Any, start: Any) -> None:
    """They ask at the same time, and one does for all."""
    answers = Counting()
    children = start(capture(answers), NUMBER)
    for child in children:
        child.tell("get")
    heard = [child.hear().split() for child in children]
    assert answers.gets == 1
    assert [body for body, _ in heard] == ["1"] * NUMBER
    assert sorted(hit for _, hit in heard) == ["False"] + ["True"] * (NUMBER - 1)


def test_a_write_of_one_process_is_seen_by_the_others(capture: Any, start: Any) -> None:
    """At once, and though they had it at hand."""
    one, two = start(capture(Counting()), 2)
    assert [one.ask("get"), two.ask("get"), two.ask("get")] == ["1 False", "1 True", "1 True"]
    assert one.ask("put") == "done"
    assert [two.ask("get"), one.ask("get")] == ["2 False", "2 True"]


def test_what_one_program_has_read_the_next_one_has(capture: Any, start: Any) -> None:
    server = capture(Counting())
    (first,) = start(server, 1)
    assert first.ask("get") == "1 False"
    first.end()
    (second,) = start(server, 1)
    assert second.ask("get") == "1 True"


def test_importing_it_says_what_is_missing(tmp_path: Path) -> None:
    """And importing the package does not need it."""
    code = """
import json, sys
sys.modules["msgspec"] = None
import boto_accel
boto_accel.accelerate
try:
    boto_accel.botocache_context
except boto_accel.MissingExtraError as error:
    print(json.dumps([error.package, error.extra]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout) == ["msgspec", "cache"], done.stderr
