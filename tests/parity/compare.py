"""What differs between two values, down to their types, their order and their time zones."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any
from xml.etree.ElementTree import Element, tostring


def differences(stock: Any, fast: Any, path: str = "$") -> Iterator[str]:
    """One line for each place where *fast* is not *stock*: path, both values."""
    if type(stock) is not type(fast):
        yield f"{path}: {_shown(stock)} is not {_shown(fast)}"
    elif is_dataclass(stock):
        for field in fields(stock):
            mine, theirs = getattr(stock, field.name), getattr(fast, field.name)
            yield from differences(mine, theirs, f"{path}.{field.name}")
    elif isinstance(stock, Mapping):
        yield from _mapping(stock, fast, path)
    elif isinstance(stock, Sequence) and not isinstance(stock, (str, bytes, bytearray)):
        yield from _sequence(stock, fast, path)
    elif isinstance(stock, datetime.datetime):
        yield from _moment(stock, fast, path)
    elif not _same(stock, fast):
        yield f"{path}: {_shown(stock)} is not {_shown(fast)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 400 else text[:400] + '...'}"


def _mapping(stock: Mapping[Any, Any], fast: Mapping[Any, Any], path: str) -> Iterator[str]:
    if list(stock) != list(fast):  # the order too: users print and iterate
        yield f"{path}: keys {list(stock)} are not {list(fast)}"
    for key in stock:
        if key in fast:
            yield from differences(stock[key], fast[key], f"{path}[{key!r}]")


def _sequence(stock: Sequence[Any], fast: Sequence[Any], path: str) -> Iterator[str]:
    if len(stock) != len(fast):
        yield f"{path}: {len(stock)} members, not {len(fast)}"
    for index, (mine, theirs) in enumerate(zip(stock, fast, strict=False)):
        yield from differences(mine, theirs, f"{path}[{index}]")


def _moment(stock: datetime.datetime, fast: datetime.datetime, path: str) -> Iterator[str]:
    mine = (stock.isoformat(), type(stock.tzinfo), stock.fold)
    theirs = (fast.isoformat(), type(fast.tzinfo), fast.fold)
    if mine != theirs:
        yield f"{path}: {mine} is not {theirs}"


def _same(stock: Any, fast: Any) -> bool:
    if isinstance(stock, float) and math.isnan(stock):
        return math.isnan(fast)
    if isinstance(stock, Element):  # what botocore's parser leaves of a scalar that is repeated
        return tostring(stock) == tostring(fast)
    return bool(stock == fast)
