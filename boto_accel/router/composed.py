"""
`router.client()`: one client that sends each call where the rules say, without any patch.

It is of the default client's own class and has the default client's parts (meta, exceptions,
events); only its calls and presigning go through the router. So paginators, waiters, transfers and
whatever else is built on a client of botocore's work as they do on the default one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from boto_accel._call import Call, Flavour
from boto_accel._drive import adrive, drive
from boto_accel._effects import Forward, Steps
from boto_accel.router import presigning
from boto_accel.router.routes import read_routes_of
from boto_accel.router.routing import Router
from boto_accel.router.targets import Targets, is_async


class _Handler:
    """The router, as the drivers run it."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def matches(self, client: Any, operation: str) -> bool:
        return True

    def handle(self, call: Call) -> Steps:
        if self._router.is_routed(call.client):
            return (yield Forward(call))
        return (yield from self._router.steps(call))


class _Composed:
    """What both worlds have. The attributes are in the `__dict__` of the client that is made."""

    is_composed = True  # and so no target itself
    _routed_by: Router
    _routed_default: Any

    def _run(self, run: Any, flavour: Flavour, operation: str, params: Mapping[str, Any]) -> Any:
        call = Call(self._routed_default, operation, params, flavour)
        return run((_Handler(self._routed_by),), call, _send)

    def _presign(self, presign: Any, name: str, *args: Any) -> Any:
        def stock(client: Any, *there: Any) -> Any:
            return getattr(client, name)(*there)

        stock.__name__ = name
        return presign(self._routed_by, self._routed_default, args, {}, stock)


def _send(call: Call) -> Any:
    """By the client's own method, and so through the patches that are in force."""
    return call.client._make_api_call(call.operation, call.params)


class _Sync(_Composed):
    def _make_api_call(self, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        return self._run(drive, Flavour.SYNC, operation_name, api_params)

    def generate_presigned_url(
        self, ClientMethod: Any, Params: Any = None, ExpiresIn: Any = 3600, HttpMethod: Any = None
    ) -> Any:
        args = (ClientMethod, Params, ExpiresIn, HttpMethod)
        return self._presign(presigning.presign, "generate_presigned_url", *args)

    def generate_presigned_post(
        self,
        Bucket: Any,
        Key: Any,
        Fields: Any = None,
        Conditions: Any = None,
        ExpiresIn: Any = 3600,
    ) -> Any:
        args = (Bucket, Key, Fields, Conditions, ExpiresIn)
        return self._presign(presigning.presign, "generate_presigned_post", *args)

    def close(self) -> None:
        """Close the clients that were made for it; those that it was given stay open."""
        self._routed_by.targets.close()


class _Async(_Composed):
    async def _make_api_call(self, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        return await self._run(adrive, Flavour.ASYNC, operation_name, api_params)

    async def generate_presigned_url(
        self, ClientMethod: Any, Params: Any = None, ExpiresIn: Any = 3600, HttpMethod: Any = None
    ) -> Any:
        args = (ClientMethod, Params, ExpiresIn, HttpMethod)
        return await self._presign(presigning.apresign, "generate_presigned_url", *args)

    async def generate_presigned_post(
        self,
        Bucket: Any,
        Key: Any,
        Fields: Any = None,
        Conditions: Any = None,
        ExpiresIn: Any = 3600,
    ) -> Any:
        args = (Bucket, Key, Fields, Conditions, ExpiresIn)
        return await self._presign(presigning.apresign, "generate_presigned_post", *args)

    async def close(self) -> None:
        """Close the clients that were made for it; those that it was given stay open."""
        await self._routed_by.targets.aclose_of_loop()
        self._routed_by.targets.close()

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def client(clients: Mapping[str, Any] | str | os.PathLike[str], mapping: Any = None) -> Any:
    """
    A client of S3 that sends calls where *mapping* says; both arguments as of `route_s3`.

    The client of the rule "*" has to be among *clients*; what is made is of its class and has
    its `meta`, `exceptions` and events. Others may be descriptions. Raises InvalidOptionError.
    """
    clients, rules = read_routes_of(clients, mapping)
    targets = Targets(clients, rules, needs_all=True)
    default = targets.default()
    own = (_Async if is_async(default) else _Sync, type(default))
    # The name and module of the class are the default client's: it pickles, and copies, no more
    # and no less than that does.
    made_class: Any = type(type(default).__name__, own, {"__module__": type(default).__module__})
    made = made_class.__new__(made_class)
    made.__dict__.update(default.__dict__)
    made.__dict__["_routed_by"] = Router(rules, targets)
    made.__dict__["_routed_default"] = default
    return made
