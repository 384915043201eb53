"""
A client of Redis that no `redis_s3()` serves says what to switch on.

The one thing of this package that outlives a patch: botocore calls an initializer for each session
that is made from now on (`botocore.register_initializer`, which is public), and a handler of that
session looks at the endpoint_url of its S3 clients. It does nothing unless the URL is one of ours,
or meant to be; botocore would then raise EndpointResolutionError, with the whole URL, password and
all. `before-endpoint-resolution` is the first event of a call that tells the URL; a call that
`redis_s3()` answers does not come to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore

from boto_accel.redis_store.errors import NotInForceError, UnknownSchemeError
from boto_accel.redis_store.urls import EXPECTED, is_ours, misspelt, shown


def refuse_unserved(builtins: Mapping[str, Any], **_: Any) -> None:
    """Raise NotInForceError for the URL of a client of ours; see `refuse_misspelt`."""
    url = builtins.get("SDK::Endpoint")
    if is_ours(url):
        raise NotInForceError(shown(url))
    refuse_misspelt(url)


def refuse_misspelt(url: object) -> None:
    """Raise UnknownSchemeError for a URL that is meant for us, with a scheme that there is not."""
    found = misspelt(url)
    if found:
        raise UnknownSchemeError(found, EXPECTED)


def _watch(session: Any) -> None:
    session.register("before-endpoint-resolution.s3", refuse_unserved)


def watch_sessions() -> None:
    """From now on. Once: `patch.py` calls it when it is imported."""
    botocore.register_initializer(_watch)
