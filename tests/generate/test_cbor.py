"""All forms of CBOR that are written are read by botocore as what they say."""

from __future__ import annotations

import math
from typing import Any

import pytest
from botocore.parsers import RpcV2CBORParser

from tests.generate.cbor import EPOCH_TAG, Tagged, encode
from tests.generate.choices import SeededChoices

VALUES: tuple[Any, ...] = (
    *(0, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1, -1, -24, -25, -(2**64)),
    *(0.0, -0.0, 1.5, 65504.0, 1e-7, 1e300, math.inf, -math.inf),
    *("", "text", "ä中\U0001f600", "x" * 300, b"", b"\x00\xff", b"x" * 70_000),
    *(True, False, [], {}, [1, [2, [3]]], {"a": {"b": [b"c", "d", 1.5]}}),
    {str(n): n for n in range(30)},
)


def read(content: bytes) -> Any:
    parser = RpcV2CBORParser(timestamp_parser=lambda seconds: ("time", seconds))
    stream = parser.get_peekable_stream_from_bytes(content)
    value = parser.parse_data_item(stream)
    assert stream.read() == b""
    return value


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_values_come_back(number: int) -> None:
    value = VALUES[number]
    written = {encode(SeededChoices(seed), value) for seed in range(40)}
    for content in written:
        found = read(content)
        assert type(found) is type(value)
        assert repr(found) == repr(value)  # tells -0.0 from 0.0


@pytest.mark.parametrize("value", [7, 255, "text", b"bytes", [1, 2], {"a": 1}])
def test_the_same_value_has_several_forms(value: Any) -> None:
    assert len({encode(SeededChoices(seed), value) for seed in range(100)}) > 2


def test_times_are_tagged() -> None:
    assert read(encode(SeededChoices(0), Tagged(EPOCH_TAG, 7.5))) == ("time", 7.5)


def test_null_and_undefined_are_none() -> None:
    written = {encode(SeededChoices(seed), None) for seed in range(20)}
    assert written == {b"\xf6", b"\xf7"}
    assert [read(content) for content in written] == [None, None]


def test_floats_have_three_widths() -> None:
    assert {len(encode(SeededChoices(seed), 1.5)) for seed in range(40)} == {3, 5, 9}
    assert {len(encode(SeededChoices(seed), 1e300)) for seed in range(40)} == {9}
    assert math.isnan(read(encode(SeededChoices(0), math.nan)))
