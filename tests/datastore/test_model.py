"""
Random calls of a table against a dict: what is seen is equal.

BOTO_ACCEL_DATASTORE_RUNS=500 makes that many runs, each another time other ones.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from boto_accel.datastore import RowChangedError, RowExistsError, RowNotFound
from tests.datastore.worlds import Store, open_world, steady

RUNS = os.environ.get("BOTO_ACCEL_DATASTORE_RUNS")

VALUES = ["", ".", "a", "b", "a/b", "!!", "!!!2E", "%2F", "é", "x" * 1100, "\ud800"]
values = st.sampled_from(VALUES) | st.text(st.sampled_from("ab/!2E.%"), max_size=6)
bodies = st.binary(max_size=5)
numbers = st.integers(-2, 2)
rows = st.fixed_dictionaries({"a": values, "n": numbers, "b": values})
Row = tuple[Any, ...]


def key_of(row: dict[str, Any]) -> Row:
    """In the order of columns, whatever that of the dict is."""
    return row["a"], row["n"], row["b"]


class Machine(RuleBasedStateMachine):
    """*model*: the rows, by their values."""

    server: Any
    kind: Store
    flavour: str

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.model: dict[Row, bytes] = {}
        self.etags: dict[Row, str] = {}

    @initialize()
    def open(self) -> None:
        self.server.reset()
        self.stack.enter_context(self.kind.around(self.server.client_options))
        options = self.server.client_options
        self.world = self.stack.enter_context(open_world(self.flavour, **options))
        self.do = self.world.do
        self.table = self.world.table("table", {"a": str, "n": int, "b": None})
        self.world.do(self.world.table("tab", ["a"]).insert(b"other", a="x"))

    def teardown(self) -> None:
        self.stack.close()

    @rule(row=rows, data=bodies)
    def insert(self, row: dict[str, Any], data: bytes) -> None:
        answer = self.do(self.table.insert(data, **row))
        self.kept(row, data, answer["ETag"])

    def kept(self, row: dict[str, Any], data: bytes, etag: str) -> None:
        self.model[key_of(row)] = data
        self.etags[key_of(row)] = etag

    @rule(row=rows, data=bodies)
    def insert_if_absent(self, row: dict[str, Any], data: bytes) -> None:
        try:
            answer = self.do(self.table.insert(data, **row, if_absent=True))
        except RowExistsError:
            assert key_of(row) in self.model
            return
        assert key_of(row) not in self.model
        self.kept(row, data, answer["ETag"])

    @rule(row=rows, data=bodies, stale=st.booleans())
    def update(self, row: dict[str, Any], data: bytes, stale: bool) -> None:
        key = key_of(row)
        etag = f'"{"0" * 32}"' if stale else self.etags.get(key, '"1"')
        try:
            answer = self.do(self.table.update(data, if_match=etag, **row))
        except RowNotFound:
            assert key not in self.model
            return
        except RowChangedError:
            assert key in self.model
            assert stale
            return
        assert not stale
        self.kept(row, data, answer["ETag"])

    @rule(row=rows)
    def as_s3aads(self, row: dict[str, Any]) -> None:
        """A row that s3aads writes, where it can, and where it is not written yet."""
        key, texts = key_of(row), [str(value) for value in key_of(row)]
        if key in self.model or any("/" in text or "\ud800" in text for text in texts):
            return
        if any(len(text) > 500 or text.startswith("!!") for text in texts):
            return
        self.world.put(f"table/{'/'.join(texts)}", b"theirs")
        self.model[key] = b"theirs"

    @rule(given=st.lists(rows, max_size=4, unique_by=key_of))
    def insert_many(self, given: list[dict[str, Any]]) -> None:
        self.do(self.table.insert_many([{**row, "data": b"many"} for row in given], workers=2))
        self.model.update({key_of(row): b"many" for row in given})
        for row in given:
            self.etags.pop(key_of(row), None)

    @rule(row=rows)
    def select(self, row: dict[str, Any]) -> None:
        expected = self.model.get(key_of(row))
        assert self.do(self.table.select(**row, default=None)) == expected

    @rule(row=rows)
    def delete(self, row: dict[str, Any]) -> None:
        self.do(self.table.delete(**row))
        self.model.pop(key_of(row), None)

    @rule(given=st.lists(rows, max_size=4))
    def delete_many(self, given: list[dict[str, Any]]) -> None:
        assert self.do(self.table.delete_many(given)) == len(given)
        for row in given:
            self.model.pop(key_of(row), None)

    @rule(row=rows, names=st.sets(st.sampled_from(["a", "n", "b"])))
    def query(self, row: dict[str, Any], names: set[str]) -> None:
        wanted = {name: value for name, value in row.items() if name in names}
        expected = [
            key
            for key in self.model
            if all(dict(zip("anb", key, strict=True))[name] == wanted[name] for name in wanted)
        ]
        found = [key_of(each) for each in self.do(self.table.query(**wanted))]
        assert sorted(found) == sorted(expected)
        assert self.do(self.table.count(**wanted)) == len(expected)

    @rule()
    def everything(self) -> None:
        found = [key_of(row) for row in self.do(self.table.query())]
        assert sorted(found) == sorted(self.model)
        rows = [dict(zip("anb", key, strict=True)) for key in self.model]
        assert self.do(self.table.select_many(rows, workers=2)) == list(self.model.values())

    @rule(names=st.lists(st.sampled_from(["a", "n", "b"]), min_size=1, unique=True))
    def distinct(self, names: list[str]) -> None:
        places = ["anb".index(name) for name in names]
        expected = {tuple(key[place] for place in places) for key in self.model}
        found = self.do(self.table.distinct(names))
        assert len(found) == len(set(found))
        assert set(found) == expected

    @rule()
    def reopen(self) -> None:
        """By its name alone, once something of ours was written and so its columns are kept."""
        if self.etags:
            self.table = self.world.table("table", (), self.world.open())


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_table_is_a_dict(store: tuple[Store, Any], flavour: str) -> None:
    kind, server = store
    parts = {"server": server, "kind": kind, "flavour": flavour}
    machine = type("OfStore", (Machine,), parts)
    examples = 12 if kind.server == "redis_server" else 3  # moto is slow
    found = settings(steady, max_examples=examples, stateful_step_count=12)
    if RUNS is not None:
        found = settings(found, max_examples=int(RUNS), derandomize=False)
    run_state_machine_as_test(machine, settings=found)
