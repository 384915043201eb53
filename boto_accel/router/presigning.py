"""
Presigned URLs and forms: made by the client of the target, in the target's names.

Who uses them talks to the target itself, so the names in them stay the target's.
Source: `botocore.signers.generate_presigned_url`, `generate_presigned_post`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from boto_accel._call import Flavour
from boto_accel._copysource import read_copy_source
from boto_accel.router.errors import UnroutableError
from boto_accel.router.routing import Router
from boto_accel.router.rules import Place
from boto_accel.router.translate import Operation


class Presigned(NamedTuple):
    """To be signed by the client *name*, or by the caller's own where that is None."""

    name: str | None
    args: tuple[Any, ...]


def presign(
    router: Router,
    client: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    stock: Callable[..., Any],
) -> Any:
    name, there = presigned(router, client, args, stock.__name__)
    if name is None:
        return stock(client, *args, **kwargs)
    target = router.targets.find(name, client, Flavour.SYNC) or router.targets.open(name)
    with router.on_the_way():
        return stock(target, *there, **kwargs)


async def apresign(
    router: Router,
    client: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    stock: Callable[..., Any],
) -> Any:
    name, there = presigned(router, client, args, stock.__name__)
    if name is None:
        return await stock(client, *args, **kwargs)
    target = router.targets.find(name, client, Flavour.ASYNC) or await router.targets.aopen(name)
    with router.on_the_way():
        return await stock(target, *there, **kwargs)


def presigned(router: Router, client: Any, args: tuple[Any, ...], function: str) -> Presigned:
    """What is signed in place of *args*. Raises UnroutableError where there is no such thing."""
    if router.is_routed(client):
        return Presigned(None, args)
    if function == "generate_presigned_post":
        return _post(router, args)
    return _url(router, client, args)


def _url(router: Router, client: Any, args: tuple[Any, ...]) -> Presigned:
    method, params, *rest = args
    operation = _operation_of(client, method)
    if operation is None or not isinstance(params, Mapping):
        return Presigned(None, args)  # botocore says what is wrong with it
    plan = router.operation(client, operation)
    bucket, key = params.get("Bucket"), params.get("Key")
    if not plan.takes_bucket or type(bucket) is not str or not bucket:
        return Presigned(None, args)
    if plan.takes_key:
        if type(key) is not str or not key:
            return Presigned(None, args)
        place = router.rules.place_of_key(bucket, key)
    else:
        place = _only_place(router, plan, bucket, params)
    if plan.takes_source:
        params = _with_source(router, operation, place, params)
    there = router.params_at(operation, plan, place, params)
    return Presigned(place.client, (method, there, *rest))


def _operation_of(client: Any, method: Any) -> str | None:
    names = client.meta.method_to_api_mapping
    found: str | None = names.get(method) if isinstance(method, str) else None
    return found


def _only_place(router: Router, plan: Operation, bucket: str, params: Mapping[str, Any]) -> Place:
    home = router.rules.home(bucket)
    if not (plan.takes_prefix or plan.takes_objects):
        return home
    prefix = params.get("Prefix") if plan.takes_prefix else ""
    place, *others = router.rules.places_of_prefix(bucket, prefix or "")
    if others:
        reason = "its keys are at several places, and a URL leads to one"
        raise UnroutableError(f"{plan.name} (presigned)", str(place.rule), reason)
    return place


def _with_source(
    router: Router, operation: str, place: Place, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    source = read_copy_source(params.get("CopySource"))
    if source is None:
        return params
    origin = router.rules.place_of_key(source.bucket, source.key)
    if origin.client != place.client:
        reason = f"the source is at another target, by {origin.rule}"
        raise UnroutableError(f"{operation} (presigned)", str(place.rule), reason)
    named = source._replace(bucket=origin.mapped, key=origin.prefix + source.key)
    return {**params, "CopySource": named.as_param()}


def _post(router: Router, args: tuple[Any, ...]) -> Presigned:
    bucket, key, fields, conditions, *rest = args
    if type(bucket) is not str or type(key) is not str or not bucket or not key:
        return Presigned(None, args)
    place = router.rules.place_of_key(bucket, key)
    prefix = place.prefix
    if isinstance(fields, Mapping) and prefix and isinstance(fields.get("key"), str):
        fields = {**fields, "key": prefix + fields["key"]}
    if isinstance(conditions, list):
        conditions = [_condition(each, place) for each in conditions]
    return Presigned(place.client, (place.mapped, prefix + key, fields, conditions, *rest))


def _condition(given: Any, place: Place) -> Any:
    """Source: S3 API, "Creating a POST policy": {"key": …}, ["starts-with", "$key", …]."""
    if isinstance(given, Mapping):
        changed = dict(given)
        if isinstance(changed.get("key"), str):
            changed["key"] = place.prefix + changed["key"]
        if changed.get("bucket") == place.bucket:
            changed["bucket"] = place.mapped
        return changed
    if isinstance(given, list | tuple) and len(given) == 3:
        match, name, value = given
        if name == "$key" and isinstance(value, str):
            return [match, name, place.prefix + value]
        if name == "$bucket" and value == place.bucket:
            return [match, name, place.mapped]
    return given
