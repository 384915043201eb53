"""The comparison itself: what it must not let pass."""

from __future__ import annotations

import datetime
from collections import OrderedDict
from typing import Any

import pytest
from dateutil.tz import tzutc

from tests.parity.compare import differences
from tests.parity.seen import SeenBody, SeenRequest, see_error

MOMENT = datetime.datetime(2024, 1, 1, tzinfo=tzutc())

UNLIKE: tuple[tuple[Any, Any], ...] = (
    (1, True),
    (1, 1.0),
    ("a", b"a"),
    (None, ""),
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({}, OrderedDict()),
    ([1], (1,)),
    ([1], [1, 2]),
    ({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}),
    (MOMENT, MOMENT.replace(tzinfo=datetime.timezone.utc)),
    (MOMENT, MOMENT.replace(tzinfo=None)),
    (MOMENT, MOMENT.replace(microsecond=1)),
    (SeenBody("a.Body", (b"x",)), SeenBody("b.Body", (b"x",))),
    (SeenBody("a.Body", (b"x",)), SeenBody("a.Body", (b"y",))),
    (
        SeenRequest("GET", "/", (("host", "a"),), b"", b""),
        SeenRequest("GET", "/", (("host", "b"),), b"", b""),
    ),
    (see_error(ValueError("a")), see_error(ValueError("b"))),
    (see_error(ValueError("a")), see_error(UnicodeError("a"))),
)


@pytest.mark.parametrize("number", range(len(UNLIKE)))
def test_unlike_values_differ(number: int) -> None:
    stock, fast = UNLIKE[number]
    assert list(differences(stock, fast))
    assert not list(differences(stock, stock))
    assert not list(differences(fast, fast))


def test_a_number_that_is_none_equals_itself() -> None:
    assert not list(differences(float("nan"), float("nan")))
    assert list(differences(float("nan"), 1.0))


def test_the_place_is_told() -> None:
    (line,) = differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})
    assert line.startswith("$['a'][1]['b']:")
