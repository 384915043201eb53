"""`S3BatchPutClient`, options, and the commands of `boto-accel batch`."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from boto_accel.batch import BatchObjectRef, S3BatchPutClient, batch_puts
from boto_accel.batch.errors import NameTooLong, WriterClosed
from boto_accel.errors import InvalidOptionError
from tests.batch.memory import MemoryS3
from tests.cli.test_cli import run


def client_at(client: Any, folder: Path, **options: Any) -> S3BatchPutClient:
    given = {"bucket": "events", "key_prefix": "batches/", "batch_duration": 3600.0, **options}
    return S3BatchPutClient(client, spool_dir=folder / "spool", **given)


def test_threads_and_tasks_coalesce_into_one_batch(s3_server: MemoryS3, tmp_path: Path) -> None:
    found: list[BatchObjectRef] = []
    with s3_server.client() as client, client_at(client, tmp_path) as batch:

        def work(thread: int) -> None:
            for number in range(20):
                name = f"{thread}/{number}"
                found.append(batch.put_object(name, name.encode()))

        async def tasks() -> None:
            names = [f"task/{number}" for number in range(50)]
            found.extend(await asyncio.gather(*(batch.aput_object(n, n.encode()) for n in names)))
            await batch.aflush()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(tasks())
        assert batch.savings().saved_requests == 130 - 2
    [tar] = s3_server.tars()
    assert {each.batch_id for each in found} == {tar.batch}
    contents = {
        s3_server.content(each.key)[each.offset_bytes :][: each.size_bytes] for each in found
    }
    assert contents == {entry.key.encode() for entry in tar.entries}
    assert len(found) == len(tar.entries) == 130


def test_what_it_refuses(s3_server: MemoryS3, tmp_path: Path) -> None:
    with s3_server.client() as client:
        batch = client_at(client, tmp_path)
        with pytest.raises(NameTooLong, match="1,025"):
            batch.put_object("x" * 1025, b"")
        assert batch.put_object("x" * 1024, b"").size_bytes == 0
        for name, body in (("../x", b""), ("a/", b""), ("a", "text"), (5, b"")):
            with pytest.raises(InvalidOptionError):
                batch.put_object(name, body)  # type: ignore[arg-type]
        batch.close()
        with pytest.raises(WriterClosed):
            batch.put_object("a", b"")
        batch.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_bytes", 10),
        ("max_count", 0),
        ("max_delay", -1),
        ("max_delay", "5"),
        ("ack", "disk"),
        ("on_full", "drop"),
        ("spool_dir", ""),
        ("spool_max_bytes", 2**20),
        ("max_object_bytes", 2**40),
        ("storage_class", 3),
        ("upload_args", {"Body": b""}),
        ("client", "s3"),
        ("match", "s3://events/raw/"),
        ("refresh_after", -1),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, option: str, value: Any) -> None:
    options = {"match": "s3://events/raw/*", "spool_dir": tmp_path / "spool", option: value}
    with pytest.raises(InvalidOptionError, match=f"^{option}="):
        batch_puts(into="s3://events/batches/", **options)
    assert not (tmp_path / "spool").exists()


def command(server: MemoryS3, *arguments: str, status: int = 0) -> Any:
    ended = run("batch", *arguments, "--endpoint", server.endpoint_url, "--region", "us-east-1")
    assert ended.returncode == status, ended.stderr
    return ended


def test_the_commands(s3_server: MemoryS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, on the same batches."""
    pytest.importorskip("click")
    pytest.importorskip("rich")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    where, spool = "s3://events/batches/", str(tmp_path / "spool")
    with s3_server.client() as client:
        for number in range(3):
            with client_at(client, tmp_path) as batch:
                batch.put_object("deep/a", b"%d" % number)
                batch.put_object(f"b{number}", b"b")

        def block() -> None:
            with client_at(client, tmp_path) as batch:
                batch.put_object("c", b"c")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            block()
    ended = command(s3_server, "recover", spool, "--json")
    assert json.loads(ended.stdout)["recovered"] in (0, 1)  # it may have been uploaded just before
    ended = command(s3_server, "ls", where, "--json")
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [row["key"] for row in rows] == ["b0", "b1", "b2", "c", "deep/a"]
    assert len(command(s3_server, "ls", where, "--batches").stdout.splitlines()) == 4
    assert command(s3_server, "cat", where, "deep/a").stdout == "2"
    assert "NoSuchKey" in command(s3_server, "cat", where, "none", status=1).stderr
    ended = command(s3_server, "savings", where, "--json")
    assert json.loads(ended.stdout)["saved_requests"] == 7 - 8
    ended = command(s3_server, "compact", where, "--json")
    assert json.loads(ended.stdout) == {"joined": 4, "made": 1, "dropped": 2}
    [tar] = s3_server.tars()
    assert s3_server.indexes() == {tar.batch: tar}
    with s3_server.client() as client:
        keys = s3_server.keys()
        for key in [each for each in keys if "/index/" in each]:
            client.delete_object(Bucket="events", Key=key)
    ended = command(s3_server, "reindex", where)
    assert ended.stdout == "1 indexes made\n"
    command(s3_server, "extract", "s3://nowhere/batches/", str(tmp_path / "none"), status=1)
    assert not (tmp_path / "none").exists()
    ended = command(s3_server, "extract", where, str(tmp_path / "out"))
    assert (tmp_path / "out" / "deep" / "a").read_bytes() == b"2"
    assert "hush" not in ended.stdout + ended.stderr


def test_nothing_is_written_outside(s3_server: MemoryS3, tmp_path: Path) -> None:
    """A tar with hostile names, and a link in the way."""
    from boto_accel.batch import BatchReader
    from boto_accel.batch.index import Entry, Index, encode
    from boto_accel.batch.maintenance import extract

    with s3_server.client() as client:
        with client_at(client, tmp_path) as batch:
            batch.put_object("link/a", b"a")
        [tar] = s3_server.tars()
        for number, key in enumerate(("../up", "/abs", "a/../../up")):
            evil = [Entry(key, 1, 0, tar.entries[0].offset, 1, tar.entries[0].etag)]
            name = f"20260101T000000.00000{number}Z-evil"
            body = encode(Index(name, "events", 1, evil))
            at = f"batches/index/20990101T000000Z~{name}.idx.gz"
            client.put_object(Bucket="events", Key=at, Body=body)
        out = tmp_path / "out"
        out.mkdir()
        (out / "link").symlink_to(tmp_path)
        with BatchReader(client, "s3://events/batches/") as reader:
            problems = extract(reader, out)
    assert len(problems) == 4
    assert sorted(each.name for each in out.iterdir()) == ["link"]
    assert not (tmp_path / "up").exists()
    assert not (tmp_path / "a").exists()
