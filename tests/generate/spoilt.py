"""
Parameters with one thing wrong: what stock refuses before anything is sent, and what it lets by.

Each spoiler takes valid parameters and returns damaged ones; None where it does not apply.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel
from hypothesis import strategies as st

from tests.generate.choices import Choices, drawn
from tests.generate.params import make_params

Params = dict[str, Any]
Spoiler = Callable[[Choices, OperationModel, Params], Params | None]

WRONG_BY_TYPE: dict[str, tuple[Any, ...]] = {
    "structure": ([], "text", 7, ("a", 1)),
    "list": ({}, "text", 7, {"a"}),
    "map": ([], "text", 7),
    "string": (7, b"bytes", [], {}, 1.5, True),
    "character": (7, b"bytes"),
    "integer": ("7", 1.5, [], b"1"),
    "long": ("7", 1.5, {}),
    "float": ("1.5", [], decimal.Decimal("1.5")),
    "double": ("1.5", {}, decimal.Decimal("1.5")),
    "boolean": ("true", 1, 0, []),
    "blob": (7, [], {}, 1.5),
    "timestamp": ("not a time", [], {}, b"2020-01-01", "2020-13-45"),
}
BAD_BUCKETS = ("", "a b", "b/c", "büc", "x" * 256, "a?b", "arn:aws:s3:::b", "bucket\n", "{b}")
BAD_HEADERS = ("a\r\nX-Added: 1", "a\nb", "a\rb", "\r\n", "tail\n", "nul\x00", "ü", "中", " lead")


@dataclass(frozen=True)
class Spoilt:
    """Damaged parameters and the name of what was done to them."""

    how: str
    params: Params


def spoilt_params(model: OperationModel) -> st.SearchStrategy[Spoilt]:
    """A hypothesis strategy of damaged parameters for *model*'s operation."""
    return drawn(spoil_params, model)


def spoil_params(choices: Choices, model: OperationModel) -> Spoilt:
    """Valid parameters with one (applicable) thing wrong."""
    params = make_params(choices, model)
    names = list(SPOILERS)
    while names:
        name = choices.pick(names)
        damaged = SPOILERS[name](choices, model, params)
        if damaged is not None:
            return Spoilt(name, damaged)
        names.remove(name)  # and not simply the next one, which would come too often
    raise AssertionError("unknown_name applies to every operation")


def unknown_name(choices: Choices, model: OperationModel, params: Params) -> Params:
    return {**params, choices.pick(("Unknown", "bucket", "", "Body ")): "x"}


def missing_required(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    if model.input_shape is None or not model.input_shape.required_members:
        return None
    gone = choices.pick(model.input_shape.required_members)
    return {name: value for name, value in params.items() if name != gone}


def wrong_type(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    if not model.input_shape or not model.input_shape.members:
        return None
    name = choices.pick(list(model.input_shape.members))
    wrong = WRONG_BY_TYPE[model.input_shape.members[name].type_name]
    return {**params, name: choices.pick(wrong)}


def wrong_type_inside(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    """One leaf of a nested value replaced by something of another type."""
    nested = [name for name, value in params.items() if isinstance(value, (dict, list)) and value]
    if not nested:
        return None
    name = choices.pick(nested)
    return {**params, name: _damage(choices, params[name])}


def _damage(choices: Choices, value: Any) -> Any:
    if isinstance(value, dict) and value:
        name = choices.pick(list(value))
        return {**value, name: _damage(choices, value[name])}
    if isinstance(value, list) and value:
        index = choices.integer(0, len(value) - 1)
        return [*value[:index], _damage(choices, value[index]), *value[index + 1 :]]
    return choices.pick((None, 7, "text", b"bytes", [], {}, object, {"Unknown": "x"}, 1.5))


def none_value(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    if not model.input_shape or not model.input_shape.members:
        return None
    return {**params, choices.pick(list(model.input_shape.members)): None}


def too_short(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    """A value below the model's minimum (an empty key, a negative size)."""
    members = model.input_shape.members if model.input_shape else {}
    low = [name for name, shape in members.items() if "min" in shape.metadata]
    empty = {"string": "", "list": [], "map": {}, "integer": -(2**40), "long": -(2**60)}
    low = [name for name in low if members[name].type_name in empty]
    if not low:
        return None
    name = choices.pick(low)
    return {**params, name: empty[members[name].type_name]}


def bad_bucket(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    return {**params, "Bucket": choices.pick(BAD_BUCKETS)} if "Bucket" in params else None


def bad_header(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    """CR, LF, NUL or characters beyond ASCII in a value that becomes a header."""
    members = model.input_shape.members if model.input_shape else {}
    headers = [
        name
        for name, shape in members.items()
        if shape.serialization.get("location") == "header" and shape.type_name == "string"
    ]
    if not headers:
        return None
    return {**params, choices.pick(headers): choices.pick(BAD_HEADERS)}


def bad_metadata(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    if not model.input_shape or "Metadata" not in model.input_shape.members:
        return None
    bad = choices.pick(BAD_HEADERS)
    name = choices.pick(("name", "näme", "na me", "na\nme", "na:me", ""))
    return {**params, "Metadata": {name: bad} if choices.chance(60) else {"name": 7}}


def bad_copy_source(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    if "CopySource" not in params:
        return None
    wrong = ({}, {"Bucket": "b"}, {"Key": "k"}, 7, None, "", {"Bucket": "b", "Key": None})
    return {**params, "CopySource": choices.pick(wrong)}


def lone_surrogate(choices: Choices, model: OperationModel, params: Params) -> Params | None:
    """Text that UTF-8 cannot encode."""
    members = model.input_shape.members if model.input_shape else {}
    texts = [name for name, shape in members.items() if shape.type_name == "string"]
    return {**params, choices.pick(texts): "a\udc80"} if texts else None


SPOILERS: dict[str, Spoiler] = {
    "unknown_name": unknown_name,
    "missing_required": missing_required,
    "wrong_type": wrong_type,
    "wrong_type_inside": wrong_type_inside,
    "none_value": none_value,
    "too_short": too_short,
    "bad_bucket": bad_bucket,
    "bad_header": bad_header,
    "bad_metadata": bad_metadata,
    "bad_copy_source": bad_copy_source,
    "lone_surrogate": lone_surrogate,
}
