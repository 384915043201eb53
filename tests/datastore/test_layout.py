"""Rows as keys: one key a row, one row a key, whatever is in the columns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from boto_accel.datastore import ColumnError, KeyTooLongError, UnreadableKeyError
from boto_accel.datastore.layout import KEY_BYTES, Layout
from boto_accel.datastore.schema import Schema, check_columns
from tests.datastore.test_escape import texts
from tests.datastore.worlds import steady

NAMES = ["a", "b", "c"]


def layout_of(columns: Any, table: str = "table") -> Layout:
    schema = check_columns(table, columns, ())
    assert isinstance(schema, Schema)
    return Layout(table, schema)


THREE = layout_of(NAMES)
long_texts = st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 30, 400]))
rows = st.lists(long_texts, min_size=3, max_size=3)


def read(layout: Layout, key: str, apart: Any) -> list[str] | None:
    segments = layout.segments(key)
    return None if segments is None else list(layout.read_texts(segments, apart.__getitem__))


@steady
@given(rows)
@example(["", "", ""])
@example(["é" * 600, "/", ".."])
@example(["a", "", "!!a!2Fb"])
def test_a_row_comes_back_from_its_key(values: list[str]) -> None:
    place = THREE.place(dict(zip(NAMES, values, strict=True)))
    assert read(THREE, place.key, place.apart) == values
    assert len(f"table/{place.key}".encode()) <= KEY_BYTES
    if place.plain is not None:
        assert read(THREE, place.plain, place.apart) == values


@steady
@given(rows, rows)
@example(["!!", "", "x"], ["", "", "x"])
@example(["!!", "x", "y"], ["", "x", "y"])
@example(["!!a!2Fb", "x", "y"], ["a/b", "x", "y"])
@example(["!!", "!!", "!!"], ["", "", ""])
def test_no_two_rows_share_a_key(one: list[str], other: list[str]) -> None:
    places = [THREE.place(dict(zip(NAMES, row, strict=True))) for row in (one, other)]
    assert bool(set(places[0].keys) & set(places[1].keys)) == (one == other)


@steady
@given(st.lists(texts.filter(lambda text: "/" not in text), min_size=3, max_size=3))
@example(["", "", ""])
@example(["", "!!!2E", "x"])
@example(["!!", "", "x"])
def test_every_key_is_a_row_that_is_found_there(segments: list[str]) -> None:
    """Of s3aads too: there is no key that can be seen and not be selected."""
    key = "/".join(segments)
    try:
        key.encode()
    except UnicodeEncodeError:
        assume(False)
    assume(not THREE.digests(segments))
    values = read(THREE, key, {})
    assert values is not None
    assert key in THREE.place(dict(zip(NAMES, values, strict=True))).keys


@steady
@given(st.lists(texts.filter(lambda text: "/" not in text), min_size=3, max_size=3))
def test_what_s3aads_wrote_is_found(values: list[str]) -> None:
    """Under its own key, `"/".join(values)`, if S3 took it; but for what looks like an escape."""
    key = "/".join(values)
    assume(not any(value.startswith("!!") for value in values))
    assume(not any("\ud800" <= letter <= "\udfff" for letter in key))
    assume(len(f"table/{key}".encode()) <= KEY_BYTES)
    assert key in THREE.place(dict(zip(NAMES, values, strict=True))).keys
    assert read(THREE, key, {}) == values


@steady
@given(rows, st.integers(1, 2))
def test_a_prefix_leads_to_the_row(values: list[str], width: int) -> None:
    place = THREE.place(dict(zip(NAMES, values, strict=True)))
    prefixes = THREE.prefixes(values[:width])
    for key in place.keys:
        assert [key.startswith(prefix) for prefix in prefixes].count(True) == 1
    assert prefixes == sorted(set(prefixes))
    assert all(prefix.count("/") == width and prefix[-1] == "/" for prefix in prefixes)


def test_the_plain_case_is_one_key_and_one_prefix() -> None:
    place = THREE.place({"a": 1, "b": "x y", "c": "100%"})
    assert (place.key, place.plain, place.apart) == ("1/x y/100%", None, {})
    assert THREE.prefixes(["1", "x y"]) == ["1/x y/"]


def test_a_long_value_is_kept_apart_only_where_there_is_no_room() -> None:
    fits = KEY_BYTES - len("table/") - len("/b/c")
    place = THREE.place({"a": "x" * fits, "b": "b", "c": "c"})
    assert (len(place.key), place.apart) == (fits + 4, {})
    place = THREE.place({"a": "x" * (fits + 1), "b": "b", "c": "c"})
    assert list(place.apart.values()) == ["x" * (fits + 1)]
    assert place.key.endswith("/b/c")


def test_where_even_digests_find_no_room() -> None:
    layout = layout_of([f"c{number}" for number in range(20)])
    row = {name: "x" * (100 + number) for number, name in enumerate(layout.names)}
    with pytest.raises(KeyTooLongError, match=r"column 'c19'.*1,024 bytes"):
        layout.place(row)


def test_missing_and_unknown_columns_are_named() -> None:
    with pytest.raises(ColumnError, match="column 'b': it is missing") as found:
        THREE.place({"a": 1, "c": 3})
    assert (found.value.table, found.value.column) == ("table", "b")
    with pytest.raises(ColumnError, match="column 'd': there is no such column; there are a, b, c"):
        THREE.place({"a": 1, "b": 2, "c": 3, "d": 4})
    with pytest.raises(ColumnError, match="'b': it is missing"):
        THREE.place({"a": 1, "b": None, "c": 3})


def test_keys_that_are_no_rows() -> None:
    """Folders of consoles, and keys with more or fewer segments."""
    typed = layout_of({"a": int, "b": int})
    assert THREE.segments("") is None
    assert THREE.segments("a/b") is None
    assert THREE.segments("a/b/c/d") is None
    assert typed.segments("1/") is None
    assert typed.segments("1/2") == ["1", "2"]
    assert layout_of(["a"]).segments("") is None
    assert layout_of(["a", "b"]).segments("1/") == ["1", ""]  # s3aads can write it


def test_a_key_that_does_not_fit_the_types_is_told() -> None:
    typed = layout_of({"a": int})
    with pytest.raises(UnreadableKeyError, match=r"key '01', column 'a'.*delete_by_key"):
        typed.row(["01"], "01")
