"""The patch itself: its targets, what it leaves alone, other patches, other routers."""

from __future__ import annotations

import asyncio
import json
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from boto_accel import (
    InvalidOptionError,
    UnroutableError,
    accelerate,
    botocache_context,
    route_s3,
)
from tests.fastpath.callers import open_caller
from tests.router.stores import KEYS, MAPPING, Stores
from tests.servers.clients import SECRET_KEY, make_client

DEFAULT = {"bucket_name": "*", "client": "s3"}


@pytest.fixture
def made(stores: Stores) -> Stores:
    stores.make_targets()
    return stores


def test_calls_go_where_the_rules_say(made: Stores, flavour: str) -> None:
    with open_caller(flavour, **made.near.client_options) as s3:
        with made.route():
            for bucket, key in (("moved", "k"), ("split", "dev/k"), ("split", "x.tmp")):
                s3("put_object", Bucket=bucket, Key=key, Body=b"x")
            s3("put_object", Bucket="renamed", Key="k", Body=b"x")
            s3("put_object", Bucket="split", Key="other", Body=b"x")
        assert made.keys("far", "example-repo") == ["main/k"]
        assert made.keys("far", "dev-repo") == ["branch/dev/k"]
        assert made.keys("far", "split") == ["x.tmp"]
        assert made.keys("near", "other-name") == ["k"]
        assert made.keys("near", "split") == ["other"]
        # Left: the client is as it was.
        assert [each["Key"] for each in s3("list_objects_v2", Bucket="split")["Contents"]] == [
            "other"
        ]


def test_a_listing_shows_only_what_the_rules_put_there(made: Stores) -> None:
    """What was left behind at the old place, under keys that are elsewhere now, is hidden."""
    with make_client("sync", "s3", **made.near.client_options) as s3:
        s3.put_object(Bucket="split", Key="dev/old", Body=b"x")
        with made.route():
            assert "Contents" not in s3.list_objects_v2(Bucket="split")
            assert "CommonPrefixes" not in s3.list_objects_v2(Bucket="split", Delimiter="/")
            s3.delete_bucket(Bucket="plain")
            assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [
                "moved",
                "renamed",
                "split",
            ]


def test_targets_are_made_lazily_once_and_closed(made: Stores) -> None:
    """One client for all threads; after leaving it is closed, and made anew when entered again."""
    patch = made.route()
    with make_client("sync", "s3", **made.near.client_options) as s3:
        with patch:
            targets = patch._targets
            assert targets._sync == {}
            threads = [
                threading.Thread(target=s3.put_object, kwargs={"Bucket": "moved", "Key": f"{i}"})
                for i in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            first = targets._sync["far"]
        assert targets._sync == {}
        with patch:
            assert s3.list_objects_v2(Bucket="moved")["KeyCount"] == 8
            assert targets._sync["far"] is not first


@pytest.mark.aiobotocore
def test_async_targets_belong_to_their_loop(made: Stores) -> None:
    """One for each loop; it closes with the loop, with the patch, or is closed by its leaving."""

    async def put(key: str, patch: Any) -> Any:
        async with make_client("async", "s3", **made.near.client_options) as s3:
            await asyncio.gather(
                *(s3.put_object(Bucket="moved", Key=f"{key}{i}") for i in range(4))
            )
            return patch._targets.find("far", s3, _asynchronous())

    async def within(key: str) -> None:
        async with made.route() as patch:
            client = await put(key, patch)
        assert not client._endpoint.http_session._sessions

    with made.route() as patch:
        first = asyncio.run(put("a", patch))
        second = asyncio.run(put("b", patch))
        assert first is not second
    asyncio.run(within("c"))
    assert len(made.keys("far", "example-repo")) == 12


@pytest.mark.aiobotocore
async def test_a_target_that_could_not_be_made_is_tried_again(
    made: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = {**made.targets["far"], "region_name": "${FAR_REGION}"}
    near = make_client("async", "s3", **made.near.client_options)
    async with near as s3, route_s3({"far": far}, MAPPING):
        with pytest.raises(InvalidOptionError, match="FAR_REGION"):
            await s3.put_object(Bucket="moved", Key="k", Body=b"x")
        monkeypatch.setenv("FAR_REGION", "us-east-1")
        await s3.put_object(Bucket="moved", Key="k", Body=b"x")
    assert made.keys("far", "example-repo") == ["main/k"]


def _asynchronous() -> Any:
    from boto_accel._call import Flavour

    return Flavour.ASYNC


def test_clients_as_targets(made: Stores) -> None:
    """The default one is routed as any; a call on another is there already."""
    with made.clients() as clients:
        near, far = clients["near"], clients["far"]
        with route_s3({"near": near, "far": far}, MAPPING):
            near.put_object(Bucket="moved", Key="k", Body=b"x")
            far.put_object(Bucket="dev-repo", Key="direct", Body=b"x")
            assert far.get_object(Bucket="example-repo", Key="main/k")["Body"].read() == b"x"
        assert near.list_objects_v2(Bucket="plain")["KeyCount"] == 0
    assert made.keys("far", "dev-repo") == ["direct"]


@pytest.mark.aiobotocore
async def test_a_client_of_the_other_world_is_refused(made: Stores) -> None:
    with made.clients() as clients:
        async with make_client("async", "s3", **made.near.client_options) as s3:
            with route_s3(clients, MAPPING), pytest.raises(InvalidOptionError, match="aiobotocore"):
                await s3.get_object(Bucket="moved", Key="k")


def test_a_rule_to_the_own_client_is_applied_once(made: Stores) -> None:
    """Though what it makes of a call matches a rule, its own or another router's."""
    swap = [
        {"bucket_name": "plain", "mapped_bucket_name": "split", "client": "s3", "key_prefix": "x/"},
        {"bucket_name": "split", "mapped_bucket_name": "plain", "client": "s3", "key_prefix": "y/"},
        DEFAULT,
    ]
    near = make_client("sync", "s3", **made.near.client_options)
    with near as s3, route_s3({}, swap), route_s3({}, swap):
        s3.put_object(Bucket="plain", Key="k", Body=b"x")
        s3.put_object(Bucket="split", Key="k", Body=b"y")
        assert s3.get_object(Bucket="plain", Key="k")["Body"].read() == b"x"
    assert made.keys("near", "split") == ["x/k"]
    assert made.keys("near", "plain") == ["y/k"]


def test_routers_nest(made: Stores) -> None:
    """What the outer one leaves alone is the inner one's."""
    outer = [{"bucket_name": "moved", "mapped_bucket_name": "dev-repo", "client": "far"}, DEFAULT]
    near = make_client("sync", "s3", **made.near.client_options)
    with near as s3, route_s3(made.targets, outer), made.route():
        s3.put_object(Bucket="moved", Key="k", Body=b"x")
        s3.put_object(Bucket="split", Key="dev/k", Body=b"x")
    assert made.keys("far", "dev-repo") == ["branch/dev/k", "k"]
    assert made.keys("far", "example-repo") == []


def test_routed_calls_are_fast(made: Stores, flavour: str) -> None:
    with open_caller(flavour, **made.near.client_options) as s3:
        with made.route(), accelerate() as fast:
            for bucket in ("moved", "plain"):
                s3("put_object", Bucket=bucket, Key="k", Body=b"x")
                for _ in range(3):
                    assert s3.body(Bucket=bucket, Key="k") == b"x"
        assert fast.stats.fallback == 0
        assert fast.stats.fast == 8


def test_the_cache_is_keyed_by_where_the_call_went(made: Stores, tmp_path: Path) -> None:
    """The same call under another mapping is another entry."""
    to_dev = [{"bucket_name": "moved", "mapped_bucket_name": "dev-repo", "client": "far"}, DEFAULT]
    with make_client("sync", "s3", **made.near.client_options) as s3:
        with made.clients() as clients:
            clients["far"].put_object(Bucket="example-repo", Key="main/k", Body=b"one")
            clients["far"].put_object(Bucket="dev-repo", Key="k", Body=b"two")
        with botocache_context(cache_path=str(tmp_path)) as cache:
            for _ in range(2):
                with made.route():
                    assert s3.get_object(Bucket="moved", Key="k")["Body"].read() == b"one"
                with route_s3(made.targets, to_dev):
                    assert s3.get_object(Bucket="moved", Key="k")["Body"].read() == b"two"
            assert (cache.stats.hits, cache.stats.misses) == (2, 2)


def test_what_cannot_be_mapped_names_the_rule_and_sends_nothing(made: Stores) -> None:
    with make_client("sync", "s3", **made.near.client_options) as s3, made.route():
        with pytest.raises(UnroutableError) as raised:
            s3.put_bucket_policy(Bucket="moved", Policy="{}")
        assert "mapping[0] (bucket_name='moved')" in str(raised.value)
        s3.put_bucket_policy(Bucket="plain", Policy='{"Version": "2012-10-17", "Statement": []}')


def test_errors_are_of_the_callers_classes(made: Stores) -> None:
    with make_client("sync", "s3", **made.near.client_options) as s3, made.route():
        with pytest.raises(s3.exceptions.NoSuchKey) as raised:
            s3.get_object(Bucket="moved", Key="no")
        assert raised.value.operation_name == "GetObject"
        assert raised.value.response["Error"]["Key"] == "no"
        assert raised.value.__suppress_context__


def test_files(made: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TOML, YAML and JSON say the same; credentials may be in the environment."""
    monkeypatch.setenv("FAR_SECRET", SECRET_KEY)
    far = {**made.targets["far"], "aws_secret_access_key": "${FAR_SECRET}"}
    routes = {"clients": {"far": far}, "mapping": MAPPING}
    lines = ["[clients.far]", *(f"{name} = {json.dumps(value)}" for name, value in far.items())]
    for rule in MAPPING:
        lines += ["[[mapping]]", *(f"{name} = {json.dumps(value)}" for name, value in rule.items())]
    texts = {"r.toml": "\n".join(lines), "r.json": json.dumps(routes), "r.yaml": json.dumps(routes)}
    if find_spec("yaml") is None:
        del texts["r.yaml"]
    with make_client("sync", "s3", **made.near.client_options) as s3:
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
            with route_s3(tmp_path / name):
                s3.put_object(Bucket="moved", Key=name, Body=b"x")
    assert made.keys("far", "example-repo") == sorted(f"main/{name}" for name in texts)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.toml", "clients = 'secret-value"),
        ("r.json", '{"secret-value"'),
        ("r.json", '["secret-value"]'),
        ("r.json", '{"clients": {}, "secret-value": 1, "mapping": []}'),
        ("r.ini", "secret-value"),
    ],
)
def test_a_wrong_file_is_named_without_its_contents(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidOptionError, match=name) as raised:
        route_s3(tmp_path / name)
    assert "secret-value" not in str(raised.value)


@pytest.mark.parametrize(
    ("clients", "mapping", "named"),
    [
        ({"lakefs": {}}, [{"bucket_name": "b", "client": "lakfs"}, DEFAULT], "mapping[0].client="),
        (None, [DEFAULT], "clients="),
        ({"far": 3}, [DEFAULT], "clients['far']="),
        ({3: {}}, [DEFAULT], "clients=3"),
        (
            {"far": {"endpont_url": "http://x", "aws_secret_access_key": "hush"}},
            [DEFAULT],
            "clients['far']=",
        ),
    ],
)
def test_wrong_clients(clients: Any, mapping: Any, named: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        route_s3(clients, mapping)
    assert str(raised.value).startswith(named)
    assert "hush" not in str(raised.value)


def test_an_operation_that_is_none() -> None:
    """Calls would go on to where they went without the patch."""
    with pytest.raises(InvalidOptionError, match=r"^operations='get_objekt'.* 'get_object'"):
        route_s3({}, [DEFAULT], operations=["get_objekt", "head_object"])
    route_s3({}, [DEFAULT], operations=["GetObject", "list_objects_v2"])


def test_a_variable_that_is_not_there(made: Stores) -> None:
    far = {"endpoint_url": made.far.endpoint_url, "region_name": "${NO_SUCH_VARIABLE}"}
    near = make_client("sync", "s3", **made.near.client_options)
    with near as s3, route_s3({"far": far}, MAPPING):  # noqa: SIM117
        with pytest.raises(InvalidOptionError) as raised:
            s3.get_object(Bucket="moved", Key="k")
    assert "clients['far'].region_name" in str(raised.value)


def test_no_secret_is_shown(stores: Stores) -> None:
    patch = stores.route()
    shown = f"{patch!r} {patch._targets!r} {patch._targets._given!r} {patch.rules!r}"
    assert "far" in shown
    assert SECRET_KEY not in shown
    assert KEYS["aws_access_key_id"] not in shown
