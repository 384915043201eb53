"""
The `aws-chunked` content encoding, decoded.

Rule 1: pure; no I/O, no clock.
Source: S3 API, "Signature calculations: chunked upload" and "trailing headers".
"""

from __future__ import annotations


class AwsChunkedError(ValueError):
    """The body is not well-formed `aws-chunked`."""


def decode_aws_chunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """
    The payload of an `aws-chunked` body, and its trailers by lower-case name.

    Chunk extensions (`;chunk-signature=…`) are read over, not verified.
    Raises AwsChunkedError where a size, a line end or the last chunk is missing.
    """
    pieces: list[bytes] = []
    position = 0
    while True:
        size, position = _chunk_size(body, position)
        if size == 0:
            return b"".join(pieces), _trailers(body[position:])
        end = position + size
        if body[end : end + 2] != b"\r\n":
            raise AwsChunkedError(f"chunk at {position} does not end after {size} bytes")
        pieces.append(body[position:end])
        position = end + 2


def _chunk_size(body: bytes, position: int) -> tuple[int, int]:
    """Size in bytes of the chunk whose header starts at *position*, and where its data does."""
    line_end = body.find(b"\r\n", position)
    if line_end < 0:
        raise AwsChunkedError(f"no chunk header at {position}")
    try:
        size = int(body[position:line_end].split(b";", 1)[0], 16)
    except ValueError:
        raise AwsChunkedError(f"no chunk size at {position}") from None
    return size, line_end + 2


def _trailers(tail: bytes) -> dict[str, str]:
    fields = {}
    for line in tail.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            fields[name.strip().decode("latin-1").lower()] = value.strip().decode("latin-1")
    return fields
