"""Stores in real processes: many that ask for the same, one that is killed, one that forks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cache.stores.worker import BOARD, BOARD_BYTES

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="fork, kill and modes of POSIX")

Run = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(params=["sqlite", "redis", "cluster"])
def where(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> str:
    """What a store that all processes share is opened with."""
    if request.param == "sqlite":
        return str(tmp_path / "responses.sqlite3")
    if request.param == "redis":
        return f"{request.getfixturevalue('valkey').url}?prefix={prefix}"
    return f"{request.getfixturevalue('cluster')}&prefix={prefix}"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """`run(task, where, argument...)` begins a task of `worker.py`; none outlives the test."""
    with ExitStack() as stack:

        def begin(task: str, where: str, *arguments: object) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "tests.cache.stores.worker", task, where]
            process = stack.enter_context(
                subprocess.Popen([*command, str(tmp_path), *map(str, arguments)], cwd=ROOT)
            )
            stack.callback(process.kill)
            return process

        yield begin


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert process.poll() in (None, 0)
        time.sleep(0.01)


def succeeds(*processes: subprocess.Popen[bytes]) -> bool:
    """When all have ended, or one has failed: others might wait for it for ever."""
    while any(process.poll() is None for process in processes):
        if any(process.poll() for process in processes):
            return False
        time.sleep(0.01)
    return not any(process.returncode for process in processes)


def test_eight_processes_make_one_call_for_each_key(run: Run, where: str, tmp_path: Path) -> None:
    processes = [run("stampede", where, number, 20) for number in range(8)]
    for number, process in enumerate(processes):
        wait_for(tmp_path / f"ready-{number}", process)
    (tmp_path / "go").touch()
    assert succeeds(*processes)
    calls = Counter((tmp_path / "calls").read_text().split())
    assert calls == {str(number): 1 for number in range(20)}


def test_a_leader_that_was_killed_is_succeeded_at_once(
    run: Run, where: str, tmp_path: Path
) -> None:
    """Long before its hour is over: the others see that there is no such process."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc")
    first = run("lead_and_hang", where)
    wait_for(tmp_path / "leads", first)
    (tmp_path / "leads").unlink()
    second = run("lead_and_hang", where)
    wait_for(tmp_path / "does not lead", second)
    first.kill()
    first.wait()
    third = run("lead_and_hang", where)
    wait_for(tmp_path / "leads", third)


def test_nothing_comes_back_that_was_invalidated(run: Run, where: str, tmp_path: Path) -> None:
    """One process changes the truth and invalidates, three read and ask anew, all at full speed."""
    (tmp_path / BOARD).write_bytes(bytes(BOARD_BYTES))
    readers = [run("read_truth", where, number) for number in range(3)]
    writer = run("write_truth", where, 60, 3)
    assert succeeds(writer, *readers)


def test_a_writer_that_is_killed_leaves_a_whole_file(run: Run, tmp_path: Path) -> None:
    """SIGKILL in the middle of a write, 100 times."""
    assert succeeds(run("kill_writers", str(tmp_path / "responses.sqlite3"), 100))


def test_a_fork_amid_use(run: Run, where: str) -> None:
    """Neither parent nor child is held up by a lock, or sees what is not so."""
    assert succeeds(run("fork_amid_use", where, 10))


@pytest.mark.parametrize("task", ["fork_amid_a_write", "fork_without_python"])
def test_a_child_never_uses_its_parents_connection(run: Run, tmp_path: Path, task: str) -> None:
    assert succeeds(run(task, str(tmp_path / "responses.sqlite3")))
