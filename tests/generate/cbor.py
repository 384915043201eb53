"""
Writing CBOR in all the forms that say the same.

Source: RFC 8949, sections 3 and 3.2 (indefinite lengths), 3.3 (floats, simple values), 3.4 (tags).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from tests.generate.choices import Choices

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
INDEFINITE = 31
BREAK = b"\xff"
EPOCH_TAG = 1


@dataclass(frozen=True)
class Tagged:
    """A value with a tag before it."""

    tag: int
    value: Any


def encode(choices: Choices, value: Any) -> bytes:
    """*value* in CBOR; where there are several forms, *choices* has one of them."""
    if value is None:
        return choices.pick((b"\xf6", b"\xf7"))  # null and undefined
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _integer(choices, value)
    if isinstance(value, float):
        return _float(choices, value)
    if isinstance(value, str):
        return _string(choices, TEXT, [character.encode() for character in value])
    if isinstance(value, bytes):
        return _string(choices, BYTES, [bytes((octet,)) for octet in value])
    if isinstance(value, Tagged):
        return _head(choices, TAG, value.tag) + encode(choices, value.value)
    return _container(choices, value)


def _container(choices: Choices, value: Any) -> bytes:
    if isinstance(value, dict):
        parts = [encode(choices, part) for pair in value.items() for part in pair]
        return _counted(choices, MAP, len(value), parts)
    parts = [encode(choices, part) for part in value]
    return _counted(choices, ARRAY, len(value), parts)


def _counted(choices: Choices, major: int, count: int, parts: list[bytes]) -> bytes:
    inside = b"".join(parts)
    if choices.chance(30):
        return bytes((major << 5 | INDEFINITE,)) + inside + BREAK
    return _head(choices, major, count) + inside


def _head(choices: Choices, major: int, number: int) -> bytes:
    """The initial byte with *number* in it or after it; sometimes longer than it need be."""
    widths = [(24, 1), (25, 2), (26, 4), (27, 8)]
    forms = [(info, width) for info, width in widths if number < 1 << 8 * width]
    if number < 24 and not choices.chance(15):
        return bytes((major << 5 | number,))
    info, width = choices.pick(forms) if choices.chance(15) else forms[0]
    return bytes((major << 5 | info,)) + number.to_bytes(width, "big")


def _integer(choices: Choices, value: int) -> bytes:
    return _head(choices, UNSIGNED, value) if value >= 0 else _head(choices, NEGATIVE, -1 - value)


def _float(choices: Choices, value: float) -> bytes:
    """Half, single or double precision: any of those that hold *value* exactly."""
    forms = [form for form in _FLOATS if _holds(form[1], value)]
    first, layout = choices.pick(forms)
    return first + struct.pack(layout, value)


_FLOATS = ((b"\xf9", ">e"), (b"\xfa", ">f"), (b"\xfb", ">d"))


def _holds(layout: str, value: float) -> bool:
    try:
        (back,) = struct.unpack(layout, struct.pack(layout, value))
    except OverflowError:
        return False
    return bool(back == value or value != value)


def _string(choices: Choices, major: int, pieces: list[bytes]) -> bytes:
    """One length, or chunks; a chunk of text ends at the end of a character."""
    if not choices.chance(20):
        content = b"".join(pieces)
        return _head(choices, major, len(content)) + content
    at = choices.integer(0, len(pieces))
    chunks = [b"".join(pieces[:at]), b"".join(pieces[at:])]
    written = b"".join(_head(choices, major, len(chunk)) + chunk for chunk in chunks)
    return bytes((major << 5 | INDEFINITE,)) + written + BREAK
