"""What is given again without being decoded anew is what decoding would have made."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given

from boto_accel.cache import codec, copies
from boto_accel.cache.codec import ERROR, REPLY, Damaged, Kept, decode, encode
from boto_accel.cache.copies import LONGEST, MOST_KEPT, Copies
from tests.cache.values import differences, make_reply
from tests.generate.choices import drawn
from tests.generate.models import read_model

KEY = b"key"


def payload_of(value: Any, kind: int = REPLY, member: str = "") -> bytes:
    return encode(Kept(kind, member, value))


@given(drawn(make_reply, read_model("ec2").operation_model("DescribeInstances").output_shape))
def test_each_copy_is_what_decoding_makes_and_shares_nothing(reply: dict[str, Any]) -> None:
    payload, kept = payload_of(reply), Copies()
    found = [kept.read(KEY, payload, None).value for _ in range(5)]
    for each in found:
        assert differences(reply, each) == []
    ids = [identities(each) for each in found]
    assert len(set().union(*ids)) == sum(map(len, ids))


def identities(value: Any) -> set[int]:
    """Of the containers, which a caller may change."""
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list | set):
        return set()
    return {id(value)}.union(*map(identities, items))


def test_what_a_caller_changes_is_changed_for_nobody_else() -> None:
    value = {"list": [{"a": [1]}, 2, {3, "x"} - {3}], "set": {Decimal(1)}, "map": {"b": {}}}
    payload, kept = payload_of(value), Copies()
    for _ in range(5):
        found = kept.read(KEY, payload, None).value
        assert found == value
        found["list"][0]["a"].append(2)
        found["list"][2].add("y")
        found["set"].clear()
        found["map"]["b"]["c"] = 1
        del found["list"][1]


def test_from_the_second_time_on_it_is_kept_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def counted(payload: bytes, zone: object) -> Kept:
        decoded.append(payload)
        return decode(payload, zone)

    monkeypatch.setattr(copies, "decode", counted)
    kept, payload = Copies(), payload_of({"a": 1})
    kept.read(KEY, payload, None)
    kept.read(KEY, payload, None)
    before = len(decoded)
    assert [kept.read(KEY, payload, None).value for _ in range(5)] == [{"a": 1}] * 5
    assert len(decoded) == before


def test_another_payload_of_the_same_key_is_another_reply() -> None:
    kept = Copies()
    for number in range(3):
        payload = payload_of({"n": number})
        for _ in range(4):
            assert kept.read(KEY, payload, None).value == {"n": number}


def test_kind_and_stream_come_back() -> None:
    kept = Copies()
    stream = payload_of({"Body": b"abc"}, member="Body")
    error = payload_of({"Error": {"Code": "NoSuchKey"}}, kind=ERROR)
    for _ in range(4):
        assert kept.read(b"1", stream, None) == Kept(REPLY, "Body", {"Body": b"abc"})
        assert kept.read(b"2", error, None) == Kept(ERROR, "", {"Error": {"Code": "NoSuchKey"}})


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no tzset here")
def test_times_are_in_the_zone_that_the_process_is_in_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `decode` makes them; the zone may change while the program runs."""
    import datetime

    from dateutil.tz import tzlocal

    moment = datetime.datetime.fromtimestamp(0, tzlocal())
    kept, payload = Copies(), payload_of({"at": moment})
    try:
        for name, hour in (("UTC0", 0), ("AAA-3", 3), ("UTC0", 0)):
            monkeypatch.setenv("TZ", name)
            time.tzset()
            for _ in range(4):
                assert kept.read(KEY, payload, time.tzname).value["at"].hour == hour
    finally:
        monkeypatch.undo()
        time.tzset()


def test_what_is_kept_is_bounded() -> None:
    kept = Copies()
    long = payload_of({"a": "x" * LONGEST})
    for _ in range(3):
        assert kept.read(KEY, long, None).value == {"a": "x" * LONGEST}
    assert not kept._known
    for number in range(2 * MOST_KEPT):
        kept.read(b"%d" % number, payload_of({}), None)
        assert len(kept._known) <= MOST_KEPT


def test_damage_is_told_each_time() -> None:
    kept = Copies()
    for _ in range(4):
        with pytest.raises(Damaged):
            kept.read(KEY, b"junk", None)


def test_what_is_nested_too_deeply_is_decoded_each_time() -> None:
    """`encode` writes no such thing, but a file may come from elsewhere."""
    value: dict[str, Any] = {}
    for _ in range(codec.DEEPEST + 50):
        value = {"a": value}
    payload, kept = msgspec.msgpack.encode([codec.VERSION, REPLY, "", value]), Copies()
    for _ in range(4):
        assert kept.read(KEY, payload, None).value == value
