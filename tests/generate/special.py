"""
Parameters whose model says "string" where botocore's own handlers or endpoint rules want more.

One table a service: member name -> a maker of valid values. Everything not named here is made
from its shape alone.
Source: botocore.handlers (validate_bucket_name, handle_copy_source_param, sse_md5,
validate_ascii_metadata) and the endpoint rules of the services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.generate.choices import Choices
from tests.generate.scalars import HEADER, PATH, PLAIN, make_text

Maker = Callable[[Choices], Any]

ACCOUNT = "123456789012"
# The last two are legal for botocore and not a host name: they stay in the path.
BUCKETS = ("bucket", "my-bucket-1", "a1b", "dotted.bucket.name", "Upper-Case", "under_score")
SOURCE_BUCKETS = (*BUCKETS, "arn:aws:s3:us-east-1:123456789012:accesspoint/point")
ALGORITHMS = ("CRC32", "SHA1", "SHA256")  # those botocore computes without awscrt


def bucket(choices: Choices) -> str:
    return choices.pick(BUCKETS)


def key(choices: Choices) -> str:
    """An object key: any text, and the ones that path handling likes to damage."""
    odd = ("k", "a/b/c", "/lead", "a//b", "trail/", "..", "./x", "../x", "a/../b", "a b+c%20~")
    return choices.pick(odd) if choices.chance(40) else make_text(choices, PATH, 1)


def copy_source(choices: Choices) -> str | dict[str, str]:
    """Both forms, with and without a version."""
    source = {"Bucket": choices.pick(SOURCE_BUCKETS), "Key": key(choices)}
    if choices.chance(40):
        source["VersionId"] = make_text(choices, PLAIN, 1)
    if choices.chance(50):
        return source
    version = f"?versionId={source['VersionId']}" if "VersionId" in source else ""
    return f"{choices.pick(BUCKETS)}/{source['Key']}{version}"


def sse_key(choices: Choices) -> str | bytes:
    text = "0123456789abcdef0123456789abcdef"
    return choices.pick((text, text[:5] + "ä", ""))


def metadata(choices: Choices) -> dict[str, str]:
    """ASCII names and values, names in odd case; values with inner spaces, or empty."""
    names = ("name", "Upper-Case", "x", "with.dot", "with_underscore", "n1")
    count = choices.integer(0, 3)
    return {choices.pick(names): metadata_value(choices) for _ in range(count)}


def metadata_value(choices: Choices) -> str:
    return choices.pick(("", "v", "two  spaces", "a, b", make_text(choices, HEADER, 0).strip()))


def algorithm(choices: Choices) -> str:
    return choices.pick(ALGORITHMS)


def number_header(choices: Choices) -> str:
    return f"bytes={choices.integer(0, 9)}-{choices.integer(9, 99)}"


def _constant(*values: Any) -> Maker:
    return lambda choices: choices.pick(values)


S3: Mapping[str, Maker] = {
    "Bucket": bucket,
    "Key": key,
    "CopySource": copy_source,
    "SSECustomerKey": sse_key,
    "CopySourceSSECustomerKey": sse_key,
    "Metadata": metadata,
    "ChecksumAlgorithm": algorithm,
    "Range": number_header,
    "CopySourceRange": number_header,
    "ExpectedBucketOwner": _constant(ACCOUNT),
    "ExpectedSourceBucketOwner": _constant(ACCOUNT),
}
_ARN = "arn:aws:{}:us-east-1:123456789012:{}"
SERVICES: Mapping[str, Mapping[str, Maker]] = {
    "s3": S3,
    "s3control": {
        "AccountId": _constant(ACCOUNT),
        "Name": _constant("point-1", "name"),
        "Bucket": _constant("bucket", "my-bucket-1"),
        "OutpostId": _constant("op-01234567890123456"),
    },
    "events": {"EndpointId": _constant("abcde.veo")},
    "sesv2": {"EndpointId": _constant("abcde.veo")},
    # botocore.handlers.switch_host_machinelearning: the request goes there
    "machinelearning": {"PredictEndpoint": _constant("http://predict.example.com")},
    "kinesis": {
        "StreamARN": _constant(_ARN.format("kinesis", "stream/name")),
        "ConsumerARN": _constant(_ARN.format("kinesis", "stream/name/consumer/c:1")),
        "ChannelARN": _constant(_ARN.format("kinesis", "channel/name")),
        "ResourceARN": _constant(_ARN.format("kinesis", "stream/name")),
    },
    "dynamodb": {
        "TableName": _constant("table", "Table.2-b"),
        "ResourceArn": _constant(_ARN.format("dynamodb", "table/t")),
    },
    "route53": {"Id": _constant("Z1", "/hostedzone/Z1"), "HostedZoneId": _constant("Z1")},
}


def special_maker(service: str, member: str) -> Maker | None:
    """The maker of *member* at the top of an operation of *service*, if it needs a special one."""
    return SERVICES.get(service, {}).get(member)
