"""What goes wrong on the way to S3, on the disk, or with the process: nothing is lost by it."""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boto_accel.batch import BatchPatch, BatchReader, batch_puts, spool
from boto_accel.batch.catalogue import Catalogue
from boto_accel.batch.errors import (
    BatchUploadError,
    DamagedBatchError,
    QueueFull,
    SpoolError,
    SpoolLockedError,
    WriterClosed,
)
from boto_accel.batch.recovery import recover
from boto_accel.errors import InvalidOptionError
from tests.batch.memory import MemoryS3, entries_of, is_index, is_tar
from tests.servers.recorded import Recorded
from tests.servers.steps import Answer, Reset, Sleep, http_answer

ERROR = b"<Error><Code>%s</Code><Message>m</Message></Error>"
QUICK = {"retries": {"total_max_attempts": 1}, "read_timeout": 0.5, "connect_timeout": 5}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts; how long they are is not what is tested here."""
    monkeypatch.setattr("boto_accel.batch.uploader.LONGEST_PAUSE_S", 0.01)


def batch_at(folder: Path, **options: Any) -> BatchPatch:
    given = {"spool_dir": folder / "spool", "max_delay": 3600.0, **options}
    return batch_puts("s3://events/raw/*", "s3://events/batches/", **given)


def put(client: Any, key: str, body: bytes = b"abc") -> Any:
    return client.put_object(Bucket="events", Key=f"raw/{key}", Body=body)


def read(client: Any, key: str) -> bytes:
    return bytes(client.get_object(Bucket="events", Key=f"raw/{key}")["Body"].read())


def failing(
    number: int, what: Callable[[Recorded], bool], answer: Answer
) -> Callable[[Recorded], Answer | None]:
    """*answer* for the first *number* requests that are *what*."""
    left = [number]

    def fault(request: Recorded) -> Answer | None:
        if what(request) and left[0]:
            left[0] -= 1
            return answer
        return None

    return fault


FAULTS: dict[str, Answer] = {
    "500": http_answer(500, ERROR % b"InternalError"),
    "503": http_answer(503, ERROR % b"SlowDown"),
    "reset": Reset(),
    "hang": Sleep(60.0),
    "half an answer": [b"HTTP/1.1 200 OK\r\nContent-Le", Reset()],
}


@pytest.mark.parametrize("what", [is_tar, is_index])
@pytest.mark.parametrize("name", FAULTS)
def test_a_failing_upload_is_repeated_until_it_is_there(
    s3_server: MemoryS3, tmp_path: Path, name: str, what: Callable[[Recorded], bool]
) -> None:
    """And what was put can be read all the time, and is there once."""
    s3_server.fault = failing(2, what, FAULTS[name])
    with s3_server.client(**QUICK) as client:
        with batch_at(tmp_path) as batch:
            for number in range(10):
                put(client, str(number), b"%d" % number)
            batch.flush()
            assert batch.stats.failed_uploads == 2
            assert read(client, "7") == b"7"
        [tar] = s3_server.tars()
        assert [entry.key for entry in tar.entries] == [f"raw/{number}" for number in range(10)]
        assert s3_server.indexes() == {tar.batch: tar}
    assert list((tmp_path / "spool").glob("*.tar")) == []


def test_what_cannot_be_uploaded_is_told_and_stays(
    s3_server: MemoryS3, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At flush, at the end of the block, once in the log; and the next process uploads it."""
    denied = http_answer(403, ERROR % b"AccessDenied")
    s3_server.fault = failing(10**6, is_tar, denied)
    with s3_server.client(**QUICK) as client:
        batch = batch_at(tmp_path).__enter__()
        with caplog.at_level(logging.WARNING, "boto_accel"):
            put(client, "a")
            for leave in (batch.flush, batch.__exit__):
                with pytest.raises(BatchUploadError, match="PutObject: AccessDenied") as caught:
                    leave()
                assert caught.value.batches == 1
        assert batch.stats.failures.keys() == {"PutObject: AccessDenied"}
        assert len([each for each in caplog.records if "uploading failed" in each.message]) == 1
        assert len(list((tmp_path / "spool").glob("*.tar"))) == 1
        s3_server.fault = lambda request: None
        with batch_at(tmp_path) as batch:
            assert batch.stats.recovered == 1
            assert read(client, "a") == b"abc"
        assert [entry.key for tar in s3_server.tars() for entry in tar.entries] == ["raw/a"]


def test_an_error_of_the_block_is_not_hidden_by_one_of_the_upload(
    s3_server: MemoryS3, tmp_path: Path
) -> None:
    s3_server.fault = failing(10**6, is_tar, FAULTS["500"])
    with s3_server.client(**QUICK) as client:

        def block() -> None:
            with batch_at(tmp_path):
                put(client, "a")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            block()
    assert len(list((tmp_path / "spool").glob("*.tar"))) == 1


def test_ack_upload_raises_where_the_upload_fails(s3_server: MemoryS3, tmp_path: Path) -> None:
    s3_server.fault = failing(3, is_tar, FAULTS["500"])
    with s3_server.client(**QUICK) as client:
        with batch_at(tmp_path, ack="upload", max_delay=0.01), pytest.raises(BatchUploadError):
            put(client, "a")
        assert [entry.key for tar in s3_server.tars() for entry in tar.entries] == ["raw/a"]


def test_a_full_spool_refuses_or_waits(s3_server: MemoryS3, tmp_path: Path) -> None:
    is_open = threading.Event()

    def fault(request: Recorded) -> Answer | None:
        if is_tar(request):
            is_open.wait(60)
        return None

    s3_server.fault = fault
    small = {"max_bytes": 2**16, "max_object_bytes": 2**15, "spool_max_bytes": 2**17}
    body = bytes(2**15 - 2048)
    with s3_server.client() as client:
        with batch_at(tmp_path, on_full="raise", **small) as batch:

            def put_all() -> None:
                for number in range(10):
                    put(client, str(number), body)

            with pytest.raises(QueueFull, match="131,072"):
                put_all()
            taken = batch.stats.batched
            assert 2 <= taken <= 4
            is_open.set()
        is_open.clear()
        with batch_at(tmp_path, **small) as batch:
            waiting = threading.Thread(
                target=lambda: [put(client, f"w{number}", body) for number in range(10)]
            )
            waiting.start()
            is_open.set()
            waiting.join(60)
            assert batch.stats.batched == 10
        assert sum(len(tar.entries) for tar in s3_server.tars()) == taken + 10


class FullDisk:
    """`os.pwrite` on a disk that is full, after *number* writes."""

    def __init__(self, number: int) -> None:
        self.left = number
        self._pwrite = os.pwrite

    def __call__(self, descriptor: int, data: Any, offset: int) -> int:
        self.left -= 1
        if self.left >= 0:
            return self._pwrite(descriptor, data, offset)
        if self.left == -1:  # some of it fits
            return self._pwrite(descriptor, data[: len(data) // 2], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("ack", ["spool", "memory"])
def test_a_full_disk_acknowledges_nothing(
    s3_server: MemoryS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ack: str
) -> None:
    with s3_server.client() as client:
        batch = batch_at(tmp_path, ack=ack).__enter__()
        put(client, "a")
        batch.engine.newest("raw/a")  # with ack="memory": waits until it is written
        with monkeypatch.context() as patch:
            patch.setattr(spool.os, "pwrite", FullDisk(0))
            if ack == "spool":
                with pytest.raises(SpoolError, match="the disk is full"):
                    put(client, "b")
            else:
                put(client, "b")
                with pytest.raises(SpoolError, match="the disk is full"):
                    batch.flush()
        put(client, "c")
        batch.flush()
        assert batch.stats.failed_writes == 1
        assert read(client, "a") == read(client, "c") == b"abc"
        batch.__exit__()
        keys = [entry.key for tar in s3_server.tars() for entry in tar.entries]
        assert keys == ["raw/a", "raw/c"]


def test_a_spool_is_of_one_process(s3_server: MemoryS3, tmp_path: Path) -> None:
    with s3_server.client() as client:
        with batch_at(tmp_path):
            with pytest.raises(SpoolLockedError, match="another process"):
                batch_at(tmp_path).__enter__()
            with pytest.raises(SpoolLockedError):
                recover(client, tmp_path / "spool")
        other = batch_puts("s3://events/x/*", "s3://events/other/", spool_dir=tmp_path / "spool")
        with pytest.raises(SpoolError, match="give another spool_dir"):
            other.__enter__()
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "spool").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_torn_end_is_cut_and_a_spoilt_middle_is_set_aside(
    s3_server: MemoryS3, tmp_path: Path
) -> None:
    """Whatever the last bytes are, what came before them is uploaded."""
    for cut in (0, 1, 300, 511, 600, 1300, 1600):
        folder = tmp_path / str(cut)
        with s3_server.client(**QUICK) as client:
            interrupted(folder, s3_server, client, ["a", "b"])
            [path] = (folder / "spool").glob("*.tar")
            whole = path.read_bytes()
            [first, second] = entries_of(whole)
            path.write_bytes(whole[: second.offset - 1536 + cut])
            recover(client, folder / "spool")
            [tar] = [each for each in s3_server.tars() if each.batch == path.stem]
            assert [entry.key for entry in tar.entries] == ["raw/a"]
    with s3_server.client(**QUICK) as client:
        interrupted(tmp_path / "spoilt", s3_server, client, ["a", "b", "c"])
        [path] = (tmp_path / "spoilt" / "spool").glob("*.tar")
        whole = path.read_bytes()
        at = entries_of(whole)[1].offset
        path.write_bytes(whole[:at] + b"X" + whole[at + 1 :])
        recover(client, tmp_path / "spoilt" / "spool")
        [tar] = [each for each in s3_server.tars() if each.batch == path.stem]
        assert [entry.key for entry in tar.entries] == ["raw/a"]
        assert path.with_name(f"{path.name}.damaged").read_bytes()[at : at + 1] == b"X"
    assert first.key == "raw/a"


def interrupted(folder: Path, server: MemoryS3, client: Any, keys: list[str]) -> None:
    """A spool with *keys* in it, in one batch."""
    server.fault = failing(10**6, is_tar, FAULTS["500"])

    def block() -> None:
        with batch_at(folder):
            for key in keys:
                put(client, key)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block()
    for thread in threading.enumerate():
        if thread.name == "batch upload":  # is not waited for, and ends with its attempt
            thread.join()
    server.fault = lambda request: None


def test_the_system_tar_reads_a_batch(s3_server: MemoryS3, tmp_path: Path) -> None:
    """`tar tf` lists the keys, without a word of warning, and what it extracts is what was put."""
    bodies = {"a.json": b"{}", "deep/er/b": bytes(5000), "ü" * 90: b"u", "x" * 250: b"long"}
    with s3_server.client() as client, batch_at(tmp_path):
        for key, body in bodies.items():
            client.put_object(
                Bucket="events", Key=f"raw/{key}", Body=body, ContentType="a/b", Metadata={"m": "v"}
            )
        client.delete_object(Bucket="events", Key="raw/none")
    names = s3_server.keys()
    [name] = [key for key in names if key.endswith(".tar")]
    path = tmp_path / "batch.tar"
    path.write_bytes(s3_server.content(name))
    ran = run_tar("--quoting-style=literal", "-tf", str(path))
    assert ran.stdout.decode().splitlines() == [f"raw/{key}" for key in bodies]
    run_tar("-xf", str(path), "-C", str(tmp_path))
    for key, body in bodies.items():
        assert (tmp_path / "raw" / key).read_bytes() == body


def run_tar(*arguments: str) -> Any:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    ran = subprocess.run(["tar", *arguments], capture_output=True, check=True, env=environment)
    assert ran.stderr == b""
    return ran


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_leaves_the_spool_alone(s3_server: MemoryS3, tmp_path: Path) -> None:
    with s3_server.client() as client, batch_at(tmp_path) as batch:
        put(client, "a")
        context = multiprocessing.get_context("fork")
        told = context.SimpleQueue()

        def child() -> None:
            for call in (lambda: put(client, "b"), lambda: read(client, "a"), batch.flush):
                try:
                    call()
                    told.put("done")
                except WriterClosed as error:
                    told.put(str(error))

        process = context.Process(target=child)
        process.start()
        answers = [told.get() for _ in range(3)]
        process.join(30)
        assert process.exitcode == 0
        assert all("a child of the one that has the spool" in answer for answer in answers)
        put(client, "c")
        assert read(client, "a") == b"abc"
    keys = [entry.key for tar in s3_server.tars() for entry in tar.entries]
    assert keys == ["raw/a", "raw/c"]


EXITS = """
import json, sys
from boto_accel.batch import batch_puts
from tests.servers.clients import make_client
settings = json.loads(sys.argv[1])
batch = batch_puts("s3://events/raw/*", "s3://events/batches/", spool_dir=settings["spool"],
                   max_delay=3600.0).install()
client = make_client("sync", "s3", endpoint_url=settings["endpoint_url"],
                     s3={"addressing_style": "path"}).__enter__()
client.put_object(Bucket="events", Key="raw/a", Body=b"abc")
{end}
"""


@pytest.mark.parametrize(
    ("end", "is_uploaded"),
    [("", True), ("sys.exit(3)", True), ("import os; os.kill(os.getpid(), 15)", False)],
)
def test_the_end_of_the_interpreter_uploads(
    s3_server: MemoryS3, tmp_path: Path, end: str, is_uploaded: bool
) -> None:
    """An installed batch; SIGTERM ends it at once, and leaves a spool to recover."""
    settings = {"spool": str(tmp_path / "spool"), "endpoint_url": s3_server.endpoint_url}
    code = EXITS.replace("{end}", end)
    subprocess.run([sys.executable, "-c", code, json.dumps(settings)], timeout=120, check=False)
    assert len(list(s3_server.tars())) == is_uploaded
    with s3_server.client() as client:
        recover(client, tmp_path / "spool")
        with BatchReader(client, "s3://events/batches/") as reader:
            assert reader.get("raw/a") == b"abc"


def test_a_spoilt_catalogue_is_made_anew(s3_server: MemoryS3, tmp_path: Path) -> None:
    """It is a copy of what is in S3."""
    with s3_server.client() as client:
        with batch_at(tmp_path):
            put(client, "a")
        for data in (b"", b"not SQLite at all" * 1000):
            (tmp_path / "spool" / "catalogue.sqlite").write_bytes(data)
            with batch_at(tmp_path):
                assert read(client, "a") == b"abc"


@pytest.mark.parametrize("held", [[], ["lost+found"], ["lock", "spool.json"], ["mine"]])
def test_a_folder_that_others_use_is_no_spool(tmp_path: Path, held: list[str]) -> None:
    """It would be closed for them. One that was made for it is, whatever its mode."""
    folder = tmp_path / "spool"
    folder.mkdir()
    folder.chmod(0o755)
    if "spool.json" in held:
        with batch_at(tmp_path):
            pass
        folder.chmod(0o755)
    for name in held:
        (folder / name).touch()
    if held == ["mine"]:
        with pytest.raises(SpoolError, match="other files"), batch_at(tmp_path):
            pass
        assert folder.stat().st_mode & 0o777 == 0o755
        assert os.listdir(folder) == held
    else:
        with batch_at(tmp_path):
            assert folder.stat().st_mode & 0o777 == 0o700


def made_database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for each in statements:
            connection.execute(each)


def made_catalogue(path: Path, place: str, version: int) -> None:
    Catalogue(path, place).close()
    made_database(path, f"PRAGMA user_version = {version}")


TABLE, PLACE = "CREATE TABLE mine (x)", "s3://events/batches/"
NO_CATALOGUES: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "text": (lambda path: path.write_text("mine"), InvalidOptionError),
    "database": (lambda path: made_database(path, TABLE), InvalidOptionError),
    "spoilt": (
        lambda path: (made_database(path, TABLE), path.write_bytes(path.read_bytes()[:5000])),
        InvalidOptionError,
    ),
    "id": (lambda path: made_database(path, "PRAGMA application_id = 7"), InvalidOptionError),
    "version": (lambda path: made_database(path, "PRAGMA user_version = 7"), SpoolError),
    "later": (lambda path: made_catalogue(path, PLACE, 2), SpoolError),
    "another": (lambda path: made_catalogue(path, "s3://other/", 1), SpoolError),
}


@pytest.mark.parametrize("kind", NO_CATALOGUES)
def test_a_file_of_something_else_is_no_catalogue(
    s3_server: MemoryS3, tmp_path: Path, kind: str
) -> None:
    """It is left as it is, its mode as well, and nothing is put beside it."""
    path = tmp_path / kind
    make, error = NO_CATALOGUES[kind]
    make(path)
    path.chmod(0o644)
    held = path.read_bytes()
    with s3_server.client() as client, pytest.raises(error, match=kind):
        BatchReader(client, PLACE, catalogue=path)
    assert path.read_bytes() == held
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_catalogue_is_for_its_owner(s3_server: MemoryS3, tmp_path: Path) -> None:
    """As is what SQLite keeps beside it. What its owner may do with it stays as it was."""
    path = tmp_path / "catalogue"
    path.touch(0o644)
    with s3_server.client() as client:
        for _ in range(2):
            path.chmod(0o755)
            with BatchReader(client, PLACE, catalogue=path) as reader:
                reader.refresh()
                modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
                assert modes == dict.fromkeys((path.name, "catalogue-wal", "catalogue-shm"), 0o700)


def test_a_spoilt_catalogue_that_the_user_named_is_made_anew(
    s3_server: MemoryS3, tmp_path: Path
) -> None:
    """Whatever is wrong with it: also where SQLite says so in the words of a wrong statement."""
    path = tmp_path / "catalogue"
    with batch_at(tmp_path), s3_server.client() as client:
        put(client, "a")
    spoil: tuple[Callable[[], object], ...] = (
        lambda: os.truncate(path, 5000),
        lambda: made_database(path, "DROP TABLE newest"),
        lambda: path.write_bytes(b""),
    )
    with s3_server.client() as client:
        for each in (lambda: None, *spoil):
            each()
            with BatchReader(client, PLACE, catalogue=path) as reader:
                assert reader.get("raw/a") == b"abc"


def test_a_catalogue_that_is_another_files_too_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalogue"
    path.touch()
    (tmp_path / "other").hardlink_to(path)
    with pytest.raises(SpoolError, match="hard link"):
        Catalogue(path, PLACE)


def test_a_catalogue_that_others_open_at_the_same_time_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not wait by itself where the journal mode of a new file is changed."""
    path = tmp_path / "catalogue"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr("boto_accel._sqlite.sleep", lambda _: other.execute("COMMIT"))
        Catalogue(path, PLACE).close()
        assert not other.in_transaction


def test_a_spoilt_object_is_an_error_and_no_answer(s3_server: MemoryS3, tmp_path: Path) -> None:
    with s3_server.client() as client:
        with batch_at(tmp_path):
            place = put(client, "a", b"abc")["BatchLocation"]
        data = s3_server.content(place["Key"])
        wrong = data.replace(b"abc", b"abX")
        client.put_object(Bucket="events", Key=place["Key"], Body=wrong)
        reader = BatchReader(client, "s3://events/batches/")
        with reader, pytest.raises(DamagedBatchError, match="MD5"):
            reader.get("raw/a")
