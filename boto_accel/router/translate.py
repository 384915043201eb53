"""
The names in parameters and answers: from the calling code's to the target's, and back.

Rule: functions of their arguments, without I/O; the service model is handed in. What is a bucket,
a key or a prefix is found in the model by the names of shapes, for all operations alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, unquote_to_bytes, urlsplit, urlunsplit

from boto_accel.router.rules import Place, Rules

# Names of members from the outside in; EACH stands for the elements of a list.
Path = tuple[str, ...]
EACH = "[]"
Change = Callable[[Any], Any]

_KEY_SHAPES = frozenset(
    ["ObjectKey", "Prefix", "Marker", "NextMarker", "KeyMarker", "NextKeyMarker", "StartAfter"]
)
_BUCKET_SHAPES = frozenset(["BucketName", "TargetBucket"])
_PREFIX_SHAPES = frozenset(["Prefix", "LocationPrefix", "TargetPrefix"])
_ARN_SHAPES = frozenset(["S3RegionalOrS3ExpressBucketArnString"])
_NOT_KEYS = frozenset(["Tag"])  # structures whose "Key" is the name of a tag
_DIGEST_OF_BODY = re.compile(r"ContentMD5|Checksum(?!Algorithm|Type|Mode).+")
_BUCKET_ARN = re.compile(r"(arn:[^:]*:s3:[^:]*:[^:]*:)([^/:]+)\Z")

# What names buckets or keys in a text of its own, which no model takes apart.
_TEXT = frozenset(["GetBucketPolicy", "PutBucketPolicy", "RenameObject"])
_TEXT_OF_KEYS = frozenset(
    [
        "GetBucketNotification",
        "GetBucketNotificationConfiguration",
        "GetBucketWebsite",
        "PutBucketNotification",
        "PutBucketNotificationConfiguration",
        "PutBucketWebsite",
    ]
)


class Unmappable(Exception):
    """*reason* why parameters have no counterpart at the target."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Destination(NamedTuple):
    """A structure at *path* that names another bucket, and perhaps a prefix in it."""

    path: Path
    bucket: str
    prefix: str | None


@dataclass(frozen=True)
class Names:
    """Where one structure, input or output, has names. `keys`: of keys, prefixes and markers."""

    buckets: tuple[Path, ...] = ()
    keys: tuple[Path, ...] = ()
    destinations: tuple[Destination, ...] = ()
    locations: tuple[Path, ...] = ()
    arns: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Operation:
    """
    What an operation has to do with names. top_keys: members of the input that are keys.

    filters: the member of the input that says, by prefixes, for which keys something holds.
    """

    name: str
    input: Names
    output: Names
    top_keys: tuple[str, ...]
    takes_bucket: bool
    takes_key: bool
    takes_prefix: bool
    takes_source: bool
    takes_objects: bool
    filters: str | None
    has_names_in_answer: bool


def read_operation(model: Any) -> Operation:
    """*model*: the `OperationModel` of an operation of S3."""
    given = Names() if model.input_shape is None else _names_of(model.input_shape)
    answered = Names() if model.output_shape is None else _names_of(model.output_shape)
    members = {} if model.input_shape is None else model.input_shape.members
    takes_bucket = ("Bucket",) in given.buckets
    inner = [path for path in given.keys if len(path) > 1 and path[-1] == "Prefix"]
    return Operation(
        name=model.name,
        input=given,
        output=answered,
        top_keys=tuple(path[0] for path in given.keys if len(path) == 1),
        takes_bucket=takes_bucket,
        takes_key=takes_bucket and ("Key",) in given.keys,
        takes_prefix=takes_bucket and ("Prefix",) in given.keys,
        takes_source="CopySource" in members,
        takes_objects=("Delete", "Objects", EACH, "Key") in given.keys,
        filters=inner[0][0] if inner else None,
        has_names_in_answer=answered != Names(),
    )


def _names_of(shape: Any) -> Names:
    found: dict[str, list[Any]] = {each: [] for each in Names.__dataclass_fields__}
    for kind, where in _walk(shape, (), frozenset()):
        found[kind].append(where)
    return Names(**{kind: tuple(several) for kind, several in found.items()})


def _walk(shape: Any, path: Path, above: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """(field of Names, what goes there) of all that is in *shape*."""
    if shape.name in above or shape.name in _NOT_KEYS:
        return
    above |= {shape.name}
    if shape.type_name == "list":
        yield from _walk(shape.member, (*path, EACH), above)
    if shape.type_name != "structure":
        return
    members = shape.members
    other = _bucket_member(members) if path else None
    if other is not None:
        prefix = _first(members, _PREFIX_SHAPES)
        yield "destinations", Destination(path, other, prefix)
        members = {name: each for name, each in members.items() if name not in (other, prefix)}
    for name, member in members.items():
        kind = _kind_of(member.name)
        if kind:
            yield kind, (*path, name)
        else:
            yield from _walk(member, (*path, name), above)


def _kind_of(shape: str) -> str:
    if shape in _KEY_SHAPES:
        return "keys"
    if shape in _BUCKET_SHAPES:
        return "buckets"
    if shape in _ARN_SHAPES:
        return "arns"
    return "locations" if shape == "Location" else ""


def _bucket_member(members: Mapping[str, Any]) -> str | None:
    return _first(members, _BUCKET_SHAPES)


def _first(members: Mapping[str, Any], shapes: frozenset[str]) -> str | None:
    return next((name for name, member in members.items() if member.name in shapes), None)


# To the target --------------------------------------------------------------------------------


def params_at_target(
    operation: Operation, place: Place, params: Mapping[str, Any], rules: Rules
) -> dict[str, Any]:
    """
    *params* in the names of the target, a new dict. Raises Unmappable.

    CopySource is not of its business.
    """
    _check(operation, place, params)
    found = {**params, "Bucket": place.mapped}
    prefix = place.prefix
    if prefix:
        for name in operation.top_keys:
            value = found.get(name)
            if value and isinstance(value, str):
                found[name] = prefix + value
        if operation.takes_prefix and not found.get("Prefix"):
            found["Prefix"] = prefix
    changed = False
    if prefix and len(operation.input.keys) > len(operation.top_keys):
        for path in operation.input.keys:
            if len(path) > 1 and path[0] in found:
                found[path[0]] = replaced(found[path[0]], path[1:], lambda key: prefix + key)
                changed = True
    for destination in operation.input.destinations:
        if destination.path[0] in found:
            change = _destination_at_target(destination, place, rules)
            found[destination.path[0]] = replaced(
                found[destination.path[0]], destination.path[1:], change
            )
            changed = True
    return without_digests(found) if changed else found


def without_digests(params: dict[str, Any]) -> dict[str, Any]:
    """Of a body that has been rewritten the caller's digest no longer holds; botocore makes one."""
    return {name: value for name, value in params.items() if not _DIGEST_OF_BODY.fullmatch(name)}


def replaced(value: Any, path: Path, change: Change) -> Any:
    """*value* with what is at *path* changed, a new one; as it is where that is not there."""
    if not path:
        return change(value)
    first, rest = path[0], path[1:]
    if first == EACH:
        return [replaced(each, rest, change) for each in value] if _is_list(value) else value
    if not isinstance(value, Mapping) or value.get(first) is None:
        return value
    return {**value, first: replaced(value[first], rest, change)}


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _check(operation: Operation, place: Place, params: Mapping[str, Any]) -> None:
    if operation.name in _TEXT and place.is_renamed:
        raise Unmappable("it names buckets or keys in a text, and the rule gives other names")
    if not place.prefix:
        return
    if operation.name in _TEXT_OF_KEYS:
        raise Unmappable("it names keys in a text, and the rule puts a prefix before them")
    if operation.filters is not None and operation.filters in params:
        given = params[operation.filters]
        several = given.get("Rules") if isinstance(given, Mapping) else None
        for each in several if isinstance(several, list | tuple) else [given]:
            if not _has_prefix(each):
                raise Unmappable(
                    "without a Prefix it would hold for the whole of the bucket "
                    f"{place.mapped!r}, not only for what the rule puts there"
                )


def _has_prefix(value: Any) -> bool:
    """Whether a rule of a lifecycle and its like is for a prefix: its own, or of its filter."""
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("Prefix"), str):
        return True
    return any(_has_prefix(value.get(name)) for name in ("Filter", "And"))


def _destination_at_target(destination: Destination, place: Place, rules: Rules) -> Change:
    def change(value: Any) -> Any:
        named = value.get(destination.bucket) if isinstance(value, Mapping) else None
        if not isinstance(named, str):
            return value
        head, bucket = _split_arn(named)
        inner = (destination.prefix and value.get(destination.prefix)) or ""
        there, *others = rules.places_of_prefix(bucket, inner)
        if others or there.client != place.client:
            raise Unmappable(f"the bucket {bucket!r} that it names is not wholly at its target")
        if there.prefix and destination.prefix is None:
            raise Unmappable(f"the bucket {bucket!r} that it names has its keys under a prefix")
        found = {**value, destination.bucket: head + there.mapped}
        if there.prefix and destination.prefix:
            found[destination.prefix] = there.prefix + inner
        return found

    return change


def _split_arn(named: str) -> tuple[str, str]:
    """("arn:aws:s3:::", "b") of an ARN; ("", "b") of a name."""
    found = _BUCKET_ARN.match(named)
    return (found[1], found[2]) if found else ("", named)


# To the user ----------------------------------------------------------------------------------


def answer_for_user(
    operation: Operation, place: Place, answer: dict[str, Any], rules: Rules
) -> None:
    """Put the names of the calling code into *answer*, in place."""
    names, prefix = operation.output, place.prefix
    if prefix and "NextMarker" in answer:
        answer["NextMarker"] = _marker_of(answer, prefix)
    for path in names.buckets:
        change_at(answer, path, lambda name: place.bucket if name == place.mapped else name)
    if prefix:
        for path in names.keys:
            change_at(answer, path, lambda key: without_prefix(key, prefix))
    for path in names.locations:
        change_at(answer, path, lambda location: location_for_user(location, place))
    for path in names.arns:
        change_at(answer, path, lambda arn: _arn_for_user(arn, place))
    for destination in names.destinations:
        change_at(answer, destination.path, _destination_for_user(destination, place, rules))


def _marker_of(answer: Mapping[str, Any], prefix: str) -> Any:
    """
    NextMarker as a key, for its place has a prefix that a token of the store's own has not.

    S3 API, ListObjects: it is the last key or common prefix.
    """
    marker = answer["NextMarker"]
    if not isinstance(marker, str) or without_prefix(marker, prefix) != marker:
        return marker
    keys = [each.get("Key") for each in answer.get("Contents") or ()]
    prefixes = [each.get("Prefix") for each in answer.get("CommonPrefixes") or ()]
    return (keys or prefixes or [marker])[-1]


def change_at(value: Any, path: Path, change: Change) -> None:
    """Change in place what is at *path*, where it is there."""
    last = len(path) - 1
    for index, name in enumerate(path):
        if name == EACH:
            for position, each in enumerate(value):
                if index == last:
                    value[position] = change(each)
                else:
                    change_at(each, path[index + 1 :], change)
            return
        inner = value.get(name)
        if inner is None:
            return
        if index == last:
            value[name] = change(inner)
        value = inner


def without_prefix(text: Any, prefix: str) -> Any:
    """
    *text* without *prefix* at its beginning; as it is where it does not begin so.

    Answers with EncodingType "url" have it quoted. Source: `botocore.handlers.decode_list_object`,
    which leaves `Prefix` of ListObjects as it came.
    """
    if not isinstance(text, str):
        return text
    if text.startswith(prefix):
        return text[len(prefix) :]
    if not unquote_plus(text).startswith(prefix):
        return text
    wanted, length = prefix.encode(), 0
    for piece in re.finditer(r"%[0-9A-Fa-f]{2}|.", text, re.DOTALL):
        if length >= len(wanted):
            return text[piece.start() :]
        length += len(unquote_to_bytes(piece[0].replace("+", " ")))
    return ""


def location_for_user(location: Any, place: Place) -> Any:
    """
    A URL ("http://host/bucket/key", "http://bucket.host/key") or path ("/bucket") of the target.

    Only bucket and key are exchanged: the host stays the target's.
    """
    if not isinstance(location, str):
        return location
    parts = urlsplit(location)
    bucket, host = place.mapped, parts.netloc
    if host.startswith(f"{bucket}."):
        path = "/" + without_prefix(parts.path.lstrip("/"), place.prefix)
        host = place.bucket + host[len(bucket) :]
    elif parts.path.lstrip("/").partition("/")[0] == bucket:
        key = parts.path.lstrip("/").partition("/")[2]
        slash = "/" if parts.path.lstrip("/") != bucket else ""
        path = f"/{place.bucket}{slash}{without_prefix(key, place.prefix)}"
    else:
        return location
    return urlunsplit(parts._replace(netloc=host, path=path))


def _arn_for_user(arn: Any, place: Place) -> Any:
    head, bucket = _split_arn(arn) if isinstance(arn, str) else ("", None)
    return head + place.bucket if head and bucket == place.mapped else arn


def _destination_for_user(destination: Destination, place: Place, rules: Rules) -> Change:
    def change(value: Any) -> Any:
        named = value.get(destination.bucket)
        if not isinstance(named, str):
            return value
        head, mapped = _split_arn(named)
        prefix = (destination.prefix and value.get(destination.prefix)) or ""
        for name in rules.names_of_bucket(place.client, mapped):
            there = rules.home(name)
            if prefix.startswith(there.prefix):
                value = {**value, destination.bucket: head + name}
                if there.prefix and destination.prefix:
                    value[destination.prefix] = prefix[len(there.prefix) :]
                return value
        return value

    return change


def error_for_user(response: Any, place: Place) -> Any:
    """
    The `response` of a `ClientError` in the names of the calling code, a new one.

    Source: S3 API, "REST error responses": BucketName, Key and Resource say what it is about.
    """
    error = response.get("Error") if isinstance(response, Mapping) else None
    if not isinstance(error, Mapping):
        return response
    found = dict(error)
    if found.get("BucketName") == place.mapped:
        found["BucketName"] = place.bucket
    for name in ("Key", "Prefix"):
        if place.prefix and name in found:
            found[name] = without_prefix(found[name], place.prefix)
    if "Resource" in found:
        found["Resource"] = location_for_user(found["Resource"], place)
    return {**response, "Error": found}
