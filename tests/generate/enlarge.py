"""Parameters with one text or blob made long: past the sizes where a protocol does something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from botocore.model import OperationModel

from tests.generate.choices import Choices

# botocore.compress: bodies from 10,240 bytes on are compressed where the model says so.
SIZES = (10_240, 11_000, 40_000)

Put = Callable[[Any], None]


def enlarged(choices: Choices, model: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
    """*params* with a long text or blob in the body; as they are where there is no place for it."""
    members = model.input_shape.members if model.input_shape else {}
    in_body = [name for name in params if _is_in_body(members[name])]
    places = [place for name in in_body for place in _places(params, [name])]
    if places:
        value, put = choices.pick(places)
        size = choices.pick(SIZES)
        put((value or _one_of(value)) * (size // max(len(value), 1) + 1))
    return params


def _one_of(empty: Any) -> Any:
    return b"x" if isinstance(empty, (bytes, bytearray)) else "x"


def _is_in_body(shape: Any) -> bool:
    return "location" not in shape.serialization and "hostLabel" not in shape.serialization


def _places(value: Any, keys: Iterable[Any]) -> Iterator[tuple[Any, Put]]:
    """Each text and blob at *keys* of *value*, with what puts another one in its place."""
    for key in keys:
        inside = value[key]
        if isinstance(inside, (str, bytes, bytearray)):
            yield inside, lambda new, key=key: value.__setitem__(key, new)  # type: ignore[misc]
        elif isinstance(inside, dict):
            yield from _places(inside, list(inside))
        elif isinstance(inside, list):
            yield from _places(inside, range(len(inside)))
