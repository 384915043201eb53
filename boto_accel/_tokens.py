"""
Continuation tokens of merged listings: a text in base 64, the last that was given.

They say where to go on, and nothing is kept for them.
"""

from __future__ import annotations

import base64
import binascii

_HEAD = "boto-accel."


def token_of(text: str) -> str:
    return _HEAD + base64.urlsafe_b64encode(text.encode()).decode()


def text_of(token: str) -> str | None:
    """None for a token that is none of these."""
    if not token.startswith(_HEAD):
        return None
    try:
        return base64.b64decode(token[len(_HEAD) :], b"-_", validate=True).decode() or None
    except (binascii.Error, ValueError):
        return None
