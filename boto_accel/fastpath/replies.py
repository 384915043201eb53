"""
From one HTTP answer to what the caller gets.

A good answer is read by the compiled lane; whatever is not plain, and every error, is handed to
botocore (`stock.go_on`), which parses it, retries it and raises it.
Source: `Endpoint._do_get_response`, `BaseClient._make_api_call`, `botocore.parsers`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from botocore import httpchecksum, response
from botocore.retries.standard import DEFAULT_MAX_ATTEMPTS

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import checksums, compiled, eligibility, stock
from boto_accel.fastpath.lanes.scalars import Odd
from boto_accel.fastpath.timestamps import timestamp_reader
from boto_accel.fastpath.transport.http1 import RawHeaders
from boto_accel.fastpath.transport.wire import Reply

# What reading a value that is not of its type raises; botocore's parser then has the words for it.
UNREADABLE = (Odd, ValueError, TypeError, KeyError, OverflowError, RuntimeError)

QUIET_AFTER_CALL = eligibility.PURE_AFTER_CALL | eligibility.ANSWER_HANDLERS["after-call"]


class Head:
    """
    The head of an answer: *headers* by lower-case name.

    Repeated headers are joined by ", " for botocore (urllib3's HTTPHeaderDict); for aiobotocore
    the last one counts (its session makes a dict of them).
    """

    __slots__ = ("_is_async", "_raw", "headers")

    def __init__(self, raw: RawHeaders, is_async: bool) -> None:
        self._raw = raw
        self._is_async = is_async
        if is_async:
            # aiobotocore.httpsession.AIOHTTPSession.send
            self.headers = {LOWER[name]: value.strip(b" \t").decode() for name, value in raw}
            return
        self.headers = {LOWER[name]: value.decode("latin-1") for name, value in raw}
        if len(self.headers) != len(raw):
            self._join_repeated()

    def _join_repeated(self) -> None:
        self.headers = {}
        for name, value_bytes in self._raw:
            lower, value = LOWER[name], value_bytes.decode("latin-1")
            before = self.headers.get(lower)
            self.headers[lower] = value if before is None else f"{before}, {value}"

    def as_sent(self) -> dict[str, str]:
        """The same by the names as they were sent, or as the session hands them on."""
        if self._is_async:
            return self.headers
        sent: dict[str, str] = {}
        for name, _ in self._raw:
            sent.setdefault(LOWER[name], name.decode("latin-1"))
        return {name: self.headers[lower] for lower, name in sent.items()}


class _Lower(dict[bytes, str]):
    """Header names as they come, to lower-case text; remembered, as they are few."""

    def __missing__(self, name: bytes) -> str:
        lower = name.decode("latin-1").lower()
        if len(self) < MOST_NAMES:
            self[name] = lower
        return lower


MOST_NAMES = 1024
LOWER = _Lower()


class Answers:
    """How the answers of one operation of one client are read."""

    def __init__(self, client: Any, model: Any, lane: Any, handlers: Any) -> None:
        self.is_async = _compat.is_async(client)
        self.model = model
        defaults = _compat.parser_defaults_of(_compat.endpoint_of(client))
        shape = model.output_shape
        self.reader = compiled.reader(
            client, model, lane, timestamp_reader(defaults), defaults.get("blob_parser")
        )
        self.streams = model.has_streaming_output
        if self.streams != self.reader.is_stream:
            raise Declined("an unusual streaming output")
        self.algorithms = tuple(
            (algorithm, f"x-amz-checksum-{algorithm}")
            for algorithm in checksums.response_algorithms(model)
        )
        self._streaming_body = _streaming_body(self.is_async)
        self._checksum_body = _checksum_body(self.is_async)
        self._has_expires = (
            "handle_expires_header" in handlers.names("before-parse")
            and shape is not None
            and "Expires" in shape.members
        )
        # Somebody else's handlers between the wire and the result: stock does all of it then.
        self.tells_all = any(
            eligibility.unknown(handlers.of(event), eligibility.ANSWER_HANDLERS[event])
            for event in ("response-received", "before-parse", "needs-retry")
        )
        # Which botocore's retry handler notes in the context; in standard mode it also says of good
        # answers that there was one attempt alone (retries.standard.MaxAttemptsChecker).
        self.most_attempts, is_standard = _attempts(client, handlers.of("needs-retry"))
        self.one_attempt = is_standard and self.most_attempts == 1
        after_call = handlers.of("after-call")
        self.after_call = after_call
        self.emits_after_call = bool(eligibility.unknown(after_call, QUIET_AFTER_CALL))
        self.stock_reader = stock.AnswerReader(model, handlers.of("before-parse"))
        self.proofs_left = 2

    def read(self, reply: Reply, validates: bool) -> dict[str, Any]:
        """
        The result for a good answer. Raises one of UNREADABLE where botocore should read it.

        *validates*: whether checksums of the answer are to be checked (ChecksumMode).
        """
        head = Head(reply.headers, self.is_async)
        headers = head.headers
        reader = self.reader
        metadata = reader.ids(headers)
        result: dict[str, Any] = {"ResponseMetadata": metadata} if reader.metadata_first else {}
        if reader.head is not None:
            reader.head.read(reply.status, head, result)
        body = None if self.streams else reply.body
        if body is not None:
            if "x-amz-crc32" in headers and crc32(body) != int(headers["x-amz-crc32"]):
                raise Odd  # retried in some modes: retryhandler.CRC32Checker
            reader.read_body(body, result, metadata)
        metadata["HTTPStatusCode"] = reply.status
        metadata["HTTPHeaders"] = headers
        if body is None:
            result[reader.payload] = self._stream(reply.raw, headers, validates, metadata)
        elif validates and self.algorithms:
            self._check_whole(body, headers, metadata)
        if not reader.metadata_first:
            result["ResponseMetadata"] = metadata
        if self._has_expires and "expires" in headers:
            result["ExpiresString"] = headers["expires"]
        if self.one_attempt:
            metadata["MaxAttemptsReached"] = True
        metadata["RetryAttempts"] = 0
        return result

    def _stream(
        self, raw: Any, headers: Mapping[str, str], validates: bool, metadata: dict[str, Any]
    ) -> Any:
        """Source: `httpchecksum.handle_checksum_body`."""
        if validates:
            for algorithm, name in self.algorithms:
                expected = headers.get(name)
                if expected is None or "-" in expected:
                    continue
                metadata["ChecksumAlgorithm"] = algorithm
                return self._checksum_body(
                    raw, headers.get("content-length"), checksums.CLASSES[algorithm](), expected
                )
        return self._streaming_body(raw, headers.get("content-length"))

    def _check_whole(
        self, body: bytes, headers: Mapping[str, str], metadata: dict[str, Any]
    ) -> None:
        for algorithm, name in self.algorithms:
            expected = headers.get(name)
            if expected is None or "-" in expected:
                continue
            if checksums.digest_of(algorithm, body) != expected:
                raise Odd
            metadata["ChecksumAlgorithm"] = algorithm
            return

    def finish_quietly(self, result: dict[str, Any], status: int, context: dict[str, Any]) -> None:
        """botocore's own handlers of after-call, which are plain functions in both worlds."""
        answer = SimpleNamespace(status_code=status)
        for handler in self.after_call:
            handler(parsed=result, http_response=answer, model=self.model, context=context)

    def pure_after_call(self) -> list[Callable[..., Any]]:
        """Those that only change the result."""
        return [h for h in self.after_call if eligibility.name_of(h) in eligibility.PURE_AFTER_CALL]


def _attempts(client: Any, handlers: tuple[Callable[..., Any], ...]) -> tuple[int | None, bool]:
    """(most attempts of a call, whether the mode is standard); None where no handler tells."""
    for handler in handlers:
        name = str(eligibility.name_of(handler))
        if name.endswith("RetryHandler.needs_retry"):
            retries = client.meta.config.retries or {}
            return retries.get("total_max_attempts", DEFAULT_MAX_ATTEMPTS), True
        if name.endswith("RetryHandler"):
            return _compat.most_attempts_of(handler), False
    return None, False


def _streaming_body(is_async: bool) -> Any:
    if not is_async:
        return response.StreamingBody
    module = sys.modules["aiobotocore.response"]
    return getattr(module, "AioStreamingBody", None) or module.StreamingBody


def _checksum_body(is_async: bool) -> Any:
    if not is_async:
        return httpchecksum.StreamingChecksumBody
    module = sys.modules["aiobotocore.httpchecksum"]
    return getattr(module, "AioStreamingChecksumBody", None) or module.StreamingChecksumBody
