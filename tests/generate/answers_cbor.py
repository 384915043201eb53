"""Bodies of smithy-rpc-v2-cbor answers: what JSON answers hold, with leaves of its own."""

from __future__ import annotations

from typing import Any

from botocore.model import OperationModel

from tests.generate import answers_json
from tests.generate.cbor import EPOCH_TAG, Tagged, encode
from tests.generate.choices import Choices

YEARS_S = answers_json.YEARS_S


def make_body(choices: Choices, model: OperationModel, percent: int) -> bytes:
    """The CBOR of *model*'s output with about *percent* of its members."""
    shape = model.output_shape
    return encode(choices, make_value(choices, shape, percent)) if shape is not None else b""


def make_error_body(choices: Choices, facts: Any) -> bytes:
    """The error's fields, with its name in `__type` or not at all."""
    inside: dict[str, Any] = {}
    if facts.shape is not None:
        inside = make_value(choices, facts.shape, 70)
    if choices.chance(85):
        inside["__type"] = answers_json.name_of_error(choices, facts.code)
    inside[choices.pick(("message", "Message", "other"))] = facts.message
    return encode(choices, inside)


def make_value(choices: Choices, shape: Any, percent: int, depth: int = 0) -> Any:
    """
    What a service sends for *shape*, ready to be encoded.

    Nested values are made here and not in answers_json, for their leaves differ.
    """
    maker = _MAKERS.get(shape.type_name)
    if maker is not None:
        return maker(choices, shape, percent, depth)
    return answers_json.make_value(choices, shape, percent, depth)


def _structure(choices: Choices, shape: Any, percent: int, depth: int) -> dict[str, Any]:
    if depth >= answers_json.DEEPEST:
        return {}
    names = [choices.pick(list(shape.members))] if shape.is_tagged_union else list(shape.members)
    made = {
        name: make_value(choices, shape.members[name], percent, depth + 1)
        for name in names
        if shape.is_tagged_union or choices.chance(percent)
    }
    if choices.chance(10) and not shape.is_tagged_union:
        made["UnknownMember"] = choices.pick((None, [], {"a": 1.5}, b"bytes"))
    return made


def _list(choices: Choices, shape: Any, percent: int, depth: int) -> list[Any]:
    count = choices.integer(0, 1 if depth >= answers_json.SPARSE_BELOW else 3)
    made = [make_value(choices, shape.member, percent, depth + 1) for _ in range(count)]
    return [*made, None] if choices.chance(5) else made


def _map(choices: Choices, shape: Any, percent: int, depth: int) -> dict[str, Any]:
    keys = [make_value(choices, shape.key, percent, depth) for _ in range(choices.integer(0, 2))]
    return {key: make_value(choices, shape.value, percent, depth + 1) for key in keys}


def _string(choices: Choices, shape: Any, percent: int, depth: int) -> str:
    made = str(answers_json.make_value(choices, shape, percent, depth))
    return made.encode("utf-16", "surrogatepass").decode("utf-16")  # pairs of halves as one


def _integer(choices: Choices, shape: Any, percent: int, depth: int) -> int:
    odd = (0, -7, 23, 24, 255, 256, 65536, 2**32, 2**53 + 1, -(2**63), 2**64 - 1)
    return choices.pick(odd) if choices.chance(50) else choices.integer(0, 10**9)


def _float(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    odd = (0.0, 1.5, -1e300, 1e-7, float("nan"), float("inf"), float("-inf"), -0.0, 65504.0, 3)
    return choices.pick(odd) if choices.chance(60) else choices.integer(-(10**6), 10**6) / 1000


def _boolean(choices: Choices, shape: Any, percent: int, depth: int) -> bool:
    return choices.chance(50)


def _blob(choices: Choices, shape: Any, percent: int, depth: int) -> bytes:
    return choices.octets(0, 40)


def _timestamp(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    """Tagged, as the protocol has it; rarely without a tag."""
    second = choices.integer(*YEARS_S)
    value = choices.pick((second, float(second), second + choices.integer(0, 999) / 1000, 0, -1.5))
    return value if choices.chance(5) else Tagged(EPOCH_TAG, value)


_MAKERS = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": _timestamp,
}
