"""Invocation ids: one random UUID a call, made by the hundred."""

from __future__ import annotations

import os

AT_ONCE = 128

_ids: list[str] = []  # drawn from its end: `pop` and `extend` are atomic, no lock is needed


def new_invocation_id() -> str:
    """A random UUID (RFC 9562, version 4), as `str(uuid.uuid4())` writes it."""
    try:
        return _ids.pop()
    except IndexError:
        *more, first = map(_uuid4, os.urandom(16 * AT_ONCE).hex(" ", 16).split())
        _ids.extend(more)
        return first


def _uuid4(digits: str) -> str:
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ids.clear)  # they are the parent's to use
