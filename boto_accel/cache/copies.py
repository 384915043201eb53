"""
Copies of replies that are given again and again: made of a value, without decoding it anew.

A copy shares what cannot be changed, and has containers of its own. Decoding costs several times
as much, but needs nothing but the bytes: so a reply is decoded the first time that it is given,
and kept decoded from the second one on. What is kept is bounded, and never handed out itself.

Guarding: the table is a dict whose items are replaced, never mutated; two threads that make the
same copier make equal ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from boto_accel.cache.codec import DEEPEST, Kept, decode

MOST_KEPT = 256  # replies that are kept decoded
LONGEST = 16 * 1024  # bytes of the payload of one; decoded it takes several times as much

Copier = Callable[[], Any]


class TooDeep(Exception):
    """A value that `encode` would not have taken: what copies it would recurse too deeply."""


class _Known(NamedTuple):
    """One reply. zone: as `decode` takes it. copy: None for one that was given just once."""

    payload: bytes
    zone: object
    kind: int
    member: str
    copy: Copier | None


class Copies:
    """Of one cache: `read` is `decode`, and costs less for what was read before."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}

    def read(self, key: bytes, payload: bytes, zone: object) -> Kept:
        """What *payload*, the entry of *key*, holds: a new value each time. Raises Damaged."""
        known = self._known.get(key)
        if known is None or known.zone is not zone or known.payload != payload:
            kept = decode(payload, zone)
            self._keep(key, _Known(payload, zone, kept.kind, kept.member, None))
            return kept
        if known.copy is not None:
            return Kept(known.kind, known.member, known.copy())
        kept = decode(payload, zone)
        try:
            self._keep(key, known._replace(copy=copier_of(kept.value)))
        except TooDeep:
            return kept
        return decode(payload, zone)  # the other one is never handed out

    def _keep(self, key: bytes, known: _Known) -> None:
        if len(known.payload) > LONGEST:
            return
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[key] = known


def copier_of(value: Any, depth: int = 0) -> Copier:
    """
    A function that makes a copy of *value*, a container of the types that `decode` makes.

    Raises TooDeep.
    """
    if depth > DEEPEST:
        raise TooDeep
    inner = [
        (place, copier_of(item, depth + 1))
        for place, item in _places(value)
        if type(item) in _CONTAINERS
    ]
    if not inner:
        copier: Copier = value.copy
        return copier

    def copy() -> Any:
        made = value.copy()
        for place, copier in inner:
            made[place] = copier()
        return made

    return copy


def _places(value: Any) -> Iterable[tuple[Any, Any]]:
    """Where its items are; of a set nowhere, since they cannot be changed."""
    if type(value) is dict:
        return value.items()
    return enumerate(value) if type(value) is list else ()


_CONTAINERS = frozenset([dict, list, set])
