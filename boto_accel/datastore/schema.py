"""
The columns of a table, and the object that keeps them.

Rule: decisions only, no I/O. The object is at the top level of the bucket, where s3aads sees
neither a row (these are under "<table>/") nor a table (these are common prefixes).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from boto_accel.datastore.errors import ColumnError, SchemaError
from boto_accel.datastore.values import ANY, BY_TYPE, KINDS, Kind

VERSION = 1
OWN = ".boto-accel!"  # what keys of the datastore's own objects begin with
# Names that methods take besides columns.
PARAMETERS = frozenset({"data", "metadata", "if_absent", "if_match", "default"})
_TYPES = "str, int, float, bool, date, datetime, Decimal, UUID"

Columns = Sequence[str] | Mapping[str, type | None]


@dataclass(frozen=True)
class Schema:
    """
    columns: name to kind, in the order of the segments.

    The kind is ANY for a column without a type: any value is taken, and comes back as text.
    """

    columns: Mapping[str, Kind]

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def render(self) -> bytes:
        columns = [{"name": name, "type": kind.name} for name, kind in self.columns.items()]
        return json.dumps({"version": VERSION, "columns": columns}, indent=1).encode()


def schema_key(table: str) -> str:
    return f"{OWN}schema!{quote(table, safe='')}"


def value_prefix(table: str) -> str:
    """What the keys of values begin with that are kept apart, see `digest_segment`."""
    return f"{OWN}value!{quote(table, safe='')}!"


def parse_schema(table: str, document: bytes) -> Schema:
    """Raises SchemaError for a document that another release wrote, or somebody else."""
    try:
        found = json.loads(document)
        if found["version"] != VERSION:
            reason = f"its schema is of version {found['version']!r}, this release knows {VERSION}"
            raise SchemaError(table, reason)
        columns = {each["name"]: KINDS[each["type"]] for each in found["columns"]}
    except (ValueError, KeyError, TypeError) as error:
        reason = f"the object {schema_key(table)!r} is no schema: {error!r}"
        raise SchemaError(table, reason) from error
    return Schema(columns)


def check_columns(table: str, given: Any, taken: Collection[str]) -> Schema | None:
    """
    The schema that a user asks for; None for no columns.

    taken: the attributes of a table, which the methods that are made for columns must not hide.
    Raises ColumnError.
    """
    if isinstance(given, str) or not isinstance(given, Mapping | Sequence):
        reason = "columns are a list of names, or a dict of name to type"
        raise ColumnError(table, str(given), reason)
    columns: dict[str, Kind] = {}
    for name in given:
        if not isinstance(name, str) or not name:
            raise ColumnError(table, str(name), "a column is named by a text that is not empty")
        if name in columns:
            raise ColumnError(table, name, "it is there twice")
        _check_name(table, name, taken)
        columns[name] = _kind(table, name, given[name]) if isinstance(given, Mapping) else ANY
    _check_made_names(table, columns)
    return Schema(columns) if columns else None


def made_names(column: str) -> tuple[str, str]:
    """The methods that a table has for *column*."""
    return f"{column}s", f"filter_objects_by_{column}"


def _check_name(table: str, name: str, taken: Collection[str]) -> None:
    if name in PARAMETERS:
        raise ColumnError(table, name, "methods of Table have a parameter of this name")
    for made in made_names(name):
        if made in taken:
            raise ColumnError(table, name, f"its method {made}() would hide Table.{made}")


def _check_made_names(table: str, columns: Iterable[str]) -> None:
    made: dict[str, str] = {}
    for name in columns:
        for method in made_names(name):
            if made.setdefault(method, name) != name:
                reason = f"its method {method}() is that of {made[method]!r}, too"
                raise ColumnError(table, name, reason)


def _kind(table: str, name: str, given: Any) -> Kind:
    if given is None:
        return ANY
    kind = BY_TYPE.get(given) if isinstance(given, type) else None
    if kind is None:
        shown = given.__name__ if isinstance(given, type) else repr(given)
        raise ColumnError(table, name, f"there is no column of {shown}; there are {_TYPES}")
    return kind


def agreed(table: str, given: Schema | None, stored: Schema | None) -> Schema | None:
    """
    The columns to work with: *given* by the user, *stored* with the table.

    A column without a type takes that of the other side. Raises SchemaError where they differ.
    """
    if given is None or stored is None:
        return given or stored
    if given.names != stored.names:
        reason = f"it has the columns {stored.names}, and was opened with {given.names}"
        raise SchemaError(table, reason)
    columns = {}
    for name, kind in given.columns.items():
        there = stored.columns[name]
        if ANY not in (kind, there) and kind is not there:
            reason = f"its column {name!r} is of {there.name}, and was opened as {kind.name}"
            raise SchemaError(table, reason)
        columns[name] = there if kind is ANY else kind
    return Schema(columns)
