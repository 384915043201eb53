"""
What the server does about a call, said by its key; the same table for the client and the server.

A key is "{fate}/{size}/{number}". A fate is met by first attempts only, so that a call that is
retried has a good end; those that no retry can mend name what they may raise.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

SIZES = (0, 10, 1000, 5000, 70_000, 400_000)  # bytes; of bodies
SIZE_WEIGHTS = (5, 30, 35, 20, 8, 2)


@dataclass(frozen=True)
class Fate:
    """*weight*: how often, of all. *only_get*: a good answer for all but GetObject."""

    weight: int
    only_get: bool = False
    fails: str = ""  # "network", or the code of a ClientError; empty where the call is to succeed


FATES = {
    "good": Fate(780),
    "late": Fate(40),  # an answer after LATE_S
    "dripped": Fate(20),
    "chunked": Fate(20),
    "said-close": Fate(20),  # Connection: close, and so done
    "idle-close": Fate(20),  # closed after the answer, without a word
    "interim": Fate(10),  # 100 Continue that nobody asked for
    "reset": Fate(15),
    "reset-head": Fate(10),
    "garbage": Fate(10),
    "500": Fate(10),
    "503": Fate(10),
    "429": Fate(5),
    "surplus": Fate(5, only_get=True, fails="network"),  # bytes behind the message
    "cut": Fate(10, only_get=True, fails="network"),
    "reset-body": Fate(10, only_get=True, fails="network"),
    "bad-sum": Fate(5, only_get=True, fails="network"),
    "missing": Fate(20, fails="404"),
    "hang": Fate(1),
}
LATE_S = 0.03  # seconds


def draw_key(rng: random.Random, number: int) -> str:
    names, weights = zip(*((name, fate.weight) for name, fate in FATES.items()), strict=True)
    fate = rng.choices(names, weights)[0]
    return f"{fate}/{rng.choices(SIZES, SIZE_WEIGHTS)[0]}/{number}"


def fate_of(key: str) -> str:
    return key.partition("/")[0]


def body_of(key: str) -> bytes:
    """What is, and may only be, under *key*: another body for each."""
    size = int(key.split("/")[1])
    piece = hashlib.sha256(key.encode()).digest()
    return (piece * (size // len(piece) + 1))[:size]


def etag_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
