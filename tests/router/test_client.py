"""`router.client()`: like a client of boto3's, but for where its calls go."""

from __future__ import annotations

import copy
import io
import pickle
from contextlib import AsyncExitStack
from typing import Any

import boto3
import pytest
from botocore.exceptions import OperationNotPageableError

from boto_accel import InvalidOptionError, UnroutableError, _hook, accelerate, router
from tests.fastpath.callers import Caller
from tests.router.scenarios import SCENARIOS, Actor, differences
from tests.router.stores import KEYS, MAPPING, Stores
from tests.router.test_scenarios import seen_plain
from tests.servers.clients import make_client


@pytest.fixture
def made(stores: Stores) -> Stores:
    stores.make_targets()
    return stores


def test_the_example_of_botwo(made: Stores) -> None:
    with made.clients() as clients:
        s3 = router.client(clients, MAPPING)
        s3.put_object(Bucket="moved", Key="test/object.txt", Body=b"data")
        assert s3.get_object(Bucket="moved", Key="test/object.txt")["Body"].read() == b"data"
        assert _hook.stack.active == ()
        # The default client is as it was: it has no router.
        with pytest.raises(clients["near"].exceptions.NoSuchBucket):
            clients["near"].get_object(Bucket="moved", Key="test/object.txt")
        with pytest.raises(UnroutableError):
            s3.put_bucket_policy(Bucket="moved", Policy="{}")
    assert made.keys("far", "example-repo") == ["main/test/object.txt"]


@pytest.mark.parametrize("name", ["objects", "errors", "deletes", "buckets"])
def test_scenario(stores: Stores, name: str) -> None:
    plain = seen_plain(stores, "sync", name)
    stores.reset()
    stores.make_targets()
    with stores.clients() as clients:
        actor = Actor(Caller(router.client(clients, MAPPING), None))
        SCENARIOS[name](actor)
    assert differences(plain, actor.seen) == []


def test_it_is_a_client(made: Stores) -> None:
    """What is built on clients takes it for one."""
    near = boto3.client("s3", endpoint_url=made.near.endpoint_url, **KEYS)
    s3 = router.client({"near": near, "far": made.targets["far"]}, MAPPING)
    assert isinstance(s3, type(near))
    assert s3.meta is near.meta
    assert s3.exceptions.NoSuchKey is near.exceptions.NoSuchKey
    assert repr(type(s3)) == repr(type(near))
    assert s3.can_paginate("list_objects_v2")
    assert not s3.can_paginate("get_object")
    with pytest.raises(OperationNotPageableError):
        s3.get_paginator("get_object")
    with pytest.raises(AttributeError, match="no_such_method"):
        s3.no_such_method  # noqa: B018
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="moved", Key="no")
    s3.upload_fileobj(io.BytesIO(b"x"), "moved", "up")
    s3.get_waiter("object_exists").wait(Bucket="moved", Key="up")
    into = io.BytesIO()
    s3.download_fileobj("moved", "up", into)
    assert into.getvalue() == b"x"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="moved")
    assert [each["Key"] for each in pages.search("Contents")] == ["up"]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "moved", "Key": "up"})
    assert url.startswith(f"{made.far.endpoint_url}/example-repo/main/up?")
    form = s3.generate_presigned_post("moved", "up")
    assert form["fields"]["key"] == "main/up"
    s3.close()
    near.close()


def test_events_are_those_of_the_default_client(made: Stores) -> None:
    with made.clients() as clients:
        s3 = router.client(clients, MAPPING)
        seen: list[str] = []
        s3.meta.events.register("before-call.s3", lambda model, **_: seen.append(model.name))
        s3.put_object(Bucket="plain", Key="k", Body=b"")
        s3.put_object(Bucket="moved", Key="k", Body=b"")
        assert seen == ["PutObject"]


def test_it_pickles_and_copies_as_clients_do(made: Stores) -> None:
    with made.clients() as clients:
        s3 = router.client(clients, MAPPING)
        for do in (pickle.dumps, copy.copy, copy.deepcopy):
            assert raised(do, s3) == raised(do, clients["near"])


def raised(do: Any, client: Any) -> Any:
    try:
        do(client)
    except BaseException as error:
        return type(error)
    return None


def test_with_accelerate(made: Stores) -> None:
    with made.clients() as clients, accelerate() as fast:
        s3 = router.client(clients, MAPPING)
        s3.put_object(Bucket="moved", Key="k", Body=b"x")
        assert s3.get_object(Bucket="moved", Key="k")["Body"].read() == b"x"
        assert (fast.stats.fast, fast.stats.fallback) == (2, 0)


def test_the_default_client_has_to_be_there(made: Stores) -> None:
    with pytest.raises(InvalidOptionError, match="mapping='near'"):
        router.client(made.targets, MAPPING)


def test_it_is_no_target(made: Stores) -> None:
    with made.clients() as clients:
        s3 = router.client(clients, MAPPING)
        with pytest.raises(InvalidOptionError, match=r"clients\['near'\]"):
            router.client({"near": s3, "far": clients["far"]}, MAPPING)


@pytest.mark.aiobotocore
async def test_aiobotocore(made: Stores) -> None:
    async with AsyncExitStack() as stack:
        near = make_client("async", "s3", **made.near.client_options)
        clients = {"near": await stack.enter_async_context(near), "far": made.targets["far"]}
        async with router.client(clients, MAPPING) as s3:
            await s3.put_object(Bucket="moved", Key="k", Body=b"x")
            answer = await s3.get_object(Bucket="moved", Key="k")
            assert await answer["Body"].read() == b"x"
            url = await s3.generate_presigned_url(
                "get_object", Params={"Bucket": "moved", "Key": "k"}
            )
            assert url.startswith(f"{made.far.endpoint_url}/example-repo/main/k?")
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket="moved")
            assert [page["KeyCount"] async for page in pages] == [1]
        # What it was given is open still.
        assert (await clients["near"].list_objects_v2(Bucket="plain"))["KeyCount"] == 0
