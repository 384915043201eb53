"""
Services of every protocol on moto's server: what users do ends with `accelerate()` as without.

A scenario is run on stock twice and then fast, each time on an emptied server whose random ids
begin anew. Of times, and of what differs between the two stock runs, only the type is compared.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key

from boto_accel import accelerate
from boto_accel.fastpath.plan import LANES
from tests.fastpath.callers import Caller, open_caller
from tests.integration.services import SCENARIOS
from tests.servers.clients import ACCESS_KEY, REGION, SECRET_KEY
from tests.servers.moto_server import MotoServer

# What the fast path leaves to stock because the caller is wrong.
CALLERS_FAULT = {"parameters that botocore refuses"}
TIME_NAME = re.compile(r"time|date|created|modified|expir", re.IGNORECASE)


class Told:
    """A `services.Peer` on a client of either world; *told* has each call and what came of it."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.told: list[Any] = []

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        try:
            answer = self._caller(method, **params)
        except Exception as error:
            self.told.append((method, seen_error(error)))
            return {}
        self.told.append((method, answer))
        return answer


def seen_error(error: Exception) -> dict[str, Any]:
    return {
        "class": [f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__],
        "text": str(error),
        "response": getattr(error, "response", None),
    }


def assert_alike(stock: Any, again: Any, fast: Any, name: str = "", path: str = "") -> None:
    """*fast* is what *stock* and *again* are; where these two differ, of the same type."""
    assert type(fast) is type(stock), path
    if isinstance(stock, dict):
        if list(stock) == list(again):  # else ids are the keys
            assert list(fast) == list(stock), path
        assert len(fast) == len(stock), path
        if name == "HTTPHeaders":
            return  # dates and lengths
        members = zip(stock, stock.values(), again.values(), fast.values(), strict=True)
        for key, mine, second, theirs in members:
            assert_alike(mine, second, theirs, str(key), f"{path}.{key}")
    elif isinstance(stock, (list, tuple)) and len(stock) == len(again):
        assert len(fast) == len(stock), path
        for index, (mine, second, theirs) in enumerate(zip(stock, again, fast, strict=True)):
            assert_alike(mine, second, theirs, name, f"{path}[{index}]")
    elif isinstance(stock, datetime.datetime):
        assert type(fast.tzinfo) is type(stock.tzinfo), path
    elif stock == again and not TIME_NAME.search(name):
        assert fast == stock, path


def run(flavour: str, service: str, server: MotoServer) -> list[Any]:
    server.reset()
    server.seed()
    with open_caller(flavour, service, **server.client_options) as caller:
        told = Told(caller)
        SCENARIOS[service](told)
    return told.told


def assert_was_fast(patch: Any, protocol: str) -> None:
    """All calls but those with wrong parameters, as soon as there is a lane for *protocol*."""
    assert patch.stats.retired == 0, f"\n{patch.stats}"
    if protocol in LANES:
        assert set(patch.stats.reasons) <= CALLERS_FAULT, f"\n{patch.stats}"
        assert patch.stats.fast > patch.stats.fallback, f"\n{patch.stats}"


def protocol_of(service: str) -> str:
    model = boto3.Session(region_name=REGION)._session.get_service_model(service)
    return str(model.resolved_protocol)


# aiobotocore shares the lanes with botocore: one service of each protocol will do.
ASYNC = ("dynamodb", "sqs", "iam", "ec2", "apigateway", "cloudwatch")
RUNS = [*(("sync", name) for name in SCENARIOS), *(("async", name) for name in ASYNC)]


@pytest.mark.parametrize(("flavour", "service"), RUNS)
def test_scenarios_end_as_in_stock(flavour: str, service: str, moto_server: MotoServer) -> None:
    stock, again = (run(flavour, service, moto_server) for _ in range(2))
    with accelerate() as patch:
        fast = run(flavour, service, moto_server)
    assert_alike(stock, again, fast)
    failed = [method for method, outcome in stock if "class" in outcome]
    assert 0 < len(failed) < len(stock) / 2, failed  # errors are part of it, and no more
    assert_was_fast(patch, protocol_of(service))


# --- boto3's resources ---------------------------------------------------------------------------


@pytest.fixture
def table(moto_server: MotoServer) -> Iterator[Callable[[], Any]]:
    """Makes the table anew, on an emptied server."""
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
    resource = session.resource("dynamodb", **moto_server.client_options)

    def make() -> Any:
        moto_server.reset()
        moto_server.seed()
        return resource.create_table(
            TableName="table",
            KeySchema=[
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "n", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "n", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    yield make
    resource.meta.client.close()


def use_table(table: Any) -> list[Any]:
    """Items in Python's own types, a batch, conditions, a failure, pages."""
    told: list[Any] = []
    with table.batch_writer() as batch:
        for number in range(60):
            batch.put_item(Item=python_item(number))
        batch.delete_item(Key={"id": "ä", "n": 59})
    told.append(table.get_item(Key={"id": "ä", "n": 7}))
    told.append(table.query(KeyConditionExpression=Key("id").eq("ä") & Key("n").lt(20)))
    told.append(table.scan(FilterExpression=Attr("n").between(3, 9), Limit=50))
    changed = table.update_item(
        Key={"id": "ä", "n": 7},
        UpdateExpression="SET price = :p",
        ConditionExpression=Attr("price").exists(),
        ExpressionAttributeValues={":p": Decimal("2.50")},
        ReturnValues="ALL_NEW",
    )
    told.append(changed)
    for call, params in (
        (table.put_item, {"Item": python_item(7), "ConditionExpression": Attr("n").not_exists()}),
        (table.put_item, {"Item": {"id": "ä", "n": 1.5}}),
        (table.get_item, {"Key": {"id": "ä"}}),
    ):
        try:
            told.append(call(**params))
        except Exception as error:
            told.append(seen_error(error))
    table.reload()
    told.append(table.item_count)
    return told


def python_item(number: int) -> dict[str, Any]:
    return {
        "id": "ä",
        "n": number,
        "price": Decimal("1.25"),
        "names": {"a", "b"},
        "bytes": b"\x00\xff",
        "deep": [{"none": None, "true": True}, []],
    }


def test_a_resource_s_table(table: Callable[[], Any]) -> None:
    """The handlers that boto3 registers for parameters and answers run, and calls are fast."""
    stock, again = (use_table(table()) for _ in range(2))
    fresh = table()
    with accelerate() as patch:
        fast = use_table(fresh)
    assert_alike(stock, again, fast)
    assert fast[0]["Item"] == python_item(7)
    assert type(fast[0]["Item"]["price"]) is Decimal
    assert_was_fast(patch, protocol_of("dynamodb"))
