"""
The whole public surface, used as users use it: checked by `make types`, never run.

`assert_type` fails the check where an annotation says less, or something else, than it should.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from typing_extensions import assert_type

import boto_accel
from boto_accel import (
    AsyncDatabase,
    AsyncTable,
    BatchReader,
    BotoAccelError,
    Database,
    InvalidOptionError,
    MissingExtraError,
    NotInForceError,
    PatchStateError,
    S3BatchPutClient,
    Stats,
    Table,
    UnpresignableError,
    UnroutableError,
    UnsupportedBotocoreError,
    accelerate,
    batch_puts,
    botocache_context,
    explain,
    redis_s3,
    route_s3,
)
from boto_accel.batch import BatchObjectRef, BatchPatch
from boto_accel.cache import CachePatch
from boto_accel.fastpath.patch import Accelerate
from boto_accel.redis_store import RedisPatch
from boto_accel.router import RoutePatch
from boto_accel.router import client as routed_client

client: Any = None


def contexts() -> None:
    with accelerate() as patch:
        assert_type(patch, Accelerate)
        assert_type(patch.stats, Stats)


def batches() -> None:
    with batch_puts("s3://b/raw/*", "s3://b/batches/", spool_dir="spool", ack="upload") as patch:
        assert_type(patch, BatchPatch)
        assert_type(patch.savings(0.005).money, float)
        patch.flush(timeout=5.0)
    batch_puts("s3://b/raw/*", "s3://b/x/", max_delay=1.0)  # type: ignore[call-arg]
    with S3BatchPutClient(client, bucket="b", key_prefix="x/", spool_dir="spool") as puts:
        assert_type(puts.put_object("a", b"{}"), BatchObjectRef)
    with BatchReader(client, "s3://b/x/") as reader:
        assert_type(reader.get("a"), bytes)
        assert_type(reader.keys("a"), Iterator[str])


def routes() -> None:
    with route_s3({"far": {}}, [{"bucket_name": "*", "client": "s3"}]) as patch:
        assert_type(patch, RoutePatch)
        assert_type([each.location for each in patch.explain("b", "k")], list[str])
    try:
        client.get_object(Bucket="b", Key="k")
    except UnroutableError as error:
        assert_type(error.rule, str)
    routed_client({"main": client}, [{"bucket_name": "*", "client": "main"}]).list_buckets()


def redis() -> None:
    with redis_s3(default_ttl=60, clients=client) as patch:
        assert_type(patch, RedisPatch)
    redis_s3(60)  # type: ignore[call-arg]
    try:
        client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
    except UnpresignableError as error:
        assert_type(error.method, str)
    except NotInForceError as error:
        assert_type(error.endpoint_url, str)


def tables() -> None:
    database = Database("b", client=client)
    assert_type(database.tables, list[str])
    table = Table("t", database, columns={"country": str, "id": int})
    assert_type(table.select(country="UK", id=1), bytes)
    assert_type(table.query(country="UK"), list[dict[str, Any]])
    assert_type(table.count(), int)


async def async_tables() -> None:
    table = AsyncTable("t", AsyncDatabase("b", client=client), ["country", "id"])
    assert_type(await table.select(country="UK", id=1), bytes)


def cache() -> None:
    with botocache_context(100, 900, ".cache", ["List"]) as patch:
        assert_type(patch, CachePatch)
        assert_type(patch.invalidate(service="iam", operation="ListUsers"), int)
        assert_type(patch.stats.hits, int)
        assert_type(patch.stats.uncached, Mapping[str, int])
        with patch.bypass(), patch.refresh():
            pass
    botocache_context(cache={}, action_regex_to_cache=["List.*"], call_log=True)
    botocache_context(ttl_by_operation={"iam": 60}, cache_errors={"AccessDenied": 5.0})
    botocache_context(max_body_bytes="1 MiB")  # type: ignore[arg-type]


async def async_contexts() -> None:
    async with accelerate(http="aiohttp") as patch:
        assert_type(patch, Accelerate)


def options() -> None:
    accelerate(http="direct")
    accelerate(clients=[client], services=["s3"], operations=["get_object"], shadow=0.01)
    accelerate(clients=None, services=("s3",), operations={"GetObject"})
    accelerate("direct")  # type: ignore[call-arg]


def installed() -> None:
    patch = accelerate()
    assert_type(patch.install(), Accelerate)
    patch.uninstall()


@accelerate()
def plain(key: str) -> bytes:
    return key.encode()


@accelerate()
async def coroutine(key: str) -> bytes:
    return key.encode()


@accelerate()
def generator() -> Iterator[int]:
    yield 1


@accelerate()
async def async_generator() -> AsyncIterator[int]:
    yield 1


async def decorated() -> None:
    """A decorated function keeps its signature."""
    assert_type(plain("k"), bytes)
    assert_type(await coroutine("k"), bytes)
    assert_type(generator(), Iterator[int])
    assert_type(async_generator(), AsyncIterator[int])
    plain(1)  # type: ignore[arg-type]


def counts(stats: Stats) -> None:
    assert_type(stats.fast, int)
    assert_type(stats.fallback, int)
    assert_type(stats.reasons, Mapping[str, int])
    assert_type(stats.by_operation, Mapping[str, Mapping[str, Any]])
    assert_type(stats.proved, int)
    assert_type(stats.retired, int)
    assert_type(stats.shadow_checked, int)
    assert_type(stats.shadow_different, int)
    assert_type(stats.as_dict(), dict[str, Any])
    assert_type(str(stats), str)


def explained() -> None:
    found = explain(client, "get_object")
    assert_type(found.fast, bool)
    assert_type(found.reason, str)


def errors() -> BotoAccelError | None:
    try:
        accelerate().uninstall()
    except UnsupportedBotocoreError as error:
        return error
    except MissingExtraError as error:
        return error
    except PatchStateError as error:
        return error
    except InvalidOptionError as error:
        assert_type(error.parameter, str)
        value_error: ValueError = error
        raise value_error from None
    return None


assert_type(boto_accel.__version__, str)
