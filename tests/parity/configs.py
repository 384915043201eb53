"""The client configurations parity is shown for: one name, one way to set a client up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import botocore

PATH = {"addressing_style": "path"}
VIRTUAL = {"addressing_style": "virtual"}
TIMEOUTS = {"read_timeout": 8, "connect_timeout": 8}  # seconds; a stall is a failure, not a hang
ONE_ATTEMPT = {"max_attempts": 0}  # botocore counts retries here, not attempts


@dataclass(frozen=True)
class ClientSetup:
    """*host* may end in `.localhost`, with buckets in front of it; *options* go to Config."""

    scheme: str = "http"
    host: str = "127.0.0.1"
    path: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    service: str = "s3"

    def endpoint_url(self, port: int) -> str:
        return f"{self.scheme}://{self.host}:{port}{self.path}"


def _setup(s3: dict[str, Any] | None = None, **given: Any) -> ClientSetup:
    places = {name: given.pop(name) for name in ("scheme", "host", "path") if name in given}
    options = {"s3": s3 or PATH, "retries": ONE_ATTEMPT, **TIMEOUTS, **given}
    return ClientSetup(**places, options=options)


WHEN_REQUIRED = {
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
NAMED = {"host": "s3.localhost"}
TLS = {"scheme": "https", "verify": False}

RETRYING = {
    mode: _setup(retries={"mode": mode, "total_max_attempts": 3}) for mode in ("legacy", "standard")
}

SETUPS: dict[str, ClientSetup] = {
    "http, path": _setup(),
    "http, virtual host": _setup(VIRTUAL, **NAMED),
    "http, automatic style": _setup({"addressing_style": "auto"}, **NAMED),
    "https, path": _setup(**TLS),
    "https, virtual host": _setup(VIRTUAL, **TLS, **NAMED),
    "http, anonymous": _setup(signature_version=botocore.UNSIGNED),
    "https, anonymous": _setup(signature_version=botocore.UNSIGNED, **TLS),
    "http, session token": _setup(aws_session_token="token/with+odd=chars"),
    "http, checksums when required": _setup(**WHEN_REQUIRED),
    "https, checksums when required": _setup(**WHEN_REQUIRED, **TLS),
    "http, payload signed": _setup({**PATH, "payload_signing_enabled": True}),
    "https, payload signed": _setup({**PATH, "payload_signing_enabled": True}, **TLS),
    "http, payload unsigned": _setup({**PATH, "payload_signing_enabled": False}),
    "http, path in the endpoint": _setup(path="/a-prefix/x"),
    "http, odd path in the endpoint": _setup(path="/a prefix/x"),
    "http, s3v4 by name, other region": _setup(signature_version="s3v4", region_name="eu-west-3"),
    "http, unvalidated": _setup(parameter_validation=False),
    "http, user agent": _setup(user_agent_extra="extra/1.0", user_agent_appid="app"),
}
