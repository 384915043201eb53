"""
Parameters for any operation of any service, made from botocore's input shapes.

`make_params` gives what botocore accepts; `spoil_params` damages such parameters in one place.
Both are pure: no client, no clock, no I/O. File-like values keep a position: take a `fresh` copy
for every call.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel, Shape
from botocore.utils import is_json_value_header
from hypothesis import strategies as st

from tests.generate import scalars
from tests.generate.choices import Choices, drawn
from tests.generate.special import special_maker

DEEPEST = 5  # nested structures; below it only what is required
LONGEST_LIST = 3  # members, unless the model's minimum is more
OPTIONAL_PERCENT = 40  # how often an optional member is given
LONG_PERCENT = 3  # how often a text is longer than LONGEST_TEXT
TOKEN = "0b1e2f3a-0000-4000-8000-c0ffee000001"
ENDLESS = 1_000  # the height of a shape that cannot be finished

# Headers that say how the body is framed: a value not fitting the body would stall the exchange.
FRAMING_HEADERS = {"content-length", "transfer-encoding", "host", "connection", "expect"}


@dataclass(frozen=True)
class Place:
    """Where a value goes: decides which characters are legal there."""

    location: str = "body"
    depth: int = 0
    above: tuple[str, ...] = ()

    def inside(self, shape: Shape) -> Place:
        return Place(self.location, self.depth + 1, (*self.above, shape.name))


def fresh(params: dict[str, Any]) -> dict[str, Any]:
    """A deep copy whose file-like values stand where the original's stand."""
    return copy.deepcopy(params)


def valid_params(model: OperationModel) -> st.SearchStrategy[dict[str, Any]]:
    """A hypothesis strategy of parameters that *model*'s operation accepts."""
    return drawn(make_params, model)


def make_params(
    choices: Choices, model: OperationModel, percent: int | None = None
) -> dict[str, Any]:
    """
    Parameters botocore accepts for *model*'s operation, in an order of their own.

    About *percent* of the members that may be left out are given; None: sometimes every member,
    sometimes only the required ones. Idempotency tokens are given or left for botocore to fill in.
    """
    shape = model.input_shape
    if shape is None:
        return {}
    if percent is None:
        percent = choices.pick((OPTIONAL_PERCENT, 10, 0, 100))
    names = [name for name in shape.members if _wanted(choices, shape, name, percent)]
    if choices.chance(25):
        names.reverse()
    return {name: _make_top(choices, model, name) for name in names}


def _wanted(choices: Choices, shape: Shape, name: str, percent: int) -> bool:
    member = shape.members[name]
    if name in shape.required_members:
        return True
    if member.serialization.get("hostLabel") or member.serialization.get("location") == "uri":
        return True  # not marked as required everywhere, but the URL cannot be made without it
    header = member.serialization.get("name", name).lower()
    framing = member.serialization.get("location") == "header" and header in FRAMING_HEADERS
    return not framing and not _is_event_stream(member) and choices.chance(percent)


def _is_event_stream(shape: Shape) -> bool:
    return bool(shape.serialization.get("eventstream"))


def _make_top(choices: Choices, model: OperationModel, name: str) -> Any:
    """The value of a member at the top of the parameters."""
    shape = model.input_shape.members[name]
    maker = special_maker(model.service_model.service_name, name)
    if maker is not None:
        return maker(choices)
    if name == model.http_checksum.get("requestAlgorithmMember"):
        return choices.pick(("CRC32", "SHA1", "SHA256"))
    if shape.metadata.get("idempotencyToken"):
        return TOKEN
    if model.input_shape.serialization.get("payload") == name and shape.type_name == "blob":
        return scalars.make_blob(choices, 0, None, streaming=True)
    return make_value(choices, shape, Place(_location(shape)))


def _location(shape: Shape) -> str:
    if shape.serialization.get("hostLabel"):
        return "host"
    return str(shape.serialization.get("location", "body"))


def make_value(choices: Choices, shape: Shape, place: Place) -> Any:
    """A value *shape* accepts at *place*."""
    if is_json_value_header(shape):
        return scalars.make_document(choices)
    return _MAKERS[shape.type_name](choices, shape, place)


def _make_structure(choices: Choices, shape: Any, place: Place) -> Any:
    if shape.is_document_type:
        return scalars.make_document(choices)
    if shape.is_tagged_union:
        names = _union_member(choices, shape, place)
    else:
        names = [name for name in shape.members if _wanted_inside(choices, shape, name, place)]
    inside = place.inside(shape)
    return {name: make_value(choices, shape.members[name], inside) for name in names}


def _wanted_inside(choices: Choices, shape: Any, name: str, place: Place) -> bool:
    if name in shape.required_members:
        return True
    if place.depth >= DEEPEST or place.above.count(shape.name) > 1:
        return False
    return not _is_event_stream(shape.members[name]) and choices.chance(OPTIONAL_PERCENT)


def _union_member(choices: Choices, shape: Any, place: Place) -> list[str]:
    """Exactly one member; deep down the one that is finished soonest."""
    names = list(shape.members)
    if place.depth >= DEEPEST or shape.name in place.above:
        return [min(names, key=lambda name: height(shape.members[name]))]
    return [choices.pick(names)]


def height(shape: Any, above: tuple[str, ...] = ()) -> int:
    """The least nesting a value of *shape* needs; ENDLESS where it must contain itself."""
    if shape.name in above:
        return ENDLESS
    inside = (*above, shape.name)
    if shape.type_name == "structure":
        return _structure_height(shape, inside)
    if shape.type_name in ("list", "map") and shape.metadata.get("min", 0) > 0:
        member = shape.member if shape.type_name == "list" else shape.value
        return 1 + height(member, inside)
    return 1


def _structure_height(shape: Any, inside: tuple[str, ...]) -> int:
    if shape.is_document_type:
        return 1
    if shape.is_tagged_union:
        return 1 + min((height(member, inside) for member in shape.members.values()), default=0)
    needed = (height(shape.members[name], inside) for name in shape.required_members)
    return min(ENDLESS, 1 + max(needed, default=0))


def _make_list(choices: Choices, shape: Any, place: Place) -> Any:
    count = _count(choices, shape, place)
    inside = place.inside(shape)
    members = [make_value(choices, shape.member, inside) for _ in range(count)]
    return tuple(members) if choices.chance(10) else members


def _make_map(choices: Choices, shape: Any, place: Place) -> dict[str, Any]:
    inside = place.inside(shape)
    made: dict[str, Any] = {}
    for number in range(_count(choices, shape, place)):
        name = make_value(choices, shape.key, inside)
        if name in made:  # a second draw of the same name must not leave fewer than the minimum
            name = f"{name}{number}"
        made[name] = make_value(choices, shape.value, inside)
    return made


def _count(choices: Choices, shape: Any, place: Place) -> int:
    low = int(shape.metadata.get("min", 0))
    high = int(shape.metadata.get("max", LONGEST_LIST))
    if place.depth >= DEEPEST or shape.name in place.above:
        return low
    return choices.integer(low, max(low, min(high, LONGEST_LIST)))


def _make_string(choices: Choices, shape: Any, place: Place) -> str:
    if shape.enum and choices.chance(80):
        return str(choices.pick(list(shape.enum)))
    low, high = int(shape.metadata.get("min", 0)), shape.metadata.get("max")
    if place.location == "host":
        return scalars.make_text(choices, "abcdefghij0123456789", max(low, 1), high)
    if place.location in ("header", "headers"):
        text = scalars.make_header_text(choices, low, high)
        return text.ljust(low, "x")
    if place.location == "uri":
        return scalars.make_text(choices, scalars.PATH, max(low, 1), high)
    text = scalars.make_text(choices, scalars.BODY, low, high)
    if choices.chance(LONG_PERCENT):
        text = text.ljust(choices.pick(scalars.LONG_TEXTS), "x")[:high]
    return text


def _make_integer(choices: Choices, shape: Any, place: Place) -> int:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    return scalars.make_integer(choices, low, high, long=shape.type_name == "long")


def _make_float(choices: Choices, shape: Any, place: Place) -> int | float:
    return scalars.make_number(choices, shape.metadata.get("min"), shape.metadata.get("max"))


def _make_boolean(choices: Choices, shape: Any, place: Place) -> bool:
    return choices.chance(50)


def _make_blob(choices: Choices, shape: Any, place: Place) -> Any:
    low, high = int(shape.metadata.get("min", 0)), shape.metadata.get("max")
    return scalars.make_blob(choices, low, high, streaming=False)


def _make_timestamp(choices: Choices, shape: Any, place: Place) -> Any:
    return scalars.make_time(choices)


_MAKERS = {
    "structure": _make_structure,
    "list": _make_list,
    "map": _make_map,
    "string": _make_string,
    "character": _make_string,
    "integer": _make_integer,
    "long": _make_integer,
    "float": _make_float,
    "double": _make_float,
    "boolean": _make_boolean,
    "blob": _make_blob,
    "timestamp": _make_timestamp,
}
