"""
Idempotency tokens that the caller left out are random in each world: compared as "a UUID".

With them go what is over them: signatures and digests.
Source: `botocore.handlers.generate_idempotent_uuid`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tests.parity.seen import Seen, SeenRequest

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_TEXT, _BYTES = re.compile(_UUID), re.compile(_UUID.encode())
_SIGNATURE = re.compile(r"Signature=[0-9a-f]{64}")
_DIGEST = re.compile(r"x-amz-content-sha256|content-md5|x-amz-checksum-\w+")


def lacks_token(model: Any, params: dict[str, Any]) -> bool:
    return any(params.get(name) is None for name in model.idempotent_members)


def without_tokens(seen: Seen) -> Seen:
    return replace(seen, requests=tuple(map(_masked, seen.requests)))


def _masked(sent: SeenRequest) -> SeenRequest:
    return replace(
        sent,
        target=_TEXT.sub("a UUID", sent.target),
        headers=tuple((name, _masked_header(name, value)) for name, value in sent.headers),
        body=_BYTES.sub(b"a UUID", sent.body),
        framed=_BYTES.sub(b"a UUID", sent.framed),
    )


def _masked_header(name: str, value: str) -> str:
    if _DIGEST.fullmatch(name):
        return "a digest"
    return _TEXT.sub("a UUID", _SIGNATURE.sub("Signature=...", value))
