"""A copy of shared data is what a parsed file would be, and whatever is done to it stays in it."""

from __future__ import annotations

import copy
import json
import pickle
import random
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boto_accel.fastpath.making.shared import copy_dict, copy_of

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYS = st.sampled_from("abcdef")
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)
TEXT = '{"a": {"b": [{"c": "d"}, ["e"], {"f": {"g": []}}], "h": {}}, "i": ["j"], "k": null}'


def stock(text: str) -> Any:
    """Source: `JSONFileLoader._load_file`."""
    return json.loads(text, object_pairs_hook=OrderedDict)


def from_keywords(**kwargs: Any) -> Any:
    return kwargs


def popped(value: Any, key: str) -> Any:
    value[key] = inner = value.pop(key)
    return inner


def popped_last(value: Any, key: str) -> Any:
    if isinstance(value, OrderedDict):  # what a change put there may be a plain dict
        value.move_to_end(key)
    else:
        value[key] = value.pop(key)
    last, inner = value.popitem()
    value[last] = inner
    return inner


def matched(value: Any, key: str) -> Any:
    match value:
        case {"a": inner} if key == "a":
            return inner
        case {"b": inner} if key == "b":
            return inner
        case _:
            return value[key]


# Each way to get at the value of a key, in Python's code and in C.
READS: dict[str, Callable[[Any, str], Any]] = {
    "[]": lambda value, key: value[key],
    "get": lambda value, key: value.get(key),
    "setdefault": lambda value, key: value.setdefault(key, 0),
    "pop": popped,
    "popitem": popped_last,
    "items": lambda value, key: next(inner for name, inner in value.items() if name == key),
    "reversed items": lambda value, key: dict(reversed(value.items()))[key],
    "values": lambda value, key: list(value.values())[list(value).index(key)],
    "iteration": lambda value, key: next(value[name] for name in value if name == key),
    "copy()": lambda value, key: value.copy()[key],
    "copy.copy": lambda value, key: copy.copy(value)[key],
    "copy.deepcopy": lambda value, key: copy.deepcopy(value)[key],
    "pickle": lambda value, key: pickle.loads(pickle.dumps(value))[key],
    "dict()": lambda value, key: dict(value)[key],
    "OrderedDict()": lambda value, key: OrderedDict(value)[key],
    "type()": lambda value, key: type(value)(value)[key],
    "type() of items": lambda value, key: type(value)(list(value.items()))[key],
    "type() with items": lambda value, key: type(value)(**value)[key],
    "fromkeys": lambda value, key: type(value).fromkeys([key], value[key])[key],
    "{**}": lambda value, key: {**value}[key],
    "f(**)": lambda value, key: from_keywords(**value)[key],
    "dict.update": lambda value, key: updated({}, value)[key],
    "OrderedDict.update": lambda value, key: updated(OrderedDict(), value)[key],
    "|": lambda value, key: (value | {})[key],
    "| of a dict": lambda value, key: ({} | value)[key],
    "|=": lambda value, key: merged({}, value)[key],
    "match": matched,
}


def updated(target: Any, value: Any) -> Any:
    target.update(value)
    return target


def merged(target: Any, value: Any) -> Any:
    target |= value
    return target


def change(value: Any, choose: random.Random) -> None:
    """Some change in place, by *choose*."""
    if isinstance(value, list):
        choose.choice([value.clear, value.reverse, lambda: value.append({"new": []})])()
    elif isinstance(value, dict):
        name = choose.choice(["a", "b", "new", *value])
        how = choose.randrange(4)
        if how == 0:
            value[name] = {"new": [{}]}
        elif how == 1:
            value.pop(name, None)
        elif how == 2:
            value.update({name: ["new"]})
        else:
            value.clear()


def descend(value: Any, way: str, choose: random.Random) -> Any:
    """Some container within *value*, got at in that *way*."""
    while choose.random() < 0.7:
        if isinstance(value, dict) and value:
            value = READS[way](value, choose.choice(list(value)))
        elif isinstance(value, list) and value:
            value = choose.choice(value)
        else:
            break
    return value


@settings(max_examples=200, derandomize=True, deadline=None)
@given(DOCUMENTS, st.lists(st.tuples(st.sampled_from(sorted(READS)), st.integers(0, 10**6))))
def test_what_is_done_to_a_copy_is_what_would_be_done_to_a_parsed_file(
    document: dict[str, Any], steps: list[tuple[str, int]]
) -> None:
    """The same reads and changes give the same values, and what is shared stays as it was."""
    text = json.dumps(document)
    shared = json.loads(text)
    ours, theirs = copy_dict(shared), stock(text)
    for way, seed in steps:
        for root in (ours, theirs):
            choose = random.Random(seed)
            change(descend(root, way, choose), choose)
        assert ours == theirs
        assert theirs == ours
    assert list(ours) == list(theirs)
    assert repr(ours) == repr(theirs)
    assert json.dumps(ours, indent=1) == json.dumps(theirs, indent=1)
    assert json.dumps(shared) == text


@pytest.mark.parametrize("way", READS)
def test_no_way_of_reading_gives_what_is_shared(way: str) -> None:
    shared = json.loads(TEXT)
    given_out = READS[way](copy_dict(shared), "a")
    assert given_out == shared["a"]
    assert given_out is not shared["a"]
    assert given_out["b"] is not shared["a"]["b"]
    assert given_out["b"][2]["f"] is not shared["a"]["b"][2]["f"]


@pytest.mark.parametrize("way", READS)
def test_types_are_those_of_a_parsed_file(way: str) -> None:
    ours, theirs = copy_dict(json.loads(TEXT)), stock(TEXT)
    assert isinstance(ours, OrderedDict)
    for mine, its in zip(everything(ours, way), everything(theirs, way), strict=True):
        assert isinstance(mine, type(its))
        assert type(mine).__name__ == type(its).__name__


def everything(value: Any, way: str) -> list[Any]:
    found = [value]
    if isinstance(value, dict):
        for key in list(value):
            found += everything(READS[way](value, key), way)
    elif isinstance(value, list):
        for each in value:
            found += everything(each, way)
    return found


def test_what_was_read_once_stays_the_same_object() -> None:
    value = copy_dict(json.loads(TEXT))
    first = value["a"]
    assert value.get("a") is first
    assert value["a"]["b"] is first["b"]
    assert dict(value)["a"] is first


def test_replacing_while_it_is_iterated_is_no_change_of_size() -> None:
    """A loop over keys may read the values, as it may in an OrderedDict."""
    value = copy_dict({str(number): {"x": {}} for number in range(100)})
    assert [value[key] for key in value] == [{"x": {}}] * 100


def test_a_container_of_the_users_own_is_left_alone() -> None:
    value, own = copy_dict({"a": {}}), {"b": [1]}
    value["a"] = own
    value["c"] = listed = [own]
    assert value["a"] is own
    assert value.get("c") is listed


def test_two_copies_have_nothing_in_common() -> None:
    shared = json.loads(TEXT)
    one, other = copy_dict(shared), copy_dict(shared)
    one["a"]["b"][0]["c"] = "changed"
    one["i"].append("changed")
    del one["k"]
    assert other == json.loads(TEXT) == shared


def test_missing_keys() -> None:
    value = copy_of({"a": {"b": []}})
    assert value.get("x") is None
    assert value.get("x", 3) == 3
    assert value.pop("x", 3) == value.pop("x", default=3) == 3
    assert value.setdefault("x", 4) == 4
    with pytest.raises(KeyError):
        value["y"]
    with pytest.raises(KeyError):
        value.pop("y")


def test_threads_that_look_at_once_see_one_object() -> None:
    """What one of them changes is not lost, because another made a copy at the same moment."""
    for _ in range(50):
        value = copy_dict({"a": {"b": {}}})
        barrier = threading.Barrier(4)
        seen: list[Any] = []

        def look(value: Any = value, barrier: Any = barrier, seen: Any = seen) -> None:
            barrier.wait()
            seen.append(value["a"])

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, seen))) == 1
        assert value["a"] is seen[0]
