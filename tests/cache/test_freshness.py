"""How long, and what a write makes stale. No client, no clock."""

from __future__ import annotations

from typing import Any

import pytest

from boto_accel.cache.freshness import (
    SKEW_S,
    Lifetime,
    Names,
    State,
    Target,
    is_absence,
    span_of,
    state_of,
    tag_of_choice,
    tags_of_read,
    tags_of_write,
)
from boto_accel.cache.store import Entry


def entry(stored_at: float, fresh: float, stale: float) -> Entry:
    return Entry(b"", (), *span_of(Lifetime(fresh, stale), stored_at), "")


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (100, State.FRESH),
        (109.9, State.FRESH),
        (110, State.STALE),
        (114.9, State.STALE),
        (115, State.EXPIRED),
        (100 - SKEW_S, State.FRESH),
        (99 - SKEW_S, State.EXPIRED),
    ],
)
def test_states(now: float, state: State) -> None:
    """From the future, by more than clocks differ: a clock was set, and nothing is known."""
    assert state_of(entry(100, 10, 5), now, Lifetime(1000, 1000)) is state
    assert state_of(entry(100, 1000, 1000), now, Lifetime(10, 5)) is state


def test_the_most_exact_name_decides() -> None:
    names = Names.of({"iam": 1, "ListUsers": 2, "iam.ListUsers": 3, "describe_instances": 4})
    assert names.find("iam", "ListUsers") == 3
    assert names.find("identitystore", "ListUsers") == 2
    assert names.find("iam", "GetUser") == 1
    assert names.find("ec2", "DescribeInstances") == 4
    assert names.find("ec2", "DescribeVpcs") is None


@pytest.mark.parametrize(
    ("code", "status", "absent"),
    [
        ("NoSuchKey", 404, True),
        ("404", 404, True),
        ("NoSuchEntity", 404, True),
        ("InvalidGroup.NotFound", 400, True),
        ("ResourceNotFoundException", 400, True),
        ("AccessDenied", 403, False),
        ("ThrottlingException", 400, False),
        ("InternalError", 500, False),
    ],
)
def test_what_says_that_something_is_not_there(code: str, status: int, absent: bool) -> None:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert is_absence(response) is absent


# Writes, and the reads that they make stale ---------------------------------------------------


def target(service: str, operation: str, principal: bytes = b"me", **params: Any) -> Target:
    region = params.pop("region", "eu-west-1")
    return Target(service, operation, region, "https://x", principal, params)


def stale(write: Target, read: Target) -> bool:
    return bool(set(tags_of_write(write)) & set(tags_of_read(read)))


GET = target("s3", "GetObject", Bucket="b", Key="k")
TAGS = target("s3", "GetObjectTagging", Bucket="b", Key="k")
OTHER_KEY = target("s3", "GetObject", Bucket="b", Key="other")
LIST = target("s3", "ListObjectsV2", Bucket="b", Prefix="p")
OTHER_BUCKET = target("s3", "ListObjectsV2", Bucket="c")
BUCKETS = target("s3", "ListBuckets")
ALIAS = target("s3", "GetObject", Bucket="point-xyz-s3alias", Key="k")
ARN = target("s3", "GetObject", Bucket="arn:aws:s3:eu-west-1:1:accesspoint/p", Key="k")
READS = [GET, TAGS, OTHER_KEY, LIST, OTHER_BUCKET, BUCKETS, ALIAS, ARN]


def dropped(operation: str, **params: Any) -> list[Target]:
    write = target("s3", operation, principal=b"somebody else", region="us-east-1", **params)
    return [read for read in READS if stale(write, read)]


@pytest.mark.parametrize(
    "operation",
    [
        "PutObject",
        "DeleteObject",
        "CopyObject",
        "CompleteMultipartUpload",
        "PutObjectTagging",
        "CreateMultipartUpload",
        "RestoreObject",
    ],
)
def test_a_write_of_a_key_drops_its_reads_and_those_of_its_bucket(operation: str) -> None:
    """Whoever wrote it, and from wherever: S3 objects are the same for all."""
    assert dropped(operation, Bucket="b", Key="k") == [GET, TAGS, LIST, ALIAS, ARN]


def test_a_deletion_of_several_drops_just_them() -> None:
    several = {"Objects": [{"Key": "k"}, {"Key": "z"}]}
    assert dropped("DeleteObjects", Bucket="b", Delete=several) == [GET, TAGS, LIST, ALIAS, ARN]


def test_a_write_of_the_bucket_drops_all_in_it() -> None:
    everything = [GET, TAGS, OTHER_KEY, LIST, BUCKETS, ALIAS, ARN]
    assert dropped("DeleteBucket", Bucket="b") == everything
    assert dropped("PutBucketPolicy", Bucket="b", Policy="{}") == everything
    assert dropped("RenameObject", Bucket="b", Key="k", RenameSource="other") == everything


def test_a_write_through_an_alias_may_be_of_any_bucket() -> None:
    assert dropped("PutObject", Bucket="point-xyz-s3alias", Key="k") == READS
    assert dropped("PutObject", Bucket="arn:aws:s3:eu-west-1:1:accesspoint/p", Key="k") == READS


def test_elsewhere_a_write_drops_the_service_of_that_principal_and_region() -> None:
    write = target("iam", "CreateUser", UserName="u")
    assert stale(write, target("iam", "ListUsers"))
    assert stale(write, target("iam", "GetRole", RoleName="r"))
    assert not stale(write, target("iam", "ListUsers", principal=b"other"))
    assert not stale(write, target("iam", "ListUsers", region="us-east-1"))
    assert not stale(write, target("ec2", "DescribeInstances"))


def test_what_a_user_names_is_dropped() -> None:
    tags = set(tags_of_read(target("iam", "GetUser", UserName="u")))
    assert tag_of_choice("iam", None, None) in tags
    assert tag_of_choice("iam", "get_user", None) in tags
    assert tag_of_choice("iam", "GetUser", {"UserName": "u"}) in tags
    assert tag_of_choice("iam", "GetUser", {"UserName": "v"}) not in tags
    assert tag_of_choice("iam", "ListUsers", None) not in tags
    assert tag_of_choice("ec2", None, None) not in tags


def test_no_tag_holds_a_value() -> None:
    """They are in a file, and in a server's memory."""
    tags = " ".join(tags_of_read(target("s3", "GetObject", Bucket="payroll", Key="june")))
    assert "payroll" not in tags
    assert "june" not in tags
