"""Any set of the patches, entered in any order: what the caller sees is the same."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boto_accel import _hook, accelerate, batch_puts, botocache_context, route_s3
from tests.fastpath.callers import Caller, open_caller
from tests.servers.moto_server import MotoServer

USERS, THEIRS, BATCHES = "users", "theirs", "batches"
NAMES = ("accelerate", "cache", "route", "batch")
ORDERS = [
    order
    for count in range(len(NAMES) + 1)
    for chosen in itertools.combinations(NAMES, count)
    for order in itertools.permutations(chosen)
]
ALL = [order for order in ORDERS if len(order) == len(NAMES)]


def patch(name: str, order: tuple[str, ...], s3: Caller, folder: Path) -> Any:
    """The patch *name*, as one of those in *order*."""
    if name == "accelerate":
        return accelerate()
    if name == "cache":
        return botocache_context(cache="memory://")
    if name == "route":  # the same client, other names
        rule = {"bucket_name": USERS, "mapped_bucket_name": THEIRS, "key_prefix": "main/"}
        rules = [{**rule, "client": "s3"}, {"bucket_name": "*", "client": "s3"}]
        return route_s3({"s3": s3.client}, rules)
    # It sees calls where the router sends them.
    there = f"{THEIRS}/main" if "route" in order else USERS
    into = f"s3://{BATCHES}/{folder.name}/"
    return batch_puts(f"s3://{there}/*", into, spool_dir=folder / "spool", max_count=2)


def scenario(s3: Caller) -> list[Any]:
    """What a caller sees of writes, reads, listings and deletes."""
    seen: list[Any] = []
    for round_ in range(2):
        for key in ("a", "b/c", "b/d"):
            s3("put_object", Bucket=USERS, Key=key, Body=f"{key} {round_}".encode())
        for _ in range(2):  # the second may be a hit
            seen.append([s3.body(Bucket=USERS, Key=key) for key in ("a", "b/c")])
            seen.append(s3("head_object", Bucket=USERS, Key="a")["ContentLength"])
            seen.append(listed(s3))
            seen.append(listed(s3, Delimiter="/"))
            seen.append(s3.body(Bucket=USERS, Key="b/d", Range="bytes=2-"))
    s3("delete_object", Bucket=USERS, Key="b/c")
    seen.append(listed(s3))
    for method in ("get_object", "head_object"):
        with pytest.raises(ClientError) as refused:
            s3(method, Bucket=USERS, Key="b/c")
        seen.append(refused.value.response["Error"]["Code"])
    return seen


def listed(s3: Caller, **params: Any) -> Any:
    page = s3("list_objects_v2", Bucket=USERS, **params)
    prefixes = [each["Prefix"] for each in page.get("CommonPrefixes", ())]
    return [each["Key"] for each in page.get("Contents", ())], prefixes, page["KeyCount"]


def outcome(s3: Caller, order: tuple[str, ...], folder: Path) -> list[Any]:
    """The scenario with the patches of *order*, entered so; they are left the other way round."""
    with ExitStack() as stack:
        for name in order:
            made: AbstractContextManager[Any] = patch(name, order, s3, folder)
            stack.enter_context(made)
        seen = scenario(s3)
    assert _hook.stack.active == ()
    return seen


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_what_is_seen_is_the_same(
    moto_server: MotoServer, tmp_path: Path, order: tuple[str, ...]
) -> None:
    with open_caller("sync", **moto_server.client_options) as s3:
        for bucket in (USERS, THEIRS, BATCHES):
            s3("create_bucket", Bucket=bucket)
        assert outcome(s3, order, tmp_path) == EXPECTED


@pytest.mark.aiobotocore
@pytest.mark.parametrize("order", ALL[::5], ids="-".join)
def test_what_is_seen_is_the_same_in_aiobotocore(
    moto_server: MotoServer, tmp_path: Path, order: tuple[str, ...]
) -> None:
    with open_caller("async", **moto_server.client_options) as s3:
        for bucket in (USERS, THEIRS, BATCHES):
            s3("create_bucket", Bucket=bucket)
        assert outcome(s3, order, tmp_path) == EXPECTED


def _expected() -> list[Any]:
    seen: list[Any] = []
    keys = ["a", "b/c", "b/d"]
    for round_ in range(2):
        bodies = [f"{key} {round_}".encode() for key in keys]
        page = (keys, [], 3)
        grouped = (["a"], ["b/"], 2)
        seen += 2 * [bodies[:2], 3, page, grouped, bodies[2][2:]]
    return [*seen, (["a", "b/d"], [], 2), "NoSuchKey", "404"]


EXPECTED = _expected()
