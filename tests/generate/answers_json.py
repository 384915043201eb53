"""Bodies of json and rest-json answers, and the forms in which their errors are named."""

from __future__ import annotations

import base64
import json
from typing import Any

from botocore.model import OperationModel

from tests.generate.choices import Choices
from tests.generate.scalars import PLAIN, make_document, make_text, make_timestamp_text

TEXT = PLAIN + " /&<>\"'\\ä中\U0001f600%+=\u00a0\t\n\x7f"
DEEPEST = 4  # structures within structures; below it they are empty
SPARSE_BELOW = 2  # from here down a member is given in SPARSE_PERCENT at most
SPARSE_PERCENT = 30
YEARS_S = (0, 4_102_444_800)  # seconds since the epoch: 1970 to 2100


def make_body(choices: Choices, model: OperationModel, percent: int) -> bytes:
    """
    The JSON of *model*'s output with about *percent* of its members; b"" where it has no body.

    A payload structure is the whole document; otherwise the members without a location are in it.
    """
    shape = model.output_shape
    if shape is None:
        return choices.pick((b"", b"{}"))
    payload = shape.serialization.get("payload")
    value = make_value(choices, shape.members[payload] if payload else shape, percent)
    if not value and choices.chance(30):
        return b""
    return spell(choices, value)


def make_value(choices: Choices, shape: Any, percent: int, depth: int = 0) -> Any:
    """What a service sends for *shape*: plain JSON values."""
    maker = _MAKERS.get(shape.type_name, _string)
    return maker(choices, shape, percent, depth)


def make_error_body(choices: Choices, facts: Any) -> bytes:
    """The error's fields with its name in `__type`, `code`, `Code`, or not in the body at all."""
    inside: dict[str, Any] = {}
    if facts.shape is not None:
        inside = make_value(choices, facts.shape, 70)
    name = choices.pick(("__type", "__type", "__type", "code", "Code", ""))
    if name:
        inside[name] = name_of_error(choices, facts.code)
    message = choices.pick(("message", "message", "Message", "errorMessage", ""))
    if message:
        inside[message] = choices.pick((facts.message, facts.message, "", None))
    return spell(choices, inside)


def error_headers(choices: Choices, facts: Any) -> list[tuple[str, str]]:
    """
    `x-amzn-errortype` (rest-json) and `x-amzn-query-error` (services that once spoke query), with
    the error's name in all its forms, also damaged; often neither.
    """
    headers = []
    if choices.chance(40):
        headers.append(("x-amzn-ErrorType", name_of_error(choices, facts.code)))
    if choices.chance(30):
        code = f"AWS.Old.{facts.code}"
        forms = (f"{code};Sender", f"{code};Receiver", f"{code}", ";Sender", f"{code};a;b", "")
        headers.append(("x-amzn-query-error", choices.pick(forms)))
    return headers


def name_of_error(choices: Choices, code: str) -> str:
    """
    *code* as services write it.

    Source: Smithy, AWS restJson1, "Operation error serialization": a namespace before '#', a URI
    after ':', which a client takes off.
    """
    url = "http://internal.amazon.com/coral/com.example.service/"
    forms = (code, f"com.example.service#{code}", f"{code}:{url}", f"com.example#{code}:{url}")
    return choices.pick(forms)


# --- values --------------------------------------------------------------------------------------


def _structure(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    if shape.is_document_type:
        return make_document(choices)
    if depth >= DEEPEST and not shape.is_tagged_union:
        return {}
    names = [name for name, member in shape.members.items() if _in_body(member)]
    if shape.is_tagged_union:
        return _union(choices, shape, names, percent, depth)
    inside = percent if depth < SPARSE_BELOW else min(percent, SPARSE_PERCENT)
    made = {
        _wire_name(shape, name): _member(choices, shape.members[name], percent, depth)
        for name in names
        if choices.chance(inside)
    }
    if choices.chance(10):
        made["UnknownMember"] = make_document(choices)
    return made


def _in_body(shape: Any) -> bool:
    return "location" not in shape.serialization and not shape.serialization.get("eventstream")


def _wire_name(shape: Any, name: str) -> str:
    return str(shape.members[name].serialization.get("name", name))


def _member(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    return None if choices.chance(5) else make_value(choices, shape, percent, depth + 1)


def _union(choices: Choices, shape: Any, names: list[str], percent: int, depth: int) -> Any:
    """One member; beside it perhaps nulls or a type; rarely one that no model knows, or two."""
    if choices.chance(3):
        return choices.pick(({"NewMember": {"a": 1}}, {}, {"__type": "t"}))
    # deep down a scalar where there is one: what is nested would not end
    flat = [name for name in names if shape.members[name].type_name not in _NESTED]
    name = choices.pick(flat if depth >= DEEPEST and flat else names)
    member = shape.members[name]
    value = {} if depth > 2 * DEEPEST else make_value(choices, member, percent, depth + 1)
    made = {_wire_name(shape, name): value}
    if choices.chance(15):
        made = {"__type": "com.example#Member", **made}
    if choices.chance(15) and len(names) > 1:
        other = next(each for each in names if each != name)
        made[_wire_name(shape, other)] = None
    return made


_NESTED = ("structure", "list", "map")


def _list(choices: Choices, shape: Any, percent: int, depth: int) -> list[Any]:
    count = choices.integer(0, 1 if depth >= SPARSE_BELOW else 3)
    if depth >= DEEPEST and shape.member.type_name in _NESTED:
        count = 0
    made = [make_value(choices, shape.member, percent, depth + 1) for _ in range(count)]
    return [*made, None] if choices.chance(5) else made


def _map(choices: Choices, shape: Any, percent: int, depth: int) -> dict[str, Any]:
    if depth >= DEEPEST and shape.value.type_name in _NESTED:
        return {}
    keys = [_string(choices, shape.key, percent, depth) for _ in range(choices.integer(0, 2))]
    return {key: make_value(choices, shape.value, percent, depth + 1) for key in keys}


_PAIR = "\ud83d\ude00 as a pair"  # halves of one character: JSON can write them as escapes only
_ODD_TEXTS = ("", " ", "  padded  ", "line\nbreak", "null", _PAIR, "\u2028", "x" * 300)


def _string(choices: Choices, shape: Any, percent: int, depth: int) -> str:
    enum = getattr(shape, "enum", None)
    if enum and choices.chance(70):
        return str(choices.pick(list(enum)))
    odd = (
        "",
        " ",
        "  padded  ",
        "line\nbreak",
        "null",
        "\ud83d\ude00 as a pair",
        "\u2028",
        "x" * 300,
    )
    return choices.pick(odd) if choices.chance(25) else make_text(choices, TEXT)


def _integer(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    odd = (0, -7, 2**53 + 1, 10**30, 1.0, 12.5, "12", -(2**63))
    return choices.pick(odd) if choices.chance(25) else choices.integer(0, 10**9)


def _float(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    odd = (0, 1, -1e300, 1e-7, "NaN", "Infinity", "-Infinity", -0.0, 0.1 + 0.2, 10**20)
    return choices.pick(odd) if choices.chance(50) else choices.integer(-(10**6), 10**6) / 1000


def _boolean(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    return choices.pick((True, False, True, False, True, False, "true", "false"))


def _blob(choices: Choices, shape: Any, percent: int, depth: int) -> str:
    return base64.b64encode(choices.octets(0, 12)).decode()


def _timestamp(choices: Choices, shape: Any, percent: int, depth: int) -> Any:
    second = choices.integer(*YEARS_S)
    thousandth = second + choices.integer(0, 999) / 1000
    exact = f"{second}.{choices.integer(0, 999_999):06d}"
    numbers = (second, thousandth, float(exact), float(second), -1.5, 0)
    return choices.pick(numbers) if choices.chance(70) else make_timestamp_text(choices)


_MAKERS = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "character": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": _timestamp,
}


# --- the spelling --------------------------------------------------------------------------------

_SEPARATORS = ((",", ":"), (", ", ": "), (" ,\r\n", "\t:"))


def spell(choices: Choices, value: Any) -> bytes:
    """*value* as JSON: tight, spaced or indented; escaped or UTF-8; with white space around it."""
    separators, indent = choices.pick(_SEPARATORS), choices.pick((None, None, None, 2))
    escaped = json.dumps(value, separators=separators, indent=indent)
    plain = json.dumps(value, separators=separators, indent=indent, ensure_ascii=False)
    text = escaped if choices.chance(50) or _PAIR in plain else plain
    return (choices.pick(("", "", " ", "\n")) + text + choices.pick(("", "", "\n"))).encode()
