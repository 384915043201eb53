"""
Values as segments of keys, and back.

Rule: decisions only, no I/O. A value stands in a key as it is, as s3aads writes it, unless it
cannot: for "/", for what servers and SDKs take for a path (an empty segment, "." and ".."), for
what XML cannot carry in a listing or a DeleteObjects (XML 1.0, 2.2 Characters; "\\r" and "\\n" are
normalised, 2.11) and for halves of surrogate pairs, which are not UTF-8. Then the segment is "!!"
and the text, with each such character as "!XX" for each byte of its UTF-8, and "!" likewise: all of
them safe characters ("Naming Amazon S3 objects", Safe characters).

A value that looks like such a segment is escaped itself, so no two values share one. A segment that
`escape` would not have made is no escape, and stands for itself.
"""

from __future__ import annotations

import hashlib
import re

MARK = "!!"
_DOTS = ("", ".", "..")
_BAD = "/\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_NEEDS_ESCAPE = re.compile(f"[{_BAD}]")
_ESCAPED = re.compile(f"[{_BAD}!]")
_BODY = re.compile("(?:[^!]|![0-9A-F]{2})*", re.DOTALL)
_BYTES = re.compile("(?:![0-9A-F]{2})+")
# A value that is kept apart, see `digest_segment`. What `escape` makes has no "!!(" in it.
DIGEST = re.compile(r"!!\(([0-9a-f]{64})\)")
DIGEST_BYTES = 68


def escape(text: str) -> str:
    """The segment for *text*; not empty, without "/", and neither "." nor ".."."""
    if text in _DOTS:
        return MARK + "!2E" * len(text)
    if _NEEDS_ESCAPE.search(text) or _is_ambiguous(text):
        return MARK + _ESCAPED.sub(_in_bytes, text)
    return text


def unescape(segment: str) -> str:
    """The text that `escape` makes *segment* of, or *segment* itself if there is none."""
    inner = _read(segment)
    return segment if inner is None or escape(inner) != segment else inner


def is_suspect(segment: str) -> bool:
    """Whether *segment* may be something else than the text that it reads."""
    return segment.startswith(MARK)


def _is_ambiguous(text: str) -> bool:
    return text.startswith(MARK) and (DIGEST.fullmatch(text) is not None or unescape(text) != text)


def _in_bytes(found: re.Match[str]) -> str:
    return "".join(f"!{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _read(segment: str) -> str | None:
    """What *segment* says if it is an escape; None if it cannot be one."""
    body = segment[len(MARK) :]
    if not segment.startswith(MARK) or not _BODY.fullmatch(body):
        return None
    try:
        return _BYTES.sub(_from_bytes, body)
    except UnicodeDecodeError:
        return None


def _from_bytes(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("!", "")).decode("utf-8", "surrogatepass")


def stored_bytes(text: str) -> bytes:
    """*text* as it is kept apart."""
    return text.encode("utf-8", "surrogatepass")


def digest_of(text: str) -> str:
    return hashlib.sha256(stored_bytes(text)).hexdigest()


def digest_segment(text: str) -> str:
    """The segment for a *text* that no key has room for; the text is kept in an object apart."""
    return f"{MARK}({digest_of(text)})"
