"""Replies come back as they were; bytes from elsewhere do no harm."""

from __future__ import annotations

import datetime
import random
import time
import zoneinfo
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from dateutil.tz import tzlocal, tzutc
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from boto_accel.cache import codec
from boto_accel.cache.codec import ERROR, REPLY, Damaged, Kept, Unencodable, decode, encode
from tests.cache.values import differences, make_reply
from tests.generate.choices import SeededChoices, drawn
from tests.generate.models import read_model, service_names

PARTS = 16  # of the services, so that several workers can share them


def round_trip(reply: Any) -> Any:
    return decode(encode(Kept(REPLY, "", reply))).value


@pytest.mark.parametrize("part", range(PARTS))
def test_replies_of_every_operation_of_every_service_come_back(part: int) -> None:
    """decode(encode(x)) is x, with equal types at every level, and shares nothing with it."""
    for service in service_names()[part::PARTS]:
        model = read_model(service)
        for name in model.operation_names:
            reply = make_reply(
                SeededChoices(f"{service}.{name}"), model.operation_model(name).output_shape
            )
            assert differences(reply, round_trip(reply)) == [], f"{service}.{name}"


@given(drawn(make_reply, read_model("ec2").operation_model("DescribeInstances").output_shape))
def test_replies_that_hypothesis_finds_come_back(reply: dict[str, Any]) -> None:
    assert differences(reply, round_trip(reply)) == []


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1.10"), Decimal("-1E+30"), Decimal("NaN"), {"a", "b"},
        {Decimal(1), Decimal("1.5")}, {b"x"}, set(), None, "\U0001f600",
        2**64 - 1, 2**64, -(2**63) - 1,
    ],
)  # fmt: skip
def test_what_the_dynamodb_resource_adds_comes_back(value: Any) -> None:
    found = round_trip({"Item": {"v": value}})["Item"]["v"]
    assert type(found) is type(value)
    assert str(found) == str(value) or found == value


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        (1, 2), OrderedDict(a=1), Text("x"), bytearray(b"x"), object(), {1: 2}, {"x", 1},
        datetime.date(2024, 1, 1), datetime.timedelta(1), "\ud800", 1j, range(3), memoryview(b"x"),
        datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
        datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(0), "Z")),
    ],
)  # fmt: skip
def test_what_would_come_back_as_something_else_is_refused(value: Any) -> None:
    """A tuple would be a list, an OrderedDict a dict: such a reply is not kept."""
    with pytest.raises(Unencodable):
        encode(Kept(REPLY, "", {"v": [value]}))


def test_a_reply_that_contains_itself_is_refused() -> None:
    reply: dict[str, Any] = {}
    reply["again"] = reply
    with pytest.raises(Unencodable):
        encode(Kept(REPLY, "", reply))


def test_each_decoding_is_a_value_of_its_own() -> None:
    payload = encode(Kept(REPLY, "", {"Users": [{"Name": "a"}]}))
    one = decode(payload).value
    one["Users"][0]["Name"] = "changed"
    one["Users"].append("more")
    assert decode(payload).value == {"Users": [{"Name": "a"}]}


def test_a_stream_and_an_error_come_back_as_such() -> None:
    assert decode(encode(Kept(REPLY, "Body", {"Body": b"x"}))) == Kept(
        REPLY, "Body", {"Body": b"x"}
    )
    error = {"Error": {"Code": "NoSuchKey"}}
    assert decode(encode(Kept(ERROR, "", error))) == Kept(ERROR, "", error)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Any:
    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


def test_local_times_are_those_of_the_reading_process(zone: Any) -> None:
    """As botocore gives them: the instant, in the zone of the process, daylight saving and all."""
    zone("America/New_York")
    winter, summer = 1_704_110_400, 1_719_835_200
    ambiguous = 1_730_613_600  # the hour that comes twice, the second time
    made = [datetime.datetime.fromtimestamp(s, tzlocal()) for s in (winter, summer, ambiguous)]
    payload = encode(Kept(REPLY, "", {"times": made}))
    assert differences(made, decode(payload, time.tzname).value["times"]) == []
    zone("Europe/Berlin")
    there = [datetime.datetime.fromtimestamp(s, tzlocal()) for s in (winter, summer, ambiguous)]
    assert differences(there, decode(payload, time.tzname).value["times"]) == []


# Bytes from elsewhere ---------------------------------------------------------------------------


def survives(payload: bytes) -> None:
    """Whatever it is: a `Kept`, or `Damaged`."""
    try:
        kept = decode(payload)
    except Damaged:
        return
    assert type(kept.value) is dict


def message(*items: Any) -> bytes:
    return msgspec.msgpack.encode(list(items))


def extension(code: int, data: bytes) -> bytes:
    return message(codec.VERSION, REPLY, "", {"a": Ext(code, data)})


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\x00", b"\xc1", message(), message(1), message(2, 0, "", {}), message(1, 7, "", {}),
        message(1, 0, "", []), message(1, 0, 1, {}), message(1, 0, "Body", {}),
        message(1, 0, "Body", {"Body": "text"}), message(1, 1, "", {}),
        message(1, 1, "", {"Error": 1}), message(1, 1, "", {"Error": {"Code": []}}),
        message(1, 1, "", {"Error": {"Code": "x", "QueryErrorCode": {}}}),
        message(1, 1, "", {"Error": {"Code": "x"}, "ResponseMetadata": []}),
        extension(99, b""), *(extension(code, b"\xff" * 13) for code in range(1, 10)),
        extension(codec.INTEGER, b"9" * 10**6), extension(codec.DECIMAL, b"x"),
        extension(codec.SET, message([1])), extension(codec.OFFSET, bytes(16)),
        extension(codec.SET, message(Ext(codec.SET, b"\x90"))),
        b"\x91" * 100_000, b"\x81\xa1a" * 100_000, b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    ],
)  # fmt: skip
def test_bytes_that_are_no_payload_are_damaged(payload: bytes) -> None:
    """Truncated, nested too deeply, of lengths that are not there, of another version."""
    with pytest.raises(Damaged):
        decode(payload)


PAYLOAD = encode(
    Kept(
        REPLY,
        "",
        {
            "Users": [{"Name": "n", "Created": datetime.datetime(2024, 1, 2, tzinfo=tzutc())}],
            "Size": 2**70,
            "Cost": Decimal("1.5"),
            "Names": {"a"},
        },
    )
)


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_random_bytes_do_no_harm(payload: bytes) -> None:
    survives(payload)


@settings(max_examples=500)
@given(st.integers(0, len(PAYLOAD) - 1), st.binary(max_size=12), st.integers(0, 12))
def test_a_payload_that_was_changed_does_no_harm(at: int, junk: bytes, removed: int) -> None:
    survives(PAYLOAD[:at] + junk + PAYLOAD[at + removed :])


def test_ten_thousand_changed_bytes_do_no_harm() -> None:
    chance = random.Random(1)
    for _ in range(10_000):
        changed = bytearray(PAYLOAD)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        survives(bytes(changed[: chance.randint(0, len(changed))]))
        survives(bytes(changed))
