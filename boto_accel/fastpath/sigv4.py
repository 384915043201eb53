"""
AWS Signature Version 4, for requests whose parts are known: pure functions of their arguments.

Source: `botocore.auth.SigV4Auth` and `S3SigV4Auth`; AWS, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
ALGORITHM = "AWS4-HMAC-SHA256"


@lru_cache(maxsize=64)
def signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    """The key of one day, region and service; kept in memory as the secret itself is."""
    key = _hmac(f"AWS4{secret_key}".encode(), date)
    for part in (region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def trimmed(value: str) -> str:
    """Trimall: no white space around, single spaces within."""
    return " ".join(value.split())


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The canonical query string of percent-encoded (name, value) pairs."""
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def signature(canonical_request: str, timestamp: str, scope: str, key: bytes) -> str:
    """
    The signature in hex.

    *timestamp* in the form 20261121T064958Z, *scope* "20261121/us-east-1/s3/aws4_request", *key*
    of `signing_key`.
    """
    hashed = sha256(canonical_request.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}"
    return hmac.digest(key, to_sign.encode(), "sha256").hex()
