"""
Scalars: a parameter to text, and text of an answer to a value.

A writer raises `Declined` for anything that botocore's validator would refuse or that botocore
would write in a way not reproduced here; the call is then stock's, error message included.
Source: `botocore.serialize.BaseRestSerializer`, `botocore.validate.ParamValidator`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from botocore.utils import is_json_value_header
from botocore.validate import ParamValidator, ValidationErrors

from boto_accel._compat import Declined

Writer = Callable[[Any], str]
Reader = Callable[[str], Any]

INVALID = "parameters that botocore refuses"
TOO_DEEP = "parameters nested too deeply"
UNUSUAL = "parameters of an unusual type"

_NUMBERS = ("integer", "long")
_VALIDATOR = ParamValidator()


class Odd(Exception):
    """An answer that the compiled reader does not read; botocore's parser does."""


def check_with_botocore(shape: Any, value: Any) -> None:
    """Declines where botocore's own validator objects to *value*."""
    errors = ValidationErrors()
    _VALIDATOR._validate(value, shape, errors, name="")
    if errors.has_errors():
        raise Declined(INVALID)


def string_writer(shape: Any) -> Writer:
    """
    For a string: itself, where it is long enough.

    Of a subclass (an enumeration) botocore writes the text here and its `str()` there.
    """
    least = shortest(shape)

    def write(value: Any) -> str:
        if value.__class__ is not str:
            raise Declined(UNUSUAL if isinstance(value, str) else INVALID)
        if len(value) < least:
            raise Declined(INVALID)
        return value

    return write


def shortest(shape: Any) -> int:
    """The fewest characters of a string. Source: `botocore.validate.range_check`."""
    if "min" in shape.metadata:
        return shape.metadata["min"]
    return 1 if shape.serialization.get("hostLabel") else 0


def number_writer(shape: Any) -> Writer:
    """For an integer or a long; a bool is an int to botocore too, and written as Python says it."""
    lowest = shape.metadata.get("min")

    def write(value: Any) -> str:
        if not isinstance(value, int) or (lowest is not None and value < lowest):
            raise Declined(INVALID)
        return str(value)

    return write


def boolean_writer(_: Any) -> Writer:
    def write(value: Any) -> str:
        if value is True:
            return "true"
        if value is False:
            return "false"
        raise Declined(INVALID)

    return write


def other_writer(shape: Any, convert: Callable[[Any], Any]) -> Writer:
    """For the rest: checked and converted by botocore's own functions."""

    def write(value: Any) -> str:
        check_with_botocore(shape, value)
        try:
            text = convert(value)
        except Exception:
            raise Declined(INVALID) from None  # stock's to raise
        if not isinstance(text, str):
            raise Declined(UNUSUAL)
        return text

    return write


def checked(kinds: type | tuple[type, ...], shape: Any) -> Callable[[Any], Any]:
    """For a scalar that goes as it is: checked for its type, and not to be below a minimum."""
    lowest = shape.metadata.get("min")

    def check(value: Any) -> Any:
        if not isinstance(value, kinds) or (lowest is not None and value < lowest):
            raise Declined(INVALID)
        return value

    return check


def quiet(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """*convert*, declining where it raises: stock raises it as well."""

    def write(value: Any) -> Any:
        try:
            return convert(value)
        except Exception:
            raise Declined(INVALID) from None

    return write


def blob(value: Any) -> Any:
    """A blob that is in memory. Source: `ParamValidator._validate_blob`."""
    if not isinstance(value, (bytes, bytearray, str)):
        raise Declined(INVALID)
    return value


def header_writer(shape: Any, serializer: Any) -> Writer:
    """Source: `BaseRestSerializer._convert_header_value`."""
    if shape.type_name == "string" and not is_json_value_header(shape):
        return string_writer(shape)
    if shape.type_name in _NUMBERS:
        return number_writer(shape)
    if shape.type_name == "boolean":
        return boolean_writer(shape)
    return other_writer(shape, lambda value: serializer._convert_header_value(shape, value))


def query_writer(shape: Any, serializer: Any) -> Writer:
    """Source: `BaseRestSerializer._get_uri_and_query_string_value`."""
    if shape.type_name == "string":
        return string_writer(shape)
    if shape.type_name in _NUMBERS:
        return number_writer(shape)
    if shape.type_name == "boolean":
        return boolean_writer(shape)
    if shape.type_name == "timestamp":  # a number in some formats
        return other_writer(
            shape, lambda value: str(serializer._get_uri_and_query_string_value(value, shape))
        )
    return other_writer(
        shape, lambda value: serializer._get_uri_and_query_string_value(value, shape)
    )


def text_writer(shape: Any, serializer: Any) -> Writer:
    """For a scalar in XML or in a form: `RestXMLSerializer` and `QuerySerializer` agree on it."""
    type_name = shape.type_name
    if type_name == "string":
        return string_writer(shape)
    if type_name in _NUMBERS:
        return number_writer(shape)
    if type_name == "boolean":
        return boolean_writer(shape)
    if type_name == "timestamp":
        timestamp_format = shape.serialization.get("timestampFormat")
        return other_writer(
            shape,
            lambda value: str(serializer._convert_timestamp_to_str(value, timestamp_format)),
        )
    if type_name == "blob":
        return other_writer(shape, serializer._get_base64)
    if type_name in ("float", "double"):
        return other_writer(shape, lambda value: str(serializer._handle_float(value)))
    raise Declined(f"input of type {type_name}")


def text_reader(
    shape: Any,
    read_timestamp: Reader,
    read_blob: Reader | None,
    read_boolean: Reader = "true".__eq__,
) -> Reader | None:
    """
    Reads the text of a scalar of *shape*; None where text is its own value, or for no scalar.

    Source: `botocore.parsers.BaseXMLResponseParser` (`_handle_boolean` and its neighbours).
    """
    type_name = shape.type_name
    if type_name == "boolean":
        return read_boolean
    if type_name == "timestamp":
        return read_timestamp
    if type_name == "blob":
        return read_blob or base64.b64decode
    return _READERS.get(type_name)


_READERS: dict[str, Reader] = {
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
}
SCALARS = frozenset((*_READERS, "boolean", "string", "character", "timestamp", "blob"))
