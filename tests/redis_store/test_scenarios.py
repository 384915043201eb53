"""
One suite on moto's server over plain S3 and on Redis: what is seen is equal.

Where moto is not what the S3 API reference says, the tables say so, with the reason. A row of a
scenario that excuses nothing fails the test: it is out of date.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from boto_accel import accelerate, redis_s3
from tests.fastpath.callers import open_caller
from tests.redis_store.scenarios import SCENARIOS, Actor, differences
from tests.servers.moto_server import MotoServer
from tests.servers.valkey import Valkey

pytestmark = pytest.mark.usefixtures("no_backoff")  # moto answers some of the errors with 500

# (pattern of "method .path: theirs != ours", reason)
ANYWHERE = (
    (r".*ChecksumType: 'absent' != 'FULL_OBJECT'", "S3 API: x-amz-checksum-type; moto has none"),
    (r".*\.(Owner|Initiator)\.", "who the owner is; here there is one, without a DisplayName"),
    (r"list_\w+( pages)? .*\.(Prefix|Marker): 'absent'", "S3 repeats the question, moto in part"),
    (r"list_objects .*ChecksumAlgorithm: 'absent'", "S3 API, ListObjects: Contents has it"),
)
_BODY = r"(class|error|error\.\w+|status|text|ResponseMetadata|ETag|ChecksumCRC32)"
MOTO: dict[str, tuple[tuple[str, str], ...]] = {
    "checksums": (
        (r"put_object \.ChecksumCRC32: 'absent'", "S3 API: a checksum that was given is returned"),
    ),
    "errors": (
        (rf"upload_part \.{_BODY}: ", "moto fails (500) for an upload to a missing bucket"),
        (rf"put_object \.{_BODY}: .*", "user guide: a key has 1,024 bytes; moto takes more"),
        (r"create_bucket \.error\.BucketName: 'absent'", "S3 API: InvalidBucketName names it"),
    ),
    "buckets": (
        (r"head_bucket \.AccessPointAlias: 'absent'", "S3 API, HeadBucket: the header is there"),
    ),
    "listings": (
        (r"list_objects \.NextMarker: '\w+' != 'absent'", "S3 API: with a delimiter only"),
        (
            r"list_objects_v2 pages \[\d\]\.(ContinuationToken|StartAfter): 'absent'",
            "S3 API, ListObjectsV2: repeated in the answer",
        ),
        (
            rf"list_objects_v2 \.{_BODY}: .*500.*",
            "a token that is none is InvalidArgument; moto fails",
        ),
        (r"list_objects_v2 \.error\.", "the same"),
    ),
    "deletes": (
        (r"delete_objects \.Deleted: .* != 'absent'", "S3 API: quiet tells of errors only"),
    ),
    "copies": (
        (
            rf"copy_object \.(CopyObjectResult|{_BODY}): .*",
            "S3 API: x-amz-copy-source-if-match; moto ignores it",
        ),
    ),
    "multipart": (
        (r"list_parts .*ChecksumCRC32: 'absent'", "S3 API, ListParts: checksums of parts"),
        (
            r"complete_multipart_upload \.error\.(ETag|PartNumber|\w+SizeAllowed|ProposedSize)",
            "S3 names the part; moto does not",
        ),
        (
            r"complete_multipart_upload \.(error\.\w+|text): .*EntityTooSmall.*InvalidPartOrder",
            "S3 API: parts that are not in order are InvalidPartOrder",
        ),
        (r"complete_multipart_upload \.error\.Message: .*smaller.*ascending", "the same"),
        (
            r"complete_multipart_upload \.VersionId: 'null'",
            "S3 API: a bucket without versioning has no VersionId in the answer",
        ),
        (r"complete_multipart_upload \.Location", "there is no URL of an object in Redis"),
    ),
}


def seen(name: str, flavour: str, **options: Any) -> list[Any]:
    with open_caller(flavour, **options) as caller:
        actor = Actor(caller)
        SCENARIOS[name](actor)
    return actor.seen


def unexcused(name: str, expected: list[Any], found: list[Any]) -> list[str]:
    assert [method for method, _ in expected] == [method for method, _ in found]
    assert len(expected) > 5
    lines = [
        f"{method} {line}"
        for (method, theirs), (_, ours) in zip(expected, found, strict=True)
        for line in differences(theirs, ours)
    ]
    rows = MOTO.get(name, ())
    for pattern, reason in rows:
        assert any(re.match(pattern, line) for line in lines), f"out of date: {pattern} ({reason})"
    patterns = [pattern for pattern, _ in (*ANYWHERE, *rows)]
    return [line for line in lines if not any(re.match(each, line) for each in patterns)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_redis_is_as_s3(moto_server: MotoServer, valkey: Valkey, flavour: str, name: str) -> None:
    """Answers and errors of every call are those of S3."""
    expected = seen(name, flavour, **moto_server.client_options)
    with redis_s3():
        found = seen(name, flavour, endpoint_url=valkey.url)
    assert unexcused(name, expected, found) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_redis_is_as_valkey(valkey: Valkey, redis_itself: Valkey, flavour: str, name: str) -> None:
    with redis_s3():
        expected = seen(name, flavour, endpoint_url=valkey.url)
        found = seen(name, flavour, endpoint_url=f"{redis_itself.url}?prefix={name}-{flavour}")
    assert differences(expected, found) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_cluster_is_as_one_server(valkey: Valkey, cluster: str, flavour: str, name: str) -> None:
    """Wherever the slots are, what is seen is the same; so it is with other patches in force."""
    with redis_s3():
        expected = seen(name, flavour, endpoint_url=valkey.url)
        with accelerate():
            found = seen(name, flavour, endpoint_url=cluster)
    assert differences(expected, found) == []
