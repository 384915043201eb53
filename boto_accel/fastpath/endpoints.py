"""
Where a call goes: botocore resolves its ruleset, the answer is kept.

The answer is kept under the values of just those parameters that the rules read, and the region
that botocore's redirector has learned for the bucket.
Source: `botocore.regions.EndpointRulesetResolver`, `BaseClient._resolve_endpoint_ruleset`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jmespath
from botocore import UNSIGNED
from botocore.regions import EndpointResolverBuiltins
from botocore.serialize import HOST_PREFIX_RE
from botocore.utils import ArnParser
from jmespath.exceptions import JMESPathError

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import compiled
from boto_accel.fastpath.lanes.scalars import INVALID
from boto_accel.fastpath.sessions import Sessions
from boto_accel.fastpath.steps import Steps

_SENT_AS_IT_IS = re.compile(r"[A-Za-z0-9_.\-~/!$&'()*+,;=:@]*").fullmatch
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_.\-:\[\]]+").fullmatch  # no "bucket\\n", which rules let pass

MOST_KEPT = 1024  # endpoints of one plan; beyond it they are forgotten all at once
# What is put into the request context meanwhile, by botocore's handlers (S3 Control) as well.
_OF_RESOLVING = (
    "auth_type",
    "signing",
    "endpoint_properties",
    "payload_signing_enabled",
    "outpost_id",
)
_EXPRESS = "v4-s3express"  # `S3ExpressAuth`
SIGNERS = {
    "standard": frozenset(("s3v4", "v4", _EXPRESS)),
    "presign-url": frozenset(("s3-query", "s3v4-query")),
    "presign-post": frozenset(("s3-presign-post", "s3v4-presign-post")),
}  # by signing type (RequestSigner.sign)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One resolved place.

    url: as botocore has it. base: its path, without a closing slash where a path follows.
    headers: what the ruleset adds. version: of the signature, None for anonymous calls. signs:
    whether there is one. is_s3: whether it is S3's kind of version 4 (`S3SigV4Auth`). region,
    signing_name: of the credential scope. payload_signing: the `payload_signing_enabled` of the
    context, None where the signer decides. sessions: those whose credentials
    sign, None where the client's own do. marks: whether botocore's redirector learned the region,
    and whether an account is known, which show in the User-Agent; and whether there are sessions.
    context: what resolving put into the request context.
    """

    url: str
    origin: str
    https: bool
    host: str
    base: str
    headers: Mapping[str, str]
    version: str | None
    signs: bool
    is_s3: bool
    region: str
    signing_name: str
    payload_signing: bool | None
    sessions: Sessions | None
    marks: tuple[bool, bool, bool]
    context: Mapping[str, Any]


class Resolver:
    """Resolves and remembers the endpoints of one operation of one client."""

    def __init__(
        self,
        client: Any,
        operation_model: Any,
        redirects: Mapping[str, str],
        sessions: Sessions | None = None,
        not_arns: tuple[str, ...] = (),
        signing_type: str = "standard",
    ) -> None:
        self._operation_model = operation_model
        # A post is signed as the PutObject that it stands for (S3PostPresigner).
        self._signed_as = "PutObject" if signing_type == "presign-post" else operation_model.name
        self._signing_type = signing_type
        self._redirects = redirects
        self._sessions = sessions
        self._not_arns = not_arns  # parameters for which an ARN is stock's
        self._kept: dict[Any, Endpoint] = {}
        self._prefix = HostPrefix(client, operation_model)
        read = Read(client, operation_model)
        self.members = tuple(dict.fromkeys((*read.members, *self._prefix.labels, *not_arns)))
        self._searches = read.searches
        self._has_account = read.has_account
        self._by_one_member = len(self.members) == 1 and not (read.searches or read.has_account)

    def find(self, params: Mapping[str, Any], credentials: Any = None) -> Endpoint | None:
        """The endpoint for *params*, if it was resolved before."""
        if self._by_one_member:  # a bucket, as a rule
            value = params.get(self.members[0])
            if value.__class__ is not str and value is not None:
                raise Declined("parameters of an unusual type")
            if self._redirects:
                return self._kept.get((value, self._redirects.get(value or "")))
            return self._kept.get(value)
        return self._kept.get(self._key(params, credentials))

    def _key(self, params: Mapping[str, Any], credentials: Any) -> Any:
        values = tuple([params.get(name) for name in self.members])
        for value in values:
            if value is not None and value.__class__ not in (str, bool):
                raise Declined("parameters of an unusual type")
        if self._redirects:
            values += (self._redirects.get(params.get("Bucket") or ""),)
        if self._has_account:
            values += (getattr(credentials, "account_id", None),)
        for search in self._searches:
            values += (_searched(search, params),)
        return values[0] if len(values) == 1 else values

    def resolve(
        self,
        client: Any,
        params: Mapping[str, Any],
        context: dict[str, Any],
        credentials: Any = None,
    ) -> Steps[Endpoint]:
        """Ask botocore, and keep the answer. What botocore raises is left to stock to raise."""
        key = self._key(params, credentials)
        if any(ArnParser.is_arn(params.get(name)) for name in self._not_arns):
            raise Declined("an ARN of S3 Control")
        model = self._operation_model
        context = dict(context)
        options = {}
        if self._signing_type != "standard":
            # As botocore.signers.generate_presigned_url
            options["ignore_signing_region"] = not ArnParser.is_arn(params.get("Bucket", ""))
        try:
            found = yield client._resolve_endpoint_ruleset(model, params, context, **options)
        except Exception:
            raise Declined("no endpoint for these parameters") from None
        url, headers, properties = found
        url = self._prefix.before(url, params)
        if properties:
            context["endpoint_properties"] = properties
        signer = _compat.signer_of(client)
        version = yield signer._choose_signer(self._signed_as, self._signing_type, context)
        if version is not UNSIGNED and version not in SIGNERS[self._signing_type]:
            raise Declined(f"signature version {version}")
        sessions = self._sessions if version == _EXPRESS else None
        if version == _EXPRESS and not (
            sessions is not None
            and context.get("signing", {}).get("signing_name") == "s3express"
            and isinstance(params.get("Bucket"), str)
        ):
            raise Declined("S3 Express without a session")  # stock has an error for it
        redirected = params.get("Bucket") in self._redirects
        has_account = self._has_account and getattr(credentials, "account_id", None) is not None
        marks = (redirected, has_account, sessions is not None)
        endpoint = _endpoint(client, url, headers, context, version, sessions, marks)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = endpoint
        return endpoint


def _searched(search: Callable[[Any], Any], params: Mapping[str, Any]) -> Any:
    """What *search* finds in parameters nobody has validated: nothing, a text, or several."""
    try:
        value = search(params)
    except JMESPathError:
        raise Declined(INVALID) from None
    if value.__class__ is list and all(item.__class__ is str for item in value):
        return tuple(value)
    if value is None or value.__class__ is str:
        return value
    raise Declined("parameters of an unusual type")


class HostPrefix:
    """
    What the model puts before the host, with parameters in it.

    labels: the names of these parameters.
    Source: `Serializer._expand_host_prefix`, `BaseClient._convert_to_request_dict`.
    """

    def __init__(self, client: Any, operation_model: Any) -> None:
        trait = operation_model.endpoint or {}
        injects = client.meta.config.inject_host_prefix
        self._template: str = trait.get("hostPrefix", "") if injects else ""
        self.labels: tuple[str, ...] = ()
        shape = operation_model.input_shape
        if self._template and shape is not None:
            self.labels = tuple(
                name
                for name, member in shape.members.items()
                if member.serialization.get("hostLabel")
            )

    def before(self, url: str, params: Mapping[str, Any]) -> str:
        """*url* with the prefix for *params*."""
        if not self._template:
            return url
        values = {name: params.get(name) for name in self.labels}
        for value in values.values():
            if not (isinstance(value, str) and HOST_PREFIX_RE.match(value)):
                raise Declined(INVALID)
        prefix = self._template.format(**values) if self.labels else self._template
        scheme, rest = url.split("://", 1)
        return f"{scheme}://{prefix}{rest}"


def _endpoint(
    client: Any,
    url: str,
    headers: Mapping[str, str],
    context: dict[str, Any],
    version: Any,
    sessions: Sessions | None,
    marks: tuple[bool, bool, bool],
) -> Endpoint:
    signing = context.get("signing", {})
    if not signing.keys() <= {"region", "signing_name", "disableDoubleEncoding"}:
        raise Declined("an unusual signing context")
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username or parts.password:
        raise Declined("an endpoint with more than a path")
    if not _PLAIN_HOST(parts.netloc) or parts.netloc not in url:
        raise Declined("an endpoint with an unusual host")
    if not _SENT_AS_IT_IS(parts.path):
        raise Declined("an endpoint path that is encoded when it is sent")
    signer = _compat.signer_of(client)
    region = signing.get("region") or signer.region_name
    signing_name = signing.get("signing_name") or signer.signing_name
    signs = version is not UNSIGNED
    if signs and not (isinstance(region, str) and signing_name):
        raise Declined("no signing region")
    return Endpoint(
        url=url,
        origin=f"{parts.scheme}://{parts.netloc}",
        https=parts.scheme == "https",
        host=_compat.host_of(url),
        base=parts.path,
        headers=dict(headers),
        version=version if signs else None,
        signs=signs,
        is_s3=version in ("s3v4", _EXPRESS),
        region=region or "",
        signing_name=signing_name,
        payload_signing=context.get("payload_signing_enabled"),
        sessions=sessions,
        marks=marks,
        context={key: context[key] for key in _OF_RESOLVING if key in context},
    )


class Read:
    """
    What the rules, and botocore's handlers of them, can see of a call.

    members: names of input members. searches: of parameters by a path (JMESPath). has_account:
    whether they see the account of the credentials.
    """

    def __init__(self, client: Any, operation_model: Any) -> None:
        self.members: tuple[str, ...] = ()
        self.searches: tuple[Callable[[Any], Any], ...] = ()
        self.has_account = False
        resolver = _compat.ruleset_resolver_of(client)
        if resolver is None:
            return
        definitions, builtins = _compat.ruleset_of(resolver)
        for one in definitions.values():
            if one.builtin and callable(builtins.get(one.builtin)):
                if one.builtin != EndpointResolverBuiltins.ACCOUNT_ID:
                    raise Declined("an endpoint that a function decides")
                self.has_account = True
        read = compiled.references_of(client, _references_in)
        members = [
            parameter.member_name
            for parameter in operation_model.context_parameters
            if read is None or parameter.name in read
        ]
        shape = operation_model.input_shape
        if shape is not None and "Bucket" in shape.members and "Bucket" not in members:
            members.append("Bucket")  # customize_endpoint_resolver_builtins looks at it
        self.members = tuple(members)
        paths = operation_model.operation_context_parameters or {}  # a list where there are none
        self.searches = tuple(
            jmespath.compile(found["path"]).search
            for name, found in paths.items()
            if read is None or name in read
        )


def _references_in(ruleset: Mapping[str, Any]) -> frozenset[str]:
    """Names in {"ref": "Bucket"} and in templates "https://{Bucket}.…" of a ruleset."""
    text = json.dumps(ruleset.get("rules", []))
    named = re.findall(r'"ref": "(\w+)"', text)
    templated = re.findall(r"\{(\w+)(?:#\w+)?\}", text)
    return frozenset(named) | frozenset(templated)
