"""Parameters with one text or blob made long: past the sizes where a protocol does something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.model import OperationModel

from tests.generate.choices import Choices
from tests.generate.special import special_maker

# botocore.compress: bodies from 10,240 bytes on are compressed where the model says so.
SIZES = (10_240, 11_000, 40_000)

Put = Callable[[Any], None]


def enlarged(choices: Choices, model: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
    """*params* with a long text or blob in the body; as they are where there is no place for it."""
    service = model.service_model.service_name
    places = [
        place
        for name, shape in (model.input_shape.members if model.input_shape else {}).items()
        if name in params and _is_in_body(shape) and special_maker(service, name) is None
        for place in _places(shape, params, name)
    ]
    if places:
        value, put = choices.pick(places)
        size = choices.pick(SIZES)
        put((value or _one_of(value)) * (size // max(len(value), 1) + 1))
    return params


def _is_in_body(shape: Any) -> bool:
    return "location" not in shape.serialization and "hostLabel" not in shape.serialization


def _one_of(empty: Any) -> Any:
    return b"x" if isinstance(empty, (bytes, bytearray)) else "x"


def _places(shape: Any, above: Any, key: Any) -> Iterator[tuple[Any, Put]]:
    """Each text and blob within `above[key]`, with what puts another one in its place."""
    value = above[key]
    if shape.type_name in ("string", "blob"):
        if isinstance(value, (str, bytes, bytearray)) and isinstance(above, (dict, list)):
            yield value, lambda new: above.__setitem__(key, new)
    elif shape.type_name == "structure" and not shape.is_document_type:
        for name in value:
            yield from _places(shape.members[name], value, name)
    elif shape.type_name == "map":
        for name in value:
            yield from _places(shape.value, value, name)
    elif shape.type_name == "list":
        for index in range(len(value)):
            yield from _places(shape.member, value, index)
