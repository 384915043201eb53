"""
Where calls can go: clients that were given, and clients that are made when they are first needed.

A description is kept as it was given and never shown: there may be credentials in it. Of each
there is one client in the sync world, and one for each event loop in the async one, for a client
of aiobotocore belongs to its loop.

Guarding: `_sync` is added to under the lock. What belongs to a loop is touched by it alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from botocore.client import BaseClient

from boto_accel._call import Flavour
from boto_accel.errors import InvalidOptionError
from boto_accel.router.rules import Rules

# What `create_client` of a session takes; all else is for `Config`.
_CLIENT_OPTIONS = frozenset(
    """region_name api_version use_ssl verify endpoint_url aws_access_key_id aws_secret_access_key
    aws_session_token aws_account_id config""".split()
)
_VARIABLE = re.compile(r"\$\{(\w+)\}\Z")
_EXPECTED = "a client of S3, or a dict of its options: endpoint_url, profile_name, region_name, …"


class Description:
    """How a client is made; without values in its repr."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._options = dict(options)
        config = self._options.get("config")
        _make_config("botocore.config", "Config", f"clients[{name!r}]", self._rest(), config)

    def __repr__(self) -> str:
        return f"<Description {self.name!r}>"

    @property
    def endpoint(self) -> str | None:
        """As given, but for a user and a password in it."""
        url = self._options.get("endpoint_url")
        return re.sub(r"//[^/@]*@", "//", url) if isinstance(url, str) else None

    def _rest(self) -> dict[str, Any]:
        known = _CLIENT_OPTIONS | {"profile_name"}
        return {name: value for name, value in self._options.items() if name not in known}

    def make(self) -> Any:
        """A client of botocore."""
        from botocore.session import Session

        return Session(profile=self._profile()).create_client("s3", **self._arguments(False))

    def make_async(self) -> Any:
        """What is entered for a client of aiobotocore."""
        from aiobotocore.session import AioSession

        return AioSession(profile=self._profile()).create_client("s3", **self._arguments(True))

    def _profile(self) -> Any:
        return self._read("profile_name", self._options.get("profile_name"))

    def _arguments(self, is_async: bool) -> dict[str, Any]:
        arguments = {
            name: self._read(name, value)
            for name, value in self._options.items()
            if name in _CLIENT_OPTIONS
        }
        home = ("aiobotocore.config", "AioConfig") if is_async else ("botocore.config", "Config")
        where = f"clients[{self.name!r}]"
        config = _make_config(*home, where, self._rest(), arguments.pop("config", None))
        return arguments if config is None else {**arguments, "config": config}

    def _read(self, field: str, value: Any) -> Any:
        """A value "${NAME}" is that of the environment."""
        found = _VARIABLE.match(value) if isinstance(value, str) else None
        if found is None:
            return value
        if found[1] not in os.environ:
            where = f"clients[{self.name!r}].{field}"
            raise InvalidOptionError(where, value, f"{found[1]} in the environment")
        return os.environ[found[1]]


def _make_config(
    module: str, kind: str, where: str, rest: Mapping[str, Any], config: Any
) -> Any | None:
    """*config* (a Config, or a dict of its arguments) and *rest* in one; None for none."""
    from importlib import import_module

    named = {**(config if isinstance(config, Mapping) else {}), **rest}
    given = None if isinstance(config, Mapping) else config
    if not named:
        return given
    config_class = getattr(import_module(module), kind)
    try:
        made = config_class(**named)
    except Exception as error:
        # The names, and not the values: among them a mistyped aws_secret_access_key may be.
        raise InvalidOptionError(where, ", ".join(named), f"options of {kind}: {error}") from None
    return made if given is None else given.merge(made)


class Targets:
    """
    The clients of a router, by name. Raises InvalidOptionError.

    calling: the name that stands for the client that a call was made on, or None.
    """

    def __init__(self, given: Any, rules: Rules, *, needs_all: bool) -> None:
        if not isinstance(given, Mapping):
            raise InvalidOptionError("clients", type(given).__name__, "a dict of name to client")
        self._given = {name: _checked(name, value) for name, value in given.items()}
        default = rules.default.client
        self.calling: str | None = None if needs_all or default in self._given else default
        for rule in rules.rules:
            if rule.client not in self._given and rule.client != self.calling:
                where = "mapping" if rule.client == default else f"{rule.where}.client"
                names = ", ".join(map(repr, self._given)) or "none"
                raise InvalidOptionError(where, rule.client, f"one of the clients: {names}")
        self._default = default
        self._lock = threading.Lock()
        self._sync: dict[str, Any] = {}
        self._async: WeakKeyDictionary[Any, dict[str, _Kept]] = WeakKeyDictionary()
        # Clients whose calls are where they belong: all but the default one.
        self._arrived = WeakSet(
            value
            for name, value in self._given.items()
            if name != default and not isinstance(value, Description)
        )

    def __repr__(self) -> str:
        return f"<Targets {', '.join(map(repr, self._given))}>"

    def is_arrived(self, client: Any) -> bool:
        """Whether a call on *client* was made by somebody who knows where it is to go."""
        return client in self._arrived

    def described(self, name: str) -> str:
        """The client *name*, for people: its endpoint, and nothing secret."""
        if name == self.calling:
            return f"{name} (the calling client)"
        given = self._given[name]
        endpoint = given.endpoint if isinstance(given, Description) else given.meta.endpoint_url
        return f"{name} ({endpoint or 'AWS'})"

    def find(self, name: str, calling: Any, flavour: Flavour) -> Any:
        """The client *name*, or None for one that `open` has to make."""
        if name == self.calling:
            return calling
        if flavour is Flavour.SYNC:
            known = self._sync.get(name)
            return self._given_one(name, flavour) if known is None else known
        kept = self._async.get(asyncio.get_running_loop(), {}).get(name)
        return self._given_one(name, flavour) if kept is None else kept.client

    def _given_one(self, name: str, flavour: Flavour) -> Any:
        client = self._given[name]
        if isinstance(client, Description):
            return None
        if is_async(client) is not (flavour is Flavour.ASYNC):
            expected = "a description (endpoint_url, …), which serves both worlds, or a client "
            expected += "of botocore" if flavour is Flavour.SYNC else "of aiobotocore"
            raise InvalidOptionError(f"clients[{name!r}]", client, expected)
        return client

    def default(self) -> Any:
        """The client of the default rule; of the sync world if it has to be made."""
        given = self._given[self._default]
        return self.open(self._default) if isinstance(given, Description) else given

    def open(self, name: str) -> Any:
        """Make the client *name* of the sync world."""
        with self._lock:
            if name not in self._sync:
                made = self._given[name].make()
                if name != self._default:
                    self._arrived.add(made)
                self._sync[name] = made
            return self._sync[name]

    async def aopen(self, name: str) -> Any:
        """Make the client *name* of the running loop."""
        of_loop = self._async.setdefault(asyncio.get_running_loop(), {})
        kept = of_loop.setdefault(name, _Kept(self._given[name]))
        client = await kept.open()
        if name != self._default:
            self._arrived.add(client)
        return client

    def close(self) -> None:
        """
        Close all that were made. Those of a running loop are closed by it, soon.

        Those of a loop that has ended were closed with it, see `_Kept`.
        """
        with self._lock:
            made, self._sync = self._sync, {}
        for client in made.values():
            self._arrived.discard(client)
            client.close()
        for loop, of_loop in list(self._async.items()):
            for kept in of_loop.values():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(kept.close_soon)
        self._async = WeakKeyDictionary()

    async def aclose_of_loop(self) -> None:
        """Close those of the running loop."""
        for kept in self._async.pop(asyncio.get_running_loop(), {}).values():
            await kept.close()


class _Kept:
    """
    A client of aiobotocore, held open by an asynchronous generator.

    A loop that ends closes its asynchronous generators, and so the client: `asyncio.run`,
    `loop.shutdown_asyncgens`.
    """

    def __init__(self, description: Description) -> None:
        self.client: Any = None
        self._description = description
        self._lock = asyncio.Lock()
        self._holder = self._hold()
        self._closing: Any = None

    async def _hold(self) -> AsyncGenerator[Any, None]:
        async with self._description.make_async() as client:
            yield client

    async def open(self) -> Any:
        async with self._lock:
            if self.client is None:
                self._holder = self._hold()  # an earlier one may have failed
                self.client = await self._holder.__anext__()
        return self.client

    async def close(self) -> None:
        self.client = None
        await self._holder.aclose()

    def close_soon(self) -> None:
        self._closing = asyncio.ensure_future(self.close())


def _checked(name: Any, value: Any) -> Any:
    if not isinstance(name, str) or not name:
        raise InvalidOptionError("clients", name, "a name (str) for each client")
    if isinstance(value, Mapping):
        return Description(name, value)
    if not isinstance(value, BaseClient) or getattr(type(value), "is_composed", False):
        raise InvalidOptionError(f"clients[{name!r}]", type(value).__name__, _EXPECTED)
    if value.meta.service_model.service_name != "s3":
        raise InvalidOptionError(f"clients[{name!r}]", value, _EXPECTED)
    return value


def is_async(client: Any) -> bool:
    return any(base.__name__ == "AioBaseClient" for base in type(client).__mro__)
