"""Buckets as the calling code sees them: ListBuckets, and whether one that is split is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from boto_accel._call import Call
from boto_accel._clienterrors import refusal
from boto_accel._effects import Forward, Steps
from boto_accel._tokens import text_of, token_of
from boto_accel.router.clienterrors import for_user
from boto_accel.router.listing import is_empty
from boto_accel.router.rules import Rules

if TYPE_CHECKING:
    from boto_accel.router.routing import Router

_PAGING = ("MaxBuckets", "ContinuationToken", "Prefix")


def list_buckets(router: Router, call: Call) -> Steps:
    """
    All buckets that the rules give a home, under the names that the calling code uses.

    A bucket that is only a target is not among them, nor is one that another rule hides.
    """
    default = router.rules.default
    if len(router.rules.rules) == 1 and default.mapped_bucket_name is None:
        return (yield from _of_client(router, call, default.client, call.params))
    first, seen = None, {}
    for name in _clients(router.rules):
        found = yield from _all_of_client(router, call, name)
        if name == default.client:
            first = found
        for bucket in found.get("Buckets", ()):
            for seen_as in router.rules.names_of_bucket(name, bucket["Name"]):
                seen[seen_as] = _named(bucket, seen_as)
    return _page(call, first or {}, [seen[name] for name in sorted(seen)])


def _clients(rules: Rules) -> list[str]:
    """Those where a whole bucket may be: each once."""
    return list(dict.fromkeys(rule.client for rule in rules.rules if rule.takes_all_keys))


def _all_of_client(router: Router, call: Call, name: str) -> Steps:
    params = {each: value for each, value in call.params.items() if each not in _PAGING}
    answer = yield from _of_client(router, call, name, params)
    found = answer
    while found.get("ContinuationToken"):
        more = {**params, "ContinuationToken": found["ContinuationToken"]}
        found = yield from _of_client(router, call, name, more)
        answer["Buckets"] = [*answer.get("Buckets", ()), *found.get("Buckets", ())]
    return answer


def _of_client(router: Router, call: Call, name: str, params: Mapping[str, Any]) -> Steps:
    client = yield from router.client_at(name, call)
    if client is call.client and params is call.params:
        return (yield Forward(call))
    try:
        return (yield from router.forward(Call(client, call.operation, params, call.flavour)))
    except ClientError as error:
        raised = for_user(error, call, client, None)
    raise raised from None


def _named(bucket: Mapping[str, Any], name: str) -> dict[str, Any]:
    named = {**bucket, "Name": name}
    if "BucketArn" in bucket:
        named["BucketArn"] = f"{bucket['BucketArn'].rpartition(':')[0]}:{name}"
    return named


def _page(call: Call, answer: Mapping[str, Any], buckets: list[dict[str, Any]]) -> dict[str, Any]:
    """Source: S3 API, ListBuckets: Prefix, MaxBuckets, ContinuationToken."""
    params = call.params
    prefix, limit = params.get("Prefix") or "", params.get("MaxBuckets")
    after = _name_of_token(call, params["ContinuationToken"]) if _goes_on(params) else ""
    rest = [each for each in buckets if each["Name"].startswith(prefix) and each["Name"] > after]
    page = rest[:limit] if limit else rest
    found = {name: value for name, value in answer.items() if name not in _PAGING}
    found["Buckets"] = page
    if "Prefix" in params:
        found["Prefix"] = prefix
    if len(page) < len(rest):
        found["ContinuationToken"] = token_of(page[-1]["Name"])
    return found


def _goes_on(params: Mapping[str, Any]) -> bool:
    return bool(params.get("ContinuationToken"))


def _name_of_token(call: Call, token: Any) -> str:
    name = text_of(token) if isinstance(token, str) else None
    if name is None:
        raise refusal(call, "InvalidArgument", "The continuation token provided is incorrect", 400)
    return name


def check_empty(router: Router, call: Call, bucket: str) -> Steps:
    """
    Before a bucket goes whose keys are at several places: raise BucketNotEmpty if one has a key.

    Its home would know only of its own.
    """
    places = router.rules.places_of_prefix(bucket, "")
    if len(places) > 1 and not (yield from is_empty(router, call, places)):
        message = "The bucket you tried to delete is not empty"
        raise refusal(call, "BucketNotEmpty", message, 409, BucketName=bucket)
