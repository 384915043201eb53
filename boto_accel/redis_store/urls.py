"""
What an endpoint URL of ours says. Pure; a URL is shown without user and password.

    redis://[user:password@]host[:port][/db][?option=value&…]
    rediss://…                                  the same over TLS
    unix://[user:password@][localhost]/path.sock[?db=0]
    redis+cluster://host:port[,host:port…]      rediss+cluster:// over TLS
    redis+sentinel://host:port[,host:port…]/service[/db]    rediss+sentinel:// over TLS
    redis+embedded://[local][/folder]           a Valkey of this process

botocore makes no client for a URL without a host (`is_valid_endpoint_url`). A host that stands for
this machine does: "localhost" for a socket, "local" for an embedded server (`with_host`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeGuard
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from boto_accel.errors import InvalidOptionError

PREFIX = "boto-accel"
DEFAULT_PORT = 6379
SENTINEL_PORT = 26379
_KINDS = {
    "redis": "server",
    "rediss": "server",
    "unix": "unix",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+embedded": "embedded",
}
_HERE = {"unix": "localhost", "embedded": "local"}  # no other host: it would be ignored
# Options of redis-py that change no answer; besides, all that begin with "ssl_".
_OPTIONS = (
    "client_name",
    "health_check_interval",
    "password",
    "protocol",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_read_size",
    "socket_timeout",
    "username",
)
_MEANT = re.compile(r"(redis|valkey)[a-z0-9+.-]*(://)?", re.IGNORECASE)
EXPECTED = (
    "redis://, rediss://, redis+cluster:// or redis+sentinel:// with host:port, "
    "unix://localhost/path.sock or redis+embedded://local[/folder]"
)


@dataclass(frozen=True)
class Address:
    """
    kind: server, unix, cluster, sentinel or embedded. hosts: (name, port) each.

    path: of a socket, or the folder of an embedded server. options: redis-py's, as text.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    tls: bool = False
    username: str | None = None
    password: str | None = None
    db: int = 0
    path: str = ""
    service: str = ""
    prefix: str = PREFIX
    options: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"

    @property
    def shown(self) -> str:
        """For errors and logs."""
        scheme = "rediss" if self.tls else "redis"
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        match self.kind:
            case "unix":
                return f"unix://localhost{self.path}"
            case "embedded":
                return f"redis+embedded://local{self.path}"
            case "cluster":
                return f"{scheme}+cluster://{hosts}"
            case "sentinel":
                return f"{scheme}+sentinel://{hosts}/{self.service}"
        return f"{scheme}://{hosts}/{self.db}"

    @property
    def option_text(self) -> str:
        return urlencode(self.options)


def is_ours(url: object) -> TypeGuard[str]:
    return isinstance(url, str) and "://" in url and url.partition("://")[0].lower() in _KINDS


def misspelt(url: object) -> str:
    """What may be shown of a URL that is meant for us and is none of ours; "" for every other."""
    found = _MEANT.match(url) if isinstance(url, str) and not is_ours(url) else None
    return f"{found.group()}…" if found else ""


def with_host(url: str) -> str:
    """*url*, one of ours, with the host that stands for this machine where it needs one."""
    scheme, _, rest = url.partition("://")
    here = _HERE.get(_KINDS[scheme.lower()])
    netloc = urlsplit(f"//{rest}").netloc
    if here is None or netloc.rpartition("@")[2]:
        return url
    return f"{scheme}://{netloc}{here}{rest[len(netloc) :]}"


def shown(url: str) -> str:
    """*url* for errors: without user, password and options; its scheme, where that is all."""
    try:
        return read_url(url).shown
    except InvalidOptionError:
        return f"{url.partition('://')[0]}://…"


def read_url(url: str) -> Address:
    """Raises InvalidOptionError, which does not show the URL: there may be a password in it."""
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(f"//{rest}")
        user, _, hosts = parts.netloc.rpartition("@")
        name, has_password, password = user.partition(":")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        kind = _KINDS[scheme.lower()]
        default = SENTINEL_PORT if kind == "sentinel" else DEFAULT_PORT
        prefix = options.pop("prefix", PREFIX)
        if kind in _HERE and hosts.lower() not in ("", _HERE[kind]):
            raise ValueError(hosts)
        db, path, service = _read_path(kind, unquote(parts.path), options)
        if "{" in prefix or "}" in prefix:  # what is in braces is hashed: the schema has them
            raise ValueError(prefix)
        address = Address(
            kind,
            tuple(_host(each, default) for each in hosts.split(",") if each),
            scheme.lower().startswith("rediss"),
            unquote(name) or None,
            unquote(password) if has_password else None,
            db,
            path,
            service,
            prefix,
            tuple(options.items()),
        )
    except (KeyError, ValueError):
        raise InvalidOptionError("endpoint_url", f"{scheme}://…", EXPECTED) from None
    for name, _ in address.options:
        if name not in _OPTIONS and not name.startswith("ssl_"):
            expected = f"prefix, ssl_…, {', '.join(_OPTIONS)} as the names of options"
            raise InvalidOptionError("endpoint_url", f"{scheme}://…?{name}=…", expected)
    return address


def _host(text: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if parts.hostname is None:
        raise ValueError(text)
    return parts.hostname, default if parts.port is None else parts.port


def _read_path(kind: str, path: str, options: dict[str, str]) -> tuple[int, str, str]:
    """(database, path, service)"""
    if kind == "unix":
        if len(path) < 2:
            raise ValueError(path)
        return int(options.pop("db", "0")), path, ""
    if kind == "embedded":
        return 0, path.rstrip("/"), ""
    names = [each for each in path.split("/") if each]
    service = names.pop(0) if kind == "sentinel" else ""
    number = names.pop(0) if names else options.pop("db", "0")
    if names or (kind == "cluster" and int(number)):  # a cluster has the one database
        raise ValueError(path)
    return int(number), "", service
