"""
What a column can hold, and how a value is written as text.

Rule: decisions only, no I/O. `write` and `read` are inverse: a text that `write` would not have
made is no value of the kind, so that each value has one key and each key one value. The texts are
those that s3aads writes, `str(value)`: keys sort by them as text, so that "10" is before "9".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Kind:
    """
    A type of columns. name: what it is called in schemas; type: None where any value is taken.

    parse: text to value; raises ValueError, KeyError or InvalidOperation.
    """

    name: str
    type: type | None
    parse: Callable[[str], Any]

    def write(self, value: Any) -> str:
        """The text of *value*. Raises ValueError, which says what is expected."""
        if self.type is None:
            return _write_any(value)
        # Not isinstance: True is an int, and a datetime a date, that would come back as another.
        if type(value) is not self.type:
            raise ValueError(f"{_shown(value)} is of {type(value).__name__}; expected {self.name}")
        if value != value:
            raise ValueError(f"{value} is not equal to itself, and could never be found")
        return str(value)

    def read(self, text: str) -> Any:
        """The value that `write` makes *text* of. Raises ValueError if there is none."""
        if self.type is None:
            return text
        try:
            value = self.parse(text)
            if str(value) == text and value == value:
                return value
        except (ValueError, KeyError, InvalidOperation):
            pass
        raise ValueError(f"{_shown(text)} is not what a value of {self.name} is written as")


def _write_any(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError(f"a value of {type(value).__name__}; expected text: decode it first")
    return format(value, "")  # as s3aads does it; str() of an Enum differs


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


ANY = Kind("any", None, str)
KINDS = {
    kind.name: kind
    for kind in (
        ANY,
        Kind("str", str, str),
        Kind("int", int, int),
        Kind("float", float, float),
        Kind("bool", bool, {"True": True, "False": False}.__getitem__),
        Kind("date", date, date.fromisoformat),
        Kind("datetime", datetime, datetime.fromisoformat),
        Kind("Decimal", Decimal, Decimal),
        Kind("UUID", UUID, UUID),
    )
}
BY_TYPE = {kind.type: kind for kind in KINDS.values() if kind.type is not None}
