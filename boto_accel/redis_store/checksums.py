"""
The checksums of S3: over an object, over its parts, and put together.

Pure. Source: S3 user guide, "Checking object integrity"; the combination of CRCs is that of zlib's
crc32_combine (Adler), with a matrix over GF(2).
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
DEFAULT = "CRC32"  # botocore's, `botocore.httpchecksum.DEFAULT_CHECKSUM_ALGORITHM`
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
_POLYNOMIALS = {  # reflected; the widths are 32 and 64 bits
    "CRC32": 0xEDB88320,
    "CRC32C": 0x82F63B78,
    "CRC64NVME": 0x9A6C9329AC4BC9B5,
}
_WIDTHS = {"CRC32": 32, "CRC32C": 32, "CRC64NVME": 64}


class UnavailableError(Exception):
    """*algorithm* needs awscrt, which is not installed."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithm)
        self.algorithm = algorithm


class Digest(Protocol):
    """What hashlib's objects are."""

    def update(self, data: Any, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    def __init__(self, step: Callable[[Any, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: Any, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def new_digest(algorithm: str) -> Digest:
    """Raises UnavailableError."""
    match algorithm:
        case "CRC32":
            return _Crc(zlib.crc32, 4)
        case "SHA1":
            return hashlib.sha1(usedforsecurity=False)
        case "SHA256":
            return hashlib.sha256()
    try:
        crt = import_module("awscrt.checksums")
        return _Crc(getattr(crt, algorithm.lower()), _WIDTHS[algorithm] // 8)
    except (ImportError, AttributeError):
        raise UnavailableError(algorithm) from None


def encoded(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def composite(algorithm: str, parts: Sequence[str]) -> str:
    """The checksum of the checksums of the parts, and their number. Raises UnavailableError."""
    digest = new_digest(algorithm)
    for part in parts:
        digest.update(base64.b64decode(part))
    return f"{encoded(digest.digest())}-{len(parts)}"


def combined(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """The CRC of the whole, of the CRCs of its parts; with each, its size in bytes."""
    polynomial, width = _POLYNOMIALS[algorithm], _WIDTHS[algorithm]
    whole = 0
    for text, size in parts:
        value = int.from_bytes(base64.b64decode(text), "big")
        whole = _shifted(whole, size, polynomial, width) ^ value
    return encoded(whole.to_bytes(width // 8, "big"))


def _shifted(crc: int, zeros: int, polynomial: int, width: int) -> int:
    """*crc* (of what begins) as it is after *zeros* bytes of nothing."""
    if not zeros:
        return crc
    # One zero bit, as a matrix: a column for each bit.
    matrix = [polynomial, *(1 << bit for bit in range(width - 1))]
    for _ in range(3):  # eight bits are one byte
        matrix = [_times(matrix, column) for column in matrix]
    while zeros:
        if zeros & 1:
            crc = _times(matrix, crc)
        zeros >>= 1
        if zeros:
            matrix = [_times(matrix, column) for column in matrix]
    return crc


def _times(matrix: Sequence[int], vector: int) -> int:
    total, column = 0, 0
    while vector:
        if vector & 1:
            total ^= matrix[column]
        vector >>= 1
        column += 1
    return total
