"""The settings of a client as redis-py wants them."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from boto_accel import _compat
from boto_accel.errors import InvalidOptionError
from boto_accel.redis_store.urls import Address


class Settings(NamedTuple):
    """Of the client's `Config` and its arguments; times in seconds, None for ever."""

    connect_timeout: float | None
    read_timeout: float | None
    most_connections: int
    verify: Any
    client_cert: Any


def settings_of(client: Any) -> Settings:
    config = client.meta.config
    return Settings(
        config.connect_timeout,
        config.read_timeout,
        config.max_pool_connections,
        _compat.verify_of(_compat.endpoint_of(client).http_session),
        config.client_cert,
    )


def connection_arguments(address: Address, settings: Settings) -> dict[str, Any]:
    """
    Arguments of a connection of redis-py, sync or async; what the URL says comes first.

    Nothing is tried twice within: the client's retry configuration counts. Raises
    InvalidOptionError.
    """
    parse_url: Any = import_module("redis.connection").parse_url
    try:
        given = parse_url(f"redis://?{address.option_text}")  # reads each option as its type
    except ValueError:
        raise unreadable(address) from None
    arguments = {
        "db": address.db,
        "username": address.username,
        "password": address.password,
        "protocol": 2,
        "socket_connect_timeout": settings.connect_timeout,
        "socket_timeout": settings.read_timeout,
        "socket_keepalive": True,
    }
    if address.kind == "cluster":
        del arguments["db"]
    if address.tls:
        arguments |= _tls_arguments(settings)
    return arguments | given


def unreadable(address: Address) -> InvalidOptionError:
    """Not shown are the values: there may be a password among them."""
    names = "&".join(f"{name}=…" for name, _ in address.options)
    expected = "options that redis-py has for such a URL, with values that it reads"
    return InvalidOptionError("endpoint_url", f"{address.shown}?{names}", expected)


def _tls_arguments(settings: Settings) -> dict[str, Any]:
    """As botocore reads `verify` and `client_cert`. Source: `botocore.httpsession`."""
    arguments: dict[str, Any] = {}
    if settings.verify is False:
        arguments |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    elif isinstance(settings.verify, str):
        arguments["ssl_ca_certs"] = settings.verify
    if isinstance(settings.client_cert, str):
        arguments["ssl_certfile"] = arguments["ssl_keyfile"] = settings.client_cert
    elif settings.client_cert:
        arguments["ssl_certfile"], arguments["ssl_keyfile"] = settings.client_cert
    return arguments
