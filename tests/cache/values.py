"""Replies as botocore's parsers would make them of an output shape: every type, every time zone."""

from __future__ import annotations

import datetime
from typing import Any

from botocore.model import Shape
from dateutil.tz import tzlocal, tzoffset, tzutc

from tests.generate.choices import Choices
from tests.generate.scalars import BODY, make_document, make_text

DEEPEST = 4  # structures in each other
MOMENTS_S = (-2_208_988_800, 4_102_444_800)  # seconds: 1900 to 2100
UTC = datetime.timezone.utc


def make_reply(choices: Choices, shape: Shape | None) -> dict[str, Any]:
    """With ResponseMetadata, as every reply has it."""
    reply = {} if shape is None else _structure(choices, shape, 0)
    reply["ResponseMetadata"] = {
        "RequestId": "4442587FB7D0A2F9",
        "HTTPStatusCode": 200,
        "HTTPHeaders": {"content-type": "application/json", "x-empty": ""},
        "RetryAttempts": choices.integer(0, 3),
    }
    return reply


def _make(choices: Choices, shape: Any, depth: int) -> Any:
    if getattr(shape, "is_document_type", False):
        return make_document(choices)
    return _MAKERS[shape.type_name](choices, shape, depth)


def _structure(choices: Choices, shape: Any, depth: int) -> dict[str, Any]:
    wanted = choices.pick((100, 60, 20)) if depth < DEEPEST else 0
    members = shape.members.items()
    return {
        name: _make(choices, member, depth + 1)
        for name, member in members
        if choices.chance(wanted)
    }


def _list(choices: Choices, shape: Any, depth: int) -> list[Any]:
    longest = 2 if depth < DEEPEST else 0
    return [_make(choices, shape.member, depth + 1) for _ in range(choices.integer(0, longest))]


def _map(choices: Choices, shape: Any, depth: int) -> dict[str, Any]:
    longest = 2 if depth < DEEPEST else 0
    return {
        make_text(choices, BODY): _make(choices, shape.value, depth + 1)
        for _ in range(choices.integer(0, longest))
    }


def make_moment(choices: Choices) -> datetime.datetime:
    """In each zone that botocore and dateutil give: of numbers, of "Z", of "+02:00", of none."""
    moment = datetime.datetime.fromtimestamp(choices.integer(*MOMENTS_S), UTC)
    moment = moment.replace(microsecond=choices.pick((0, 1, 123456, 999999)))
    shift = choices.integer(-86_399, 86_399)
    zones: list[Any] = [tzutc(), tzlocal(), UTC, tzoffset(None, shift), tzoffset("EST", shift)]
    zones.append(datetime.timezone(datetime.timedelta(seconds=shift)))
    return (
        moment.replace(tzinfo=None)
        if choices.chance(10)
        else moment.astimezone(choices.pick(zones))
    )


def _integer(choices: Choices, shape: Any, depth: int) -> int:
    edges = (0, 1, -1, 127, 128, 2**31, -(2**31), 2**63 - 1, -(2**63), 2**64, -(2**70), 10**40)
    return choices.pick(edges) if choices.chance(50) else choices.integer(-(10**6), 10**6)


def _float(choices: Choices, shape: Any, depth: int) -> Any:
    odd = (0.0, -0.0, 1.5, 1e300, 5e-324, float("inf"), float("-inf"), float("nan"), 7)
    return choices.pick(odd)


_MAKERS: dict[str, Any] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": lambda choices, shape, depth: make_text(choices, BODY),
    "character": lambda choices, shape, depth: make_text(choices, BODY),
    "blob": lambda choices, shape, depth: choices.octets(0, 40),
    "boolean": lambda choices, shape, depth: choices.chance(50),
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "timestamp": lambda choices, shape, depth: make_moment(choices),
}


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two replies differ, in values or in types; [] where they do not."""
    if type(one) is not type(other):
        return [f"{path}: {type(one).__name__} and {type(other).__name__}"]
    if isinstance(one, dict):
        if list(one) != list(other):
            return [f"{path}: other members, or in another order"]
        return [line for name in one for line in differences(one[name], other[name], path + name)]
    if isinstance(one, list):
        if len(one) != len(other):
            return [f"{path}: another length"]
        pairs = enumerate(zip(one, other, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{path}[{index}]")]
    if isinstance(one, datetime.datetime):
        return [] if same_moment(one, other) else [f"{path}: {one!r} and {other!r}"]
    return [] if repr(one) == repr(other) else [f"{path}: {one!r} and {other!r}"]


def same_moment(one: datetime.datetime, other: datetime.datetime) -> bool:
    return (
        one.replace(tzinfo=None) == other.replace(tzinfo=None)
        and one.fold == other.fold
        and type(one.tzinfo) is type(other.tzinfo)
        and one.utcoffset() == other.utcoffset()
        and one.tzname() == other.tzname()
    )
