"""KeyboardInterrupt at each line of a call gets out of it, and the client goes on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import boto_accel
from boto_accel.fastpath.transport.http1 import AnswerReader
from tests.fastpath.callers import all_fast
from tests.fastpath.test_lifecycle import connected_to
from tests.servers.capture import CaptureServer, Recorded, http_answer
from tests.servers.clients import make_client

PACKAGE = str(Path(boto_accel.__file__).parent)
LONG = bytes(range(256)) * 1024


class Interrupt:
    """A trace function that raises KeyboardInterrupt at line number *at* of the package's own."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.raised = ""  # where

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        code = frame.f_code
        # What is raised in a finaliser goes nowhere, in any program.
        if not code.co_filename.startswith(PACKAGE) or code.co_name == "__del__":
            return None
        if event == "line" and not self.raised:
            self.left -= 1
            if self.left < 0:
                self.raised = f"{code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self


def serve(request: Recorded) -> bytes:
    if request.target.endswith(b"/absent"):
        return http_answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
    if request.method == b"PUT":
        return http_answer(200)
    return http_answer(200, LONG if request.target.endswith(b"/long") else b"short")


def short(s3: Any) -> None:
    assert s3.get_object(Bucket="b", Key="short")["Body"].read() == b"short"


def long(s3: Any) -> None:
    assert s3.get_object(Bucket="b", Key="long")["Body"].read() == LONG


def absent(s3: Any) -> None:
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="b", Key="absent")


def put(s3: Any) -> None:
    s3.put_object(Bucket="b", Key="short", Body=b"x")


# Between the making of a connection and the taking of it, it is the collector that closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("call", [short, long, absent, put])
def test_an_interrupt_at_each_line(
    capture: Callable[..., CaptureServer], call: Callable[[Any], None]
) -> None:
    server = capture(serve)
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, all_fast():
        for _ in range(3):  # what is learned once is learned
            call(s3)
        gc.collect()
        gc.freeze()  # what is there already need not be gone through after each line
        line, ended = 0, False
        while not ended:
            ended = not _interrupted(Interrupt(line), lambda: call(s3))
            gc.collect()
            assert connected_to(server.port) <= 1, f"left open by an interrupt at line {line}"
            call(s3)
            line += 1
        gc.unfreeze()
        assert line > 100
    assert connected_to(server.port) == 0


def _interrupted(interrupt: Interrupt, call: Callable[[], None]) -> bool:
    """Whether KeyboardInterrupt was raised in *call*, which then it had to leave."""
    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    assert not interrupt.raised  # or else it was swallowed
    return False


@pytest.mark.parametrize(
    "name", ["on_message_begin", "on_header", "on_headers_complete", "on_body"]
)
def test_an_interrupt_within_the_parser(name: str) -> None:
    """httptools wraps what its callbacks raise: KeyboardInterrupt is unwrapped again."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    reader = type("Interrupted", (AnswerReader,), {name: interrupted})()
    with pytest.raises(KeyboardInterrupt):
        reader.feed(http_answer(200, b"body"))
