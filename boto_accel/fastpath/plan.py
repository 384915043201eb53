"""
The plan of one operation of one client: all that can be known before a call.

A `Plan` is what the model, the configuration and the handlers say; its variants (`variant.py`)
add what the names of the given parameters decide.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore import UNSIGNED

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath import checksums, compiled, eligibility
from boto_accel.fastpath.endpoints import SIGNERS, Endpoint, Resolver
from boto_accel.fastpath.lanes import ec2, json, query, rest, rest_json, rest_xml, rpc_v2_cbor
from boto_accel.fastpath.refusals import Refusals
from boto_accel.fastpath.replies import Answers
from boto_accel.fastpath.sessions import Sessions
from boto_accel.fastpath.variant import Variant

MOST_VARIANTS = 256  # sets of parameter names that one plan remembers
LANES: Mapping[str, Any] = {
    "ec2": ec2,
    "json": json,
    "query": query,
    "rest-json": rest_json,
    "rest-xml": rest_xml,
    "smithy-rpc-v2-cbor": rpc_v2_cbor,
}


class Plan:
    """
    One operation of one client.

    Raises Declined, with the reason, where the operation is not for the fast path. A plan holds
    until handlers are registered or seams move; `ClientState` sees to that.
    """

    signing_type = "standard"  # as RequestSigner.sign knows it
    writer: Any  # the lane's RequestWriter
    headers: dict[str, str]  # that every request has
    defaults: dict[str, Any]
    template: rest.Template
    fixed_query: str
    rule: checksums.RequestRule

    def __init__(self, client: Any, operation: str, is_async: bool, emitter: Any) -> None:
        self.is_async = is_async
        self.model = model = client.meta.service_model.operation_model(operation)
        self.service = model.service_model.service_name
        self.operation = operation
        self.config = client.meta.config
        self._check_model(client, model)
        handlers = Handlers(emitter, model)
        handlers.check()
        self.runs_parameter_handlers = handlers.foreign_parameters
        self.parameter_handlers = handlers.parameters
        self.transfer_handlers = handlers.transfer
        before_call = handlers.names("before-call")
        self.escapes_xml = "escape_xml_payload" in before_call
        self.expects = "add_expect_header" in before_call
        self.marks_unsigned_trailers = "_set_extra_headers_for_unsigned_request" in handlers.names(
            "before-sign"
        )
        self.converts_body = "convert_body_to_file_like_object" in handlers.parameter_names
        handlers.settle_model(model)

        serializer = _compat.serializer_of(client)
        lane = LANES.get(model.service_model.resolved_protocol)
        if lane is None:
            raise Declined(f"protocol {model.service_model.resolved_protocol}")
        self.writer = compiled.writer(client, model, lane, serializer)
        self.headers = {**self.writer.headers, **handlers.headers(model)}
        self.method = self.writer.method
        self.streams_output = model.has_streaming_output
        self.tokens = tuple(model.idempotent_members) if handlers.fills_tokens else ()
        self.compressed_from = self._compressed_from(model)
        path, _, self.fixed_query = self.writer.path.partition("?")
        self.template = rest.Template(path, self.writer.binding)
        self.rule = checksums.request_rule(model, self.config)
        self.s3_payload_signing = (getattr(self.config, "s3", None) or {}).get(
            "payload_signing_enabled"
        )
        self.context = self._context(client)
        self.defaults = handlers.defaults(model, self.context.get("client_config"))
        self.resolver = Resolver(
            client,
            model,
            handlers.redirects(),
            handlers.sessions(),
            handlers.not_arns,
            self.signing_type,
        )
        self.answers = Answers(client, model, lane, handlers)
        self.refusals = Refusals(client, model, handlers, self.answers.reader.ids)
        self._variants: dict[tuple[str, ...], Variant] = {}
        self._settled: dict[tuple[str, ...], Variant] = {}

    def _context(self, client: Any) -> dict[str, Any]:
        """The request context that a call starts with. Source: `BaseClient._make_api_call`."""
        model = self.model
        return {
            "client_region": client.meta.region_name,
            "client_config": self.config,
            "has_streaming_input": model.has_streaming_input,
            "auth_type": model.resolved_auth_type,
            "unsigned_payload": model.unsigned_payload,
            "auth_options": model.service_model.metadata.get("auth"),
        }

    def _check_model(self, client: Any, model: Any) -> None:
        if model.has_event_stream_input or model.has_event_stream_output:
            raise Declined("event streams")
        version = _compat.signer_of(client).signature_version
        known = version is UNSIGNED or version in SIGNERS["standard"]
        if self.signing_type == "standard" and not known:
            raise Declined(f"signature version {version}")
        if getattr(model, "auth", None) and getattr(self.config, "auth_scheme_preference", None):
            raise Declined("an auth scheme preference")

    def _compressed_from(self, model: Any) -> float:
        """
        The bytes of a body from which on botocore compresses it, which is left to it.

        Source: `botocore.compress._should_compress_request`.
        """
        if model.request_compression is None or self.config.disable_request_compression is True:
            return math.inf
        if model.has_streaming_input:
            raise Declined("request compression")
        return float(self.config.request_min_compression_size_bytes)

    def with_tokens(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """*params* with idempotency tokens. Source: `handlers.generate_idempotent_uuid`."""
        missing = [name for name in self.tokens if name not in params]
        return {**params, **{name: str(uuid.uuid4()) for name in missing}} if missing else params

    def variant(self, names: tuple[str, ...], settled: bool = False) -> Variant:
        """
        The variant for parameters with *names*, in their order.

        *settled* says that the parameter handlers have run.
        """
        kept = self._settled if settled else self._variants
        variant = kept.get(names)
        if variant is None:
            variant = Variant(self, names, settled)
            if len(kept) >= MOST_VARIANTS:
                kept.clear()
            kept[names] = variant
        return variant


class Handlers:
    """The handlers that the events of one operation call, sorted by what they mean here."""

    def __init__(self, emitter: Any, model: Any) -> None:
        service = model.service_model.service_id.hyphenize()
        self._of = {
            event: _compat.handlers_of(emitter, f"{event}.{service}.{model.name}")
            for event in _EVENTS
        }
        endpoint_event = f"before-endpoint-resolution.{service}"
        self._endpoint = _compat.handlers_of(emitter, endpoint_event)
        before = self._of["before-parameter-build"]
        self.parameter_names = frozenset(map(eligibility.name_of, before))
        self.fills_tokens = "generate_idempotent_uuid" in self.parameter_names
        self.foreign_parameters = bool(
            self._of["provide-client-params"]
            or eligibility.unknown(before, eligibility.PARAMETER_HANDLERS)
        )
        self.parameters = tuple(
            (handler, eligibility.PARAMETER_HANDLERS.get(eligibility.name_of(handler) or "", ()))
            for handler in before
        )
        self.not_arns = tuple(
            parameter
            for handler in self._endpoint
            for parameter in eligibility.ENDPOINT_HANDLERS.get(
                eligibility.name_of(handler) or "", ()
            )
        )
        self.transfer = tuple(
            handler
            for handler in self._of["request-created"]
            if eligibility.name_of(handler) in eligibility.TRANSFER_HANDLERS
        )

    def names(self, event: str) -> frozenset[str | None]:
        return frozenset(map(eligibility.name_of, self._of[event]))

    def of(self, event: str) -> tuple[Callable[..., Any], ...]:
        return self._of[event]

    def check(self) -> None:
        """Declines where somebody else's handlers see the request itself."""
        for event, known in eligibility.REQUEST_HANDLERS.items():
            self._check(event, self._of[event], known)
        self._check("before-endpoint-resolution", self._endpoint, eligibility.ENDPOINT_HANDLERS)

    def _check(
        self, event: str, handlers: Iterable[Callable[..., Any]], known: Iterable[str]
    ) -> None:
        strangers = eligibility.unknown(handlers, known)
        if strangers:
            raise Declined(f"handlers of {event} ({eligibility.homes_of(strangers)})")

    def sees_signing(self) -> bool:
        """Whether somebody else's handlers see a request when it is signed."""
        return any(
            eligibility.unknown(self._of[event], eligibility.REQUEST_HANDLERS[event])
            for event in ("choose-signer", "before-sign")
        )

    def settle_model(self, model: Any) -> None:
        """Some handlers of botocore's change the model at the first call; so do we."""
        for handler in self._of["before-parameter-build"]:
            if eligibility.name_of(handler) in eligibility.MODEL_HANDLERS:
                handler(params={}, model=model, context={})

    def headers(self, model: Any) -> dict[str, str]:
        """Headers that botocore's handlers of before-call add to each request."""
        request: dict[str, Any] = {"headers": {}}
        for handler in self._of["before-call"]:
            if eligibility.name_of(handler) in eligibility.HEADER_HANDLERS:
                handler(model=model, params=request)
        headers: dict[str, str] = request["headers"]
        return headers

    def defaults(self, model: Any, config: Any) -> dict[str, Any]:
        """Parameters that botocore's handlers add where they are not given, in their order."""
        defaults: dict[str, Any] = {}
        mode_member = model.http_checksum.get("requestValidationModeMember")
        for name in map(eligibility.name_of, self._of["before-parameter-build"]):
            if name == "set_list_objects_encoding_type_url":
                defaults["EncodingType"] = "url"
            elif (
                name == "_handle_request_validation_mode_member"
                and mode_member is not None
                and config is not None
                and config.response_checksum_validation == "when_supported"
            ):
                defaults[mode_member] = "ENABLED"
        return defaults

    def sessions(self) -> Sessions | None:
        cache = _cache_of(self._of["before-sign"], "resolve_s3express_identity")
        return None if cache is None else Sessions(cache)

    def redirects(self) -> Mapping[str, str]:
        cache: Mapping[str, str] | None = _cache_of(self._endpoint, "redirect_from_cache")
        return {} if cache is None else cache


def _cache_of(handlers: Iterable[Callable[..., Any]], method: str) -> Any:
    """The cache behind the first of *handlers* that is a *method* of botocore's; None without."""
    for handler in handlers:
        if (eligibility.name_of(handler) or "").endswith(method):
            return _compat.cache_of(handler)
    return None


_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    *eligibility.REQUEST_HANDLERS,
    *eligibility.ANSWER_HANDLERS,
)


class PresignPlan(Plan):
    """
    The plan of presigning one operation. It has a context of its own, and with it other defaults.

    Source: `botocore.signers.generate_presigned_url`.
    """

    signing_type = "presign-url"

    def __init__(self, client: Any, operation: str, is_async: bool, emitter: Any) -> None:
        super().__init__(client, operation, is_async, emitter)
        template = self.model.http.get("authPath")
        self._auth = rest.Template(template, self.writer.binding) if template else None

    def auth_path(self, params: Mapping[str, Any], path: str) -> str:
        """The path that the older signature is over: always with the bucket."""
        if self._auth is None:
            return path
        if ":" in params.get("Bucket", ""):
            raise Declined("an ARN in an older signature")
        return self._auth.fill(params)

    def _context(self, client: Any) -> dict[str, Any]:
        return {
            "is_presign_request": True,
            "use_global_endpoint": _compat.uses_global_endpoint(client),
        }


class PostPlan(PresignPlan):
    """
    The plan of presigned posts of one client.

    proved: by signature version, and whether fields and conditions were given: of which botocore's
    first form was compared with ours, and whether it adds to the caller's own fields, and
    conditions.
    Source: `botocore.signers.generate_presigned_post`.
    """

    signing_type = "presign-post"

    def __init__(self, client: Any, operation: str, is_async: bool, emitter: Any) -> None:
        super().__init__(client, operation, is_async, emitter)
        self.proved: dict[tuple[str | None, tuple[bool, bool]], tuple[bool, bool]] = {}
        if Handlers(emitter, client.meta.service_model.operation_model("PutObject")).sees_signing():
            raise Declined("handlers of choose-signer or before-sign")

    def url(self, endpoint: Endpoint) -> str:
        """Where the form is posted to."""
        return endpoint.origin + (endpoint.base or "/")
