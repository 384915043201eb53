"""Programs of their own: forks in the middle of traffic, one loop after another, the end of all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from tests.fastpath.test_concurrency import serve
from tests.servers.capture import CaptureServer, Recorded, Sleep, http_answer

WITHIN_S = 120  # seconds; a program that takes longer hangs
STRICT = (
    *("-X", "dev", "-W", "error"),
    # Of libraries on a new Python, and of Python 3.12 where a process with threads forks.
    *("-W", "ignore::DeprecationWarning", "-W", "ignore:Boto3 will no longer:Warning"),
)
BEGINNING = """
import asyncio, multiprocessing, os, sys, threading
from boto_accel import accelerate
from tests.fastpath.test_concurrency import body_of, one_async_call, one_call
from tests.servers.clients import make_client
options = {"endpoint_url": sys.argv[1], "max_pool_connections": 50}
if sys.argv[2] != "stock":
    patch = accelerate(http=sys.argv[2])
    patch.install()
"""
SYNC = """
opening = make_client("sync", "s3", **options)
s3 = opening.__enter__()
one_call(s3, 0), one_call(s3, 1), one_call(s3, 2), one_call(s3, 3)
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


def run_program(
    server: CaptureServer, text: str, how: str = "direct", flags: tuple[str, ...] = STRICT
) -> tuple[str, str]:
    """What *text* prints, and what it says on standard error; *how*: "stock" or an engine."""
    ran = subprocess.run(
        [sys.executable, *flags, "-c", BEGINNING + text, server.endpoint_url, how],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip(), ran.stderr


@pytest.fixture
def server(capture: Callable[..., CaptureServer]) -> CaptureServer:
    return capture(serve)


def number_of(request: Recorded) -> int:
    return int(re.findall(rb"k(\d+)", request.target)[0])


PREFORK = """
def work(first, depth):
    for number in range(first, first + 40):
        one_call(s3, number)
        if number == first + 10 and depth:
            fork(first + 100, depth - 1)

def fork(first, depth):
    child = os.fork()
    if child == 0:
        work(first, depth)
        for child in children_of(first):
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        sys.exit(0)
    forked.setdefault(os.getpid(), []).append(child)

def children_of(first):
    return forked.get(os.getpid(), ())

forked = {}
for worker in range(4):
    fork(1000 * (worker + 1), 2)
work(10_000, 0)
for child in children_of(0):
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(patch.stats.fast, patch.stats.fallback, patch.stats.retired)
"""


@needs_fork
def test_a_server_that_forks_before_it_serves(server: CaptureServer) -> None:
    """
    A client that was used, and children that go on with it and fork again, as gunicorn's and
    Celery's workers: each on connections of its own, and none says anything when it ends.
    """
    out, err = run_program(server, SYNC + PREFORK)
    assert (out, err) == ("44 0 0", "")
    processes: dict[int, set[int]] = {}
    for request in server.requests[4:]:
        processes.setdefault(request.connection, set()).add(number_of(request) // 100)
    assert all(len(users) == 1 for users in processes.values())
    assert len(server.requests) == 4 + 40 * (1 + 4 * 3)


POOL = """
over = threading.Event()
failed = []

def traffic(first):
    while not over.is_set():
        try:
            for number in range(first, first + 4):
                one_call(s3, number)
        except BaseException as error:
            failed.append(error)
            raise

def work(number):
    one_call(s3, number)
    return os.getpid()

threads = [threading.Thread(target=traffic, args=(1000 * n,)) for n in range(1, 5)]
for thread in threads:
    thread.start()
for _ in range(3):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.map(work, range(100_000, 100_040), chunksize=5)
        pool.close()
        pool.join()
    assert os.getpid() not in found
over.set()
for thread in threads:
    thread.join()
assert not failed
print(patch.stats.fallback, patch.stats.retired)
opening.__exit__(None, None, None)
"""


@needs_fork
def test_a_pool_of_processes_in_the_middle_of_traffic(server: CaptureServer) -> None:
    """multiprocessing forks while threads are in calls: no answer of one is another's."""
    out, err = run_program(server, SYNC + POOL)
    assert (out, err) == ("0 0", "")
    processes: dict[int, set[bool]] = {}
    for request in server.requests:
        processes.setdefault(request.connection, set()).add(number_of(request) >= 100_000)
    assert all(len(users) == 1 for users in processes.values())


# Not make_client(), whose generator a loop closes when it ends.
LOOPS = """
from aiobotocore.session import AioSession

opening = AioSession().create_client(
    "s3", "us-east-1", endpoint_url=sys.argv[1], aws_access_key_id="a", aws_secret_access_key="b"
)
s3 = None

async def first():
    global s3
    s3 = await opening.__aenter__()
    await asyncio.gather(*(one_async_call(s3, number) for number in range(8)))

async def again(close):
    await asyncio.gather(*(one_async_call(s3, number) for number in range(8)))
    if close:
        await opening.__aexit__(None, None, None)

asyncio.run(first())
asyncio.run(again(False))
asyncio.run(again(True))
print(patch.stats.fast, patch.stats.fallback)
"""


@pytest.mark.skipif(find_spec("aiobotocore") is None, reason="aiobotocore is not installed")
def test_a_client_of_a_module_in_one_loop_after_another(server: CaptureServer) -> None:
    """
    `asyncio.run` time and again with one client: a pool each, none crosses loops. (Over the engine
    direct; connections of the others are bound to the client's own loop, as stock's are.)
    """
    assert run_program(server, LOOPS, flags=()) == ("24 0", "")
    loops: dict[int, set[int]] = {}
    for place, request in enumerate(server.requests):
        loops.setdefault(request.connection, set()).add(place // 8)
    assert all(len(users) == 1 for users in loops.values())


UNREAD_SYNC = """
answer = s3.get_object(Bucket="b", Key="long")
half = s3.get_object(Bucket="b", Key="long")["Body"]
assert half.read(100) == b"x" * 100
"""
UNREAD_ASYNC = """
async def main():
    global s3, answer, half
    s3 = await opening.__aenter__()
    for number in range(4):
        await s3.head_object(Bucket="b", Key="k")
    answer = await s3.get_object(Bucket="b", Key="long")
    half = (await s3.get_object(Bucket="b", Key="long"))["Body"]
    assert await half.read(100) == b"x" * 100

opening = make_client("async", "s3", **options)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""
CLOSED_LOOP = """
loop.run_until_complete(opening.__aexit__(None, None, None))
loop.close()
"""


@pytest.fixture
def long_bodies(capture: Callable[..., CaptureServer]) -> CaptureServer:
    """Whose long object never comes to its end."""
    begun = http_answer(200, b"", {"Content-Length": "1000000"}) + b"x" * 1000
    return capture(
        lambda r: [begun, Sleep(60)] if r.target.endswith(b"/long") else http_answer(200)
    )


CALLS_SYNC = """
s3 = make_client("sync", "s3", **options).__enter__()
for number in range(4):
    s3.head_object(Bucket="b", Key="k")
"""


def test_the_end_of_a_program_with_everything_open(long_bodies: CaptureServer) -> None:
    """A patch that is in force, a client, an unread body and one half read: not a word."""
    assert run_program(long_bodies, CALLS_SYNC + UNREAD_SYNC) == ("", "")


@pytest.mark.aiobotocore
@pytest.mark.parametrize("end", ["", CLOSED_LOOP], ids=["open", "closed"])
def test_the_end_of_an_async_program(long_bodies: CaptureServer, engine: str, end: str) -> None:
    """Nothing is said that stock does not say of a loop and a session that are left open."""
    _, stock = run_program(long_bodies, UNREAD_ASYNC + end, "stock")
    _, fast = run_program(long_bodies, UNREAD_ASYNC + end, engine)
    assert said(fast) <= said(stock), fast
    assert "boto_accel" not in fast


def said(text: str) -> set[str]:
    """The lines that say what is wrong, without what differs from one run to the next."""
    lines = (re.sub(r"0x[0-9a-f]+|\d+|<.*>", "#", line) for line in text.splitlines())
    return {
        line
        for line in lines
        if re.match(r"\w*(Error|Warning|Exception|Traceback)|Unclosed|Task", line)
    }


_WRONG = re.compile(r"\w*(Error|Warning|Exception|Traceback)|Unclosed|Task")

DAEMONS = """
begun = threading.Barrier(9)

def traffic(first):
    begun.wait()
    while True:
        for number in range(first, first + 4):
            one_call(s3, number)

for number in range(8):
    threading.Thread(target=traffic, args=(number,), daemon=True).start()
begun.wait()
for number in range(20):
    one_call(s3, number)
"""


def test_the_end_of_a_program_with_threads_in_calls(server: CaptureServer) -> None:
    """Daemon threads are stopped wherever they are, and nobody hears of it."""
    for _ in range(3):
        assert run_program(server, SYNC + DAEMONS) == ("", "")
