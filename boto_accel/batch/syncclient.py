"""
A client of botocore that does what one of aiobotocore does: batches are uploaded by threads.

It has the same endpoint, region, credentials and configuration.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from boto_accel import _compat
from boto_accel.errors import InvalidOptionError

_EXPECTED = (
    "a client of botocore or boto3: the credentials of the aiobotocore client that puts are "
    "renewed by its event loop, and batches are uploaded by a thread"
)


def sync_client_of(client: Any) -> Any:
    """*client* itself if it is of botocore. Raises InvalidOptionError."""
    if not _compat.is_async(client):
        return client
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.session import Session

    credentials, are_static = _compat.known_credentials(client)
    if not are_static:
        raise InvalidOptionError("client", None, _EXPECTED)
    given = client.meta.config
    options = {
        name: getattr(given, name) for name in Config.OPTION_DEFAULTS if hasattr(given, name)
    }
    if credentials is None:
        options["signature_version"] = UNSIGNED
    keys = {} if credentials is None else _keys(credentials)
    return Session().create_client(
        "s3",
        region_name=client.meta.region_name,
        endpoint_url=_own_endpoint(client.meta.endpoint_url),
        verify=_compat.verify_of(_compat.endpoint_of(client).http_session),
        config=Config(**options),
        **keys,
    )


def _keys(credentials: Any) -> dict[str, Any]:
    return {
        "aws_access_key_id": credentials.access_key,
        "aws_secret_access_key": credentials.secret_key,
        "aws_session_token": credentials.token,
    }


def _own_endpoint(url: str) -> str | None:
    """None for AWS's own, which botocore finds by region and bucket."""
    host = urlsplit(url).hostname or ""
    return None if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else url
