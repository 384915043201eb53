"""Which rule takes what, and what is said of rules that are wrong."""

from __future__ import annotations

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boto_accel.errors import InvalidOptionError
from boto_accel.router.rules import Rules, parse_rules

DEFAULT = {"bucket_name": "*", "client": "s3"}
ISSUE = [
    {"bucket_name": "bucket-a", "client": "lakefs", "key_prefix": "dev/"},
    {
        "bucket_name": "example-old-bucket",
        "mapped_bucket_name": "example-repo",
        "client": "lakefs",
        "key_prefix": "main/",
    },
    DEFAULT,
]


def where(rules: Rules, bucket: str, key: str) -> tuple[str, str, str]:
    place = rules.place_of_key(bucket, key)
    return place.client, place.mapped, place.prefix + key


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        ("bucket-a", ("lakefs", "bucket-a", "dev/k")),
        ("example-old-bucket", ("lakefs", "example-repo", "main/k")),
        ("test-bucket", ("s3", "test-bucket", "k")),
        ("Bucket-A", ("s3", "Bucket-A", "k")),
    ],
)
def test_the_first_rule_that_matches_counts(bucket: str, expected: tuple[str, str, str]) -> None:
    assert where(parse_rules(ISSUE), bucket, "k") == expected


def test_profiles_of_boto_s3_router() -> None:
    """In the order of the dict; what none takes goes to the client "default"."""
    rules = parse_rules(
        {
            "west": {
                "source_bucket_pattern": "bucket",
                "mapped_bucket_name": "new-bucket",
                "mapped_prefix": "test/",
            },
            "east": {
                "source_bucket_pattern": "bucket*",
                "source_key_pattern": "a/*",
                "mapped_prefix": "test/",
            },
        }
    )
    assert where(rules, "bucket", "a/b/obj") == ("west", "new-bucket", "test/a/b/obj")
    assert where(rules, "bucket2", "a/b") == ("east", "bucket2", "test/a/b")
    assert where(rules, "bucket2", "c") == ("default", "bucket2", "c")


@pytest.mark.parametrize(
    ("mapping", "named"),
    [
        ([], "mapping="),
        ([ISSUE[0]], "mapping="),
        ([DEFAULT, ISSUE[0]], "mapping[0].bucket_name="),
        ([{**DEFAULT, "key_pattern": "a*"}], "mapping="),
        (["*"], "mapping[0]="),
        ([{"client": "s3"}, DEFAULT], "mapping[0].bucket_name="),
        ([{"bucket_name": "b"}, DEFAULT], "mapping[0].client="),
        ([{"bucket_name": 1, "client": "s3"}, DEFAULT], "mapping[0].bucket_name="),
        ([ISSUE[0], {"bucket_name": "", "client": "s3"}, DEFAULT], "mapping[1].bucket_name="),
        ([{"bucket_name": "b", "client": "c", "prefix": "x"}, DEFAULT], "mapping[0]='prefix'"),
        (
            [{"bucket_name": "b", "source_bucket_pattern": "b", "client": "c"}, DEFAULT],
            "mapping[0].source_bucket_pattern=",
        ),
        (
            [{"bucket_name": "b", "client": "c", "mapped_bucket_name": "x*"}, DEFAULT],
            "mapping[0].mapped_bucket_name=",
        ),
        ([{"bucket_name": "b", "client": "c", "key_prefix": 3}, DEFAULT], "mapping[0].key_prefix="),
        ({"p": {}}, "profiles['p'].bucket_name="),
        ({"p": None}, "profiles['p']="),
        ("mapping", "mapping="),
        (None, "mapping="),
    ],
)
def test_an_error_names_rule_and_field(mapping: Any, named: str) -> None:
    with pytest.raises(InvalidOptionError) as raised:
        parse_rules(mapping)
    assert str(raised.value).startswith(named)


def test_buckets_under_the_names_that_code_uses() -> None:
    """A bucket that is only a target is hidden, and a name is where its keys are."""
    rules = parse_rules(ISSUE)
    assert rules.names_of_bucket("lakefs", "example-repo") == ["example-old-bucket"]
    assert rules.names_of_bucket("lakefs", "bucket-a") == ["bucket-a"]
    assert rules.names_of_bucket("lakefs", "another-repo") == []
    assert rules.names_of_bucket("s3", "bucket-a") == []
    assert rules.names_of_bucket("s3", "other") == ["other"]


LETTERS = "ab/"
PATTERNS = st.text(LETTERS + "*?", max_size=4)
KEYS = st.text(LETTERS, min_size=1, max_size=5)


@given(patterns=st.lists(PATTERNS.filter(bool), max_size=4), keys=st.lists(KEYS, max_size=8))
def test_where_keys_of_a_prefix_may_be(patterns: list[str], keys: list[str]) -> None:
    """No key is at a place that a listing of its prefix would not ask."""
    mapping = [
        {"bucket_name": "b", "key_pattern": pattern, "client": f"c{index}"}
        for index, pattern in enumerate(patterns)
    ]
    rules = parse_rules([*mapping, DEFAULT])
    for key in keys:
        place = rules.place_of_key("b", key)
        first = next(
            (i for i, pattern in enumerate(patterns) if fnmatch.fnmatchcase(key, pattern)), None
        )
        assert place.client == ("s3" if first is None else f"c{first}")
        for end in range(len(key) + 1):
            prefix = key[:end]
            places = rules.places_of_prefix("b", prefix)
            assert any(place.is_same_as(each) for each in places)
            assert key.startswith(rules.head_of_keys(place, prefix))
            if len(places) == 1:
                assert all(
                    rules.is_at(places[0], other) for other in keys if other.startswith(prefix)
                )
