"""
The key of a call: what two calls must have in common for one to be given the other's reply.

Rule: the encoding is injective. Each value is written with its type and its length, so that no
two different values give the same bytes; what cannot be written makes the call uncacheable.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any

KEY_BYTES = 32
TAG_BYTES = 12  # 96 bits: two things that share a tag by chance cost no more than a hit
MOST_REMEMBERED = 1024  # keys of one client
LONGEST_REMEMBERED = 1024  # bytes of the parameters of one, as `canonical` writes them
DEEPEST = 64  # levels of parameters; the deepest model of AWS has fewer than 30

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)


class Uncacheable(Exception):
    """The call is not cached. *reason* is a short constant text, for it is a key of counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def canonical(value: Any, depth: int = 0) -> bytes:
    """
    *value* as bytes: equal for parameters that mean the same to botocore.

    The order of a dict does not count, that of a list does; bytes and bytearray are one type, list
    and tuple are; an aware datetime is its instant.
    Raises Uncacheable for what has no such form, such as a file.
    """
    encode = _ENCODERS.get(type(value))
    if encode is None:
        encode = _by_base(value)
    if depth > DEEPEST:
        raise Uncacheable("parameters that are nested too deeply")
    return encode(value, depth)


def caller_digest(scope: bytes, principal: bytes) -> bytes:
    """
    The part of the key that calls of one principal to one operation have in common.

    scope: `canonical` of what tells apart clients and operations. principal: who calls.
    """
    head = b"%d:%d:" % (len(scope), len(principal))
    return blake2b(head + scope + principal, digest_size=KEY_BYTES).digest()


def call_key(caller: bytes, params: Mapping[str, Any]) -> bytes:
    """The key of a call; *caller* by `caller_digest`, of one length always."""
    return _key_of(caller, canonical(params))


def _key_of(caller: bytes, params: bytes) -> bytes:
    return blake2b(caller + params, digest_size=KEY_BYTES).digest()


class Keys:
    """
    `call_key` for one client, which remembers what it has said: parameters come again and again.

    Guarding: none is needed. Two threads that ask for the same are told the same.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], bytes] = {}

    def of(self, caller: bytes, params: Mapping[str, Any]) -> bytes:
        types = tuple(map(type, params.values()))
        if not _SIMPLE.issuperset(types):
            return call_key(caller, params)
        # With the types, for 1 == True.
        named = (caller, *params, *params.values(), *types)
        return self._known.get(named) or self._learn(named, caller, params)

    def _learn(self, named: tuple[Any, ...], caller: bytes, params: Mapping[str, Any]) -> bytes:
        written = canonical(params)
        key = _key_of(caller, written)
        if len(written) <= LONGEST_REMEMBERED:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[named] = key
        return key


# Types whose values are equal only if `canonical` writes the same.
_SIMPLE = frozenset([str, bytes, int, bool, type(None)])


def digest_tag(kind: str, *parts: Any) -> str:
    """A short text for *parts* that tells nothing of them, for they may be names of users'."""
    found = blake2b(canonical(parts), digest_size=TAG_BYTES).hexdigest()
    return f"{kind}:{found}"


# Each type, with a letter of its own ------------------------------------------------------------


def _text(value: str, depth: int) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(encoded), encoded)


def _octets(value: bytes | bytearray | memoryview, depth: int) -> bytes:
    return b"b%d:%b" % (len(value), bytes(value))


def _truth(value: bool, depth: int) -> bytes:
    return b"T" if value else b"F"


def _nothing(value: None, depth: int) -> bytes:
    return b"N"


def _integer(value: int, depth: int) -> bytes:
    return b"i%d;" % value


def _real(value: float, depth: int) -> bytes:
    return b"f%b;" % float.__repr__(value).encode()


def _decimal(value: Decimal, depth: int) -> bytes:
    return b"d%b;" % str(value).encode()


def _moment(value: datetime.datetime, depth: int) -> bytes:
    if value.utcoffset() is None:  # botocore takes it for local time: the text as it stands
        return b"n%b;" % value.isoformat().encode()
    return b"t%d;" % ((value - _EPOCH) // _MICROSECOND)


def _day(value: datetime.date, depth: int) -> bytes:
    return b"y%b;" % value.isoformat().encode()


def _sequence(value: Iterable[Any], depth: int) -> bytes:
    items = [canonical(item, depth + 1) for item in value]
    return b"l%d:%b" % (len(items), b"".join(items))


def _set(value: Iterable[Any], depth: int) -> bytes:
    items = sorted(canonical(item, depth + 1) for item in value)
    return b"S%d:%b" % (len(items), b"".join(items))


def _mapping(value: Mapping[Any, Any], depth: int) -> bytes:
    depth += 1
    items = [
        (_name(key) if type(key) is str else canonical(key, depth)) + canonical(item, depth)
        for key, item in value.items()
    ]
    items.sort()
    return b"m%d:%b" % (len(items), b"".join(items))


@lru_cache(4096)
def _name(key: str) -> bytes:
    """The names of members are few, and come again and again."""
    return _text(key, 0)


_ENCODERS: dict[type, Callable[[Any, int], bytes]] = {
    str: _text,
    bytes: _octets,
    bytearray: _octets,
    memoryview: lambda value, depth: _octets(value.tobytes(), depth),
    bool: _truth,
    type(None): _nothing,
    int: _integer,
    float: _real,
    Decimal: _decimal,
    datetime.datetime: _moment,
    datetime.date: _day,
    list: _sequence,
    tuple: _sequence,
    set: _set,
    frozenset: _set,
    dict: _mapping,
}
# Subclasses that botocore's validation and serializers take for their base.
_BASES = (str, int, float, datetime.datetime, dict, list, tuple)


def _by_base(value: Any) -> Callable[[Any, int], bytes]:
    if hasattr(value, "read"):
        raise Uncacheable("a file as a parameter")
    for base in _BASES:
        if isinstance(value, base):
            return _ENCODERS[base]
    raise Uncacheable("a parameter of a type that is not known")
