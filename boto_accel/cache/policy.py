"""
Which operations may be cached, and why the others are not.

Decided by the service model, and by short lists of what no model says. A reason is a constant
text: it is a key of the counters, and what `boto-accel cache policy` prints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

# Verbs of operations that change nothing, taken from the names in all models of botocore. An
# operation with another verb is a write: it drops what it may have made stale.
READ_VERBS = (
    "List Get Describe Head Query Scan Search Select Lookup Count Preview Estimate Validate"
    " Simulate Discover Resolve Filter Is Suggest Retrieve Poll Receive BatchGet BatchDescribe"
    " TransactGet AssumeRole Decrypt Encrypt GenerateDataKey"
).split()
_READ = re.compile(rf"(?:{'|'.join(READ_VERBS)})(?![a-z])")

ADVANCES = "reading it consumes or advances something"
SECRET = "the answer is a credential or a password"
EXPIRES = "the answer holds a URL that expires"
RANDOM = "the answer is another each time"

# What no model tells. Operations whose output has sensitive members are not listed: the model
# says so. A test holds these names to the models, and looks for more of the kind.
LISTED: Mapping[str, str] = {
    # A message, a record or a task is handed out once, or a position moves on.
    "sqs.ReceiveMessage": ADVANCES,
    "kinesis.GetRecords": ADVANCES,
    "kinesis.GetShardIterator": ADVANCES,
    "dynamodbstreams.GetRecords": ADVANCES,
    "dynamodbstreams.GetShardIterator": ADVANCES,
    "keyspacesstreams.GetRecords": ADVANCES,
    "keyspacesstreams.GetShardIterator": ADVANCES,
    "stepfunctions.GetActivityTask": ADVANCES,
    "swf.PollForActivityTask": ADVANCES,
    "swf.PollForDecisionTask": ADVANCES,
    "codepipeline.PollForJobs": ADVANCES,
    "codepipeline.PollForThirdPartyJobs": ADVANCES,
    "appconfigdata.GetLatestConfiguration": ADVANCES,
    "waf.GetChangeToken": ADVANCES,
    "waf-regional.GetChangeToken": ADVANCES,
    "ssm.GetDeployablePatchSnapshotForInstance": EXPIRES,
    # Credentials whose members the models do not mark.
    "amplifybackend.GetToken": SECRET,
    "athena.GetSessionEndpoint": SECRET,
    "codeartifact.GetAuthorizationToken": SECRET,
    "cognito-identity.GetCredentialsForIdentity": SECRET,
    "cognito-identity.GetOpenIdToken": SECRET,
    "cognito-identity.GetOpenIdTokenForDeveloperIdentity": SECRET,
    "connect.GetFederationToken": SECRET,
    "ec2.GetPasswordData": SECRET,
    "ecr.GetAuthorizationToken": SECRET,
    "ecr-public.GetAuthorizationToken": SECRET,
    "gamelift.GetComputeAuthToken": SECRET,
    "kinesis-video-signaling.GetIceServerConfig": SECRET,
    "lakeformation.GetTemporaryDataLocationCredentials": SECRET,
    "lakeformation.GetTemporaryGluePartitionCredentials": SECRET,
    "lakeformation.GetTemporaryGlueTableCredentials": SECRET,
    "license-manager.GetAccessToken": SECRET,
    "lightsail.GetInstanceAccessDetails": SECRET,
    "lightsail.GetRelationalDatabaseMasterUserPassword": SECRET,
    "redshift.GetClusterCredentials": SECRET,
    "redshift.GetClusterCredentialsWithIAM": SECRET,
    "redshift-serverless.GetCredentials": SECRET,
    "secretsmanager.GetSecretValue": SECRET,
    "sso.GetRoleCredentials": SECRET,
    "sts.GetDelegatedAccessToken": SECRET,
    "sts.GetFederationToken": SECRET,
    "sts.GetSessionToken": SECRET,
    "sts.GetWebIdentityToken": SECRET,
    "secretsmanager.GetRandomPassword": RANDOM,
    # Presigned URLs: bearers of access, and dead before their entry would be.
    "amplify.GetArtifactUrl": EXPIRES,
    "artifact.GetReport": EXPIRES,
    "artifact.GetTermForReport": EXPIRES,
    "auditmanager.GetAssessmentReportUrl": EXPIRES,
    "auditmanager.GetEvidenceFileUploadUrl": EXPIRES,
    "cognito-idp.DescribeUserImportJob": EXPIRES,
    "cognito-idp.ListUserImportJobs": EXPIRES,
    "connect.GetPromptFile": EXPIRES,
    "dataexchange.GetJob": EXPIRES,
    "dataexchange.ListJobs": EXPIRES,
    "datazone.GetIamPortalLoginUrl": EXPIRES,
    "ecr.GetDownloadUrlForLayer": EXPIRES,
    "emr.GetOnClusterAppUIPresignedURL": EXPIRES,
    "emr.GetPersistentAppUIPresignedURL": EXPIRES,
    "gamelift.GetGameSessionLogUrl": EXPIRES,
    "glue.GetDashboardUrl": EXPIRES,
    "greengrassv2.GetComponentVersionArtifact": EXPIRES,
    "groundstation.GetAgentTaskResponseUrl": EXPIRES,
    "lambda.GetFunction": EXPIRES,
    "lambda.GetLayerVersion": EXPIRES,
    "lambda.GetLayerVersionByArn": EXPIRES,
    "lexv2-models.GetTestExecutionArtifactsUrl": EXPIRES,
    "m2.GetSignedBluinsightsUrl": EXPIRES,
    "mturk.GetFileUploadURL": EXPIRES,
    "pricing.GetPriceListFileUrl": EXPIRES,
    "qbusiness.GetDocumentContent": EXPIRES,
    "quicksight.GetDashboardEmbedUrl": EXPIRES,
    "quicksight.GetSessionEmbedUrl": EXPIRES,
    "security-ir.GetCaseAttachmentDownloadUrl": EXPIRES,
    "security-ir.GetCaseAttachmentUploadUrl": EXPIRES,
    "support.GetAttachmentDownloadLink": EXPIRES,
    "taxsettings.GetTaxRegistrationDocument": EXPIRES,
}
# Marked as sensitive by a model, though they only name what is secret.
HARMLESS = frozenset(
    [
        "s3.SSEKMSKeyId",  # the ARN of a key of KMS; in the headers of each encrypted object
        "s3.SSEKMSEncryptionContext",
    ]
)
# Names of members that are secrets in whatever model they are, marked or not: botocore has new
# operations every week.
_SECRETIVE = re.compile(
    r"(?i)(?:.*(?:secretaccesskey|sessiontoken|authorizationtoken|authtoken|accesstoken|presignedurl"
    r"|signedurl|secretstring)|password|privatekey)"
).fullmatch
_DEPTH = 3  # levels of members whose names are looked at: further down they are settings
# Looked at, and found to be none: masked by the service, or the name of something.
NO_SECRETS = frozenset(
    [
        "appmesh.DescribeVirtualGateway",  # the path of a file
        "appmesh.DescribeVirtualNode",
        "cognito-sync.ListRecords",  # SyncSessionToken: an optimistic lock, not a credential
    ]
)
# `allow_sensitive` opts in to secrets, and to nothing that would be wrong the second time.
OPTED_IN = frozenset([SECRET])

NOT_ASKED = "not among the operations to cache"
WRITE = "changes something"
SENSITIVE = "the answer has members that the model marks as sensitive (see allow_sensitive)"
EVENT_STREAM = "an event stream"
TTL_OF_ZERO = "a time to live of zero"
HTTPX_STREAM = "a stream of aiobotocore on httpx"
STREAMED_REQUEST = "a request with a stream as its body"
DECRYPTED = "a parameter that is decrypted"
CUSTOMER_KEY = "an object under a key of the caller's own"


@lru_cache(4096)
def is_read(operation: str) -> bool:
    """Whether *operation* ("ListUsers") changes nothing at AWS, by its name."""
    return _READ.match(operation) is not None


def reason_against(
    model: Any, asked: Callable[[str], bool], *, allow_sensitive: bool = False
) -> str:
    """
    Why an operation is not cached; "" if it is.

    model: its botocore `OperationModel`. asked: whether the user wants an operation of that name.
    """
    service = model.service_model.service_name
    name = f"{service}.{model.name}"
    if not asked(model.name):
        return NOT_ASKED
    if not is_read(model.name):
        return WRITE
    listed = LISTED.get(name, "")
    if not listed and name not in NO_SECRETS and _names_a_secret(model.output_shape, _DEPTH):
        listed = SECRET
    if listed and not (allow_sensitive and listed in OPTED_IN):
        return listed
    if model.has_event_stream_input or model.has_event_stream_output:
        return EVENT_STREAM
    if model.has_streaming_input:
        return STREAMED_REQUEST
    if not allow_sensitive and any(sensitive_members(service, model.output_shape)):
        return SENSITIVE
    return ""


def reason_against_call(params: Mapping[str, Any], *, allow_sensitive: bool) -> str:
    """The same for one call of an operation that may be cached."""
    # SSM API, GetParameter, GetParameters, GetParametersByPath, GetParameterHistory
    if not allow_sensitive and params.get("WithDecryption"):
        return DECRYPTED
    # S3 API, GetObject: whoever lacks the key of SSE-C cannot read the object.
    if not allow_sensitive and "SSECustomerKey" in params:
        return CUSTOMER_KEY
    return ""


def sensitive_members(service: str, shape: Any) -> Iterator[str]:
    """
    What the model of *service* marks as sensitive in *shape*: "Users[].Password".

    Each shape is gone into once, wherever else it is met.
    """

    def marked(each: Any) -> bool:
        return bool(each.metadata.get("sensitive")) and f"{service}.{each.name}" not in HARMLESS

    return _marked_paths(shape, "", marked, set())


def _names_a_secret(shape: Any, depth: int) -> bool:
    return depth > 0 and any(
        _SECRETIVE(name) or _names_a_secret(getattr(member, "member", member), depth - 1)
        for name, member in getattr(shape, "members", {}).items()
    )


def _marked_paths(
    shape: Any, path: str, marked: Callable[[Any], bool], seen: set[str]
) -> Iterator[str]:
    if shape is None:
        return
    if marked(shape):  # also of a shape that was seen: a reference may add the mark to it
        yield path.removeprefix(".") or shape.name
    elif shape.name not in seen:
        seen.add(shape.name)
        for step, inner in _inner_shapes(shape):
            yield from _marked_paths(inner, f"{path}{step}", marked, seen)


def _inner_shapes(shape: Any) -> Iterable[tuple[str, Any]]:
    match shape.type_name:
        case "structure":
            return [(f".{name}", member) for name, member in shape.members.items()]
        case "list":
            return [("[]", shape.member)]
        case "map":
            return [("{name}", shape.key), ("{}", shape.value)]
    return []


def streaming_member(model: Any) -> str:
    """The member of the reply that is a stream; "" for none."""
    shape = model.output_shape
    if shape is None or not model.has_streaming_output:
        return ""
    return str(shape.serialization.get("payload", ""))


def asked_by_verbs(verbs: Iterable[str]) -> Callable[[str], bool]:
    """Operations whose name begins with one of *verbs*, as botocache's `call_verbs_to_cache`."""
    prefixes = tuple(verbs)
    return lambda operation: operation.startswith(prefixes)


def asked_by_patterns(patterns: Iterable[str]) -> Callable[[str], bool]:
    """By `re.match`, as botocache's `action_regex_to_cache`. Raises re.error for a bad pattern."""
    compiled = [re.compile(pattern) for pattern in patterns]
    return lambda operation: any(pattern.match(operation) for pattern in compiled)
