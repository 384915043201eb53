"""
Presigned URLs: the request is bound by the compiled plan, and signed into its query.

Both kinds that S3 knows are here: version 4, and the older one that botocore still uses by
default. The first URL of a kind is made by botocore and compared with ours.
Source: `botocore.signers.generate_presigned_url`, `botocore.auth.S3SigV4QueryAuth`,
`HmacV1QueryAuth`.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from botocore.auth import HmacV1Auth

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import call as calls
from boto_accel.fastpath import sigv4
from boto_accel.fastpath.endpoints import Endpoint
from boto_accel.fastpath.lanes import rest, scalars
from boto_accel.fastpath.plan import PresignPlan
from boto_accel.fastpath.proof import Different
from boto_accel.fastpath.state import ClientState
from boto_accel.fastpath.steps import Steps
from boto_accel.fastpath.variant import Draft, Variant

FUNCTION = "generate_presigned_url"
RESOURCES = frozenset(HmacV1Auth.QSAOfInterest)
_DATE = re.compile(r"[?&]X-Amz-Date=([0-9TZ]+)")
_EXPIRES = re.compile(r"[?&]Expires=(-?[0-9]+)")


class Asked(NamedTuple):
    """The arguments of one `generate_presigned_url`."""

    params: dict[str, Any]
    expires_in: int
    http_method: str | None


def asked(client: Any, arguments: tuple[Any, ...]) -> tuple[str, Asked]:
    """(operation, what is asked for). Declines arguments that are not of the usual types."""
    method_name, params, expires_in, http_method = arguments
    operation = None
    if type(method_name) is str:
        operation = client.meta.method_to_api_mapping.get(method_name)
    if operation is None or not (params is None or type(params) is dict):
        raise Declined(scalars.INVALID)
    if type(expires_in) is not int or not (http_method is None or type(http_method) is str):
        raise Declined("parameters of an unusual type")
    return operation, Asked(params or {}, expires_in, http_method)


def name_of(client: Any, arguments: tuple[Any, ...]) -> str:
    """What statistics call the operation that a URL is asked for."""
    known = client.meta.method_to_api_mapping
    method = arguments[0]
    return f"{known[method]} (presigned)" if type(method) is str and method in known else "unknown"


def quick(plan: PresignPlan, call: Asked, credentials: Any) -> str | None:
    """The URL, or None where `slow` has to learn something first."""
    variant = plan.variant(tuple(call.params))
    if variant.triggered or plan.runs_parameter_handlers:
        return None
    endpoint = plan.resolver.find(call.params)
    if endpoint is None or (endpoint.version, call.http_method) not in variant.proved:
        return None
    url = _url(plan, variant, endpoint, call, call.params, credentials, None)
    _leave_defaults(plan, call)
    return url


def _leave_defaults(plan: PresignPlan, call: Asked) -> None:
    """botocore's handlers add them to the caller's own dict, where he finds them afterwards."""
    for name, value in plan.defaults.items():
        call.params.setdefault(name, value)


def slow(
    state: ClientState,
    plan: PresignPlan,
    client: Any,
    call: Asked,
    credentials: Any,
    stock: Callable[[], Any],
    counts: Any,
) -> Steps[str]:
    """The URL, learning what is missing. *stock* makes botocore's URL for the same arguments."""
    if plan.runs_parameter_handlers:
        raise Declined("parameter handlers of the user's")
    params = call.params
    context = dict(plan.context)
    variant = plan.variant(tuple(params))
    if variant.triggered:
        given = params
        params = variant.run_triggered(dict(params), context)
        if any(params[name] != value for name, value in given.items()):
            # stock rewrites the caller's own dict: it must not be asked twice
            raise Declined("parameters that a handler of botocore's rewrites")
        variant = plan.variant(tuple(params), settled=True)
    endpoint = plan.resolver.find(params)
    if endpoint is None:
        calls.check_bucket(plan, params)
        endpoint = yield from plan.resolver.resolve(client, params, context)
    kind = (endpoint.version, call.http_method)
    if kind in variant.proved:
        url = _url(plan, variant, endpoint, call, params, credentials, None)
        _leave_defaults(plan, call)
        return url
    try:
        theirs = yield stock()
    except Exception as error:
        raise calls.StocksOwn(error) from None
    if theirs != _url(plan, variant, endpoint, call, params, credentials, theirs):
        counts.count_retired()
        state.retire(plan, Different("a presigned URL"))
    else:
        variant.proved[kind] = ""
        counts.count_proved()
    return theirs


def _url(
    plan: PresignPlan,
    variant: Variant,
    endpoint: Endpoint,
    call: Asked,
    params: Mapping[str, Any],
    credentials: Any,
    beside: str | None,
) -> str:
    """The URL; *beside*: another whose moment it is to have, to be compared with it."""
    if credentials is None and endpoint.signs:
        raise Declined("no credentials")
    draft = variant.bind_for_presigning(params, endpoint)
    method = (plan.method if call.http_method is None else call.http_method).upper()
    if endpoint.version == "s3v4-query":
        found = _DATE.search(beside) if beside else None
        timestamp = found.group(1) if found else _compat.signing_time()
        query = _v4_query(endpoint, draft, method, call.expires_in, credentials, timestamp)
    elif endpoint.version == "s3-query":
        found = _EXPIRES.search(beside) if beside else None
        expires = found.group(1) if found else str(int(time.time() + call.expires_in))
        resource = _resource(plan.auth_path(params, draft.path), draft.query)
        query = _v2_query(draft, method, resource, expires, credentials)
    else:
        query = draft.query
    base = endpoint.origin + draft.path
    return f"{base}?{query}" if query else base


def _v4_query(
    endpoint: Endpoint, draft: Draft, method: str, expires_in: int, credentials: Any, timestamp: str
) -> str:
    """Source: `S3SigV4QueryAuth`."""
    names, lines = "host", f"host:{endpoint.host}"
    if draft.headers:
        headers = [(name.lower(), sigv4.trimmed(value)) for name, value in draft.headers.items()]
        headers.append(("host", endpoint.host))
        headers.sort()
        names = ";".join([name for name, _ in headers])
        lines = "\n".join([f"{name}:{value}" for name, value in headers])
    scope = (timestamp[:8], endpoint.region, endpoint.signing_name, "aws4_request")
    pairs = [
        ("X-Amz-Algorithm", sigv4.ALGORITHM),
        ("X-Amz-Credential", "%2F".join(map(rest.encode, (credentials.access_key, *scope)))),
        ("X-Amz-Date", timestamp),
        ("X-Amz-Expires", str(expires_in)),
        ("X-Amz-SignedHeaders", names.replace(";", "%3B")),
    ]
    if credentials.token is not None:
        pairs.append(("X-Amz-Security-Token", rest.encode(credentials.token)))
    if draft.pairs:
        pairs = draft.pairs + pairs
    query = "&".join([f"{name}={value}" for name, value in pairs])
    canonical = sigv4.canonical_query(pairs)
    signature = sigv4.signature(
        f"{method}\n{draft.path}\n{canonical}\n{lines}\n\n{names}\n{sigv4.UNSIGNED_PAYLOAD}",
        timestamp,
        "/".join(scope),
        sigv4.signing_key(
            credentials.secret_key, timestamp[:8], endpoint.region, endpoint.signing_name
        ),
    )
    return f"{query}&X-Amz-Signature={signature}"


def _v2_query(draft: Draft, method: str, resource: str, expires: str, credentials: Any) -> str:
    """Source: `HmacV1QueryAuth`."""
    content_md5 = content_type = custom = extra = ""
    if draft.headers or credentials.token:
        headers = {name.lower(): value for name, value in draft.headers.items()}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        content_md5 = headers.get("content-md5", "").strip()
        content_type = headers.get("content-type", "").strip()
        for name in sorted(headers):
            if name.startswith("x-amz-"):
                custom += f"{name}:{headers[name].strip()}\n"
        for name, value in headers.items():
            if name.startswith("x-amz-") or name in ("content-md5", "content-type"):
                extra += f"{rest.encode(name)}={rest.encode(value)}&"
    to_sign = f"{method}\n{content_md5}\n{content_type}\n{expires}\n{custom}{resource}"
    signed = sigv4.older_signing_key(credentials.secret_key).digest(to_sign)
    signature = base64.b64encode(signed).decode().replace("+", "%2B").replace("/", "%2F")
    before = f"{draft.query}&" if draft.query else ""
    return (
        f"{before}AWSAccessKeyId={rest.encode(credentials.access_key)}"
        f"&Signature={signature.replace('=', '%3D')}&{extra}Expires={expires}"
    )


def _resource(path: str, query: str) -> str:
    """Source: `HmacV1Auth.canonical_resource`."""
    if not query:
        return path
    named = [part.split("=", 1) for part in query.split("&")]
    wanted = [part for part in named if part[0] in RESOURCES]
    if not wanted:
        return path
    wanted.sort(key=lambda part: part[0])
    parts = [name[0] if len(name) == 1 else f"{name[0]}={unquote(name[1])}" for name in wanted]
    return f"{path}?{'&'.join(parts)}"
