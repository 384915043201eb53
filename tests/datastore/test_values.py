"""Typed values as text: equal after the way there and back, and of the same type."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boto_accel.datastore.values import ANY, KINDS
from tests.datastore.worlds import steady

offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(st.characters()),
    "int": st.integers(),
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "date": st.dates(),
    "datetime": st.datetimes(timezones=st.none() | offsets),
    "Decimal": st.decimals(allow_nan=False),
    "UUID": st.uuids(),
}
typed = st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind]))


@steady
@given(typed)
def test_a_value_comes_back_as_it_was(given: tuple[str, Any]) -> None:
    kind, value = given
    back = KINDS[kind].read(KINDS[kind].write(value))
    assert back == value
    assert type(back) is type(value)
    assert str(back) == str(value)  # 1.00 is not 1.0, and an offset stays


@steady
@given(st.sampled_from(sorted(VALUES)), st.text() | typed.map(lambda given: str(given[1])))
def test_a_text_that_is_read_would_be_written(kind: str, text: str) -> None:
    """Else the row could be seen, and not be found."""
    try:
        value = KINDS[kind].read(text)
    except ValueError:
        return
    assert KINDS[kind].write(value) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "01"),
        ("int", "1_000"),
        ("int", " 1"),
        ("int", "٣"),
        ("float", "1"),
        ("float", "nan"),
        ("bool", "true"),
        ("bool", ""),
        ("date", "20200101"),
        ("date", "2020-1-1"),
        ("datetime", "2020-01-01"),
        ("datetime", "2020-01-01T00:00:00"),
        ("Decimal", "1e5"),
        ("Decimal", "sNaN"),
        ("UUID", "{12345678-1234-5678-1234-567812345678}"),
    ],
)
def test_another_spelling_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="is not what a value of"):
        KINDS[kind].read(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", True),
        ("int", "1"),
        ("int", 1.0),
        ("str", 1),
        ("str", b"x"),
        ("bool", 1),
        ("date", datetime(2020, 1, 1)),
        ("datetime", date(2020, 1, 1)),
        ("float", math.nan),
        ("Decimal", Decimal("NaN")),
        ("UUID", "12345678-1234-5678-1234-567812345678"),
    ],
)
def test_another_type_is_refused(kind: str, value: Any) -> None:
    """It would come back as something else, or never be found."""
    with pytest.raises(ValueError, match=r"expected|equal to itself"):
        KINDS[kind].write(value)


class Colour(str, Enum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [1, True, 1.5, "x", date(2020, 1, 2), datetime(2020, 1, 2, 3), UUID(int=1), Decimal("1.0"),
     Colour.RED],
)  # fmt: skip
def test_without_a_type_a_value_is_written_as_by_s3aads(value: Any) -> None:
    text = f"{value}"  # what it does
    assert ANY.write(value) == text
    assert ANY.read(text) == text


def test_bytes_are_no_text() -> None:
    with pytest.raises(ValueError, match="decode it first"):
        ANY.write(b"x")
