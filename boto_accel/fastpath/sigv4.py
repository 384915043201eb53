"""
AWS Signature Version 4, for requests whose parts are known: pure functions of their arguments.

Source: `botocore.auth.SigV4Auth` and `S3SigV4Auth`; AWS, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import quote

from botocore.utils import normalize_url_path

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
ALGORITHM = "AWS4-HMAC-SHA256"


class SigningKey:
    """
    A key that signs with HMAC-SHA256, or another *algorithm* with blocks of 64 bytes (SHA-1); kept
    in memory as the secret itself is.

    HMAC hashes the key anew for each message, twice (RFC 2104). Here that was done once: a
    signature goes on from copies of the two hashes, at a third of the price.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, algorithm: Callable[[bytes], Any] = sha256) -> None:
        block = (algorithm(key).digest() if len(key) > BLOCK_BYTES else key).ljust(
            BLOCK_BYTES, b"\0"
        )
        self._inner = algorithm(block.translate(_INNER))
        self._outer = algorithm(block.translate(_OUTER))

    def sign(self, text: str) -> str:
        """The signature of *text*, in hex."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        return outer.hexdigest()

    def digest(self, text: str) -> bytes:
        """The signature of *text*."""
        return bytes.fromhex(self.sign(text))


BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


@lru_cache(maxsize=64)
def older_signing_key(secret_key: str) -> SigningKey:
    """The key of the signatures before version 4. Source: `HmacV1Auth.sign_string`."""
    return SigningKey(secret_key.encode(), sha1)


@lru_cache(maxsize=64)
def signing_key(secret_key: str, date: str, region: str, service: str) -> SigningKey:
    """The key of one day, region and service. Source: `SigV4Auth.signature`."""
    key = _hmac(f"AWS4{secret_key}".encode(), date)
    for part in (region, service, "aws4_request"):
        key = _hmac(key, part)
    return SigningKey(key)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def trimmed(value: str) -> str:
    """Trimall: no white space around, single spaces within."""
    return " ".join(value.split())


def canonical_path(path: str) -> str:
    """
    *path* without empty and dot segments, encoded once more: but for S3, which takes it as it is.

    Source: `SigV4Auth._normalize_url_path`.
    """
    return path if _PLAIN_PATH(path) else quote(normalize_url_path(path), safe="/~")


# Segments without dots, and nothing that is encoded.
_PLAIN_PATH = re.compile(r"/|(/[A-Za-z0-9_\-~]+)+/?").fullmatch


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The canonical query string of percent-encoded (name, value) pairs."""
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def signature(canonical_request: str, timestamp: str, scope: str, key: SigningKey) -> str:
    """
    The signature in hex.

    *timestamp* in the form 20261121T064958Z, *scope* "20261121/us-east-1/s3/aws4_request", *key*
    of `signing_key`.
    """
    hashed = sha256(canonical_request.encode()).hexdigest()
    return key.sign(f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}")
