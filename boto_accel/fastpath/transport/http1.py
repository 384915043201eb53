"""
HTTP/1.1 answers without I/O: bytes in, a head and a body out.

Rule 1: this file opens no socket and reads no clock.
Rule 2: framing is llhttp's (through httptools), strict: an answer with conflicting lengths, a bad
chunk size or a malformed head is refused with `BadAnswerError`, never guessed at.
Source: RFC 9112; limits as `http.client` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import httptools

MAX_HEAD_BYTES = 256 * 1024  # bytes; a head beyond it is refused before memory grows


class Limits(NamedTuple):
    """
    What a head may have: number of headers, bytes of one header, version of HTTP.

    leniencies: those of llhttp's that are asked for, as `set_dangerous_leniencies` takes them.
    """

    headers: int
    header_bytes: int
    major_version: str
    leniencies: Mapping[str, bool]


# http.client._MAXHEADERS and _MAXLINE; it knows no HTTP/2 status line.
LIKE_HTTP_CLIENT = Limits(100, 65536, "1.", {})
# aiohttp's max_field_size. It bounds headers by their bytes, and takes what llhttp takes, with
# folded headers, lines without CR and spaces behind a chunk size (`aiohttp._http_parser`).
LIKE_AIOHTTP = Limits(
    32768,
    8190,
    "",
    {
        "lenient_headers": True,
        "lenient_optional_cr_before_lf": True,
        "lenient_spaces_after_chunk_size": True,
    },
)

RawHeaders = list[tuple[bytes, bytes]]


class BadAnswerError(Exception):
    """The peer did not speak HTTP/1.x; says what llhttp objected to."""


class ShortAnswerError(Exception):
    """
    The peer closed before the answer was complete.

    *head_seen* tells whether the status line and headers had come.
    """

    def __init__(self, head_seen: bool, received: int) -> None:
        super().__init__(f"connection closed after {received} bytes of an answer")
        self.head_seen = head_seen
        self.received = received


class AnswerReader:
    """
    Reads one final answer from the bytes of one connection.

    Feed it with `feed()`; `head_done` and `complete` tell how far it is. `body` holds the pieces
    of the body that came and were not taken yet (`take()`), `got` how many bytes came in all,
    `in_chunks` how many of them in chunks that are complete. Interim answers (1xx) are passed over
    and counted in `interim`.
    """

    __slots__ = (
        "_checked",
        "_fed",
        "_limits",
        "_parser",
        "_to_head",
        "body",
        "complete",
        "got",
        "head_done",
        "headers",
        "in_chunks",
        "interim",
        "reusable",
        "status",
        "surplus",
        "until_close",
    )

    def __init__(self, to_head: bool = False, limits: Limits = LIKE_HTTP_CLIENT) -> None:
        self._limits = limits
        self._parser: Any = httptools.HttpResponseParser(self)
        if limits.leniencies:
            self._parser.set_dangerous_leniencies(**limits.leniencies)
        self._to_head = to_head
        self._fed = 0
        self._checked = False
        self.headers: RawHeaders = []
        self.status = 0
        self.body: list[bytes] = []
        self.head_done = False
        self.complete = False
        self.interim = 0
        self.got = 0
        self.in_chunks = 0
        self.surplus = False
        self.reusable = False
        self.until_close = False

    def feed(self, data: bytes | memoryview) -> None:
        """Take *data*; raises BadAnswerError."""
        parser = self._parser
        if parser is None:
            self.surplus = True
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raised = error.__context__  # by one of the callbacks below
            if raised is not None and not isinstance(raised, Exception):
                raise raised from None  # KeyboardInterrupt and its like
            if not self.complete:
                raise BadAnswerError(str(error)) from None
            self.surplus = True
        if not self._checked:
            self._checked = self.head_done
            self._fed += len(data)
            if self._fed > self._limits.header_bytes:
                self._check_head()
        if self.complete:
            self._parser = None  # which refers to this reader: no cycle is left to the collector

    def _check_head(self) -> None:
        """Refuse a head that is too long, while it comes and when it is there."""
        if self.head_done:
            limit = self._limits.header_bytes
            if any(len(name) + len(value) > limit for name, value in self.headers):
                raise BadAnswerError(f"got more than {limit} bytes in a header")
        elif self._fed > MAX_HEAD_BYTES:
            raise BadAnswerError("the head of the answer is too long")

    def feed_eof(self) -> None:
        """The peer closed: complete where the body ends with the connection, else an error."""
        if self.complete:
            return
        if not (self.head_done and self.until_close):
            raise ShortAnswerError(self.head_done, self._fed)
        self.complete = True

    def take(self) -> bytes:
        """The bytes of the body that came since the last call."""
        pieces = self.body
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return data

    # Called by httptools. An exception raised in here surfaces as an HttpParserCallbackError.

    def on_message_begin(self) -> None:
        if self.complete:
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # The final head is never touched by what follows it on the connection.
        if not self.head_done:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.head_done:
            return
        parser = self._parser
        status = parser.get_status_code()
        if status < 200:
            return
        headers = self.headers
        if len(headers) > self._limits.headers:
            raise BadAnswerError(f"got more than {self._limits.headers} headers")
        if not parser.get_http_version().startswith(self._limits.major_version):
            raise BadAnswerError(f"HTTP/{parser.get_http_version()}")
        self.status = status
        self.head_done = True
        self.reusable = parser.should_keep_alive()
        if self._to_head:
            self.complete = True  # RFC 9110, 9.3.2: an answer to HEAD has no content
            # llhttp does not know that, and takes a head without a length for "until close".
            self.reusable = self.reusable or _keeps_alive(parser.get_http_version(), headers)
        elif not self.reusable:
            self.until_close = not _has_length(headers)

    def on_body(self, piece: bytes) -> None:
        if not self.complete:
            self.got += len(piece)
            self.body.append(piece)

    def on_chunk_complete(self) -> None:
        self.in_chunks = self.got

    def on_message_complete(self) -> None:
        if self.head_done:
            self.complete = True
        else:
            self.headers.clear()
            self.interim += 1


def _has_length(headers: RawHeaders) -> bool:
    """Whether a length or a coding delimits the body (RFC 9112, 6.3)."""
    return any(name.lower() in _DELIMITERS for name, _ in headers)


def _keeps_alive(version: str, headers: RawHeaders) -> bool:
    """RFC 9112, 9.3: HTTP/1.1 persists unless `Connection: close` is said."""
    return version == "1.1" and not any(
        name.lower() == b"connection" and b"close" in value.lower() for name, value in headers
    )


_DELIMITERS = frozenset((b"content-length", b"transfer-encoding"))


def content_length(headers: RawHeaders) -> int | None:
    """
    The length of the body in bytes, where Content-Length delimits it; else None.

    Called for heads that llhttp accepted, so the value is a number and there is no conflict.
    """
    length = None
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-length":
            length = int(value)
        elif lower == b"transfer-encoding":
            return None
    return length
