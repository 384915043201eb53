"""JSON is written and read as `json.dumps` and `json.loads` do, which botocore calls."""

from __future__ import annotations

import enum
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boto_accel import _compat
from boto_accel.fastpath.lanes import json_values
from boto_accel.fastpath.lanes.scalars import Odd

dumps = _compat.json_dumps()


class Colour(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Share(float):
    """A float of a class of its own."""


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([Colour.RED, Number.ONE, Share(0.1), "\ud800", 10**400, -0.0]),
)
keys = st.one_of(st.text(), st.sampled_from([Colour.RED, None, True, 1, 1.5]))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner)
    ),
)


@given(values)
def test_values_are_written_as_by_json_dumps(value: Any) -> None:
    assert dumps(value) == json.dumps(value)


@pytest.mark.parametrize("value", [Decimal("1.5"), b"bytes", {"a": object()}, {(1, 2): 3}, {1, 2}])
def test_what_json_does_not_know_is_refused_in_the_same_words(value: Any) -> None:
    with pytest.raises(TypeError) as stocks:
        json.dumps(value)
    with pytest.raises(TypeError) as ours:
        dumps(value)
    assert str(ours.value) == str(stocks.value)


def test_a_default_that_somebody_put_into_the_encoder_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json.JSONEncoder, "default", lambda _, value: str(value))
    assert dumps({"price": Decimal("1.50")}) == json.dumps({"price": Decimal("1.50")})


def test_what_is_nested_too_deeply_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(RecursionError):
        dumps(cycle)


@given(values.map(json.dumps), st.sampled_from(["", " ", "\n\t"]), st.sampled_from(["", "\r\n "]))
def test_documents_are_read_as_by_json_loads(document: str, before: str, after: str) -> None:
    text = before + document + after
    assert repr(json_values.loads(text.encode())) == repr(json.loads(text))


@given(st.one_of(st.text(min_size=1), values.map(lambda value: json.dumps(value) + "}")))
def test_what_is_no_json_is_left_to_botocore(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(Odd):
            json_values.loads(text.encode())
    else:
        assert repr(json_values.loads(text.encode())) == repr(expected)


def test_an_empty_body_has_no_members() -> None:
    assert json_values.loads(b"") == {}
