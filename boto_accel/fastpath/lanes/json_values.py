"""
JSON bodies: compiled converters of structures, lists, maps and scalars, both ways.

Shared by json and rest-json. A writer turns a parameter into what `json.dumps` takes; a reader
turns what `json.loads` gave into the value of the answer. None in place of either says that the
value is as it is.
Source: `botocore.serialize.JSONSerializer`, `botocore.parsers.BaseJSONParser`.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from botocore.utils import ensure_boolean

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import scalars
from boto_accel.fastpath.lanes.scalars import INVALID, TOO_DEEP, Odd

Convert = Callable[[Any], Any]

MOST_LAYOUTS = 64  # sequences of keys that one structure remembers


# Writing

_dumps = _compat.json_dumps()


class WriterCompiler:
    """Compiles writers for shapes; *serializer* is botocore's, asked for the rarer conversions."""

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self._structures: dict[str, Convert] = {}  # by name, as shapes may contain themselves

    def document(self, shape: Any, whole: bool = False) -> Callable[[Any], bytes]:
        """
        A writer of bodies that hold some members of *shape*, or if *whole* a value of it.

        Of the members it is known already that they are in a dict, and the required ones there.
        """
        if shape.type_name == "structure" and not shape.is_document_type:
            write = self.structure(shape) if whole else self.members(shape)
        else:
            inner = self.value(shape)

            def write(value: Any, /) -> Any:  # under no name, which JSON spells "null"
                return {None: inner(value)}

        def body(value: Any) -> bytes:
            try:
                return _dumps(write(value)).encode("utf-8")
            except RecursionError:
                raise Declined(TOO_DEEP) from None

        return body

    def value(self, shape: Any) -> Convert:
        """A writer of one value of *shape*."""
        type_name = shape.type_name
        if type_name == "structure":
            return self._document_type(shape) if shape.is_document_type else self.structure(shape)
        if type_name == "list":
            return self._list(shape)
        if type_name == "map":
            return self._map(shape)
        return self._scalar(shape)

    def structure(self, shape: Any) -> Convert:
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        required = frozenset(shape.metadata.get("required", ()))
        one_of = shape.is_tagged_union
        writers = _MemberWriters(self, shape)

        def write(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict) or (required and not required <= value.keys()):
                raise Declined(INVALID)
            if one_of and len(value) != 1:
                raise Declined(INVALID)
            written = {}  # as `members` does: a call for each structure would cost as much again
            for key, item in value.items():
                name, convert = writers[key]
                written[name] = convert(item)
            return written

        self._structures[shape.name] = write
        return write

    def members(self, shape: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """A writer of some members of a structure; which ones there have to be is not checked."""
        writers = _MemberWriters(self, shape)

        def write(value: Mapping[str, Any]) -> dict[str, Any]:
            written = {}
            for key, item in value.items():
                name, convert = writers[key]
                written[name] = convert(item)
            return written

        return write

    def _list(self, shape: Any) -> Convert:
        least = shape.metadata.get("min", 0)
        convert = self.value(shape.member)

        def write(value: Any) -> list[Any]:
            if not isinstance(value, (list, tuple)) or len(value) < least:
                raise Declined(INVALID)
            return [convert(item) for item in value]

        return write

    def _map(self, shape: Any) -> Convert:
        check_key = self.value(shape.key)
        convert = self.value(shape.value)

        def write(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise Declined(INVALID)
            return {check_key(key): convert(item) for key, item in value.items()}

        return write

    def _document_type(self, shape: Any) -> Convert:
        def write(value: Any) -> Any:
            scalars.check_with_botocore(shape, value)
            return value

        return write

    def _scalar(self, shape: Any) -> Convert:
        type_name = shape.type_name
        serializer = self._serializer
        if type_name == "string":
            return _string(shape)
        if type_name in ("integer", "long"):
            return scalars.checked(int, shape)
        if type_name == "boolean":
            return scalars.checked(bool, shape)
        if type_name in ("float", "double"):
            check = scalars.checked((float, Decimal, int), shape)
            return scalars.quiet(lambda value: serializer._handle_float(_number(check(value))))
        if type_name == "blob":
            return scalars.quiet(lambda value: serializer._get_base64(scalars.blob(value)))
        if type_name == "timestamp":
            timestamp_format = shape.serialization.get("timestampFormat")
            return scalars.quiet(
                lambda value: serializer._convert_timestamp_to_str(value, timestamp_format)
            )
        raise Declined(f"input of type {type_name}")


class _MemberWriters(dict[str, tuple[str, Convert]]):
    """The name in the body and the writer of each member of *shape*, compiled when it is used."""

    def __init__(self, compiler: WriterCompiler, shape: Any) -> None:
        self._compiler = compiler
        self._shape = shape

    def __missing__(self, key: str) -> tuple[str, Convert]:
        member = self._shape.members.get(key)
        if member is None:
            raise Declined(INVALID)
        wire_name = member.serialization.get("name", key)
        known = self[key] = (wire_name, self._compiler.value(member))
        return known


def _string(shape: Any) -> Convert:
    least = scalars.shortest(shape)

    def write(value: Any) -> Any:
        if not isinstance(value, str) or len(value) < least:
            raise Declined(INVALID)
        return value

    return write


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


# Reading


def loads(body: bytes) -> Any:
    """The JSON value of *body*; Odd where botocore has another use for it."""
    if not body:
        return {}
    try:
        text = body.decode("utf-8")
        if text[0] in "{[":
            value, end = _raw_decode(text)
            if end == len(text):
                return value
        return json.loads(text)  # with white space around it, or bad
    except ValueError:
        raise Odd from None


_raw_decode = json.JSONDecoder().raw_decode  # `json.loads` looks for white space around it, too


class ReaderCompiler:
    """
    Compiles readers for shapes.

    A reader owns what it is given, and changes it in place where that gives botocore's result.
    readers: of scalars by type; those of a type that is not there are as they are.
    """

    def __init__(self, readers: Mapping[str, Convert]) -> None:
        self._scalars = readers
        self._structures: dict[str, Convert] = {}  # by name, as shapes may contain themselves
        self._singles: defaultdict[str, set[str]] = defaultdict(set)  # see `_singles_of`

    def value(self, shape: Any) -> Convert | None:
        """A reader of one value of *shape*; None where the value is as it is."""
        type_name = shape.type_name
        if type_name == "structure":
            return None if shape.is_document_type else self.structure(shape)
        if type_name == "list":
            return self._list(shape)
        if type_name == "map":
            return self._map(shape)
        return self._scalars.get(type_name)

    def structure(self, shape: Any) -> Convert:
        """
        A reader of a structure.

        The keys, in their order, choose a *layout*: which of them give which members, in the order
        of the model.
        """
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        layouts: dict[tuple[str, ...], Layout] = {}
        singles = self._singles[shape.name]
        one_of = shape.is_tagged_union

        def learned(keys: tuple[str, ...]) -> Layout:
            layout = self._layout(shape, keys)
            # Source: `ResponseParser._has_unknown_tagged_union_member`, which tells of odd ones.
            if one_of and (len(keys) != 1 or not layout.members):
                raise Odd
            if len(layouts) < MOST_LAYOUTS:
                layouts[keys] = layout
                if layout.converted == [] and len(keys) == 1:
                    singles.add(keys[0])
            return layout

        def read(value: Any) -> Any:
            if value.__class__ is not dict:
                if value is None:
                    return None
                raise Odd
            keys = tuple(value)
            layout = layouts.get(keys)
            if layout is None:
                layout = learned(keys)
            members, converted = layout
            if converted is not None and None not in value.values():
                for key, convert in converted:
                    value[key] = convert(value[key])
                return value
            result = {}
            for name, key, reader in members:
                item = value[key]
                if item is not None:
                    result[name] = item if reader is None else reader(item)
                elif one_of:
                    raise Odd
            return result

        self._structures[shape.name] = read
        return read

    def wire_name(self, name: str, member: Any) -> str:
        """What the member *name* is called in the body."""
        wire_name: str = member.serialization.get("name", name)
        return wire_name

    def _layout(self, shape: Any, keys: tuple[str, ...]) -> Layout:
        layout = [
            (name, wire_name, self.value(member))
            for name, member in shape.members.items()
            if (wire_name := self.wire_name(name, member)) in keys
        ]
        names = tuple(name for name, _, _ in layout)
        if names != keys or any(name != wire_name for name, wire_name, _ in layout):
            return Layout(layout, None)
        return Layout(layout, [(key, convert) for key, _, convert in layout if convert is not None])

    def _list(self, shape: Any) -> Convert:
        convert = self.value(shape.member)
        singles = self._singles_of(shape.member)

        def read(value: Any) -> Any:
            if value.__class__ is not list:
                raise Odd
            if convert is not None:
                for index, item in enumerate(value):
                    if item.__class__ is dict and len(item) == 1:
                        [key] = item
                        if key in singles and item[key] is not None:
                            continue
                    elif item is None:
                        continue
                    value[index] = convert(item)
            return value

        return read

    def _map(self, shape: Any) -> Convert:
        read_key = self.value(shape.key)
        convert = self.value(shape.value)
        singles = self._singles_of(shape.value)

        def read(value: Any) -> Any:
            if value.__class__ is not dict:
                raise Odd
            if read_key is not None:
                return {
                    read_key(key): item if convert is None else convert(item)
                    for key, item in value.items()
                }
            if convert is not None:
                for key, item in value.items():
                    if item.__class__ is dict and len(item) == 1:
                        [name] = item
                        if name in singles and item[name] is not None:
                            continue
                    value[key] = convert(item)
            return value

        return read

    def _singles_of(self, shape: Any) -> Container[str]:
        """
        Members that are as they are, if alone in a structure of *shape*; seen so far.

        Lists and maps look here first: attributes of an item of DynamoDB are structures with one
        member each, thousands in a page, and reading them one by one costs five times as much.
        """
        return self._singles[shape.name] if shape.type_name == "structure" else ()


class Layout(NamedTuple):
    """
    How a structure with some keys is read.

    members: (member, key, reader) of each that there is, in the order of the model. converted:
    (key, reader) of those that have one, if the keys are the members in this order; else None.
    """

    members: list[tuple[str, str, Convert | None]]
    converted: list[tuple[str, Convert]] | None


def scalar_readers(read_timestamp: Convert, read_blob: Convert | None) -> dict[str, Convert]:
    """What the parsers of both protocols make of scalars."""
    return {"timestamp": read_timestamp, "blob": read_blob or base64.b64decode}


# rest-json converts what json takes as it is. Source: `botocore.parsers.RestJSONParser`.
LENIENT: Mapping[str, Convert] = {
    "boolean": ensure_boolean,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
}
