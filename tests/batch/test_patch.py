"""
The patch against moto's server, sync and async: one body, run in both worlds.

What a call answers under the patch is compared with what S3 answers for a plain object, where there
is such a thing.
"""

from __future__ import annotations

import asyncio
import datetime
import inspect
import io
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from boto_accel import _hook, accelerate, botocache_context
from boto_accel.batch import BatchPatch, BatchReader, batch_puts
from boto_accel.batch.errors import BatchedObjectError
from tests.servers.clients import make_client
from tests.servers.moto_server import MotoServer

OPTIONS = {"s3": {"addressing_style": "path"}}


class S3:
    """A client of either world; every method is awaited."""

    def __init__(self, client: Any, is_async: bool) -> None:
        self.client = client
        self.is_async = is_async

    async def call(self, method: str, **params: Any) -> Any:
        bound = getattr(self.client, method)
        if self.is_async:
            return await bound(**params)
        return await asyncio.to_thread(bound, **params)

    async def read(self, key: str, **params: Any) -> bytes:
        reply = await self.call("get_object", Bucket="events", Key=key, **params)
        data = reply["Body"].read()
        return await data if inspect.isawaitable(data) else data

    async def error(self, method: str, **params: Any) -> Any:
        with pytest.raises(ClientError) as caught:
            await self.call(method, **params)
        return caught.value

    async def keys(self, **params: Any) -> list[str]:
        found = []
        paginator = self.client.get_paginator("list_objects_v2")
        pages = paginator.paginate(Bucket="events", **params)
        if self.is_async:
            found = [each["Key"] async for page in pages for each in page.get("Contents", ())]
        else:
            found = [each["Key"] for page in pages for each in page.get("Contents", ())]
        return found


@asynccontextmanager
async def open_s3(flavour: str, **options: Any) -> AsyncIterator[S3]:
    async with AsyncExitStack() as stack:
        made: Any = make_client(flavour, "s3", **{**options, **OPTIONS})
        is_async = flavour == "async"
        client = await stack.enter_async_context(made) if is_async else stack.enter_context(made)
        yield S3(client, is_async)


@pytest.fixture
async def s3(flavour: str, moto_server: MotoServer) -> AsyncIterator[S3]:
    async with open_s3(flavour, **moto_server.client_options) as found:
        await found.call("create_bucket", Bucket="events")
        yield found


def batch_at(folder: Path, **options: Any) -> BatchPatch:
    # No delay of its own: a test flushes where it wants to.
    given = {"spool_dir": folder / "spool", "max_delay": 3600.0, "refresh_after": 0.0, **options}
    return batch_puts("s3://events/raw/*", "s3://events/batches/", **given)


async def put(s3: S3, key: str, body: Any = b"{}", **params: Any) -> Any:
    return await s3.call("put_object", **{"Bucket": "events", "Key": key, "Body": body, **params})


async def test_an_object_is_there_before_and_after_the_upload(s3: S3, tmp_path: Path) -> None:
    async with batch_at(tmp_path) as batch:
        reply = await put(
            s3, "raw/a.json", b"abcdef", ContentType="text/plain", Metadata={"U": "v"}
        )
        place = reply["BatchLocation"]
        assert set(place) == {"Bucket", "Key", "Offset", "Size"}
        for _ in range(2):
            got = await s3.call("get_object", Bucket="events", Key="raw/a.json")
            assert await s3.read("raw/a.json") == b"abcdef"
            assert got["ContentType"] == "text/plain"
            assert got["Metadata"] == {"u": "v"}
            assert got["ETag"] == reply["ETag"]
            assert await s3.read("raw/a.json", Range="bytes=2-3") == b"cd"
            assert await s3.keys() == [k for k in await s3.keys() if k.startswith("batches/")] + [
                "raw/a.json"
            ]
            await batch.aflush()
        assert batch.stats.batches == 1
        # By the range that the put was told of, and without the patch.
    end = place["Offset"] + place["Size"] - 1
    found = await s3.call(
        "get_object",
        Bucket=place["Bucket"],
        Key=place["Key"],
        Range=f"bytes={place['Offset']}-{end}",
    )
    data = found["Body"].read()
    assert (await data if inspect.isawaitable(data) else data) == b"abcdef"
    assert (await s3.error("get_object", Bucket="events", Key="raw/a.json")).response["Error"][
        "Code"
    ] == "NoSuchKey"


READS: list[dict[str, Any]] = [
    {},
    {"Range": "bytes=0-0"},
    {"Range": "bytes=3-"},
    {"Range": "bytes=-2"},
    {"Range": "bytes=4-100"},
    {"Range": "bytes=6-"},
    {"IfMatch": '"e80b5017098950fc58aad83c8c14978e"'},
    {"IfMatch": '"0"'},
    {"IfNoneMatch": '"e80b5017098950fc58aad83c8c14978e"'},
    {"IfNoneMatch": '"0"'},
    {"IfModifiedSince": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)},
    {"IfModifiedSince": datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)},
    {"IfUnmodifiedSince": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)},
    {"IfUnmodifiedSince": datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)},
]
# Members that say the same of a plain object and of one in a batch.
SAME = ("ContentLength", "ETag", "ContentType", "Metadata", "ContentRange", "CacheControl")


@pytest.mark.parametrize("is_uploaded", [False, True])
async def test_reads_answer_as_for_a_plain_object(
    s3: S3, tmp_path: Path, is_uploaded: bool
) -> None:
    """Ranges, conditions and their refusals: codes, status and what the answer says."""
    given = {"ContentType": "text/x", "Metadata": {"a": "b"}, "CacheControl": "no-store"}
    await put(s3, "plain/k", b"abcdef", **given)
    async with batch_at(tmp_path) as batch:
        await put(s3, "raw/k", b"abcdef", **given)
        if is_uploaded:
            await batch.aflush()
        for method in ("get_object", "head_object"):
            for params in READS:
                wanted = await outcome(s3, method, "plain/k", params)
                assert await outcome(s3, method, "raw/k", params) == wanted, (method, params)


async def outcome(s3: S3, method: str, key: str, params: Any) -> Any:
    try:
        reply = await s3.call(method, Bucket="events", Key=key, **params)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return type(error).__name__, error.response["Error"]["Code"], status
    body = b""
    if method == "get_object":
        data = reply["Body"].read()
        body = await data if inspect.isawaitable(data) else data
    status = reply["ResponseMetadata"]["HTTPStatusCode"]
    return {name: reply[name] for name in SAME if name in reply}, status, body


async def test_the_body_is_of_the_class_that_the_client_gives(s3: S3, tmp_path: Path) -> None:
    await put(s3, "plain/k", b"abc")
    async with batch_at(tmp_path):
        await put(s3, "raw/k", b"abc")
        bodies = [
            (await s3.call("get_object", Bucket="events", Key=key))["Body"]
            for key in ("plain/k", "raw/k")
        ]
        # For a plain object it may be a subclass, which checks a checksum that S3 has sent.
        assert isinstance(bodies[0], type(bodies[1]))
        for body in bodies:
            data = body.read()
            assert (await data if inspect.isawaitable(data) else data) == b"abc"


async def test_a_key_that_is_nowhere_is_answered_by_s3(s3: S3, tmp_path: Path) -> None:
    async with batch_at(tmp_path):
        error = await s3.error("get_object", Bucket="events", Key="raw/none")
        assert type(error) is s3.client.exceptions.NoSuchKey
        assert (await s3.error("head_object", Bucket="events", Key="raw/none")).response["Error"][
            "Code"
        ] == "404"


async def test_newest_wins_between_plain_objects_and_batches(s3: S3, tmp_path: Path) -> None:
    await put(s3, "raw/k", b"plain, before")
    async with batch_at(tmp_path) as batch:
        assert await s3.read("raw/k") == b"plain, before"
        await put(s3, "raw/k", b"batched")
        assert await s3.read("raw/k") == b"batched"
        await batch.aflush()
        assert await s3.read("raw/k") == b"batched"
        await put(s3, "raw/k", b"plain, after", ACL="private")
        assert await s3.read("raw/k") == b"plain, after"
        await put(s3, "raw/k", b"batched again")
        assert await s3.read("raw/k") == b"batched again"
        [row] = (await s3.call("list_objects_v2", Bucket="events", Prefix="raw/"))["Contents"]
        assert row["Size"] == len(b"batched again")
        await batch.aflush()
        assert await s3.read("raw/k") == b"batched again"
        assert batch.stats.straight == {"ACL": 1}


async def test_deletes_hide_what_is_in_batches_and_delete_what_is_not(
    s3: S3, tmp_path: Path
) -> None:
    for key in ("raw/a", "raw/b", "raw/c"):
        await put(s3, key, b"plain")
    async with batch_at(tmp_path) as batch:
        for key in ("raw/a", "raw/b", "raw/d"):
            await put(s3, key, b"batched")
        await batch.aflush()
        await s3.call("delete_object", Bucket="events", Key="raw/a")
        named = [{"Key": key} for key in ("raw/b", "raw/c", "raw/d")]
        await s3.call("delete_objects", Bucket="events", Delete={"Objects": named[:2]})
        await s3.call(
            "delete_objects", Bucket="events", Delete={"Objects": named[2:], "Quiet": True}
        )
        for _ in range(2):
            assert await s3.keys(Prefix="raw/") == []
            for key in ("raw/a", "raw/b", "raw/c", "raw/d"):
                await s3.error("get_object", Bucket="events", Key=key)
            await batch.aflush()
        await put(s3, "raw/a", b"again")
        assert await s3.read("raw/a") == b"again"
    assert [key for key in await s3.keys() if key.startswith("raw/")] == []


async def test_another_process_finds_it_all(s3: S3, tmp_path: Path) -> None:
    """By a batch with a spool of its own, and by a reader."""
    async with batch_at(tmp_path) as batch:
        await put(s3, "raw/a", b"1")
        await put(s3, "raw/b", b"2")
        await batch.aflush()
        await s3.call("delete_object", Bucket="events", Key="raw/b")
    async with batch_at(tmp_path / "other"):
        assert await s3.read("raw/a") == b"1"
        assert await s3.keys(Prefix="raw/") == ["raw/a"]


@pytest.mark.parametrize("page", [1, 2, 3, 7])
@pytest.mark.parametrize("delimiter", ["", "/"])
async def test_listings_are_merged_page_by_page(
    s3: S3, tmp_path: Path, page: int, delimiter: str
) -> None:
    """Of plain objects and batches, in both versions: as of one bucket that has them all."""
    keys = [f"raw/{folder}{n}" for folder in ("", "a/", "b/", "c/d/") for n in range(3)]
    other = [key.replace("raw/", "plain/") for key in keys]
    for index, key in enumerate(keys):
        if index % 2:
            await put(s3, key)
    for key in other:
        await put(s3, key)
    async with batch_at(tmp_path) as batch:
        for index, key in enumerate(keys):
            if not index % 2 or index == 3:
                await put(s3, key)
            if index == 6:
                await batch.aflush()
        wanted = await pages(s3, "list_objects_v2", "plain/", page, delimiter)
        assert await pages(s3, "list_objects_v2", "raw/", page, delimiter) == wanted
        # moto's pages of the first version are longer than MaxKeys where there are prefixes.
        wanted = [(*each[:3], None) for each in wanted]
        assert await pages(s3, "list_objects", "raw/", page, delimiter) == wanted


async def pages(s3: S3, method: str, prefix: str, size: int, delimiter: str) -> Any:
    found = []
    params: dict[str, Any] = {"Bucket": "events", "Prefix": prefix, "MaxKeys": size}
    if delimiter:
        params["Delimiter"] = delimiter
    while True:
        page = await s3.call(method, **params)
        keys = [each["Key"].removeprefix(prefix) for each in page.get("Contents", ())]
        groups = [each["Prefix"].removeprefix(prefix) for each in page.get("CommonPrefixes", ())]
        found.append((keys, groups, page["IsTruncated"], page.get("KeyCount")))
        if not page["IsTruncated"]:
            return found
        if method == "list_objects_v2":
            params["ContinuationToken"] = page["NextContinuationToken"]
        else:
            params["Marker"] = page.get("NextMarker") or page["Contents"][-1]["Key"]


STRAIGHT: list[tuple[str, dict[str, Any], str]] = [
    ("raw/k", {"ACL": "private"}, "ACL"),
    ("raw/k", {"Tagging": "a=b", "StorageClass": "STANDARD_IA"}, "StorageClass, Tagging"),
    ("raw/k", {"Body": b"x" * 101}, "the body is larger than max_object_bytes"),
    ("raw/k", {"Metadata": {"a": " b"}}, "a value is not of the usual kind"),
    ("raw/k/", {}, "the key is no name of a tar member"),
    ("raw/../k", {}, "the key is no name of a tar member"),
]


@pytest.mark.parametrize(("key", "params", "reason"), STRAIGHT)
async def test_what_a_batch_cannot_honour_goes_straight(
    s3: S3, tmp_path: Path, key: str, params: dict[str, Any], reason: str
) -> None:
    async with batch_at(tmp_path, max_object_bytes=100) as batch:
        reply = await put(s3, key, **params)
        assert "BatchLocation" not in reply
        assert batch.stats.straight == {reason: 1}
        assert len(await s3.read(key)) == len(params.get("Body", b"{}"))
    async with batch_at(tmp_path, max_object_bytes=100, strict=True):
        with pytest.raises(BatchedObjectError, match="not batched"):
            await put(s3, key, **params)


async def test_wrong_parameters_are_refused_by_botocore(s3: S3, tmp_path: Path) -> None:
    async with batch_at(tmp_path):
        for params in ({"ContentType": 3}, {"Metadata": "x"}, {"NoSuchParameter": 1}):
            with pytest.raises(ParamValidationError):
                await put(s3, "raw/k", **params)
        with pytest.raises(ParamValidationError):
            await put(s3, "raw/k", 5)
        # S3 says what is wrong with a digest; moto does not look.
        reply = await put(s3, "raw/k", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
        assert "BatchLocation" not in reply


async def test_files_are_read_and_left_where_they_were(s3: S3, tmp_path: Path) -> None:
    file = io.BytesIO(b"--abc")
    file.seek(2)
    async with batch_at(tmp_path) as batch:
        await put(s3, "raw/file", file)
        assert await s3.read("raw/file") == b"abc"
        await s3.call("put_object", Bucket="events", Key="raw/none")
        assert await s3.read("raw/none") == b""
        await put(s3, "raw/array", bytearray(b"xyz"))
        assert await s3.read("raw/array") == b"xyz"
        assert batch.stats.batched == 3


async def test_conditional_puts_see_the_batches(s3: S3, tmp_path: Path) -> None:
    async with batch_at(tmp_path) as batch:
        reply = await put(s3, "raw/k", b"1")
        for _ in range(2):
            error = await s3.error(
                "put_object", Bucket="events", Key="raw/k", Body=b"2", IfNoneMatch="*"
            )
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            error = await s3.error(
                "put_object", Bucket="events", Key="raw/k", Body=b"2", IfMatch='"0"'
            )
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            assert await s3.read("raw/k") == b"1"
            await batch.aflush()
        await put(s3, "raw/k", b"2", IfMatch=reply["ETag"])
        assert await s3.read("raw/k") == b"2"
        error = await s3.error(
            "put_object", Bucket="events", Key="raw/k", Body=b"3", IfMatch=reply["ETag"]
        )
        assert error.response["Error"]["Code"] == "PreconditionFailed"
        await put(s3, "raw/new", b"1", IfNoneMatch="*")
        assert await s3.read("raw/new") == b"1"
        await s3.error("put_object", Bucket="events", Key="raw/new", Body=b"2", IfNoneMatch="*")


@pytest.mark.parametrize("is_there", [False, True])
async def test_of_several_conditional_puts_one_succeeds(
    s3: S3, flavour: str, moto_server: MotoServer, tmp_path: Path, is_there: bool
) -> None:
    """
    Of two hosts, and of one: all have seen the same object in a batch; with an older plain object
    beside it, and without.
    """
    if is_there:
        await put(s3, "raw/k", b"older")
    async with (
        open_s3(flavour, **moto_server.client_options) as other,
        batch_at(tmp_path / "a", clients=s3.client) as batch,
        batch_at(tmp_path / "b", clients=other.client),
    ):
        etag = (await put(s3, "raw/k", b"0"))["ETag"]
        await batch.aflush()
        bodies = [b"%d" % number for number in range(1, 7)]
        hosts = [s3, other] * 3
        puts = (
            put(host, "raw/k", body, IfMatch=etag) for host, body in zip(hosts, bodies, strict=True)
        )
        done = await asyncio.gather(*puts, return_exceptions=True)
        failed = [each for each in done if isinstance(each, ClientError)]
        assert [each.response["Error"]["Code"] for each in failed] == ["PreconditionFailed"] * 5
        [body] = [body for body, each in zip(bodies, done, strict=True) if each not in failed]
        assert await s3.read("raw/k") == await other.read("raw/k") == body
    assert await s3.read("raw/k") == body


async def test_a_put_does_not_wait_long_for_what_is_of_the_future(s3: S3, tmp_path: Path) -> None:
    async with batch_at(tmp_path) as batch:
        ahead = time.time_ns() + 60 * 10**9
        batch.engine.clock.observe(ahead)
        etag = (await put(s3, "raw/k", b"1"))["ETag"]
        with pytest.raises(BatchedObjectError, match="ahead of that of S3"):
            await put(s3, "raw/k", b"2", IfMatch=etag)
        assert await s3.read("raw/k") == b"1"


async def test_copies_from_and_to_batches(s3: S3, tmp_path: Path) -> None:
    async with batch_at(tmp_path) as batch:
        await put(s3, "raw/k", b"abc", ContentType="text/x", Metadata={"a": "b"})
        source = {"Bucket": "events", "Key": "raw/k"}
        for number in range(2):
            for key in (f"raw/copy{number}", f"plain/copy{number}"):
                done = await s3.call("copy_object", Bucket="events", Key=key, CopySource=source)
                assert "ETag" in done["CopyObjectResult"]
                found = await s3.call("head_object", Bucket="events", Key=key)
                assert (found["ContentType"], found["Metadata"]) == ("text/x", {"a": "b"})
                assert await s3.read(key) == b"abc"
            await batch.aflush()
        await s3.call(
            "copy_object",
            Bucket="events",
            Key="raw/other",
            CopySource="events/raw/k",
            MetadataDirective="REPLACE",
            ContentType="text/y",
        )
        found = await s3.call("head_object", Bucket="events", Key="raw/other")
        assert (found["ContentType"], found["Metadata"]) == ("text/y", {})
        error = await s3.error(
            "copy_object", Bucket="events", Key="x", CopySource=source, CopySourceIfMatch='"0"'
        )
        assert error.response["Error"]["Code"] == "PreconditionFailed"
        # A plain object over one in a batch.
        await put(s3, "plain/p", b"plain")
        await s3.call(
            "copy_object",
            Bucket="events",
            Key="raw/k",
            CopySource={"Bucket": "events", "Key": "plain/p"},
        )
        assert await s3.read("raw/k") == b"plain"


async def test_what_cannot_be_done_with_an_object_in_a_batch_is_refused(
    s3: S3, tmp_path: Path
) -> None:
    """And done with a plain one."""
    await put(s3, "raw/plain", b"1")
    async with batch_at(tmp_path) as batch:
        await put(s3, "raw/k", b"1")
        presigned = s3.client.generate_presigned_url
        args = {"Bucket": "events", "Key": "raw/k"}
        for _ in range(2):
            for method in ("get_object_tagging", "get_object_acl"):
                await s3.call(method, Bucket="events", Key="raw/plain")
                with pytest.raises(BatchedObjectError, match="raw/k"):
                    await s3.call(method, Bucket="events", Key="raw/k")
            with pytest.raises(BatchedObjectError, match="PartNumber"):
                await s3.call("get_object", Bucket="events", Key="raw/k", PartNumber=1)
            with pytest.raises(BatchedObjectError, match="presigned"):
                await maybe(presigned("get_object", Params=args))
            plain = {**args, "Key": "raw/plain"}
            assert "raw/plain" in await maybe(presigned("get_object", Params=plain))
            assert "raw/k" in await maybe(presigned("put_object", Params=args))
            await batch.aflush()


async def maybe(found: Any) -> Any:
    return await found if inspect.isawaitable(found) else found


async def test_multipart_uploads_make_plain_objects(s3: S3, tmp_path: Path) -> None:
    async with batch_at(tmp_path):
        await put(s3, "raw/k", b"batched")
        at_key = {"Bucket": "events", "Key": "raw/k"}
        upload = (await s3.call("create_multipart_upload", **at_key))["UploadId"]
        part = await s3.call(
            "upload_part", **at_key, UploadId=upload, PartNumber=1, Body=b"in parts"
        )
        assert await s3.read("raw/k") == b"batched"
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        await s3.call(
            "complete_multipart_upload",
            **at_key,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
        )
        assert await s3.read("raw/k") == b"in parts"


@pytest.mark.parametrize("ack", ["spool", "upload", "memory"])
async def test_many_tasks_share_a_batch(s3: S3, tmp_path: Path, ack: str) -> None:
    options = {"ack": ack, "max_delay": 0.2 if ack == "upload" else 3600.0}
    async with batch_at(tmp_path, **options) as batch:
        replies = await asyncio.gather(*(put(s3, f"raw/{n}", b"%d" % n) for n in range(40)))
        assert batch.stats.batched == 40
        assert await s3.read("raw/7") == b"7"
        if ack == "upload":
            assert batch.stats.uploaded_objects == 40
        places = {
            (each["BatchLocation"]["Key"], each["BatchLocation"]["Offset"]) for each in replies
        }
        assert len(places) == 40
    assert batch.savings().puts == 40
    assert batch.stats.requests == 2 * batch.stats.batches


async def test_the_parts_of_a_big_batch(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 API: parts of 5 MiB or more; the tar is the same as in one piece."""
    monkeypatch.setattr("boto_accel.batch.place.MULTIPART_FROM", 2**20)
    monkeypatch.setattr("boto_accel.batch.place.PART_BYTES", 5 * 2**20)
    bodies = {f"raw/{n}": os.urandom(2**20) for n in range(7)}
    args = {"ServerSideEncryption": "AES256"}
    async with batch_at(tmp_path, upload_args=args, storage_class="STANDARD_IA") as batch:
        for key, body in bodies.items():
            await put(s3, key, body)
        await batch.aflush()
        # Create, two parts, complete, and the index.
        assert (batch.stats.batches, batch.stats.requests) == (1, 5)
        for key, body in bodies.items():
            assert await s3.read(key) == body
        place = (await s3.call("head_object", Bucket="events", Key="raw/0"))["BatchLocation"]
        head = await s3.call("head_object", Bucket="events", Key=place["Key"])
        assert head["StorageClass"] == "STANDARD_IA"
        assert head["ContentLength"] > 7 * 2**20


async def test_with_the_other_patches(s3: S3, tmp_path: Path) -> None:
    """A cache further out keeps nothing that a batch asks for itself; accelerate sends it."""
    with accelerate() as fast, botocache_context(cache="memory://"):
        async with batch_at(tmp_path) as batch:
            await put(s3, "raw/k", b"1")
            await batch.aflush()
            assert await s3.read("raw/k") == b"1"
            await put(s3, "raw/k", b"2")
            assert await s3.read("raw/k") == b"2"
            await batch.aflush()
            async with batch_at(tmp_path / "other"):
                assert await s3.read("raw/k") == b"2"
        assert fast.stats.by_operation["s3.PutObject"]["fast"] >= 4
    assert _hook.stack.active == ()


async def test_a_reader_beside_it(s3: S3, moto_server: MotoServer, tmp_path: Path) -> None:
    async with batch_at(tmp_path) as batch:
        for number in range(5):
            await put(s3, f"raw/{number}", b"%d" % number)
            if number % 2:
                await batch.aflush()
        await s3.call("delete_object", Bucket="events", Key="raw/3")
    options = {**moto_server.client_options, **OPTIONS}
    with make_client("sync", "s3", **options) as client:  # type: ignore[union-attr]
        path = tmp_path / "catalogue"
        for _ in range(2):  # the second time there is nothing to fetch
            with BatchReader(client, "s3://events/batches/", catalogue=path) as reader:
                assert list(reader.keys("raw/")) == ["raw/0", "raw/1", "raw/2", "raw/4"]
                assert reader.get("raw/4") == b"4"
                assert reader.open("raw/4").read() == b"4"
                assert "raw/3" not in reader
                assert len(list(reader.iter_batches())) == 3
                with pytest.raises(client.exceptions.NoSuchKey):
                    reader.get("raw/3")
        assert path.stat().st_mode & 0o777 == 0o600
