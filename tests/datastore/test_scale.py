"""Thousands of rows: pages as they are needed, and requests counted."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boto_accel import accelerate
from boto_accel.datastore import Database, Table
from boto_accel.datastore.sampling import KeySpace, common_head
from tests.datastore.worlds import Counting, World, steady

YEARS, IDS = 4, 600


@pytest.fixture
def client(bench: World) -> Counting:
    return Counting(bench.caller.client)


@pytest.fixture
def table(bench: World, client: Counting) -> Any:
    """2,400 rows: 4 years with 600 numbers each."""
    made = Table("table", Database(bench.name, client=client), {"year": int, "id": int})
    fill(made, ({"year": 2020 + n % YEARS, "id": n // YEARS} for n in range(YEARS * IDS)))
    client.took()
    return made


def fill(table: Any, rows: Any) -> None:
    with accelerate():
        table.insert_many([{**row, "data": b""} for row in rows], workers=2)


def asked(client: Counting) -> list[dict[str, Any]]:
    """The listings since it was last asked."""
    return [params for name, params in client.took() if name == "list_objects_v2"]


def test_iter_query_reads_a_page_when_it_is_needed(table: Any, client: Counting) -> None:
    rows = table.iter_query()
    assert asked(client) == []
    assert next(rows) == {"year": 2020, "id": 0}
    assert len(asked(client)) == 1
    for _ in range(1000):
        next(rows)
    assert len(asked(client)) == 1
    rows.close()
    assert len(table.query()) == 2400
    assert len(asked(client)) == 3


def test_leading_columns_list_only_their_prefix(table: Any, client: Counting) -> None:
    assert table.count(year=2021) == IDS
    assert [params["Prefix"] for params in asked(client)] == ["table/2021/"]
    assert table.count(year=2021, id=5) == 1
    assert [params["Prefix"] for params in asked(client)] == ["table/2021/5"]
    assert table.count(id=5) == YEARS
    assert len(asked(client)) == 3


def test_distinct_values_of_the_first_column_are_one_page(table: Any, client: Counting) -> None:
    assert table.distinct(["year"]) == [(2020,), (2021,), (2022,), (2023,)]
    assert [params["Delimiter"] for params in asked(client)] == ["/"]
    assert table.years() == [2020, 2021, 2022, 2023]
    assert len(asked(client)) == 1


@pytest.mark.parametrize(
    ("shape", "groups", "most"),
    [
        ((2, 2, 1100), 4, 5),  # large groups: two requests for each parent, not one a page
        ((3, 350, 2), 1050, 8),  # small ones: no more than the pages of all keys, and a few
        ((700, 1, 2), 700, 6),
        ((1, 2, 1200), 2, 4),
    ],
)
def test_distinct_values_of_two_columns(
    bench: World, client: Counting, shape: tuple[int, int, int], groups: int, most: int
) -> None:
    made = Table("shaped", Database(bench.name, client=client), ["a", "b", "c"])
    first, second, third = (range(size) for size in shape)
    fill(made, ({"a": a, "b": b, "c": c} for a in first for b in second for c in third))
    client.took()
    found = made.distinct(["a", "b"])
    assert len(found) == len(set(found)) == groups
    assert set(found) == {(str(a), str(b)) for a in first for b in second}
    assert len(asked(client)) <= most


def test_distinct_does_not_skip_what_other_keys_hide(bench: World, client: Counting) -> None:
    """A page may end within keys that are no rows, of a group that has rows further on."""
    made = Table("hidden", Database(bench.name, client=client), ["a", "b", "c"])
    made.insert(b"", a="g", b="z", c="last")
    keys = [f"g/z/a{number:04}/deeper" for number in range(1500)]
    with accelerate():
        for key in keys:
            made.insert_by_key(key, b"")
    assert made.distinct(["a", "b"]) == [("g", "z")]
    assert made.count() == 1


def test_a_random_key_takes_few_requests(table: Any, client: Counting) -> None:
    random.seed(1)
    keys = set(table.keys)
    client.took()
    most = 0
    with accelerate():
        for _ in range(40):
            assert table.random_key() in keys
            most = max(most, len(asked(client)))
    assert most <= 40  # of 1,000 keys, or of one; independent of how many there are


def test_random_keys_are_drawn_from_all_parts(bench: World, client: Counting) -> None:
    """Of 2,000 numbers most begin with 1. With the seed the outcome is always the same."""
    made = Table("numbers", Database(bench.name, client=client), {"id": int})
    fill(made, ({"id": number} for number in range(2000)))
    order = {key: place for place, key in enumerate(made.keys)}
    random.seed(2)
    with accelerate():
        drawn = [order[made.random_key()] for _ in range(150)]
    assert set(Counter(place // 200 for place in drawn)) == set(range(10))
    ends = [place for place in drawn if place < 40 or place >= 1960]
    assert ends  # neither the first nor the last are out of reach


def test_random_key_of_one_page_is_uniform(bench: World, client: Counting) -> None:
    made = Table("few", Database(bench.name, client=client), ["id"])
    fill(made, ({"id": number} for number in range(5)))
    client.took()
    random.seed(3)
    counts = Counter(made.random_key() for _ in range(500))
    assert set(counts) == {"0", "1", "2", "3", "4"}
    assert min(counts.values()) > 60
    assert len(asked(client)) == 500


def test_rows_among_many_other_keys_are_found(bench: World, client: Counting) -> None:
    made = Table("rare", Database(bench.name, client=client), ["a", "b"])
    made.insert(b"", a="z", b="z")
    with accelerate():
        for number in range(1100):
            made.insert_by_key(f"{number}", b"")
    random.seed(4)
    assert made.random_key() == "z/z"


keys = st.text("ab/z", min_size=1, max_size=30)


@steady
@given(st.lists(keys, min_size=2, max_size=20, unique=True), st.randoms(use_true_random=False))
def test_what_is_drawn_is_between_the_first_key_and_the_last(
    given: list[str], chance: random.Random
) -> None:
    """Its end comes down to the last key, whatever is drawn: so a page is found in the end."""
    ordered = sorted(given)
    shared = common_head(ordered[0], ordered[-1])
    space = KeySpace(ordered, shared)
    for _ in range(200):
        drawn = space.draw(chance.randrange)
        assert drawn.startswith(shared)
        if any(key > drawn for key in ordered):
            return
        space.end_before(drawn)
    raise AssertionError("no key was found after what was drawn")


def test_shared_heads() -> None:
    assert common_head("abc", "abd") == "ab"
    assert common_head("a", "b") == ""
    assert common_head("ab", "ab") == "ab"
