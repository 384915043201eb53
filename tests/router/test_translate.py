"""The names in parameters and answers, for every operation of S3 that the model has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from boto_accel._copysource import Source, read_copy_source
from boto_accel.router.rules import Rules, parse_rules
from boto_accel.router.translate import (
    Operation,
    Unmappable,
    answer_for_user,
    error_for_user,
    location_for_user,
    params_at_target,
    read_operation,
    without_prefix,
)

RULES = parse_rules(
    [
        {"bucket_name": "b", "mapped_bucket_name": "repo", "client": "far", "key_prefix": "p/"},
        {"bucket_name": "logs", "mapped_bucket_name": "log-repo", "client": "far"},
        {"bucket_name": "*", "client": "near"},
    ]
)
PLACE = RULES.home("b")
MODEL = botocore.session.Session().get_service_model("s3")


def operation(name: str) -> Operation:
    return read_operation(MODEL.operation_model(name))


def there(name: str, **params: Any) -> dict[str, Any]:
    return params_at_target(operation(name), PLACE, params, RULES)


def back(name: str, answer: dict[str, Any], rules: Rules = RULES) -> dict[str, Any]:
    answer_for_user(operation(name), PLACE, answer, rules)
    return answer


def test_every_operation_with_a_bucket_is_known() -> None:
    """An operation that takes a bucket is routed by it, and by its key if it takes one."""
    for name in MODEL.operation_names:
        members = getattr(MODEL.operation_model(name).input_shape, "members", {})
        read = operation(name)
        assert read.takes_bucket == ("Bucket" in members)
        assert read.takes_key == ("Key" in members)
        assert read.takes_prefix == ("Bucket" in members and "Prefix" in members)


def named_members(shape: Any, path: tuple[str, ...], seen: tuple[str, ...]) -> Iterator[Any]:
    if shape.name in seen:
        return
    if shape.type_name == "list":
        yield from named_members(shape.member, path, (*seen, shape.name))
    for name, member in getattr(shape, "members", {}).items():
        yield (*path, name), member
        yield from named_members(member, (*path, name), (*seen, shape.name))


@pytest.mark.parametrize("name", MODEL.operation_names)
def test_no_name_in_the_model_is_overlooked(name: str) -> None:
    """
    Every string member called Bucket, Key, Prefix or Marker is translated.

    Tags have a Key too, which is none. A new operation of botocore with such a member is found.
    """
    model = MODEL.operation_model(name)
    read = operation(name)
    for shape, names in ((model.input_shape, read.input), (model.output_shape, read.output)):
        if shape is None:
            continue
        known = {
            tuple(each for each in path if each != "[]") for path in (*names.keys, *names.buckets)
        }
        for found in names.destinations:
            path = tuple(each for each in found.path if each != "[]")
            known |= {(*path, found.bucket), (*path, found.prefix or "")}
        for path, member in named_members(shape, (), ()):
            if member.type_name != "string" or path[-2:-1] in (("Tags",), ("TagSet",), ("Tag",)):
                continue
            if path[-1] in (
                "Bucket",
                "BucketName",
                "Key",
                "Prefix",
                "KeyMarker",
                "NextKeyMarker",
                "Marker",
                "NextMarker",
                "StartAfter",
                "TargetBucket",
                "TargetPrefix",
            ):
                assert path in known, path


def test_keys_prefixes_and_markers() -> None:
    assert there("GetObject", Bucket="b", Key="k") == {"Bucket": "repo", "Key": "p/k"}
    assert there("ListObjectsV2", Bucket="b") == {"Bucket": "repo", "Prefix": "p/"}
    asked = there("ListObjects", Bucket="b", Prefix="x", Marker="x1", Delimiter="/")
    assert asked == {"Bucket": "repo", "Prefix": "p/x", "Marker": "p/x1", "Delimiter": "/"}
    asked = there("ListObjectVersions", Bucket="b", KeyMarker="k", VersionIdMarker="v")
    assert asked["KeyMarker"] == "p/k"
    assert asked["VersionIdMarker"] == "v"
    several = {"Objects": [{"Key": "k", "VersionId": "v"}], "Quiet": True}
    asked = there("DeleteObjects", Bucket="b", Delete=several)["Delete"]
    assert asked == {"Objects": [{"Key": "p/k", "VersionId": "v"}], "Quiet": True}
    assert several["Objects"] == [{"Key": "k", "VersionId": "v"}]


def test_a_tag_is_no_key() -> None:
    tags = {"TagSet": [{"Key": "t", "Value": "v"}]}
    assert there("PutObjectTagging", Bucket="b", Key="k", Tagging=tags)["Tagging"] == tags
    assert back("GetObjectTagging", {"TagSet": [{"Key": "p/t"}]}) == {"TagSet": [{"Key": "p/t"}]}


def test_answers() -> None:
    answer = back(
        "ListObjects",
        {
            "Name": "repo",
            "Prefix": "p/",
            "Marker": "",
            "NextMarker": "p/d/",
            "Contents": [{"Key": "p/a"}, {"Key": "p/p/b"}],
            "CommonPrefixes": [{"Prefix": "p/d/"}],
        },
    )
    assert answer == {
        "Name": "b",
        "Prefix": "",
        "Marker": "",
        "NextMarker": "d/",
        "Contents": [{"Key": "a"}, {"Key": "p/b"}],
        "CommonPrefixes": [{"Prefix": "d/"}],
    }
    made = {"Bucket": "repo", "Key": "p/k", "Location": "https://h/repo/p/k"}
    expected = {"Bucket": "b", "Key": "k", "Location": "https://h/b/k"}
    assert back("CompleteMultipartUpload", made) == expected
    assert back("HeadBucket", {"BucketArn": "arn:aws:s3:::repo"})["BucketArn"] == "arn:aws:s3:::b"


def test_a_marker_that_is_no_key() -> None:
    """It would not survive being given a prefix; the last key says the same."""
    answer = back("ListObjects", {"NextMarker": "opaque", "Contents": [{"Key": "p/a"}]})
    assert answer["NextMarker"] == "a"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/repo", "/b"),
        ("/repo/", "/b/"),
        ("http://repo.s3.amazonaws.com/", "http://b.s3.amazonaws.com/"),
        ("http://repo.s3.amazonaws.com/p/k", "http://b.s3.amazonaws.com/k"),
        ("http://h:1/repo/p/a%20b", "http://h:1/b/a%20b"),
        ("http://h/repo/p%2Fk", "http://h/b/k"),
        ("http://h/other/k", "http://h/other/k"),
    ],
)
def test_locations(location: str, expected: str) -> None:
    assert location_for_user(location, PLACE) == expected


@pytest.mark.parametrize(
    ("text", "prefix", "expected"),
    [
        ("p/k", "p/", "k"),
        ("p%2Fk%20", "p/", "k%20"),
        ("a+b%2Fk", "a b/", "k"),
        ("%C3%A4/k", "ä/", "k"),
        ("x", "p/", "x"),
        ("p%2F", "p/", ""),
        (None, "p/", None),
    ],
)
def test_prefixes_come_off_quoted_too(text: Any, prefix: str, expected: Any) -> None:
    assert without_prefix(text, prefix) == expected


def test_errors() -> None:
    response = {
        "Error": {"Code": "X", "BucketName": "repo", "Key": "p/k", "Resource": "/repo/p/k"},
        "ResponseMetadata": {},
    }
    error = error_for_user(response, PLACE)["Error"]
    assert error == {"Code": "X", "BucketName": "b", "Key": "k", "Resource": "/b/k"}
    assert response["Error"]["Key"] == "p/k"


def test_configurations_name_prefixes_and_other_buckets() -> None:
    rule = {"ID": "r", "Filter": {"And": {"Prefix": "x/", "Tags": [{"Key": "t", "Value": "1"}]}}}
    asked = there(
        "PutBucketLifecycleConfiguration",
        Bucket="b",
        ContentMD5="of another body",
        LifecycleConfiguration={"Rules": [rule]},
    )
    found = asked["LifecycleConfiguration"]["Rules"][0]["Filter"]["And"]
    assert found == {"Prefix": "p/x/", "Tags": [{"Key": "t", "Value": "1"}]}
    assert "ContentMD5" not in asked
    destination = {"Bucket": "arn:aws:s3:::logs", "Prefix": "i/", "Format": "CSV"}
    configuration = {
        "Id": "1",
        "Filter": {"Prefix": "y"},
        "Destination": {"S3BucketDestination": destination},
    }
    asked = there(
        "PutBucketInventoryConfiguration", Bucket="b", Id="1", InventoryConfiguration=configuration
    )["InventoryConfiguration"]
    found = asked["Destination"]["S3BucketDestination"]
    assert found == {**destination, "Bucket": "arn:aws:s3:::log-repo"}
    assert asked["Filter"] == {"Prefix": "p/y"}
    again = back("GetBucketInventoryConfiguration", {"InventoryConfiguration": asked})
    assert again["InventoryConfiguration"] == configuration


@pytest.mark.parametrize(
    ("name", "params", "reason"),
    [
        ("PutBucketPolicy", {"Policy": "{}"}, "names buckets or keys in a text"),
        ("GetBucketPolicy", {}, "names buckets or keys in a text"),
        ("PutBucketWebsite", {}, "names keys in a text"),
        (
            "PutBucketLifecycleConfiguration",
            {"LifecycleConfiguration": {"Rules": [{"ID": "all", "Filter": {}}]}},
            "whole of the bucket 'repo'",
        ),
        (
            "PutBucketLogging",
            {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "elsewhere"}}},
            "not wholly at its target",
        ),
    ],
)
def test_what_has_no_counterpart(name: str, params: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unmappable, match=reason):
        there(name, Bucket="b", **params)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("b/k", Source("b", "k")),
        ("/b/k/l", Source("b", "k/l")),
        ("b/k?versionId=v1", Source("b", "k", "v1")),
        ("b/k?x=y", Source("b", "k?x=y")),
        ({"Bucket": "b", "Key": "k?versionId=v"}, Source("b", "k?versionId=v")),
        ({"Bucket": "b", "Key": "k", "VersionId": "v"}, Source("b", "k", "v")),
        ({"Bucket": "arn:aws:s3:::b", "Key": "k"}, Source("b", "k")),
        ("arn:aws:s3:::b/k/l", Source("b", "k/l")),
        (
            "arn:aws:s3:us-west-2:123456789012:accesspoint/ap/object/reports/k",
            Source("arn:aws:s3:us-west-2:123456789012:accesspoint/ap", "reports/k"),
        ),
        (
            {"Bucket": "arn:aws:s3:us-west-2:123456789012:accesspoint/ap", "Key": "k"},
            Source("arn:aws:s3:us-west-2:123456789012:accesspoint/ap", "k"),
        ),
        ("b", None),
        ("", None),
        ({"Bucket": "b"}, None),
        (None, None),
    ],
)
def test_forms_of_copy_source(given: Any, expected: Source | None) -> None:
    assert read_copy_source(given) == expected
