"""The key: equal for calls that mean the same, another for all others."""

from __future__ import annotations

import datetime
import enum
import io
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from dateutil.tz import tzutc
from hypothesis import given
from hypothesis import strategies as st

from boto_accel.cache.key import (
    LONGEST_REMEMBERED,
    MOST_REMEMBERED,
    Keys,
    Uncacheable,
    call_key,
    caller_digest,
    canonical,
    digest_tag,
)

UTC = datetime.timezone.utc
NOON = datetime.datetime(2024, 1, 2, 12, tzinfo=UTC)


class Colour(str, enum.Enum):
    RED = "red"


class Named(dict[str, Any]):
    pass


# Each in this list is another value than all others in it.
DIFFERENT: list[Any] = [
    1, "1", True, b"1", 1.0, Decimal(1), None, "", b"", [], {}, set(), False, 0, "None", "N",
    [1], ["1"], [[1]], [1, 1], [1, [1]], [[1], 1], ["ab"], ["a", "b"], ["a", "", "b"],
    {"a": 1}, {"a": "1"}, {"b": 1}, {"a": {"b": 1}}, {"a": 1, "b": 1}, {"a": None}, {1: "a"},
    ["a", 1], {"a", "1"}, -1, 10**30, float("inf"), float("nan"), -0.0, 0.0, "é", "e\u0301",
    "\ud800", NOON, NOON.isoformat(), NOON.replace(tzinfo=None), NOON.timestamp(),
    NOON + datetime.timedelta(microseconds=1), datetime.date(2024, 1, 2), "s1:a", ["s1:a"],
]  # fmt: skip


def test_different_values_have_different_forms() -> None:
    """1, "1", True and b"1" are not one call; nor is anything that is written alike."""
    for one, other in combinations(DIFFERENT, 2):
        assert canonical(one) != canonical(other), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}),
        (b"ab", bytearray(b"ab")),
        (b"ab", memoryview(b"ab")),
        ([1, 2], (1, 2)),
        ({3, 1, 2}, frozenset([2, 3, 1])),
        (NOON, NOON.replace(tzinfo=tzutc())),
        (NOON, NOON.astimezone(datetime.timezone(datetime.timedelta(hours=5)))),
        ("red", Colour.RED),
        ({"a": 1}, Named(a=1)),
    ],
)
def test_equal_calls_have_one_form(one: Any, other: Any) -> None:
    """The order of a dict, the kind of bytes and the zone of an instant do not count."""
    assert canonical(one) == canonical(other)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def strictly_equal(one: Any, other: Any) -> bool:
    """Equal, with equal types, at all levels; NaN is itself, and -0.0 is not 0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    return repr(one) == repr(other)


@given(values, values)
def test_the_form_is_injective(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == strictly_equal(one, other)


@given(st.lists(values, max_size=4))
def test_neighbours_do_not_run_into_each_other(items: list[Any]) -> None:
    """No two lists have one form, as those of text that is joined would."""
    assert canonical(items) != canonical([items])
    assert canonical([*items, ""]) != canonical(items)


@pytest.mark.parametrize("value", [io.BytesIO(b"x"), io.StringIO("x"), object(), len, 1j])
def test_what_has_no_form_is_not_cached(value: Any) -> None:
    """A file is read once; what is not known may be anything."""
    with pytest.raises(Uncacheable):
        canonical({"Body": [value]})


def test_what_contains_itself_is_not_cached() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Uncacheable, match="deeply"):
        canonical(endless)


def test_scope_and_principal_do_not_run_into_each_other() -> None:
    assert caller_digest(b"ab", b"c") != caller_digest(b"a", b"bc")
    assert caller_digest(b"a", b"b") != caller_digest(b"b", b"a")


def test_callers_and_parameters_make_different_keys() -> None:
    one, other = caller_digest(b"s", b"a"), caller_digest(b"s", b"b")
    keys = [
        call_key(one, {}),
        call_key(one, {"a": 1}),
        call_key(other, {}),
        call_key(other, {"a": 1}),
    ]
    assert len(set(keys)) == 4


def test_a_tag_tells_nothing_of_its_parts() -> None:
    tag = digest_tag("s3:key", "my-bucket", "secret-plans")
    assert "my-bucket" not in tag
    assert "plans" not in tag
    assert tag == digest_tag("s3:key", "my-bucket", "secret-plans")
    assert tag != digest_tag("s3:key", "my-bucketsecret-plans", "")


# What is remembered --------------------------------------------------------------------------


CALLERS = [caller_digest(b"scope", b"one"), caller_digest(b"scope", b"two")]


def test_what_is_remembered_is_what_would_be_worked_out() -> None:
    """Also where two parameters are equal to Python, and not to AWS: 1 and True."""
    keys = Keys()
    for _ in range(2):
        for caller in CALLERS:
            for value in DIFFERENT:
                for params in ({"A": value}, {"A": "x", "B": value}, {"B": value, "A": "x"}):
                    assert keys.of(caller, params) == call_key(caller, params)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.sampled_from(DIFFERENT)), max_size=20))
def test_in_any_order_too(calls: list[dict[str, Any]]) -> None:
    keys = Keys()
    for params in calls:
        assert keys.of(CALLERS[0], params) == call_key(CALLERS[0], params)


def test_names_and_values_do_not_run_into_each_other() -> None:
    keys = Keys()
    found = [keys.of(CALLERS[0], each) for each in ({"a": "b"}, {"b": "a"}, {}, {"a": "a"})]
    assert len(set(found)) == 4


def test_a_parameter_that_cannot_be_hashed_is_none_the_worse() -> None:
    class Odd(str):
        def __hash__(self) -> int:
            raise ValueError("asked for its hash")

    params = {"A": Odd("x")}
    assert Keys().of(CALLERS[0], params) == call_key(CALLERS[0], {"A": "x"})


def test_what_is_remembered_is_bounded() -> None:
    keys = Keys()
    for number in range(2 * MOST_REMEMBERED):
        keys.of(CALLERS[0], {"A": number})
        assert len(keys._known) <= MOST_REMEMBERED
    keys = Keys()
    keys.of(CALLERS[0], {"A": "x" * LONGEST_REMEMBERED})
    assert not keys._known
