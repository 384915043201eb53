"""
Every private attribute of botocore and aiobotocore that this package reads.

One function an attribute (or a small group that belongs together). Where a release of botocore
no longer has it, the function raises `Declined`, so that the call goes on as stock: a missing
private costs speed, never correctness.
"""

from __future__ import annotations

import datetime
import inspect
import json.encoder
import os
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import botocore.auth
import botocore.compat as compat
import botocore.context
import botocore.httpchecksum
import botocore.httpsession
import botocore.loaders
import botocore.signers
import urllib3.connection
from botocore.history import get_global_history_recorder

if TYPE_CHECKING:
    import asyncio


class Declined(Exception):
    """
    The fast path does not take this call; stock does, whole and untouched.

    *reason* is a short constant text, without values of the user's: it is a key of the statistics.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _missing(error: AttributeError) -> NoReturn:
    raise Declined(f"botocore internals differ: no {error.name}") from error


def emitter_of(client: Any) -> Any:
    """The `HierarchicalEmitter` behind `client.meta.events` (an `EventAliaser` or the emitter)."""
    events = client.meta.events
    return getattr(events, "_emitter", events)


def handlers_of(emitter: Any, event: str) -> tuple[Callable[..., Any], ...]:
    """The handlers that *event* would call, in the order of the calls."""
    try:
        return tuple(emitter._handlers.prefix_search(event))
    except AttributeError as error:
        _missing(error)


def registrations(emitter: Any) -> object:
    """
    A token that is another object after each `register` and `unregister`.

    Source: `HierarchicalEmitter._register_section` and `unregister` replace `_lookup_cache`.
    """
    try:
        return emitter._lookup_cache
    except AttributeError as error:
        _missing(error)


ENDPOINT = "_endpoint"  # names of a client's parts in its `__dict__`, and of its endpoint's session
SIGNER = "_request_signer"
SESSION = "http_session"


def endpoint_of(client: Any) -> Any:
    """The client's `botocore.endpoint.Endpoint`."""
    try:
        return client._endpoint
    except AttributeError as error:
        _missing(error)


def is_async(client: Any) -> bool:
    """Whether *client* is one of aiobotocore's."""
    return type(endpoint_of(client)).__module__.startswith("aiobotocore")


def signer_of(client: Any) -> Any:
    """The client's `botocore.signers.RequestSigner`."""
    try:
        return client._request_signer
    except AttributeError as error:
        _missing(error)


def credentials_of(signer: Any) -> Any:
    """The credentials object that *signer* signs with, or None."""
    try:
        return signer._credentials
    except AttributeError as error:
        _missing(error)


def known_credentials(client: Any) -> tuple[Any, bool]:
    """
    The credentials of *client* or None, and whether a call can sign with them as they are.

    Where not, they are to be frozen: they may have to be refreshed.
    """
    try:
        credentials = client._request_signer._credentials
    except AttributeError as error:
        _missing(error)
    return credentials, credentials is None or are_static(credentials)


def are_static(credentials: Any) -> bool:
    """
    Whether *credentials* are plain values that never change: frozen, they are what they are.

    Source: `Credentials.get_frozen_credentials` and its kin of aiobotocore.
    """
    cls = credentials.__class__
    freeze = _freezers.get(cls)
    if freeze is None:
        function = cls.get_frozen_credentials
        homes = (getattr(cls, "__module__", ""), getattr(function, "__module__", ""))
        if (cls.__name__, *homes) not in _STATIC:
            return False
        freeze = _freezers[cls] = function
    return cls.get_frozen_credentials is freeze


# (name of the class, its module, the module of its get_frozen_credentials)
_STATIC = frozenset(
    (
        ("Credentials", "botocore.credentials", "botocore.credentials"),
        ("AioCredentials", "aiobotocore.credentials", "aiobotocore.credentials"),
    )
)
_freezers: dict[type, Any] = {}  # static class to the function that it had when first seen


def serializer_of(client: Any) -> Any:
    """The protocol serializer of *client*, without the validation that is put around it."""
    try:
        outer = client._serializer
    except AttributeError as error:
        _missing(error)
    return getattr(outer, "_serializer", outer)


def ruleset_resolver_of(client: Any) -> Any:
    """The client's `EndpointRulesetResolver`, or None for a service without a ruleset."""
    try:
        return client._ruleset_resolver
    except AttributeError as error:
        _missing(error)


def ruleset_of(resolver: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(parameter definitions, builtins) of a resolver."""
    try:
        return resolver._param_definitions, resolver._builtins
    except AttributeError as error:
        _missing(error)


def cache_of(handler: Any) -> Any:
    """
    What the object that *handler* is a method of has learned of buckets.

    Of `S3RegionRedirectorv2` the regions, in a dict; of `S3ExpressIdentityResolver` the sessions,
    in an `S3ExpressIdentityCache`.
    """
    try:
        return handler.__self__._cache
    except AttributeError as error:
        _missing(error)


def most_attempts_of(handler: Any) -> int | None:
    """Of a legacy `RetryHandler`, or None where it does not tell."""
    return getattr(getattr(handler, "_checker", None), "_max_attempts", None)


def frozen_in(credentials: Any) -> Any:
    """What `RefreshableCredentials` are frozen to now, without a look at when they expire."""
    try:
        return credentials._frozen_credentials
    except AttributeError as error:
        _missing(error)


def parser_defaults_of(endpoint: Any) -> Mapping[str, Any]:
    """Arguments given to each response parser (the AWS CLI sets its own timestamp parser)."""
    try:
        return endpoint._response_parser_factory._defaults
    except AttributeError as error:
        _missing(error)


def session_settings(http_session: Any) -> tuple[Any, int]:
    """(timeout, most kept connections) of a URLLib3Session or AIOHTTPSession."""
    try:
        return http_session._timeout, http_session._max_pool_connections
    except AttributeError as error:
        _missing(error)


def proxy_for(http_session: Any, url: str) -> str | None:
    """The proxy that the session would use for *url*."""
    try:
        return http_session._proxy_config.proxy_url_for(url)
    except AttributeError as error:
        _missing(error)


def connection_pool_of(http_session: Any, url: str) -> Any:
    """
    The urllib3 pool that a `URLLib3Session` would take for *url*, with its TLS settings made.

    The fast path makes its connections with it (`_new_conn`), so that name resolution, socket
    options, TLS and its verification are stock's by construction.
    """
    try:
        pool = http_session._manager.connection_from_url(url)
        http_session._setup_ssl_cert(pool, url, http_session._verify)
    except AttributeError as error:
        _missing(error)
    return pool


def warn_of_unverified(pool: Any, connection: Any) -> None:
    """urllib3's warning, where *connection*, which is open, is of TLS that is not verified."""
    validate = getattr(pool, "_validate_conn", None)
    if validate is not None:
        validate(connection)


def refuses_short_bodies() -> bool:
    """
    Whether `URLLib3Session` takes a body that is shorter than its Content-Length for an error.

    It did up to botocore 1.43.114, as urllib3 2 does if it is not told; urllib3 1 did not.
    """
    if http_chunk_bytes() is None:
        return False
    send = inspect.unwrap(botocore.httpsession.URLLib3Session.send)
    code = getattr(send, "__code__", None)  # none where somebody has put another thing there
    named = {name for each in getattr(code, "co_consts", ()) for name in _names_in(each)}
    return "enforce_content_length" not in named


def _names_in(constant: Any) -> tuple[Any, ...]:
    """Names of arguments are constants of a function, on their own or in a tuple."""
    return constant if isinstance(constant, tuple) else (constant,)


def http_chunk_bytes() -> int | None:
    """
    The bytes of one HTTP chunk of a body that `URLLib3Session` sends in chunks.

    None: each piece that the body gives is one. Source: `HTTPConnection.request` of urllib3 2,
    `HTTPConnection.request_chunked` of urllib3 1.
    """
    own = inspect.signature(urllib3.connection.HTTPConnection).parameters.get("blocksize")
    if own is None:
        return None
    return getattr(botocore.httpsession, "BUFFER_SIZE", None) or int(own.default)


def companions_of(http_session: Any) -> Any:
    """
    The container of pools that `URLLib3Session.close()` clears.

    A pool of ours that lives in it is let go, and so closed, exactly when stock's are.
    """
    try:
        return http_session._manager.pools
    except AttributeError as error:
        _missing(error)


def exit_stack_of(http_session: Any) -> Any:
    """The `AsyncExitStack` that an `AIOHTTPSession` unwinds when its client is closed."""
    try:
        return http_session._exit_stack
    except AttributeError as error:
        _missing(error)


async def aiohttp_session_of(http_session: Any) -> Any:
    """
    The `aiohttp.ClientSession` that an `AIOHTTPSession` sends with (made on first use); None for
    a client that is closed, be it while that is made.
    """
    try:
        return await http_session._get_session(None)
    except (AttributeError, TypeError) as error:
        if getattr(http_session, "_sessions", ()) is None:
            return None
        if isinstance(error, AttributeError):
            _missing(error)
        raise


def connector_arguments_of(http_session: Any) -> Mapping[str, Any]:
    """The user's `connector_args` of an `AIOHTTPSession`."""
    try:
        return http_session._connector_args
    except AttributeError as error:
        _missing(error)


def connector_ssl_of(connector: Any) -> Any:
    """
    The TLS context that an aiohttp connector makes its connections with.

    Its `_ssl` is a context, True (the default one) or False (an unverified one).
    Source: `aiohttp.connector.TCPConnector._get_ssl_context`.
    """
    try:
        given = connector._ssl
    except AttributeError as error:
        _missing(error)
    if isinstance(given, ssl.SSLContext):
        return given
    context = ssl.create_default_context()
    if given is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif given is not True:
        raise Declined("TLS fingerprints")
    return context


def read_timeout_stopper() -> Callable[[Any], None]:
    """What stops the read timeout of an aiohttp `ResponseHandler`, as the end of an answer does."""
    from aiohttp.client_proto import ResponseHandler  # optional, and not for boto3

    try:
        return ResponseHandler._drop_timeout
    except AttributeError as error:
        _missing(error)


def leave_pending(task: asyncio.Task[Any]) -> None:
    """
    Let *task* go with its loop, without a word: as `asyncio.gather` does with what it leaves.
    """
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def unread_of(reader: asyncio.StreamReader) -> bool:
    """Whether a stream of asyncio holds bytes that nobody has read; yes where it cannot be told."""
    return bool(getattr(reader, "_buffer", True))


def loader_of(client: Any) -> Any:
    """The loader of models that the client was made with, or None."""
    return getattr(client, "_loader", None)


def is_stock_file_loader(loader: Any) -> bool:
    """Whether *loader* reads files as botocore's `JSONFileLoader` does, with nothing replaced."""
    cls = botocore.loaders.JSONFileLoader
    read = vars(cls).get("_load_file")
    return type(loader) is cls and not vars(loader) and read is _LOAD_FILE


_LOAD_FILE = vars(botocore.loaders.JSONFileLoader).get("_load_file")


def json_openers() -> Iterable[tuple[str, Callable[..., Any]]]:
    """(extension, function that opens) of data files, in the order in which botocore tries them."""
    try:
        return tuple(botocore.loaders._JSON_OPEN_METHODS.items())
    except AttributeError as error:
        _missing(error)


def results_of(loader: Any) -> dict[tuple[Any, ...], Any]:
    """What `instance_cache` keeps for a `Loader`, by name and arguments of its methods."""
    try:
        return loader._cache
    except AttributeError as error:
        _missing(error)


def aliases_of(aliaser: Any) -> tuple[Mapping[str, str], dict[str, str]]:
    """(old to new parts of event names, names that were changed by them) of an `EventAliaser`."""
    try:
        return aliaser._event_aliases, aliaser._alias_name_cache
    except AttributeError as error:
        _missing(error)


def alias_of(aliaser: Any, event: str) -> str:
    """The name that *aliaser* gives to *event*."""
    try:
        return aliaser._alias_event_name(event)
    except AttributeError as error:
        _missing(error)


def description_of(service_model: Any) -> Any:
    """The parsed model that a `ServiceModel` reads, or None."""
    return getattr(service_model, "_service_description", None)


def is_recording_history() -> bool:
    """Whether botocore's `HistoryRecorder` is on; on where that cannot be told."""
    return bool(getattr(_HISTORY, "_enabled", True))


_HISTORY = get_global_history_recorder()


def environment_test(name: str) -> Callable[[], bool]:
    """
    `name in os.environ`, as a function.

    The mapping raises and catches a KeyError where it is not, and encodes *name* before: 0.6 us.
    """
    environ: Any = os.environ
    try:
        known, key = environ._data, environ.encodekey(name)
    except AttributeError:  # not CPython's
        return lambda: name in os.environ
    return lambda: key in known if os.environ is environ else name in os.environ


def json_dumps() -> Callable[[Any], str]:
    """
    `json.dumps` by one encoder, where that makes one anew for each call, at half of its price.

    For what holds no cycles. Source: `JSONEncoder.iterencode`, and the C encoder that it calls.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return json.dumps

    def default(value: Any) -> Any:  # that may be replaced by somebody
        return json.JSONEncoder().default(value)

    quoted = json.encoder.encode_basestring_ascii
    try:
        pieces = make(None, default, quoted, None, ": ", ", ", False, False, True)
        pieces({"": [1.5, "", None]}, 0)
    except TypeError:  # it takes other arguments
        return json.dumps
    return lambda value: "".join(pieces(value, 0))


def uses_global_endpoint(client: Any) -> bool:
    """Source: `botocore.signers.generate_presigned_url`."""
    try:
        return botocore.signers._should_use_global_endpoint(client)
    except AttributeError as error:
        _missing(error)


def host_of(url: str) -> str:
    """The Host header that is signed for *url*."""
    try:
        return botocore.auth._host_from_url(url)
    except AttributeError as error:
        _missing(error)


def checksum_classes() -> Mapping[str, Any]:
    """Algorithm to botocore's class for it: those that can be computed here."""
    return getattr(botocore.httpchecksum, "_CHECKSUM_CLS", {})


def checksum_priority() -> list[str]:
    """Algorithms that an answer is checked with, best first."""
    return getattr(botocore.httpchecksum, "_ALGORITHMS_PRIORITY_LIST", [])


def current_features() -> frozenset[str] | None:
    """Feature identifiers that surrounding code registered for the User-Agent; None for none."""
    context = _current_context(None)
    return frozenset(context.features) if context is not None and context.features else None


def _no_variable(_: None) -> Any:
    return botocore.context.get_context()


# What `get_context` calls.
_current_context = getattr(getattr(botocore.context, "_context", None), "get", _no_variable)


STATE_KEY = "_boto_accel"  # entries of a client's __dict__: the fast path's,
SCOPE_KEY = "_boto_accel_cache"  # and the response cache's


def kept_on(client: Any, key: str = STATE_KEY) -> Any:
    """What `keep_on` put there, or None."""
    return client.__dict__.get(key)


def keep_on(client: Any, state: Any, key: str = STATE_KEY) -> None:
    """
    Keep *state* with *client*, so that it dies with it.

    In the client's own `__dict__` and not in a table of ours: the state refers to the client's
    handlers, and these may refer to the client. A table would keep all of them for ever.
    """
    client.__dict__[key] = state


def wrapper_in(function: Any) -> Any:
    """What a `FunctionWrapper` of wrapt calls in place of what it wraps; else *function* itself."""
    return getattr(function, "_self_wrapper", function)


def current_time() -> Any:
    """Now in UTC, without a zone, by botocore's clock."""
    return botocore.auth.get_current_datetime()


def signing_time() -> str:
    """
    The time that a signature made now carries ("20261121T064958Z"), by botocore's clock.

    A clock that is replaced (freezegun, a test) is asked each time; else one text serves a second.
    """
    global _last_second
    auth = botocore.auth
    if auth.get_current_datetime is not _CLOCK or compat.datetime.datetime is not _DATETIME:
        return auth.get_current_datetime().strftime(_TIMESTAMP)
    second = int(time.time())
    known, text = _last_second  # one read: another thread may replace it
    if known != second:
        text = time.strftime(_TIMESTAMP, time.gmtime(second))
        _last_second = (second, text)
    return text


_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_CLOCK = getattr(botocore.auth, "get_current_datetime", None)
_DATETIME = datetime.datetime
_last_second = (0, "")


# For the response cache: who calls, and what else has a part in the answer


def auth_token_of(signer: Any) -> Any:
    """The bearer token that *signer* may sign with, or None."""
    try:
        return signer._auth_token
    except AttributeError as error:
        _missing(error)


_ASSUMED = {
    ("botocore", "AssumeRoleCredentialFetcher"),
    ("aiobotocore", "AioAssumeRoleCredentialFetcher"),
}


def static_key_of(credentials: Any) -> str | None:
    """The access key id of credentials that are never refreshed; None for others."""
    return credentials.access_key if are_static(credentials) else None


def role_of(credentials: Any) -> tuple[Any, ...] | None:
    """
    (whose credentials it is assumed with, arguments of AssumeRole) of a configured role.

    The former is an access key id, or again such a pair: a role may be assumed by a role. A session
    name that botocore makes up is no part of it.
    None for all other credentials, and for a role that is assumed with such. Also with MFA: only
    who has passed it may see what it gives.
    Source: `botocore.credentials.AssumeRoleCredentialFetcher._create_cache_key`.
    """
    fetcher = getattr(getattr(credentials, "_refresh_using", None), "__self__", None)
    if fetcher is None or _kind_of(fetcher) not in _ASSUMED:
        return None
    try:
        source = fetcher._source_credentials
        whose = static_key_of(source) or role_of(source)
        arguments = dict(fetcher._assume_kwargs)
        if fetcher._using_default_session_name:
            arguments.pop("RoleSessionName", None)
    except AttributeError:
        return None
    return None if whose is None or "SerialNumber" in arguments else (whose, arguments)


def _kind_of(value: Any) -> tuple[str, str]:
    return type(value).__module__.partition(".")[0], type(value).__name__


# For S3 on Redis


def verify_of(http_session: Any) -> Any:
    """The `verify` that a client was made with: True, False or a CA file."""
    try:
        return http_session._verify
    except AttributeError as error:
        _missing(error)


def parameter_emitter_of(client: Any) -> Callable[..., Any]:
    """What runs the handlers of provide-client-params and before-parameter-build."""
    try:
        emit: Callable[..., Any] = client._emit_api_params
    except AttributeError as error:
        _missing(error)
    return emit
