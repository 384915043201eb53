"""What a caller and a server saw of one call: plain data, fit to be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class SeenBody:
    """A streaming body as its reader met it; *pieces* is what each read gave, or raised."""

    kind: str
    pieces: tuple[Any, ...]


@dataclass(frozen=True)
class SeenError:
    """An exception: its class and bases by name, its text, and the facts it carries."""

    bases: tuple[str, ...]
    text: str
    response: Any
    facts: Any
    cause: str


@dataclass(frozen=True)
class SeenRequest:
    """One request on the wire; *headers* lower case and sorted, *body* as it was framed."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    framed: bytes


@dataclass(frozen=True)
class Seen:
    """One call: what it returned or raised, what was sent, and where the body was left."""

    value: Any
    error: SeenError | None
    requests: tuple[SeenRequest, ...]
    left_at: Any = None


# "<Reader object at 0x7f...>" in a message: another object in each world
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def number_ids(requests: Sequence[SeenRequest]) -> tuple[SeenRequest, ...]:
    """
    Invocation ids as "call 1", "call 2": random in each world, yet one for all attempts of a call.

    An id that is no version 4 UUID is left as it is, and so differs.
    """
    found = [dict(sent.headers).get("amz-sdk-invocation-id", "") for sent in requests]
    numbers = {
        one: f"call {n}" for n, one in enumerate(dict.fromkeys(found)) if _UUID.fullmatch(one)
    }
    return tuple(
        replace(sent, headers=tuple((k, numbers.get(v, v)) for k, v in sent.headers))
        for sent in requests
    )


_BAD_HTTP = re.compile(r"(An HTTP Client raised an unhandled exception:).*", re.DOTALL)


def see_error(error: BaseException) -> SeenError:
    """The facts of *error* that a user's `except` and log can tell apart."""
    facts = getattr(error, "kwargs", None)
    if type(error).__name__ == "HTTPClientError":
        facts = None  # what the HTTP library objected to, in its own words, which quote the bytes
    return SeenError(
        bases=tuple(f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__),
        text=_BAD_HTTP.sub(r"\1", _ADDRESS.sub(" at 0x", str(error))),
        response=getattr(error, "response", None),
        facts=_plain(facts) if isinstance(facts, Mapping) else None,
        cause=type(error.__cause__).__qualname__,
    )


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """botocore's exceptions carry live requests and the exceptions beneath: told by their class."""
    known = (int, float, bytes, bool, type(None), list, dict, tuple)
    return {
        name: value if isinstance(value, known) else _named(value) for name, value in facts.items()
    }


def _named(value: Any) -> str:
    return _ADDRESS.sub(" at 0x", value) if isinstance(value, str) else type(value).__qualname__
