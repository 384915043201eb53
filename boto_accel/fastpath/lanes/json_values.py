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
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from botocore.utils import ensure_boolean

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import scalars
from boto_accel.fastpath.lanes.scalars import INVALID, TOO_DEEP, Odd

Convert = Callable[[Any], Any]

MOST_LAYOUTS = 64  # sequences of keys that one structure remembers


# Writing


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

            def write(value: Any) -> Any:  # under no name, which JSON spells "null"
                return {None: inner(value)}

        def body(value: Any) -> bytes:
            try:
                return json.dumps(write(value)).encode("utf-8")
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
        write_members = self.members(shape)

        def write(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict) or (required and not required <= value.keys()):
                raise Declined(INVALID)
            if one_of and len(value) != 1:
                raise Declined(INVALID)
            return write_members(value)

        self._structures[shape.name] = write
        return write

    def members(self, shape: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """A writer of some members of a structure; which ones there have to be is not checked."""
        writers: dict[str, tuple[str, Convert]] = {}  # filled as they are used

        def learned(key: str) -> tuple[str, Convert]:
            member = shape.members.get(key)
            if member is None:
                raise Declined(INVALID)
            known = writers[key] = (member.serialization.get("name", key), self.value(member))
            return known

        def write(value: Mapping[str, Any]) -> dict[str, Any]:
            written = {}
            for key, item in value.items():
                known = writers.get(key)
                name, convert = learned(key) if known is None else known
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
            for key in value:
                check_key(key)
            return {key: convert(item) for key, item in value.items()}

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
        return json.loads(body.decode("utf-8"))
    except ValueError:
        raise Odd from None


class ReaderCompiler:
    """
    Compiles readers for shapes.

    readers: of scalars by type; those of a type that is not there are as they are.
    """

    def __init__(self, readers: Mapping[str, Convert]) -> None:
        self._scalars = readers
        self._structures: dict[str, Convert] = {}  # by name, as shapes may contain themselves

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
        of the model. A structure whose members are as they are is handed on as it is.
        """
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        layouts: dict[tuple[str, ...], Layout] = {}
        one_of = shape.is_tagged_union

        def learned(keys: tuple[str, ...]) -> Layout:
            layout = self._layout(shape, keys)
            # Source: `ResponseParser._has_unknown_tagged_union_member`, which tells of odd ones.
            if one_of and (len(keys) != 1 or layout == []):
                raise Odd
            if len(layouts) < MOST_LAYOUTS:
                layouts[keys] = layout
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
            if layout is AS_IT_IS:
                if None not in value.values():
                    return value
                layout = [(key, key, None) for key in keys]
            result = {}
            for name, key, convert in layout:
                item = value[key]
                if item is not None:
                    result[name] = item if convert is None else convert(item)
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
        if names == keys and all(n == wire and c is None for n, wire, c in layout):
            return AS_IT_IS
        return layout

    def _list(self, shape: Any) -> Convert:
        convert = self.value(shape.member)

        def read(value: Any) -> Any:
            if value.__class__ is not list:
                raise Odd
            if convert is None:
                return value
            return [None if item is None else convert(item) for item in value]

        return read

    def _map(self, shape: Any) -> Convert:
        read_key = self.value(shape.key)
        convert = self.value(shape.value)

        def read(value: Any) -> Any:
            if value.__class__ is not dict:
                raise Odd
            if read_key is not None:
                return {
                    read_key(key): item if convert is None else convert(item)
                    for key, item in value.items()
                }
            if convert is None:
                return value
            return {key: convert(item) for key, item in value.items()}

        return read


# (member, key, reader) of each member that there is, in the order of the model
Layout = list[tuple[str, str, Convert | None]]
AS_IT_IS: Layout = [("", "", None)]  # all members are there, in their order, and need no reader


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
