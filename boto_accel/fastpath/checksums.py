"""
Checksums of requests and answers, and the bytes of a body as they go on the wire.

Source: `botocore.httpchecksum`; its checksum classes do the arithmetic, save for CRC-32 of bytes.
"""

from __future__ import annotations

import io
from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any
from zlib import crc32

from botocore import httpchecksum
from botocore.httpchecksum import AwsChunkedWrapper

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath.sigv4 import EMPTY_SHA256

READ_BYTES = 1024 * 1024  # bytes; one read of a file for its digests
SEND_BYTES = 128 * 1024  # bytes; one piece of a body, which has the timeout to be sent in
HTTP_CHUNK_BYTES = _compat.http_chunk_bytes()

CLASSES: Mapping[str, Any] = _compat.checksum_classes()


@dataclass(frozen=True, slots=True)
class RequestRule:
    """
    What the model and the client's configuration say of request checksums of one operation.

    member: the parameter that names the algorithm, where there is one. default: the algorithm
    where none is named, or None for no checksum then. default_header: the header that says the
    default was used. trailer: whether it goes after the body over https.
    """

    member: str | None
    default: str | None
    default_header: str | None
    trailer: bool


def request_rule(operation_model: Any, config: Any) -> RequestRule:
    """Source: `resolve_request_checksum_algorithm`."""
    trait = operation_model.http_checksum
    member = trait.get("requestAlgorithmMember")
    required = operation_model.http_checksum_required or trait.get("requestChecksumRequired")
    supported = member and config.request_checksum_calculation == "when_supported"
    default_header = None
    if member:
        shape = operation_model.input_shape.members.get(member)
        default_header = shape.serialization.get("name") if shape is not None else None
    return RequestRule(
        member=member,
        default=httpchecksum.DEFAULT_CHECKSUM_ALGORITHM.lower() if required or supported else None,
        default_header=default_header,
        trailer=operation_model.has_streaming_input and config.signature_version != "s3",
    )


def requested(rule: RequestRule, params: Mapping[str, Any]) -> str | None:
    """The algorithm to use for *params*; declines what botocore refuses."""
    if rule.member is not None and rule.member in params:
        name = params[rule.member]
        if isinstance(name, str) and name.lower() in CLASSES:
            return name.lower()
        raise Declined("a checksum algorithm that is not available")
    return rule.default


def digest_of(algorithm: str, data: bytes) -> str:
    """The checksum of *data*, as its header carries it: base64, big-endian."""
    if algorithm == "crc32":
        raw = crc32(data).to_bytes(4, "big")
        return b2a_base64(raw, newline=False).decode("ascii")
    checksum = CLASSES[algorithm]()
    checksum.update(data)
    return checksum.b64digest()


def response_algorithms(operation_model: Any) -> tuple[str, ...]:
    """Algorithms to look for in an answer, best first. Source: `resolve_response_…`."""
    listed = {name.lower() for name in operation_model.http_checksum.get("responseAlgorithms", ())}
    order = _compat.checksum_priority()
    return tuple(name for name in order if name in listed and name in CLASSES)


# Bodies


class Body:
    """
    The body of one request: bytes in memory, or a file that is read twice.

    A file's position is as it was until the body is sent; `restore()` puts it back for a request
    that goes to stock after all.
    """

    __slots__ = ("_file", "_start", "data", "in_memory", "length")

    def __init__(self, value: Any) -> None:
        self._file: Any = None
        self._start = 0
        self.data = b""
        self.in_memory = True
        if isinstance(value, bytes):
            self.data = value
            self.length = len(value)
        elif isinstance(value, bytearray):
            self.data = bytes(value)
            self.length = len(value)
        else:
            self._file = value
            self.in_memory = False
            self._start, self.length = _extent(value)

    @property
    def file(self) -> Any:
        return self._file

    def restore(self) -> None:
        if self._file is not None:
            self._file.seek(self._start)

    def digests(self, algorithm: str | None, with_sha256: bool) -> tuple[str | None, str]:
        """(checksum in base64 or None, SHA-256 in hex or "") of the whole, in one pass."""
        if self._file is None:
            checksum = digest_of(algorithm, self.data) if algorithm else None
            if not with_sha256:
                return checksum, ""
            return checksum, sha256(self.data).hexdigest() if self.data else EMPTY_SHA256
        summer = CLASSES[algorithm]() if algorithm else None
        hasher = sha256() if with_sha256 else None
        if summer is not None or hasher is not None:
            try:
                for piece in iter(partial(self._file.read, READ_BYTES), b""):  # None is no end
                    if summer is not None:
                        summer.update(piece)
                    if hasher is not None:
                        hasher.update(piece)
                self._file.seek(self._start)
            except Exception:  # stock's to raise: text, or what the user's file raises
                raise Declined("a body that cannot be read as bytes") from None
        return (
            summer.b64digest() if summer is not None else None,
            hasher.hexdigest() if hasher is not None else "",
        )

    @property
    def goes_at_once(self) -> bool:
        """
        Whether it is sent in one piece. A long body is not: it may take longer to send than the
        timeout, which in stock is one of each piece that http.client reads of it.
        """
        return self._file is None and self.length <= SEND_BYTES

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The body as it is, from where it was when the request was made."""
        if self._file is None:
            data = memoryview(self.data)
            return (data[at : at + SEND_BYTES] for at in range(0, self.length, SEND_BYTES))
        self.restore()
        return _pieces(self._file, SEND_BYTES)

    def chunked_pieces(self, algorithm: str, chunk_bytes: int | None) -> Iterator[bytes]:
        """
        The body in aws-chunked coding with its trailer, in HTTP chunks.

        *chunk_bytes*: of each, as urllib3 sends AwsChunkedWrapper; None: one HTTP chunk an
        aws-chunk, as aiohttp sends AioAwsChunkedWrapper.
        Source: `_apply_request_trailer_checksum`; RFC 9112, 7.1.
        """
        raw = io.BytesIO(self.data) if self._file is None else self._file
        self.restore()
        wrapper = AwsChunkedWrapper(
            raw, checksum_cls=CLASSES[algorithm], checksum_name=f"x-amz-checksum-{algorithm}"
        )
        source = iter(wrapper) if chunk_bytes is None else _reads(wrapper, chunk_bytes)
        for piece in source:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"

    def small_chunked(self, algorithm: str, chunk_bytes: int | None) -> bytes | None:
        """The same at once, for bytes that fit into one chunk; else None."""
        data = self.data
        if self._file is not None or len(data) + 128 > (chunk_bytes or SEND_BYTES):
            return None
        trailer = b"0\r\nx-amz-checksum-%b:%b\r\n\r\n" % (
            algorithm.encode(),
            digest_of(algorithm, data).encode(),
        )
        first = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        if chunk_bytes is None and first:
            return b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(first), first, len(trailer), trailer)
        both = first + trailer
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(both), both)


class Place:
    """Where the body that a caller gave stands, before stock reads of it beside the fast path."""

    __slots__ = ("_at", "_file")

    def __init__(self, given: Any) -> None:
        self._file = given
        try:
            self._at = given.tell()
        except Exception:  # bytes, or a reader without a place; stock asks for it before it reads
            self._at = None

    def restore(self) -> None:
        """Raises what the caller's file raises."""
        if self._at is not None:
            self._file.seek(self._at)


def _extent(file: Any) -> tuple[int, int]:
    """(position, bytes from there) of a seekable file. Source: `determine_content_length`."""
    if isinstance(file, io.TextIOBase):
        raise Declined("a body that is read as text")
    try:
        start = file.tell()
        try:
            return start, len(file)
        except (AttributeError, TypeError):
            pass
        file.seek(0, 2)
        end = file.tell()
        file.seek(start)
    except Exception:
        raise Declined("a body that cannot seek") from None
    if not file:  # empty to botocore, whatever is in it
        raise Declined("a body that is false")
    return start, end - start


def _pieces(file: Any, size: int) -> Iterator[bytes]:
    while piece := file.read(size):
        yield piece


def _reads(wrapper: Any, size: int) -> Iterator[bytes]:
    while piece := wrapper.read(size):
        yield piece
