"""What S3 does not have: times to live, eviction, and what becomes of readers and of clients."""

from __future__ import annotations

import asyncio
import datetime
import gc
import io
import os
import stat
import subprocess
import sys
import time
import tracemalloc
import warnings
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ResponseStreamingError
from botocore.stub import Stubber
from redis import Redis, RedisCluster

from boto_accel import accelerate, botocache_context, redis_s3
from boto_accel.redis_store import wires
from boto_accel.redis_store.state import state_of
from tests.fastpath.callers import Caller, open_caller
from tests.redis_store.test_failures import on_redis
from tests.servers.clients import make_client
from tests.servers.valkey import Valkey

MIB = 1024 * 1024
NAME = "boto-accel:s3:1:{one/0}"


@pytest.fixture
def redis(valkey: Valkey) -> Any:
    with Redis(port=valkey.port) as client:
        yield client


def keys_of(s3: Caller) -> list[str]:
    return [each["Key"] for each in s3("list_objects_v2", Bucket="one").get("Contents", ())]


# Times to live -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 9 * MIB], ids=["in the record", "in pieces"])
@pytest.mark.parametrize(
    ("default", "more", "low", "high"),
    [
        (None, {}, None, None),
        (100, {}, 90, 100),
        (100, {"Metadata": {"TTL": "50"}}, 40, 50),
        (None, {"Metadata": {"ttl": "later"}}, None, None),
        (None, {"Expires": 70}, 60, 70),
        (None, {"Expires": -70}, None, None),  # past: a header for caches, and no more
    ],
)
def test_time_to_live(
    valkey: Valkey, redis: Any, size: int, default: Any, more: dict[str, Any], low: Any, high: Any
) -> None:
    if "Expires" in more:
        now = datetime.datetime.now(datetime.timezone.utc)
        more = {"Expires": now + datetime.timedelta(seconds=more["Expires"])}
    with (
        redis_s3(default_ttl=default),
        open_caller("sync", endpoint_url=valkey.url) as s3,
    ):
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="k", Body=bytes(size), **more)
        s3("copy_object", Bucket="one", Key="copy", CopySource="one/k")
        upload = {"Bucket": "one", "Key": "parts"}
        upload["UploadId"] = s3("create_multipart_upload", **upload, **more)["UploadId"]
        etag = s3("upload_part", **upload, PartNumber=1, Body=bytes(size))["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        s3("complete_multipart_upload", **upload, MultipartUpload=parts)
    for key in redis.scan_iter(f"{NAME}[od]:*"):
        left = redis.ttl(key)
        assert (left == -1) if low is None else (low <= left <= high), key


def test_what_has_ended_is_absent_everywhere(valkey: Valkey, redis: Any, flavour: str) -> None:
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        for key in ("a", "b/1", "b/2", "c"):
            s3("put_object", Bucket="one", Key=key, Body=b"x")
        for key in ("a", "b/1", "b/2"):
            redis.delete(f"{NAME}o:{key}")  # as Redis does when it expires or evicts it
        assert keys_of(s3) == ["c"]
        assert "CommonPrefixes" not in s3("list_objects_v2", Bucket="one", Delimiter="/")
        assert redis.zrange(f"{NAME}i", 0, -1) == [b"c"]  # swept on the way
        with pytest.raises(s3.client.exceptions.NoSuchKey):
            s3("get_object", Bucket="one", Key="a")
        redis.delete(f"{NAME}o:c")
        s3("delete_bucket", Bucket="one")


def test_a_piece_that_is_evicted_takes_the_object_with_it(
    valkey: Valkey, redis: Any, flavour: str
) -> None:
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        for method in ("get_object", "head_object"):
            s3("put_object", Bucket="one", Key="k", Body=bytes(13 * MIB))
            middle = sorted(redis.scan_iter(f"{NAME}d:*:2"))
            assert redis.delete(*middle) == 1
            with pytest.raises(Exception, match=r"NoSuchKey|404"):
                s3(method, Bucket="one", Key="k")
            assert keys_of(s3) == []
            assert list(redis.scan_iter(f"{NAME}d:*")) == []


def test_a_part_that_is_evicted_is_named(valkey: Valkey, redis: Any, flavour: str) -> None:
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        upload = {"Bucket": "one", "Key": "k"}
        upload["UploadId"] = s3("create_multipart_upload", **upload)["UploadId"]
        parts = []
        for number in (1, 2):
            etag = s3("upload_part", **upload, PartNumber=number, Body=bytes(6 * MIB))["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
            if number == 1:
                kept = set(redis.scan_iter(f"{NAME}d:*"))
        assert redis.delete(min(set(redis.scan_iter(f"{NAME}d:*")) - kept)) == 1
        with pytest.raises(ClientError) as caught:
            s3("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
        error = caught.value.response["Error"]
        assert (error["Code"], error["PartNumber"]) == ("InvalidPart", "2")


def test_an_index_that_is_evicted_comes_back_with_the_next_put(
    valkey: Valkey, redis: Any, flavour: str
) -> None:
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="k", Body=b"x")
        redis.delete(f"{NAME}i", f"{NAME}s")
        assert keys_of(s3) == []
        assert s3.body(Bucket="one", Key="k") == b"x"
        s3("put_object", Bucket="one", Key="k", Body=b"y")
        assert keys_of(s3) == ["k"]


# Readers and writers -------------------------------------------------------------------------


def test_a_reader_has_its_version_to_the_end(valkey: Valkey, redis: Any, flavour: str) -> None:
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        for _ in range(2):
            s3("put_object", Bucket="one", Key="k", Body=b"1" * (9 * MIB))
            body = s3("get_object", Bucket="one", Key="k")["Body"]
            first = s3.run(body.read(10))
            s3("put_object", Bucket="one", Key="k", Body=b"2" * (9 * MIB))
            s3("delete_object", Bucket="one", Key="k")
            rest = b""
            while piece := s3.run(body.read(MIB)):
                rest += piece
            assert first + rest == b"1" * (9 * MIB)
        assert all(0 < redis.ttl(key) <= 600 for key in redis.scan_iter(f"{NAME}d:*"))


def test_a_reader_that_comes_too_late_gets_an_error(
    valkey: Valkey, redis: Any, flavour: str
) -> None:
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="k", Body=b"1" * (9 * MIB))
        body = s3("get_object", Bucket="one", Key="k")["Body"]
        s3("put_object", Bucket="one", Key="k", Body=b"2")
        redis.delete(*redis.scan_iter(f"{NAME}d:*"))
        with pytest.raises(ResponseStreamingError):
            s3.run(body.read())


class Endless(io.RawIOBase):
    """*size* bytes that are never all in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, amount: int = -1) -> bytes:
        piece = bytes(min(self.left, amount))
        self.left -= len(piece)
        return piece


def test_long_bodies_go_through_little_memory(valkey: Valkey, flavour: str) -> None:
    """A body of unknown length, that cannot seek; and back again."""
    size = 64 * MIB
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        tracemalloc.start()
        try:
            s3("put_object", Bucket="one", Key="k", Body=Endless(size))
            s3("copy_object", Bucket="one", Key="copy", CopySource="one/k")
            body = s3("get_object", Bucket="one", Key="copy")["Body"]
            got = 0
            while piece := s3.run(body.read(MIB)):
                got += len(piece)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert got == size
        assert most < 30 * MIB


@pytest.mark.aiobotocore
def test_a_body_that_is_read_with_await(valkey: Valkey) -> None:
    class Body:
        def __init__(self) -> None:
            self.pieces = [b"a" * 10, b"b" * (5 * MIB), b"c"]

        async def read(self, amount: int = -1) -> bytes:
            await asyncio.sleep(0)
            if not self.pieces:
                return b""
            piece = self.pieces.pop(0)
            if len(piece) > amount:
                self.pieces.insert(0, piece[amount:])
            return piece[:amount]

    with on_redis("async", valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="k", Body=Body())
        assert s3.body(Bucket="one", Key="k") == b"a" * 10 + b"b" * (5 * MIB) + b"c"


# Clients -------------------------------------------------------------------------------------


def connections(redis: Any) -> int:
    return len(redis.client_list())


def test_connections_are_bounded_and_close_with_their_client(
    valkey: Valkey, redis: Any, flavour: str
) -> None:
    before = connections(redis)
    with redis_s3(), open_caller(flavour, endpoint_url=valkey.url, max_pool_connections=3) as s3:
        s3("create_bucket", Bucket="one")
        if s3.loop is not None:
            s3.loop.run_until_complete(_puts(s3.client, 50))
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(12) as pool:
                list(pool.map(lambda n: s3("put_object", Bucket="one", Key=str(n)), range(50)))
        assert len(keys_of(s3)) == 50
        assert before < connections(redis) <= before + 3
    while connections(redis) > before:
        time.sleep(0.01)  # the server has yet to see that they are closed


def test_a_refusal_keeps_no_connection(valkey: Valkey) -> None:
    """Not until the collector comes: what is raised is in no cycle with who has raised it."""
    with redis_s3(), disabled_collector():
        with make_client("sync", "s3", endpoint_url=valkey.url) as s3:
            s3.create_bucket(Bucket="one")
            with pytest.raises(ClientError):
                s3.get_object(Bucket="one", Key="none")
            link = weakref.ref(state_of(s3).link(s3))
        assert link() is None


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """Nor is anything else to complain of, when the collector has come."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(each.message) for each in seen] == []


@contextmanager
def disabled_collector() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.aiobotocore
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("kind", ["valkey", "cluster"])
def test_what_is_in_use_is_closed_after_its_client(
    request: pytest.FixtureRequest, kind: str, together: bool, frozen_heap: None
) -> None:
    """Such as the commands of tasks that were cancelled, whose answers come later."""
    waiting = ("BLPOP", "later", 0)
    server = request.getfixturevalue(kind)
    url = server.url if kind == "valkey" else server
    redis = (Redis if kind == "valkey" else RedisCluster).from_url(url.replace("+cluster", ""))

    async def run() -> None:
        async with make_client("async", "s3", endpoint_url=url) as client:
            await client.list_buckets()
            link = state_of(client).link(client)
            asked = link.many([waiting]) if together else link.execute(*waiting)
            task = asyncio.ensure_future(asked)
            await asyncio.sleep(0)  # it has taken the connection
        redis.rpush("later", "x")
        await task

    with closing(redis), redis_s3(), nothing_left_open():
        asyncio.run(run())


@pytest.mark.aiobotocore
def test_a_call_that_is_cancelled_leaves_nothing_open(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch, frozen_heap: None
) -> None:
    """At whatever turn: while it looks at a connection that was idle, too."""
    monkeypatch.setattr(wires, "_FRESH_S", -1.0)

    async def run() -> None:
        async with make_client("async", "s3", endpoint_url=valkey.url) as client:
            link = state_of(client).link(client)
            for turns in range(1, 12):
                await link.execute("PING")
                await cancelled_after(turns, link.execute("PING"))

    with redis_s3(), nothing_left_open():
        asyncio.run(run())


@pytest.mark.aiobotocore
@pytest.mark.parametrize("kind", ["valkey", "cluster", "sentinel"])
def test_a_client_whose_closing_is_cancelled_leaves_nothing_open(
    request: pytest.FixtureRequest, kind: str, frozen_heap: None
) -> None:
    """At whatever turn; and the loop ends at once."""
    server = request.getfixturevalue(kind)
    url = server.url if kind == "valkey" else server

    async def run(turns: int) -> None:
        async with make_client("async", "s3", endpoint_url=url) as client:
            await asyncio.gather(*(client.list_buckets() for _ in range(3)))
            link = state_of(client).link(client)
            await cancelled_after(turns, link.close())

    with redis_s3(), nothing_left_open():
        for turns in range(12):
            asyncio.run(run(turns))


@pytest.mark.aiobotocore
@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
def test_a_closing_goes_on_where_who_waits_for_it_is_cancelled(
    request: pytest.FixtureRequest, kind: str, frozen_heap: None
) -> None:
    url = request.getfixturevalue(kind)

    async def run() -> None:
        async with make_client("async", "s3", endpoint_url=url) as client:
            await client.list_buckets()
            link = state_of(client).link(client)
            await cancelled_after(1, link.close())
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(others)
            assert not any(each.cancelled() or each.exception() for each in others)

    with redis_s3(), nothing_left_open():
        asyncio.run(run())


async def cancelled_after(turns: int, call: Coroutine[Any, Any, Any]) -> None:
    """*call*, cancelled after so many turns of the loop, unless it has ended by then."""
    task = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _puts(client: Any, number: int) -> None:
    calls = [client.put_object(Bucket="one", Key=str(each)) for each in range(number)]
    await asyncio.gather(*calls)


@pytest.mark.aiobotocore
def test_cancelled_calls_leave_the_others_whole(valkey: Valkey, redis: Any) -> None:
    """Answers go to those who asked, whoever has gone meanwhile."""

    async def run(client: Any) -> None:
        for key in range(60):
            await client.put_object(Bucket="one", Key=str(key), Body=str(key).encode() * 50)

        async def get(key: int) -> bool:
            answer = await client.get_object(Bucket="one", Key=str(key))
            return bool(await answer["Body"].read() == str(key).encode() * 50)

        for turn in range(30):
            tasks = [asyncio.ensure_future(get(key)) for key in range(60)]
            for _ in range(turn % 7):
                await asyncio.sleep(0)
            for task in tasks[turn % 5 :: 3]:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(each is True for each in found if not isinstance(each, BaseException))
            assert all(
                isinstance(each, asyncio.CancelledError)
                for each in found
                if isinstance(each, BaseException)
            )

    with redis_s3(), open_caller("async", endpoint_url=valkey.url, max_pool_connections=4) as s3:
        s3("create_bucket", Bucket="one")
        assert s3.loop is not None
        s3.loop.run_until_complete(run(s3.client))
        assert connections(redis) <= 6


def test_a_child_uses_connections_of_its_own(valkey: Valkey) -> None:
    with redis_s3(), open_caller("sync", endpoint_url=valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="k", Body=b"parent")
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                s3("put_object", Bucket="one", Key="child", Body=b"child")
                ok = s3.body(Bucket="one", Key="k") == b"parent"
                os.write(writing, b"y" if ok else b"n")
                status = 0
            finally:
                os._exit(status)
        assert os.read(reading, 1) == b"y"
        os.waitpid(child, 0)
        assert s3.body(Bucket="one", Key="child") == b"child"
        os.close(reading)
        os.close(writing)


def test_handlers_of_the_user_are_run(valkey: Valkey, flavour: str) -> None:
    seen = []

    def params(params: Any, **_: Any) -> None:
        params["Key"] = "changed"

    def after(parsed: Any, http_response: Any, **_: Any) -> None:
        seen.append((http_response.status_code, parsed["ETag"]))

    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        events = s3.client.meta.events
        events.register("provide-client-params.s3.PutObject", params)
        events.register("after-call.s3.PutObject", after)
        answer = s3("put_object", Bucket="one", Key="k", Body=b"x")
        events.unregister("provide-client-params.s3.PutObject", params)
        assert seen == [(200, answer["ETag"])]
        assert keys_of(s3) == ["changed"]


def test_botocores_stubber_answers_first(valkey: Valkey) -> None:
    with on_redis("sync", valkey.url) as s3, Stubber(s3.client) as stub:
        stub.add_response("list_buckets", {"Buckets": []})
        stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
        assert s3("list_buckets")["Buckets"] == []
        with pytest.raises(s3.client.exceptions.NoSuchKey):
            s3("get_object", Bucket="b", Key="k")


@pytest.mark.parametrize("outer", [accelerate, botocache_context], ids=["accelerate", "cache"])
def test_it_works_with_the_other_patches(
    valkey: Valkey, flavour: str, outer: Callable[..., Any], tmp_path: Any
) -> None:
    options = {"cache": "memory://"} if outer is botocache_context else {}
    with redis_s3(), outer(**options), open_caller(flavour, endpoint_url=valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="k", Body=b"1")
        assert s3.body(Bucket="one", Key="k") == b"1"
        s3("put_object", Bucket="one", Key="k", Body=b"2")
        assert s3.body(Bucket="one", Key="k") == b"2"


# Libraries -----------------------------------------------------------------------------------


def test_resources_and_transfers(valkey: Valkey, tmp_path: Any) -> None:
    data = os.urandom(20 * MIB)
    (tmp_path / "in").write_bytes(data)
    s3 = boto3.session.Session().resource(
        "s3", endpoint_url=valkey.url, region_name="us-east-1", aws_access_key_id="x",
        aws_secret_access_key="x",
    )  # fmt: skip
    with redis_s3():
        bucket = s3.create_bucket(Bucket="one")
        bucket.upload_file(str(tmp_path / "in"), "big", ExtraArgs={"Metadata": {"a": "b"}})
        bucket.download_file("big", str(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == data
        bucket.copy({"Bucket": "one", "Key": "big"}, "copy")
        held = io.BytesIO()
        s3.Object("one", "copy").download_fileobj(held)
        assert held.getvalue() == data
        assert s3.Object("one", "big").metadata == {"a": "b"}
        assert sorted(each.key for each in bucket.objects.all()) == ["big", "copy"]
        bucket.objects.filter(Prefix="c").delete()
        assert [each.key for each in bucket.objects.all()] == ["big"]
        bucket.objects.all().delete()
        bucket.delete()
        bucket.wait_until_not_exists()
    s3.meta.client.close()


@pytest.mark.aiobotocore
def test_s3fs(valkey: Valkey) -> None:
    import s3fs

    data = os.urandom(12 * MIB)
    with redis_s3():
        files = s3fs.S3FileSystem(
            key="x",
            secret="x",
            client_kwargs={"endpoint_url": valkey.url},
            skip_instance_cache=True,
        )
        files.mkdir("one")
        with files.open("one/dir/big", "wb") as file:
            file.write(data)
        files.pipe("one/dir/small", b"small")
        files.copy("one/dir/small", "one/copy")
        assert files.cat("one/dir/big") == data
        assert sorted(files.find("one")) == ["one/copy", "one/dir/big", "one/dir/small"]
        assert files.ls("one/dir", detail=False) == ["one/dir/big", "one/dir/small"]
        with files.open("one/dir/big") as file:
            file.seek(5 * MIB)
            assert file.read(10) == data[5 * MIB : 5 * MIB + 10]
        files.rm("one", recursive=True)
        assert not files.exists("one/copy")


EMBEDDED = """
import sys, boto3
from boto_accel import redis_s3
s3 = boto3.client('s3', endpoint_url='redis+embedded://local' + sys.argv[1],
                  region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='x')
with redis_s3():
    s3.create_bucket(Bucket='one')
    print(s3.list_objects_v2(Bucket='one')['KeyCount'], flush=True)
    s3.put_object(Bucket='one', Key='k', Body=b'x')
sys.stdin.readline()
"""


def test_an_embedded_server_keeps_what_is_in_its_folder(tmp_path: Path, program: Path) -> None:
    """Each process has a server of its own; the next one finds what the last has saved."""
    command = [sys.executable, "-c", EMBEDDED, str(tmp_path)]
    for wanted in ("0\n", "1\n"):
        done = subprocess.run(command, input="\n", capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode) == (wanted, 0), done.stderr
    assert (tmp_path / "valkey" / "dump.rdb").exists()
    assert stat.S_IMODE((tmp_path / "valkey").stat().st_mode) == 0o700


def test_a_folder_is_of_one_process_at_a_time(tmp_path: Path, program: Path) -> None:
    """Else the one that ends last would write over what the other has kept."""
    command = [sys.executable, "-c", EMBEDDED, str(tmp_path)]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "0\n"
        second = subprocess.run(command, input="\n", capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "InvalidOptionError" in second.stderr
        assert "no other process" in second.stderr
        first.communicate("\n")
    third = subprocess.run(command, input="\n", capture_output=True, text=True, check=False)
    assert (third.stdout, third.returncode) == ("1\n", 0), third.stderr
