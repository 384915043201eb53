"""The calls of the soak: what is asked, what the answer has to be, which errors may come."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from tests.soak.fates import FATES, body_of, draw_key, etag_of, fate_of

READ_BYTES = 3000  # bytes; of a body that is read in pieces


@dataclass(frozen=True)
class Ask:
    """
    One call. *params* makes the parameters; *check* raises AssertionError for a wrong answer;
    *reads*: how its body, if it has one, is read: "whole", "pieces", "half" or "not".
    """

    method: str
    key: str
    params: Callable[[], dict[str, Any]]
    check: Callable[[dict[str, Any]], None]
    reads: str = "whole"


def draw_ask(rng: random.Random, number: int, calm: bool) -> Ask:
    """*calm*: without what only a timeout ends."""
    key = draw_key(rng, number)
    if calm:
        key = key.replace("hang/", "late/")
    method = rng.choices(tuple(MAKERS), (40, 20, 5, 15, 10, 10))[0]
    return MAKERS[method](key, rng)


def get(key: str, rng: random.Random) -> Ask:
    def check(answer: dict[str, Any]) -> None:
        assert answer["Metadata"] == {"key": key}

    reads = rng.choices(("whole", "pieces", "half", "not"), (80, 12, 4, 4))[0]
    return Ask("get_object", key, lambda: place(key), check, reads)


def put(key: str, _: random.Random) -> Ask:
    return put_of(key, lambda body: body)


def put_file(key: str, _: random.Random) -> Ask:
    return put_of(key, BytesIO)


def put_of(key: str, body_from: Callable[[bytes], Any]) -> Ask:
    """The server refuses a body that is not what the key says."""

    def check(answer: dict[str, Any]) -> None:
        assert answer["ETag"] == etag_of(body_of(key))

    return Ask("put_object", key, lambda: {**place(key), "Body": body_from(body_of(key))}, check)


def head(key: str, _: random.Random) -> Ask:
    def check(answer: dict[str, Any]) -> None:
        assert answer["ContentLength"] == len(body_of(key))
        assert answer["Metadata"] == {"key": key}

    return Ask("head_object", key, lambda: place(key), check)


def listing(key: str, _: random.Random) -> Ask:
    def check(answer: dict[str, Any]) -> None:
        assert answer["Prefix"] == key
        assert [each["Key"] for each in answer["Contents"]] == [key]

    return Ask("list_objects_v2", key, lambda: {"Bucket": "b", "Prefix": key}, check)


def delete(key: str, _: random.Random) -> Ask:
    return Ask("delete_object", key, lambda: place(key), lambda answer: None)


MAKERS: dict[str, Callable[[str, random.Random], Ask]] = {
    "get": get,
    "put": put,
    "put file": put_file,
    "head": head,
    "list": listing,
    "delete": delete,
}


def place(key: str) -> dict[str, Any]:
    return {"Bucket": "b", "Key": key}


def check_answer(ask: Ask, answer: dict[str, Any]) -> None:
    """Raises AssertionError for an answer that is another call's, or none that there is."""
    assert answer["ResponseMetadata"]["RequestId"] == ask.key, answer["ResponseMetadata"]
    ask.check(answer)


def check_body(ask: Ask, body: bytes) -> None:
    wanted = body_of(ask.key)
    if ask.reads in ("whole", "pieces"):
        assert body == wanted, f"{len(body)} bytes that are not the {len(wanted)} wanted"
        assert fate_of(ask.key) != "bad-sum", "a wrong checksum was not seen"
    else:
        assert wanted.startswith(body), f"{len(body)} bytes that do not begin the {len(wanted)}"


def network_errors() -> tuple[type[BaseException], ...]:
    """What botocore raises for the network's sake, and lets through from what it stands on."""
    try:
        from aiohttp import ClientError as FromAiohttp
    except ImportError:
        return (BotoCoreError, HTTPError)
    return (BotoCoreError, HTTPError, FromAiohttp)


NETWORK = network_errors()


def is_due(ask: Ask, error: Exception) -> bool:
    """Whether *error* is what the fate of *ask* comes to."""
    fate = FATES[fate_of(ask.key)]
    if fate.fails == "network":
        return ask.method == "get_object" and isinstance(error, NETWORK)
    return bool(
        fate.fails
        and isinstance(error, ClientError)
        and error.response["ResponseMetadata"]["HTTPStatusCode"] == int(fate.fails)
    )
