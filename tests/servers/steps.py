"""What a scripted server does to answer one request: a sequence of these steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias


@dataclass(frozen=True)
class Send:
    """Send these bytes as they are."""

    data: bytes


@dataclass(frozen=True)
class Drip:
    """Send *data* in pieces of *size* bytes, *delay* seconds apart."""

    data: bytes
    size: int
    delay: float = 0.0


@dataclass(frozen=True)
class Send100:
    """Send the interim answer `100 Continue`."""


@dataclass(frozen=True)
class Sleep:
    """Do nothing for *seconds*; cut short when the server stops."""

    seconds: float


@dataclass(frozen=True)
class WaitForRequest:
    """
    Read what is left of the request, that is, its body.

    Only of use with `early=True`, where the steps begin when the head is in; elsewhere the body
    has been read before the first step.
    """


@dataclass(frozen=True)
class Close:
    """
    Close the connection: TCP FIN, and over TLS a close_notify before it where *notify* is set.

    A body that was not read makes the kernel send a reset instead; see WaitForRequest.
    """

    notify: bool = False


@dataclass(frozen=True)
class Reset:
    """Close the connection with a TCP reset."""


Step: TypeAlias = Send | Drip | Send100 | Sleep | WaitForRequest | Close | Reset
Answer: TypeAlias = bytes | Step | Sequence[bytes | Step]


def as_steps(answer: Answer) -> tuple[Step, ...]:
    """*answer* in its long form: bytes are a Send, one step is a sequence of one."""
    parts = answer if isinstance(answer, Sequence) and not isinstance(answer, bytes) else [answer]
    return tuple(Send(part) if isinstance(part, bytes) else part for part in parts)


def http_answer(
    status: int = 200,
    body: bytes = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    *,
    length: bool = True,
) -> bytes:
    """
    The bytes of one answer; Content-Length is added where *length* is set and it is not given.

    For HEAD give the Content-Length and leave the body empty.
    """
    lines = [(k, v) for k, v in (headers.items() if isinstance(headers, Mapping) else headers)]
    if length and "content-length" not in {name.lower() for name, _ in lines}:
        lines.append(("Content-Length", str(len(body))))
    head = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{k}: {v}" for k, v in lines), "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
