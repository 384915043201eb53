"""
What tells a client's calls apart from those of others: where they go, who makes them, and whose
handlers have a part in them. Worked out once for each client, and kept with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore import UNSIGNED

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.cache.key import Keys, Uncacheable, canonical

# Options of `botocore.config.Config` that change where a call goes or how its answer is read.
# Which of them have a say in which service is for botocore to know: all are in all keys.
_OPTIONS = (
    "s3",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "inject_host_prefix",
    "client_context_params",
    "account_id_endpoint_mode",
    "endpoint_discovery_enabled",
    "response_checksum_validation",
)
# Events whose handlers may change a request or an answer.
_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "before-parse",
    "needs-retry",
    "after-call",
)
_OWN = frozenset(["botocore", "aiobotocore", "boto_accel"])
# Handlers that are methods of theirs have no state that matters; of anybody else they may have.
_KNOWN = frozenset(["boto3", "aioboto3", "s3transfer", "moto"])

ANONYMOUS = b"anonymous"


class Scope:
    """
    A client, for the cache. Raises Uncacheable where nothing of it can be cached.

    owner: the identity of the client; `copy.copy` of a client copies what is kept with it.
    registrations: another object after each change of the client's handlers.
    """

    def __init__(self, client: Any, registrations: object) -> None:
        meta = client.meta
        self.owner = id(client)
        self.registrations = registrations
        self.model = meta.service_model
        self.service: str = self.model.service_name
        self.region: str = meta.region_name or ""
        self.endpoint: str = meta.endpoint_url or ""
        self._signer = _compat.signer_of(client)
        self._is_anonymous = meta.config.signature_version is UNSIGNED
        self._is_bearer = _may_bear_a_token(client, self._signer)
        self._emitter = _compat.emitter_of(client)
        self._base = [
            self.service,
            self.model.api_version,
            self.region,
            self.endpoint,
            meta.partition or "",
            "unsigned" if self._is_anonymous else str(meta.config.signature_version),
            [_plain(getattr(meta.config, name, None)) for name in _OPTIONS],
            _parsers_of(client),
        ]
        self._principal: tuple[Any, bytes] | None = None
        session = _compat.endpoint_of(client).http_session
        self.is_httpx = "httpx" in type(session).__module__
        self.keys = Keys()
        # What the caches in force have worked out, by cache and operation.
        self.plans: dict[tuple[int, str], Any] = {}

    def encoded(self, operation: str) -> bytes:
        """What tells *operation* of this client from all others. Raises Uncacheable."""
        return canonical([self._base, operation, self._strangers(operation)])

    def _strangers(self, operation: str) -> list[Any]:
        """The handlers of somebody else, by event and name."""
        service = self.model.service_id.hyphenize()
        return [
            [event, _name_of(handler)]
            for event in _EVENTS
            for handler in _compat.handlers_of(self._emitter, f"{event}.{service}.{operation}")
            if not _is_own(handler)
        ]

    def principal(self) -> bytes | Callable[[], Any]:
        """
        Who calls; or a function that returns, or in an async client a coroutine of, credentials.

        What names a principal: the access key id, which belongs to one principal for ever. It is
        another for each session of a role; so for a role that botocore assumes by configuration
        it is the access key id that it is assumed with, and the arguments of AssumeRole.
        Nothing else that botocore knows without a call names one: of SSO it knows account and
        role, but not the user; of a web identity the role, but not what the token says by the time
        that it is used; of a container or an instance nothing.
        Raises Uncacheable where nothing names it.
        """
        if self._is_anonymous:
            return ANONYMOUS
        if self._is_bearer:
            raise Uncacheable("a bearer token")
        credentials = _compat.credentials_of(self._signer)
        if credentials is None:
            raise Uncacheable("no credentials")
        static = _compat.static_key_of(credentials)
        if static is not None:
            return named_by_key(static)
        known = self._principal
        if known is not None and known[0] is credentials:
            return known[1]
        role = _compat.role_of(credentials)
        if role is None:
            get: Callable[[], Any] = credentials.get_frozen_credentials
            return get
        principal = canonical(["role", *role])
        self._principal = (credentials, principal)
        return principal


def named_by_key(access_key: Any) -> bytes:
    if not isinstance(access_key, str) or not access_key:
        raise Uncacheable("no credentials")
    return b"key:" + access_key.encode()


def scope_of(client: Any) -> Scope:
    """The scope of *client* as it now is. Raises Uncacheable."""
    known: Scope | None = _compat.kept_on(client, _compat.SCOPE_KEY)
    try:
        registrations = _compat.registrations(_compat.emitter_of(client))
        if known is None or known.owner != id(client) or known.registrations is not registrations:
            known = Scope(client, registrations)
            _compat.keep_on(client, known, _compat.SCOPE_KEY)
    except Declined as declined:
        raise Uncacheable(declined.reason) from None
    return known


def _may_bear_a_token(client: Any, signer: Any) -> bool:
    """Whether calls may be signed by a token, which no access key id stands for."""
    schemes = str(client.meta.service_model.metadata.get("auth", ""))
    return client.meta.config.signature_version == "bearer" or (
        "httpBearerAuth" in schemes and _compat.auth_token_of(signer) is not None
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return value if isinstance(value, str | int | bool | float | None) else repr(value)


def _parsers_of(client: Any) -> list[Any]:
    """What a response parser was given in place of botocore's own: the AWS CLI reads times so."""
    given = _compat.parser_defaults_of(_compat.endpoint_of(client))
    return [[name, _name_of(value)] for name, value in sorted(given.items())]


def _is_own(handler: Any) -> bool:
    module = _module_of(handler)
    if module.startswith("botocore.stub"):
        raise Uncacheable("answers of a Stubber")
    return module.partition(".")[0] in _OWN


def _module_of(handler: Any) -> str:
    if isinstance(handler, partial):
        return _module_of(handler.func)
    if inspect.ismethod(handler):
        return type(handler.__self__).__module__
    return str(getattr(handler, "__module__", ""))


def _name_of(handler: Any) -> Any:
    """
    What names *handler* in this and all other processes.

    Raises Uncacheable for what has no such name: closures, lambdas, methods of objects.
    """
    if isinstance(handler, partial):
        return [_name_of(handler.func), list(handler.args), dict(handler.keywords)]
    if inspect.ismethod(handler) and _module_of(handler).partition(".")[0] in _KNOWN:
        return f"{_module_of(handler)}.{handler.__func__.__qualname__}"
    if inspect.isfunction(handler) and "<" not in handler.__qualname__:
        return f"{handler.__module__}.{handler.__qualname__}"
    raise Uncacheable("an event handler that no name stands for")
