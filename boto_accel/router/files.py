"""Routes that are kept in a file: TOML, YAML or JSON."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from boto_accel.errors import InvalidOptionError, MissingExtraError

_FORM = 'a table "clients", and "mapping" (a list of rules) or "profiles" (a table of them)'


def read_routes(path: Path) -> tuple[Mapping[str, Any], Any]:
    """
    (clients, mapping) of the file, unchecked but for their being there.

    Raises InvalidOptionError for a file that is not of that form, OSError for one that cannot be
    read. No message has a value of the file: there may be credentials in it.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidOptionError("routes", str(path), f"a file {', '.join(_READERS)}")
    try:
        found = reader(path.read_text("utf-8"))
    except ValueError as error:
        raise InvalidOptionError(
            "routes", str(path), f"a valid {path.suffix}{_line(error)}"
        ) from None
    if not isinstance(found, Mapping) or not ("mapping" in found) ^ ("profiles" in found):
        raise InvalidOptionError("routes", str(path), _FORM)
    unknown = set(found) - {"clients", "mapping", "profiles"}
    if unknown or not isinstance(found.get("clients", {}), Mapping):
        raise InvalidOptionError("routes", str(path), _FORM)
    mapping = found["mapping"] if "mapping" in found else found["profiles"]
    return found.get("clients", {}), mapping


def _line(error: ValueError) -> str:
    """Where the parser stopped. Of its message no more: it may quote the file."""
    found = _LINE.search(str(error))
    return f"; see line {found[1]}" if found else ""


# As the json and tomllib of Python end their messages, and _read_yaml its own.
_LINE = re.compile(r"\bline (\d+),? column \d+(?: \(char \d+\)|\))?\Z")


def _read_toml(text: str) -> Any:
    # Python 3.11 has it as tomllib.
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    return _optional(name).loads(text)


def _read_yaml(text: str) -> Any:
    yaml = _optional("yaml")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        # Its own message quotes the file.
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise ValueError(where) from None


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise MissingExtraError("routes in a file", name, "router") from None


_READERS: dict[str, Callable[[str], Any]] = {
    ".toml": _read_toml,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".json": json.loads,
}
