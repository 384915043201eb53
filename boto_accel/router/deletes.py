"""DeleteObjects of keys at several places: split, and the answers joined in the caller's order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from boto_accel._call import Call
from boto_accel._effects import Forward, Steps
from boto_accel.router.rules import Place
from boto_accel.router.translate import without_digests

if TYPE_CHECKING:
    from boto_accel.router.routing import Router

Share = tuple[Place, list[Mapping[str, Any]]]


def delete(router: Router, call: Call, bucket: str) -> Steps:
    """The answer of DeleteObjects."""
    objects = _objects(call.params)
    if objects is None:
        return (yield Forward(call))  # botocore says what is wrong with it
    branches = router.rules.branches(bucket)
    shares = [] if len(branches) == 1 else _shares(router, bucket, objects)
    if len(shares) < 2:
        place = shares[0][0] if shares else branches[0].place
        return (yield from router.send_at(call, place, call.operation, call.params))
    answers, failures = [], []
    for place, several in shares:
        params = without_digests(dict(call.params))
        params["Delete"] = {**call.params["Delete"], "Objects": several}
        try:
            answers.append((yield from router.send_at(call, place, call.operation, params)))
        except ClientError as error:
            failures.append((several, error))
    if not answers:
        raise failures[0][1]
    return _joined(objects, answers, failures)


def _objects(params: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """None for what botocore refuses."""
    given = params.get("Delete")
    objects = given.get("Objects") if isinstance(given, Mapping) else None
    if not isinstance(objects, list | tuple) or not objects:
        return None
    for each in objects:
        key = each.get("Key") if isinstance(each, Mapping) else None
        if not isinstance(key, str) or not key:
            return None
    return list(objects)


def _shares(router: Router, bucket: str, objects: list[Mapping[str, Any]]) -> list[Share]:
    shares: list[Share] = []
    for each in objects:
        place = router.rules.place_of_key(bucket, each["Key"])
        for known, several in shares:
            if known.is_same_as(place):
                several.append(each)
                break
        else:
            shares.append((place, [each]))
    return shares


def _joined(
    objects: list[Mapping[str, Any]],
    answers: list[dict[str, Any]],
    failures: list[tuple[list[Mapping[str, Any]], ClientError]],
) -> dict[str, Any]:
    """A place that refused all of its share has an error for each key, as S3 reports them."""
    order: dict[tuple[str, Any], int] = {}
    for index, each in enumerate(objects):
        order.setdefault(_name_of(each), index)
        order.setdefault((each["Key"], None), index)

    def position(each: Mapping[str, Any]) -> int:
        return order.get(_name_of(each), order.get((each.get("Key", ""), None), len(objects)))

    errors = [each for answer in answers for each in answer.get("Errors", ())]
    errors += [_error_of(each, error) for several, error in failures for each in several]
    deleted = [each for answer in answers for each in answer.get("Deleted", ())]
    lists = {"Deleted": sorted(deleted, key=position), "Errors": sorted(errors, key=position)}
    rest = {name: value for name, value in answers[0].items() if name not in lists}
    return {**rest, **{name: several for name, several in lists.items() if several}}


def _name_of(each: Mapping[str, Any]) -> tuple[str, Any]:
    return each.get("Key", ""), each.get("VersionId")


def _error_of(each: Mapping[str, Any], error: ClientError) -> dict[str, Any]:
    said = error.response.get("Error", {})
    named = {name: each[name] for name in ("Key", "VersionId") if name in each}
    return {**named, "Code": said.get("Code", ""), "Message": said.get("Message", "")}
