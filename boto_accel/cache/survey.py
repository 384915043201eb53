"""What a cache holds, and what it would hold of which service: for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from boto_accel._services import expected, is_service, plain, service_models
from boto_accel.cache import policy
from boto_accel.cache.freshness import UNLIMITED, Names, state_of
from boto_accel.cache.options import Options
from boto_accel.cache.store import Entry
from boto_accel.errors import InvalidOptionError


class Held(NamedTuple):
    """
    One entry. key: in hexadecimal. state: "fresh", "stale" or "expired". payload_bytes: its size.

    age, left: seconds since AWS was asked, and until it is no longer fresh.
    """

    key: str
    service: str
    region: str
    operation: str
    payload_bytes: int
    age: float
    left: float
    state: str


class Decided(NamedTuple):
    """
    One operation that is asked for. reason: why it is not cached; "" if it is.

    sensitive: the members that the model marks as such, where they are the reason; to allow them
    is `allow_sensitive=["service.operation"]`.
    """

    service: str
    operation: str
    reason: str
    sensitive: tuple[str, ...] = ()


def read_held(entries: Iterable[tuple[bytes, Entry]], now: float) -> Iterator[Held]:
    for key, entry in entries:
        # A file from elsewhere may say anything.
        service, region, operation = (*entry.label.split(" "), "", "", "")[:3]
        yield Held(
            key.hex(),
            service,
            region,
            operation,
            len(entry.payload),
            now - entry.stored_at,
            entry.fresh_until - now,
            state_of(entry, now, UNLIMITED).value,
        )


def read_decided(options: Options, services: Iterable[str] | None) -> Iterator[Decided]:
    """
    Raises InvalidOptionError for a service that botocore does not know, and at the end for an
    operation in *options* that none of those has.
    """
    seen: dict[str, str] = {}
    for model in service_models("service", services):
        seen.update((plain(name), name) for name in model.operation_names)
        for name in model.operation_names:
            found = _decide(options, model, name)
            if found.reason != policy.NOT_ASKED:
                yield found
    _check_names("allow_sensitive", options.allow_sensitive, seen)
    _check_names("ttl_by_operation", options.ttl_by_operation, seen)


def _check_names(parameter: str, names: object, seen: Mapping[str, str]) -> None:
    """
    seen: operations of the services that were looked at.

    Raises InvalidOptionError for an operation that is none of these; all other names were looked
    for when the options were made.
    """
    for name in names.by_name if isinstance(names, Names) else ():
        if not ("." in name or name in seen or is_service(name)):
            what = "an operation of those that are looked at,"
            raise InvalidOptionError(parameter, name, expected(what, name, seen))


def _decide(options: Options, model: Any, name: str) -> Decided:
    service = model.service_name
    reason = policy.reason_against(
        model.operation_model(name),
        options.is_asked,
        allow_sensitive=options.allows_sensitive(service, name),
    )
    if not reason and options.lifetime(service, name).fresh <= 0:
        reason = policy.TTL_OF_ZERO
    return decided(model.operation_model(name), reason)


def decided(operation: Any, reason: str) -> Decided:
    """operation: its `OperationModel`."""
    service = operation.service_model.service_name
    sensitive: Iterable[str] = ()
    if reason == policy.SENSITIVE:
        sensitive = policy.sensitive_members(service, operation.output_shape)
    return Decided(service, operation.name, reason, tuple(sensitive))
