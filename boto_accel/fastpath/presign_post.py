"""
Presigned posts: the form that lets a browser upload to S3.

Source: `botocore.signers.generate_presigned_post`, `S3PostPresigner`,
`botocore.auth.S3SigV4PostAuth` and `HmacV1PostAuth`.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import call as calls
from boto_accel.fastpath import sigv4
from boto_accel.fastpath.endpoints import Endpoint
from boto_accel.fastpath.plan import PostPlan
from boto_accel.fastpath.proof import Different, same
from boto_accel.fastpath.state import ClientState
from boto_accel.fastpath.steps import Steps

FUNCTION = "generate_presigned_post"
OPERATION = "CreateBucket"  # whose URL is the one that a form is posted to
FILE_NAME = "${filename}"


class Asked(NamedTuple):
    """
    The arguments of one `generate_presigned_post`.

    given: whether fields, and whether conditions, are the caller's own.
    """

    bucket: str
    key: str
    fields: dict[str, Any]
    conditions: list[Any]
    expires_in: int
    given: tuple[bool, bool]


class Moment(NamedTuple):
    """When a form is signed, and until when it holds, as the policy says it."""

    timestamp: str
    expiration: str


def asked(arguments: tuple[Any, ...]) -> Asked:
    """Declines arguments that are not of the usual types."""
    bucket, key, fields, conditions, expires_in = arguments
    usual = type(bucket) is str and type(key) is str and type(expires_in) is int
    if not usual or type(fields) not in (dict, type(None)):
        raise Declined("parameters of an unusual type")
    if type(conditions) not in (list, type(None)):
        raise Declined("parameters of an unusual type")
    given = (fields is not None, conditions is not None)
    fields = {} if fields is None else fields
    conditions = [] if conditions is None else conditions
    return Asked(bucket, key, fields, conditions, expires_in, given)


def quick(plan: PostPlan, call: Asked, credentials: Any) -> dict[str, Any] | None:
    """The form, or None where `slow` has to learn something first."""
    endpoint = plan.resolver.find({"Bucket": call.bucket})
    if endpoint is None or plan.runs_parameter_handlers:
        return None
    changes = plan.proved.get((endpoint.version, call.given))
    if changes is None:
        return None
    return _form(plan, endpoint, call, changes, credentials, _now(call.expires_in))


def slow(
    state: ClientState,
    plan: PostPlan,
    client: Any,
    call: Asked,
    credentials: Any,
    stock: Callable[[], Any],
    counts: Any,
) -> Steps[dict[str, Any]]:
    """The form, learning what is missing. *stock* makes botocore's for the same arguments."""
    if plan.runs_parameter_handlers:
        raise Declined("parameter handlers of the user's")
    params = {"Bucket": call.bucket}
    endpoint = plan.resolver.find(params)
    if endpoint is None:
        calls.check_bucket(plan, params)
        endpoint = yield from plan.resolver.resolve(client, params, dict(plan.context))
    kind = (endpoint.version, call.given)
    changes = plan.proved.get(kind)
    if changes is not None:
        return _form(plan, endpoint, call, changes, credentials, _now(call.expires_in))
    copied = call._replace(fields={**call.fields}, conditions=[*call.conditions])
    try:
        theirs = yield stock()
    except Exception as error:
        raise calls.StocksOwn(error) from None
    # botocore adds to the caller's own list, and older releases to the dict too; so do we then.
    changes = (call.fields != copied.fields, call.conditions != copied.conditions)
    ours = _form(plan, endpoint, copied, changes, credentials, _moment_of(theirs))
    if same(ours, theirs) and list(ours["fields"]) == list(theirs["fields"]):
        plan.proved[kind] = changes
        counts.count_proved()
    else:
        counts.count_retired()
        state.retire(plan, Different("a presigned post"))
    return theirs


def _now(expires_in: int) -> Moment:
    expires = _compat.current_time() + datetime.timedelta(seconds=expires_in)
    return Moment(_compat.signing_time(), expires.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _moment_of(form: dict[str, Any]) -> Moment:
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    return Moment(form["fields"].get("x-amz-date", ""), policy["expiration"])


def _form(
    plan: PostPlan,
    endpoint: Endpoint,
    call: Asked,
    changes: tuple[bool, bool],
    credentials: Any,
    moment: Moment,
) -> dict[str, Any]:
    """The form; *changes*: whether the caller's own fields, and conditions, are added to."""
    if credentials is None or endpoint.version is None:
        raise Declined("no credentials")
    fields = call.fields if changes[0] else {**call.fields}
    conditions = call.conditions if changes[1] else [*call.conditions]
    conditions.append({"bucket": call.bucket})
    if call.key.endswith(FILE_NAME):
        conditions.append(["starts-with", "$key", call.key[: -len(FILE_NAME)]])
    else:
        conditions.append({"key": call.key})
    fields["key"] = call.key
    policy = {"expiration": moment.expiration, "conditions": [*conditions]}
    sign = _sign_v4 if endpoint.version == "s3v4-presign-post" else _sign_v2
    sign(endpoint, fields, policy, credentials, moment.timestamp)
    return {"url": plan.url(endpoint), "fields": fields}


def _sign_v4(
    endpoint: Endpoint, fields: dict[str, Any], policy: Any, credentials: Any, timestamp: str
) -> None:
    """Source: `S3SigV4PostAuth`."""
    scope = f"{timestamp[:8]}/{endpoint.region}/{endpoint.signing_name}/aws4_request"
    signed = {
        "x-amz-algorithm": sigv4.ALGORITHM,
        "x-amz-credential": f"{credentials.access_key}/{scope}",
        "x-amz-date": timestamp,
    }
    if credentials.token is not None:
        signed["x-amz-security-token"] = credentials.token
    for name, value in signed.items():
        fields[name] = value
        policy["conditions"].append({name: value})
    key = sigv4.signing_key(
        credentials.secret_key, timestamp[:8], endpoint.region, endpoint.signing_name
    )
    fields["policy"] = _encoded(policy)
    fields["x-amz-signature"] = key.sign(fields["policy"])


def _sign_v2(
    endpoint: Endpoint, fields: dict[str, Any], policy: Any, credentials: Any, timestamp: str
) -> None:
    """Source: `HmacV1PostAuth`."""
    fields["AWSAccessKeyId"] = credentials.access_key
    if credentials.token is not None:
        fields["x-amz-security-token"] = credentials.token
        policy["conditions"].append({"x-amz-security-token": credentials.token})
    fields["policy"] = _encoded(policy)
    signed = sigv4.older_signing_key(credentials.secret_key).digest(fields["policy"])
    fields["signature"] = base64.b64encode(signed).decode()


def _encoded(policy: Any) -> str:
    try:
        return base64.b64encode(json.dumps(policy).encode()).decode()
    except (TypeError, ValueError):
        raise Declined("conditions that are not JSON") from None
