"""Which operations are cached: over every operation of every service that botocore knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from botocore.model import OperationModel

from boto_accel.cache import policy
from tests.generate.models import read_model, service_names

ASKED = policy.asked_by_verbs(("List", "Get", "Describe"))
model_of = cache(read_model)


@dataclass(frozen=True)
class Decided:
    """
    The reason against an operation; and of one that is cached, what its reply may not have.

    *marked*: the shapes that the model marks as sensitive. *consuming*, *secretive*: whether one of
    its members has such a name.
    """

    why: str
    marked: frozenset[str] = frozenset()
    consuming: bool = False
    secretive: bool = False
    streams_events: bool = False


@dataclass(frozen=True)
class Operations:
    """The names of all, and what was decided of those that are asked for by default."""

    names: frozenset[str]
    decided: dict[str, Decided]


@pytest.fixture(scope="module")
def operations() -> Operations:
    names, decided = set(), {}
    for service in service_names():
        model = read_model(service)
        for name in model.operation_names:
            names.add(f"{service}.{name}")
            if ASKED(name):
                decided[f"{service}.{name}"] = decide(model.operation_model(name))
    return Operations(frozenset(names), decided)


@pytest.fixture
def decided(operations: Operations) -> dict[str, Decided]:
    return operations.decided


def decide(model: OperationModel) -> Decided:
    why = policy.reason_against(model, ASKED)
    if why:
        return Decided(why)
    shape = model.output_shape
    return Decided(
        why,
        frozenset(marked_shapes(shape, set())),
        any(map(CONSUMING.search, member_names(shape))),
        any(map(SECRETIVE.search, member_names(shape))),
        model.has_event_stream_output,
    )


def reason(service: str, operation: str, **options: Any) -> str:
    return policy.reason_against(
        model_of(service).operation_model(operation), lambda _: True, **options
    )


CACHED = """
    iam.ListUsers iam.GetUser iam.GetAccountAuthorizationDetails ec2.DescribeInstances
    ec2.DescribeSecurityGroups s3.GetObject s3.ListObjectsV2 s3.ListBuckets s3.GetBucketPolicy
    dynamodb.GetItem dynamodb.DescribeTable sts.GetCallerIdentity elbv2.DescribeLoadBalancers
    cloudformation.DescribeStacks route53.ListResourceRecordSets sqs.GetQueueUrl
    secretsmanager.ListSecrets kms.DescribeKey eks.DescribeCluster logs.DescribeLogGroups
    cloudwatch.GetMetricData iam.GetAccountPasswordPolicy
""".split()


@pytest.mark.parametrize("name", CACHED)
def test_what_audits_and_scripts_read_is_cached(name: str) -> None:
    service, operation = name.split(".")
    assert reason(service, operation) == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("secretsmanager.GetSecretValue", policy.SECRET),
        ("sts.GetSessionToken", policy.SECRET),
        ("sts.GetFederationToken", policy.SECRET),
        ("ecr.GetAuthorizationToken", policy.SECRET),
        ("codeartifact.GetAuthorizationToken", policy.SECRET),
        ("sso.GetRoleCredentials", policy.SECRET),
        ("ec2.GetPasswordData", policy.SECRET),
        ("cognito-identity.GetCredentialsForIdentity", policy.SECRET),
        ("ssm.GetParameter", policy.SENSITIVE),
        ("iam.ListVirtualMFADevices", policy.SENSITIVE),
        ("rds.DescribeDBInstances", policy.SENSITIVE),
        ("sqs.ReceiveMessage", policy.ADVANCES),
        ("kinesis.GetRecords", policy.ADVANCES),
        ("kinesis.GetShardIterator", policy.ADVANCES),
        ("dynamodbstreams.GetRecords", policy.ADVANCES),
        ("stepfunctions.GetActivityTask", policy.ADVANCES),
        ("ecr.GetDownloadUrlForLayer", policy.EXPIRES),
        ("lambda.GetFunction", policy.EXPIRES),
        ("secretsmanager.GetRandomPassword", policy.RANDOM),
        ("s3.PutObject", policy.WRITE),
        ("s3.SelectObjectContent", policy.EVENT_STREAM),
        ("ec2.RunInstances", policy.WRITE),
    ],
)
def test_what_is_not_cached(name: str, why: str) -> None:
    service, operation = name.split(".")
    assert reason(service, operation) == why


def test_an_opt_in_is_for_secrets_and_for_nothing_that_would_be_wrong() -> None:
    assert reason("secretsmanager", "GetSecretValue", allow_sensitive=True) == ""
    assert reason("ssm", "GetParameter", allow_sensitive=True) == ""
    assert reason("sqs", "ReceiveMessage", allow_sensitive=True) == policy.ADVANCES
    assert reason("secretsmanager", "GetRandomPassword", allow_sensitive=True) == policy.RANDOM
    assert reason("lambda", "GetFunction", allow_sensitive=True) == policy.EXPIRES


def test_the_members_that_are_marked_are_named() -> None:
    """So that a user can judge whether to allow the operation."""

    def members(service: str, operation: str) -> list[str]:
        shape = model_of(service).operation_model(operation).output_shape
        return list(policy.sensitive_members(service, shape))

    assert members("rds", "DescribeDBInstances") == [
        "DBInstances[].PendingModifiedValues.MasterUserPassword"
    ]
    assert members("lambda", "ListFunctions")[0] == "Functions[].Environment.Variables"
    assert members("secretsmanager", "GetSecretValue") == ["SecretBinary", "SecretString"]
    assert members("ec2", "DescribeInstances") == []


def test_a_call_with_decryption_or_a_key_of_its_own_is_not_cached() -> None:
    """SSM API, WithDecryption; S3 API, SSECustomerKey."""
    why = policy.reason_against_call
    assert why({"Name": "n", "WithDecryption": True}, allow_sensitive=False) == policy.DECRYPTED
    assert why({"Name": "n", "WithDecryption": False}, allow_sensitive=False) == ""
    assert why({"SSECustomerKey": "k"}, allow_sensitive=False) == policy.CUSTOMER_KEY
    assert why({"SSECustomerKey": "k", "WithDecryption": True}, allow_sensitive=True) == ""


# Over all models -----------------------------------------------------------------------------


def marked_shapes(shape: Any, seen: set[str]) -> Iterator[str]:
    """Names of the shapes marked as sensitive; written anew, to hold the policy's own walk to."""
    if shape is None:
        return
    if shape.metadata.get("sensitive"):
        yield shape.name
    if shape.name not in seen:
        seen.add(shape.name)
        members = getattr(shape, "members", {})
        inner = [*members.values()]
        inner += [
            getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)
        ]
        for each in inner:
            yield from marked_shapes(each, seen)


CONSUMING = re.compile(r"(?:Shard)?Iterator$|ReceiptHandle$|[tT]askToken$|^nonce$")
SECRETIVE = re.compile(
    r"(?i)^(?:.*(?:secretaccesskey|sessiontoken|authorizationtoken|authtoken|accesstoken|presignedurl"
    r"|signedurl|secretstring)|password|privatekey)$"
)


def member_names(shape: Any, depth: int = 2) -> Iterator[str]:
    for name, member in getattr(shape, "members", {}).items():
        yield name
        if depth:
            yield from member_names(getattr(member, "member", member), depth - 1)


def test_nothing_that_a_model_marks_as_sensitive_is_cached(decided: Mapping[str, Decided]) -> None:
    """But for what only names a secret."""
    found = {
        f"{name.split('.')[0]}.{shape}" for name, each in decided.items() for shape in each.marked
    }
    assert found <= policy.HARMLESS


def test_most_reads_are_cached(decided: Mapping[str, Decided]) -> None:
    """A policy that says no to all would hold every other test."""
    cached = [name for name, each in decided.items() if not each.why]
    assert len(cached) > 0.8 * len(decided)


def test_every_listed_operation_exists(operations: Operations) -> None:
    """A name that was misspelt protects nothing. Older botocores lack the newest."""
    missing = policy.LISTED.keys() - operations.names
    assert len(missing) < 12, sorted(missing)
    listed = {"sqs.ReceiveMessage", "kinesis.GetRecords", "ecr.GetAuthorizationToken"}
    assert listed <= operations.names


def test_no_cached_read_hands_out_a_position_or_a_receipt(decided: Mapping[str, Decided]) -> None:
    """By the names that such things have in all models."""
    assert [name for name, each in decided.items() if each.consuming] == []


def test_no_cached_read_gives_out_a_credential_by_its_name(decided: Mapping[str, Decided]) -> None:
    """For models that do not mark what is secret."""
    found = {name for name, each in decided.items() if each.secretive}
    assert found - policy.NO_SECRETS == set()


def test_a_credential_that_nobody_has_listed_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as that of an operation which is newer than the list."""
    monkeypatch.setattr(policy, "LISTED", {})
    for name in ("lakeformation.GetTemporaryGlueTableCredentials", "sts.GetSessionToken"):
        assert reason(*name.split(".")) == policy.SECRET
        assert reason(*name.split("."), allow_sensitive=True) == ""


def test_no_event_stream_is_cached(decided: Mapping[str, Decided]) -> None:
    assert not [name for name, each in decided.items() if each.streams_events]


def test_the_stream_of_a_reply_is_found() -> None:
    assert policy.streaming_member(model_of("s3").operation_model("GetObject")) == "Body"
    assert policy.streaming_member(model_of("lambda").operation_model("Invoke")) == "Payload"
    assert policy.streaming_member(model_of("s3").operation_model("HeadObject")) == ""


# Reads and writes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    "CreateUser DeleteUser PutObject UpdateItem RunInstances StartInstances TagResource"
    " BatchWriteItem TransactWriteItems ModifyDBInstance SetDesiredCapacity CheckInLicense"
    " VerifyEmailIdentity Gettysburg Listen TestFailover ExecuteStatement Invoke Publish".split(),
)
def test_what_may_change_something_is_a_write(operation: str) -> None:
    """And what is not known counts as one: too much is forgotten then, never too little."""
    assert not policy.is_read(operation)


@pytest.mark.parametrize(
    "operation",
    "GetObject ListUsers DescribeInstances HeadObject Query Scan BatchGetItem TransactGetItems"
    " SelectObjectContent LookupEvents SearchResources AssumeRole ReceiveMessage".split(),
)
def test_what_changes_nothing_is_a_read(operation: str) -> None:
    assert policy.is_read(operation)


def test_a_write_is_never_cached_whatever_the_pattern() -> None:
    """botocache would, and the write would not be done."""
    everything = policy.asked_by_patterns([".*"])
    model = model_of("iam").operation_model("CreateUser")
    assert policy.reason_against(model, everything) == policy.WRITE


def test_patterns_are_matched_from_the_beginning() -> None:
    asked = policy.asked_by_patterns(["List.*", "GetUser$"])
    assert [asked(name) for name in ("ListUsers", "GetUser", "GetUserPolicy", "XList")] == [
        True,
        True,
        False,
        False,
    ]
