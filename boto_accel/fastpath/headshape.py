"""
How requests with one sequence of header names are signed and rendered.

Calls of one kind have the same header names in the same order, so the sorting, the lower-casing
and the text around the values are done once; a request fills its values in.
Source: `botocore.auth.SigV4Auth.canonical_headers`, RFC 9112, section 3.
"""

from __future__ import annotations

from operator import itemgetter

from botocore.auth import SIGNED_HEADERS_BLACKLIST

from boto_accel._compat import Declined

UNSIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)


class HeadShape:
    """
    names: the headers before signing, in order, without Host.

    signed_names: "host;x-amz-date". Raises Declined for names that differ only in case.
    """

    __slots__ = ("_canonical", "_lines", "_pick", "signed_names")

    def __init__(self, names: tuple[str, ...], host: str) -> None:
        signed = [(name.lower(), name) for name in names if name.lower() not in UNSIGNED]
        if len(dict(signed)) != len(signed) or any(lower == "host" for lower, _ in signed):
            raise Declined("headers that differ only in case")
        signed.append(("host", ""))
        signed.sort()
        host = _literal(host)
        self.signed_names = ";".join([lower for lower, _ in signed])
        self._canonical = "\n".join(
            [f"{_literal(lower)}:{'%s' if name else host}" for lower, name in signed]
        )
        # At least the date and the hash of the payload are signed: `itemgetter` gives a tuple.
        self._pick = itemgetter(*[name for _, name in signed if name])
        self._lines = "".join([f"{_literal(name)}: %s\r\n" for name in names])

    def canonical(self, headers: dict[str, str]) -> str:
        """The canonical headers, whose values are trimmed already."""
        return self._canonical % self._pick(headers)

    def lines(self, headers: dict[str, str]) -> str:
        """The header lines, each with its end."""
        return self._lines % tuple(headers.values())


def _literal(text: str) -> str:
    return text.replace("%", "%%")
