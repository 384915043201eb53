"""
One bucket that rules split by key, listed page by page: what one store would show.

The stores conform to the API reference, and hold keys besides that the rules lead elsewhere for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from boto_accel import route_s3
from boto_accel.router.rules import Rules, parse_rules
from tests.router.memory import MemoryStores, Store, Stored
from tests.router.pages import next_page
from tests.servers.clients import make_client

URLS = {"near": "http://near.test", "far": "http://far.test", "third": "http://third.test"}
NEXT = {
    "list_objects_v2": ("ListObjectsV2", "StartAfter", ["ContinuationToken"]),
    "list_objects": ("ListObjects", "Marker", ["Marker"]),
    "list_object_versions": ("ListObjectVersions", "KeyMarker", ["KeyMarker", "VersionIdMarker"]),
}

LETTERS = "ab/"
keys = st.text(LETTERS, min_size=1, max_size=5)
patterns = st.sampled_from(
    ["a*", "*a", "a/*", "a/b*", "*/b", "b", "a/b/a", "?/*", "[ab]b*", "a/b/*", "*b*", "a", "ab/*"]
)


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    near = make_client("sync", "s3", endpoint_url=URLS["near"])
    far = make_client("sync", "s3", endpoint_url=URLS["far"])
    third = make_client("sync", "s3", endpoint_url=URLS["third"])
    with near as first, far as second, third as last:
        yield {"near": first, "far": second, "third": last}


def split(chosen: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    rules = [
        {
            "bucket_name": "b",
            "key_pattern": pattern,
            "client": client,
            "mapped_bucket_name": f"m{index}",
            "key_prefix": prefix,
        }
        for index, (pattern, client, prefix) in enumerate(chosen)
    ]
    return [*rules, {"bucket_name": "*", "client": "near"}]


def fill(rules: Rules, mine: set[str], others: set[tuple[int, str]]) -> tuple[Store, Any]:
    """(the model; the stores, each key at its place, and *others* where they are not looked for)"""
    plain, stores = Store(), {url: Store() for url in URLS.values()}
    plain.buckets["b"] = {key: Stored(key.encode()) for key in mine}
    for store in stores.values():
        store.buckets = {"b": {}, **{f"m{index}": {} for index in range(4)}}
    places = [branch.place for branch in rules.branches("b")]
    for index, key in others:
        place = places[index % len(places)]
        if not rules.is_at(place, key):
            stores[URLS[place.client]].buckets[place.mapped][place.prefix + key] = Stored(b"other")
    for key in mine:
        place = rules.place_of_key("b", key)
        bucket = stores[URLS[place.client]].buckets[place.mapped]
        bucket[place.prefix + key] = plain.buckets["b"][key]
    return plain, stores


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    chosen=st.lists(
        st.tuples(patterns, st.sampled_from(["far", "third", "near"]), st.sampled_from(["", "p/"])),
        min_size=1,
        max_size=3,
    ),
    mine=st.sets(keys, max_size=14),
    others=st.sets(st.tuples(st.integers(0, 3), keys), max_size=10),
    prefix=st.text(LETTERS, max_size=3),
    delimiter=st.sampled_from(["", "/", "/", "b", "a/"]),
    limit=st.integers(1, 4),
    after=st.just("") | keys,
)
# A common prefix under which there is nothing of the caller's.
@example([("a/*", "far", "")], {"b"}, {(1, "a/x"), (1, "a/y")}, "", "/", 1, "")
# A delimiter within what all keys of a rule begin with.
@example([("a/b/*", "far", "p/")], {"a/b/1", "a/b/2/x", "a/z", "b"}, set(), "", "/", 1, "")
# A token that is a common prefix of several places.
@example(
    [("a/b*", "far", ""), ("*a", "third", "")], {"a/b", "a/a", "a/c", "z"}, set(), "", "/", 1, ""
)
# A pattern that matches a prefix, and not what begins with it.
@example([("*a", "far", "")], {"ba", "bab", "b"}, set(), "ba", "", 2, "")
def test_pages_are_those_of_one_store(
    clients: dict[str, Any],
    chosen: list[tuple[str, str, str]],
    mine: set[str],
    others: set[tuple[int, str]],
    prefix: str,
    delimiter: str,
    limit: int,
    after: str,
) -> None:
    """Every page of every kind: keys, common prefixes, and what is repeated of the question."""
    mapping = split(chosen)
    plain, stores = fill(parse_rules(mapping), mine, others)
    base: dict[str, Any] = {"Bucket": "b", "Prefix": prefix, "MaxKeys": limit}
    if delimiter:
        base["Delimiter"] = delimiter
    targets = {name: clients[name] for name in ("far", "third")}
    with MemoryStores(stores), route_s3(targets, mapping):
        for method, (operation, start, markers) in NEXT.items():
            here = there = {**base, start: after} if after else base
            while True:
                found = getattr(clients["near"], method)(**here)
                expected = plain.answer(operation, there)
                assert _comparable(found, markers) == _comparable(expected, markers)
                if not expected["IsTruncated"]:
                    break
                here, there = next_page(here, found, markers), next_page(there, expected, markers)


def _comparable(page: dict[str, Any], markers: list[str]) -> dict[str, Any]:
    """Tokens are each side's own."""
    own = {"ContinuationToken", "NextContinuationToken"} if "ContinuationToken" in markers else ()
    return {name: value for name, value in page.items() if name not in own}


def test_a_token_that_is_none_of_ours(clients: dict[str, Any]) -> None:
    """As S3 answers to a token that it has not given."""
    mapping = split([("a*", "far", "")])
    _, stores = fill(parse_rules(mapping), {"a", "b"}, set())
    with MemoryStores(stores), route_s3({"far": clients["far"]}, mapping):
        for token in ("token:a", "boto-accel.%%%", ""):
            with pytest.raises(clients["near"].exceptions.ClientError) as raised:
                clients["near"].list_objects_v2(Bucket="b", ContinuationToken=token)
            assert raised.value.response["Error"]["Code"] == "InvalidArgument"
            assert raised.value.operation_name == "ListObjectsV2"


def test_quoted_for_who_asks_for_it(clients: dict[str, Any]) -> None:
    mapping = split([("a*", "far", "p q/")])
    _, stores = fill(parse_rules(mapping), {"a b/c", "b+ä"}, set())
    with MemoryStores(stores), route_s3({"far": clients["far"]}, mapping):
        page = clients["near"].list_objects_v2(Bucket="b", EncodingType="url", Delimiter="/")
    assert [each["Key"] for each in page["Contents"]] == ["b%2B%C3%A4"]
    assert [each["Prefix"] for each in page["CommonPrefixes"]] == ["a%20b/"]
    assert page["EncodingType"] == "url"


def test_only_what_may_hold_keys_is_asked(clients: dict[str, Any]) -> None:
    """A listing of a prefix that one rule has alone is that rule's; others get a longer prefix."""
    mapping = split([("a/b/*", "far", "p/")])
    _, stores = fill(parse_rules(mapping), {"a/b/c", "z"}, set())
    asked: list[Any] = []

    class Watching(MemoryStores):
        def send(self, client: Any, operation: str, params: Any, stock: Any) -> Any:
            asked.append((client.meta.endpoint_url, params.get("Prefix")))
            return super().send(client, operation, params, stock)

    with Watching(stores), route_s3({"far": clients["far"]}, mapping):
        clients["near"].list_objects_v2(Bucket="b", Prefix="a/b/")
        clients["near"].list_objects_v2(Bucket="b", Prefix="z")
        assert asked == [(URLS["far"], "p/a/b/"), (URLS["near"], "z")]
        asked.clear()
        clients["near"].list_objects_v2(Bucket="b", Prefix="")
        assert asked == [(URLS["far"], "p/a/b/"), (URLS["near"], "")]
