"""
Where a call goes: botocore resolves its ruleset, the answer is kept.

The answer is kept under the values of just those parameters that the rules read, and the region
that botocore's redirector has learned for the bucket.
Source: `botocore.regions.EndpointRulesetResolver`, `BaseClient._resolve_endpoint_ruleset`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.utils import ArnParser

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath.steps import Steps

_SENT_AS_IT_IS = re.compile(r"[A-Za-z0-9_.\-~/!$&'()*+,;=:@]*").fullmatch
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_.\-:\[\]]+").fullmatch  # no "bucket\\n", which rules let pass

MOST_KEPT = 1024  # endpoints of one plan; beyond it they are forgotten all at once
SIGNERS = {
    "standard": frozenset(("s3v4",)),
    "presign-url": frozenset(("s3-query", "s3v4-query")),
    "presign-post": frozenset(("s3-presign-post", "s3v4-presign-post")),
}  # by signing type (RequestSigner.sign)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One resolved place.

    url: as botocore has it. base: its path, without a closing slash where a path follows.
    headers: what the ruleset adds. version: of the signature, None for anonymous calls. region,
    signing_name: of the credential scope. payload_signing: the `payload_signing_enabled` of the
    context, None where the signer decides. redirected: whether botocore's redirector learned the
    region, which shows in the User-Agent. context: what resolving put into the request context.
    """

    url: str
    origin: str
    https: bool
    host: str
    base: str
    headers: Mapping[str, str]
    version: str | None
    region: str
    signing_name: str
    payload_signing: bool | None
    redirected: bool
    context: Mapping[str, Any]

    @property
    def signs(self) -> bool:
        return self.version is not None


class Resolver:
    """Resolves and remembers the endpoints of one operation of one client."""

    def __init__(
        self,
        client: Any,
        operation_model: Any,
        redirects: Mapping[str, str],
        signing_type: str = "standard",
    ) -> None:
        self._operation_model = operation_model
        # A post is signed as the PutObject that it stands for (S3PostPresigner).
        self._signed_as = "PutObject" if signing_type == "presign-post" else operation_model.name
        self._signing_type = signing_type
        self._redirects = redirects
        self._kept: dict[Any, Endpoint] = {}
        self.members = _members_read(client, operation_model)

    def find(self, params: Mapping[str, Any]) -> Endpoint | None:
        """The endpoint for *params*, if it was resolved before."""
        members = self.members
        if len(members) == 1:  # a bucket, as a rule
            value = params.get(members[0])
            if value.__class__ is not str and value is not None:
                raise Declined("parameters of an unusual type")
            if self._redirects:
                return self._kept.get((value, self._redirects.get(value or "")))
            return self._kept.get(value)
        return self._kept.get(self._key(params))

    def _key(self, params: Mapping[str, Any]) -> Any:
        values = tuple([params.get(name) for name in self.members])
        for value in values:
            if value is not None and value.__class__ not in (str, bool):
                raise Declined("parameters of an unusual type")
        if self._redirects:
            bucket = params.get("Bucket")
            values += (self._redirects.get(bucket or ""),)
        return values[0] if len(values) == 1 else values

    def resolve(
        self, client: Any, params: Mapping[str, Any], context: dict[str, Any]
    ) -> Steps[Endpoint]:
        """Ask botocore, and keep the answer. What botocore raises is left to stock to raise."""
        key = self._key(params)
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
        if properties:
            context["endpoint_properties"] = properties
        signer = _compat.signer_of(client)
        version = yield signer._choose_signer(self._signed_as, self._signing_type, context)
        if version is not UNSIGNED and version not in SIGNERS[self._signing_type]:
            raise Declined(f"signature version {version}")
        redirected = params.get("Bucket") in self._redirects
        endpoint = _endpoint(client, url, headers, context, version, redirected)
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = endpoint
        return endpoint


def _endpoint(
    client: Any,
    url: str,
    headers: Mapping[str, str],
    context: dict[str, Any],
    version: Any,
    redirected: bool,
) -> Endpoint:
    if (context.get("endpoint_properties") or {}).get("backend") == "S3Express":
        raise Declined("S3 Express")
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
    if version is not UNSIGNED and not (isinstance(region, str) and signing_name):
        raise Declined("no signing region")
    return Endpoint(
        url=url,
        origin=f"{parts.scheme}://{parts.netloc}",
        https=parts.scheme == "https",
        host=_compat.host_of(url),
        base=parts.path,
        headers=dict(headers),
        version=None if version is UNSIGNED else version,
        region=region or "",
        signing_name=signing_name,
        payload_signing=context.get("payload_signing_enabled"),
        redirected=redirected,
        context={
            key: context[key]
            for key in ("auth_type", "signing", "endpoint_properties", "payload_signing_enabled")
            if key in context
        },
    )


def _members_read(client: Any, operation_model: Any) -> tuple[str, ...]:
    """Names of the input members that the rules, and botocore's handlers of them, can see."""
    resolver = _compat.ruleset_resolver_of(client)
    if resolver is None:
        return ()
    definitions, builtins = _compat.ruleset_of(resolver)
    if operation_model.operation_context_parameters:
        raise Declined("endpoint parameters by path")
    if any(callable(builtins.get(one.builtin)) for one in definitions.values() if one.builtin):
        raise Declined("an endpoint that depends on the account")
    read = _references(client)
    members = [
        parameter.member_name
        for parameter in operation_model.context_parameters
        if read is None or parameter.name in read
    ]
    shape = operation_model.input_shape
    if shape is not None and "Bucket" in shape.members and "Bucket" not in members:
        members.append("Bucket")  # customize_endpoint_resolver_builtins looks at it
    return tuple(members)


def _references(client: Any) -> frozenset[str] | None:
    """Parameters that the rules of the client's service refer to; None where that is unknown."""
    loader = _compat.loader_of(client)
    model = client.meta.service_model
    if loader is None:
        return None
    try:
        rules = loader.load_service_model(
            model.service_name, "endpoint-rule-set-1", api_version=model.api_version
        )
    except Exception:
        return None
    return _references_in(json.dumps(rules.get("rules", [])))


def _references_in(text: str) -> frozenset[str]:
    """Names in {"ref": "Bucket"} and in templates "https://{Bucket}.…" of a ruleset."""

    named = re.findall(r'"ref": "(\w+)"', text)
    templated = re.findall(r"\{(\w+)(?:#\w+)?\}", text)
    return frozenset(named) | frozenset(templated)
