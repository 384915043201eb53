"""
Which calls the fast path may take, and what botocore's handlers mean to it.

Each handler that botocore registers for an event of a call is in one of the tables here, by the
name of its function; a handler that is in none is somebody else's. Somebody else's handlers of
parameters and results are run; at the request itself they make the call stock's.
Source: `botocore.handlers.BUILTIN_HANDLERS`, `botocore.client.ClientCreator`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterable
from operator import attrgetter, is_
from types import FunctionType, SimpleNamespace
from typing import Any

from boto_accel import _compat
from boto_accel._compat import Declined

Handler = Callable[..., Any]


ALWAYS = ("*",)

# Parameter handlers that do nothing unless one of these parameters is given; () is "never": what
# they do is done by the compiled plan, or shows only in the request context.
PARAMETER_HANDLERS: dict[str, tuple[str, ...]] = {
    "validate_ascii_metadata": ("Metadata",),
    "sse_md5": ("SSECustomerKey",),
    "copy_source_sse_md5": ("CopySourceSSECustomerKey",),
    "handle_copy_source_param": ("CopySource",),
    "validate_bucket_name": (),  # by BucketNames in plan.py
    "remove_bucket_from_url_paths_from_model": (),  # run once, when the plan is made
    "convert_body_to_file_like_object": (),  # plan.py: bytes are sent as a file would be
    "remove_accid_host_prefix_from_model": (),  # run once, when the plan is made
    "generate_idempotent_uuid": (),  # plan.py: with_tokens
    "_handle_request_validation_mode_member": (),  # plan.py: a default
    "set_list_objects_encoding_type_url": (),  # plan.py: a default
    "S3RegionRedirectorv2.annotate_request_context": (),
    "AioS3RegionRedirectorv2.annotate_request_context": (),
    "ClientCreator._inject_s3_input_parameters": (),
    # An alias is a parameter that the model does not know, and so stock's.
    "ParameterAlias.alias_parameter_in_call": (),
    "base64_encode_user_data": ("UserData",),
    "fix_route53_ids": ALWAYS,
    "inject_account_id": ALWAYS,
}
# Those that change nothing but the request context.
CONTEXT_HANDLERS = frozenset(
    (
        "ClientCreator._inject_s3_input_parameters",
        "S3RegionRedirectorv2.annotate_request_context",
        "AioS3RegionRedirectorv2.annotate_request_context",
    )
)
# Those that change the model of the operation, whatever the parameters.
MODEL_HANDLERS = frozenset(
    ("remove_bucket_from_url_paths_from_model", "remove_accid_host_prefix_from_model")
)

# Handlers of before-endpoint-resolution, and the parameters that they change a call for if these
# are ARNs: such a call is stock's.
ENDPOINT_HANDLERS: dict[str, tuple[str, ...]] = {
    "customize_endpoint_resolver_builtins": (),
    "S3RegionRedirectorv2.redirect_from_cache": (),
    "AioS3RegionRedirectorv2.redirect_from_cache": (),
    "S3ControlArnParamHandler.handle_arn": ("Name", "Bucket"),
    "refuse_unserved": (),  # ours: of URLs that botocore resolves to none (redis_store)
}

# Handlers of the request. "transfer" ones are s3transfer's, which switch progress reports of a
# body off while it is signed: see `TRANSFER_HANDLERS`.
HEADER_HANDLERS = frozenset(  # of before-call: they add headers that the model decides
    ("add_accept_header", "add_glacier_version", "inject_api_version_header_if_needed")
)
REQUEST_HANDLERS: dict[str, frozenset[str]] = {
    "before-call": frozenset(
        (
            *HEADER_HANDLERS,
            "add_expect_header",
            "add_recursion_detection_header",
            "escape_xml_payload",
            "S3ExpressIdentityResolver.apply_signing_cache_key",
        )
    ),
    "request-created": frozenset(
        (
            "RequestSigner.handler",
            "AioRequestSigner.handler",
            "UserAgentString.rebuild_and_replace_user_agent_handler",
            "MaxAttemptsSeeder.seed_max_attempts",
            "add_retry_headers",
            "signal_not_transferring",
            "signal_transferring",
        )
    ),
    "choose-signer": frozenset(
        (
            "disable_signing",
            "set_operation_specific_signer",
            "_set_auth_scheme_preference_signer",
            "ClientCreator._default_s3_presign_to_sigv2",
        )
    ),
    "before-sign": frozenset(
        (
            "remove_arn_from_signing_path",
            "_set_extra_headers_for_unsigned_request",
            "S3ExpressIdentityResolver.resolve_s3express_identity",
            "AioS3ExpressIdentityResolver.resolve_s3express_identity",
        )
    ),
    "before-send": frozenset(),
}
TRANSFER_HANDLERS = frozenset(("signal_not_transferring", "signal_transferring"))

# Handlers of an answer that do nothing to a good answer, or that the compiled reader stands for.
ANSWER_HANDLERS: dict[str, frozenset[str]] = {
    "response-received": frozenset(),
    "before-parse": frozenset(("_handle_200_error", "_map_oauth2_errors", "handle_expires_header")),
    "needs-retry": frozenset(
        (
            "_update_status_code",
            "RetryHandler",
            "AioRetryHandler",
            "RetryHandler.needs_retry",
            "AioRetryHandler.needs_retry",
            "S3RegionRedirectorv2.redirect_from_error",
            "AioS3RegionRedirectorv2.redirect_from_error",
        )
    ),
    "after-call": frozenset(
        ("RetryQuotaChecker.release_retry_quota", "_handle_sqs_compatible_error")
    ),
    "after-call-error": frozenset(),
}

# Handlers of after-call that change nothing but the result, and only a good one.
PURE_AFTER_CALL = frozenset(
    (
        "decode_console_output",
        "decode_list_object",
        "decode_list_object_v2",
        "decode_list_object_versions",
        "json_decode_policies",
        "json_decode_template_body",
    )
)

_HOMES = ("botocore", "aiobotocore", "s3transfer")
_HANDLERS_OF = (*_HOMES, "boto_accel")


def name_of(handler: Handler) -> str | None:
    """The name that the tables know *handler* by; None where it is not botocore's own."""
    function = getattr(handler, "__func__", handler)
    name = getattr(function, "__qualname__", None) or type(handler).__qualname__
    home = getattr(function, "__module__", None) or type(handler).__module__
    if not isinstance(home, str) or home.partition(".")[0] not in _HANDLERS_OF:
        return None
    if home in _FOREIGN_MODULES:
        return None
    return str(name)


# botocore modules whose handlers stand in for the network: those calls are theirs.
_FOREIGN_MODULES = frozenset(("botocore.stub", "aiobotocore.stub", "botocore.monitoring"))


def unknown(handlers: Iterable[Handler], known: Iterable[str]) -> list[Handler]:
    """Those of *handlers* that are in no table."""
    names: Container[object] = frozenset(known)
    return [handler for handler in handlers if name_of(handler) not in names]


# Seams: functions on stock's way that others are known to replace (OpenTelemetry, VCR.py,
# unittest.mock). A plan goes around them, so it must not be used while one is replaced.
_SEAMS = (
    ("botocore.endpoint", "Endpoint", "make_request"),
    ("botocore.endpoint", "Endpoint", "_send_request"),
    ("botocore.endpoint", "Endpoint", "create_request"),
    ("botocore.endpoint", "Endpoint", "prepare_request"),
    ("botocore.endpoint", "Endpoint", "_send"),
    ("botocore.httpsession", "URLLib3Session", "send"),
    ("botocore.awsrequest", "AWSHTTPConnectionPool", "ConnectionCls"),
    ("botocore.awsrequest", "AWSHTTPSConnectionPool", "ConnectionCls"),
    ("urllib3.connectionpool", "HTTPConnectionPool", "urlopen"),
    ("botocore.client", "BaseClient", "_convert_to_request_dict"),
    ("botocore.client", "BaseClient", "_make_request"),
)
_ASYNC_SEAMS = (
    ("aiobotocore.endpoint", "AioEndpoint", "make_request"),
    ("aiobotocore.endpoint", "AioEndpoint", "prepare_request"),
    ("aiobotocore.endpoint", "AioEndpoint", "_send_request"),
    ("aiobotocore.endpoint", "AioEndpoint", "create_request"),
    ("aiobotocore.endpoint", "AioEndpoint", "_send"),
    ("aiobotocore.httpsession", "AIOHTTPSession", "send"),
    ("aiobotocore.client", "AioBaseClient", "_convert_to_request_dict"),
    ("aiobotocore.client", "AioBaseClient", "_make_request"),
    ("aiohttp", "ClientSession", "_request"),
)


class Seams:
    """The functions of stock's way, and whether they are botocore's own."""

    def __init__(self, is_async: bool) -> None:
        self._classes = SimpleNamespace()
        self._names = _ASYNC_SEAMS if is_async else _SEAMS
        for module, owner, attribute in self._names:
            cls = getattr(sys.modules.get(module), owner, None)
            if cls is None or not hasattr(cls, attribute):
                raise Declined(f"botocore internals differ: no {owner}.{attribute}")
            setattr(self._classes, owner, cls)
        # All of them in one call. An inherited one is found until somebody puts a function of
        # theirs onto the subclass (X-Ray).
        self._read = attrgetter(*(f"{owner}.{attribute}" for _, owner, attribute in self._names))
        self._genuine: tuple[Any, ...] = (None,) * len(self._names)  # once all are botocore's own

    def check(self) -> None:
        """Declines while one of them is replaced."""
        # By identity: a wrapper of wrapt is equal to what it wraps.
        if not all(map(is_, self._read(self._classes), self._genuine)):
            self._check_each(self._read(self._classes))

    def _check_each(self, current: tuple[Any, ...]) -> None:
        for (_, owner, attribute), value in zip(self._names, current, strict=True):
            if not _is_genuine(getattr(self._classes, owner), value):
                raise Declined(f"{owner}.{attribute} is replaced{_by(value)}")
        self._genuine = current


def check_stock(client_class: str, stock: Any) -> None:
    """Declines calls whose stock is a wrapper of somebody's: fast, they would not come by there."""
    # botocore has a decorator of its own around it: `botocore.context.with_current_context`.
    if not _is_of(stock, "botocore", "aiobotocore"):
        found = stock.__wrapped__ if _is_of(stock, "boto_accel") else stock  # `_hook.as_function`
        raise Declined(f"{client_class}._make_api_call is replaced{_by(found)}")


def _is_genuine(cls: type, value: Any) -> bool:
    """A function (or class) that the class's own package made, with no wrapper around it."""
    if hasattr(value, "__wrapped__"):
        return False
    if isinstance(value, type):
        return value.__module__ == cls.__module__
    return _is_of(value, "botocore", cls.__module__.partition(".")[0])


def _is_of(function: Any, *packages: str) -> bool:
    """Whether it is a function whose code is in one of *packages*."""
    if type(function) is not FunctionType:
        return False
    return str(function.__globals__.get("__name__")).partition(".")[0] in packages


def _by(value: Any) -> str:
    """ " by the.module" that *value* is of; nothing where it does not tell."""
    home = home_of(_compat.wrapper_in(value))
    return f" by {home}" if home else ""


def home_of(function: Any) -> str | None:
    """The module whose code *function* is; `__module__` is often copied from what is wrapped."""
    function = getattr(function, "__func__", function)
    if isinstance(function, FunctionType):
        home = function.__globals__.get("__name__")
    else:
        home = getattr(function if isinstance(function, type) else type(function), "__module__", "")
    return home if isinstance(home, str) else None


def homes_of(handlers: Iterable[Handler]) -> str:
    """The modules of *handlers*, for a reason to decline."""
    return ", ".join(sorted({home_of(handler) or "unknown" for handler in handlers}))


def parts_of(client: Any) -> tuple[dict[str, Any], ...]:
    """The attributes of the objects that a client sends with."""
    endpoint = _compat.endpoint_of(client)
    parts = (endpoint, getattr(endpoint, "http_session", None), _compat.signer_of(client))
    return tuple(getattr(part, "__dict__", {}) for part in parts)


def check_client(client: Any, is_async: bool) -> None:
    """Declines a client that is not made of botocore's own parts."""
    endpoint = _compat.endpoint_of(client)
    session = endpoint.http_session
    expected = {
        "endpoint": (endpoint, ("AioEndpoint",) if is_async else ("Endpoint",)),
        "HTTP session": (session, ("AIOHTTPSession",) if is_async else ("URLLib3Session",)),
        "signer": (
            _compat.signer_of(client),
            ("AioRequestSigner",) if is_async else ("RequestSigner",),
        ),
    }
    for what, (part, names) in expected.items():
        cls = type(part)
        if cls.__name__ not in names or cls.__module__.partition(".")[0] not in _HOMES:
            raise Declined(f"the client has an {what} class of its own")
        if any(
            callable(value) and not isinstance(value, type) and name in dir(cls)
            for name, value in vars(part).items()
        ):
            raise Declined(f"a method of the client's {what} is replaced")
    base = "AioBaseClient" if is_async else "BaseClient"
    for method in ("_emit_api_params", "_resolve_endpoint_ruleset", "_convert_to_request_dict"):
        owner = next((c for c in type(client).__mro__ if method in vars(c)), None)
        if owner is None or owner.__name__ != base or method in vars(client):
            raise Declined(f"the client has a {method} of its own")
    if _compat.proxy_for(session, client.meta.endpoint_url):
        raise Declined("proxies")
