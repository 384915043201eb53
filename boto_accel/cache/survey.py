"""What a cache holds, and what it would hold of which service: for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import UnknownServiceError

from boto_accel._services import expected, plain
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
    Raises InvalidOptionError for a service that botocore does not know, and at the end for a name
    in *options* that stands for nothing.
    """
    # Not above: `botocore.session` may be what is being imported when a patch is entered.
    from botocore.session import Session

    session: Any = Session()
    seen: dict[str, str] = {}
    for service in session.get_available_services() if services is None else services:
        model = _model_of(session, service)
        seen.update(_spelled(service, model))
        for name in model.operation_names:
            found = _decide(options, model, name)
            if found.reason != policy.NOT_ASKED:
                yield found
    _check_names(session, "allow_sensitive", options.allow_sensitive, seen)
    _check_names(session, "ttl_by_operation", options.ttl_by_operation, seen)


def _spelled(service: str, model: Any) -> Iterator[tuple[str, str]]:
    """(what `Names` keeps, as it is written) of all that stands for something of *service*."""
    names = [service, *model.operation_names, *(f"{service}.{n}" for n in model.operation_names)]
    return ((plain(name), name) for name in names)


def _check_names(session: Any, parameter: str, names: object, seen: Mapping[str, str]) -> None:
    """*seen*: of the services that were looked at. Raises InvalidOptionError."""
    for name in names.by_name if isinstance(names, Names) else ():
        known = seen if name in seen else {**seen, **dict(_of_another(session, name))}
        if name not in known:
            what = "service.operation, a service, or an operation of those that are looked at,"
            raise InvalidOptionError(parameter, name, expected(what, name, known))


def _of_another(session: Any, name: str) -> Iterator[tuple[str, str]]:
    """The same of the service that *name* begins with, if there is one."""
    for service in session.get_available_services():
        if plain(service) == name.partition(".")[0]:
            yield from _spelled(service, session.get_service_model(service))


def _model_of(session: Any, service: str) -> Any:
    try:
        return session.get_service_model(service)
    except UnknownServiceError:
        known = {each: each for each in session.get_available_services()}
        alike = expected("a service", service.lower(), known)
        raise InvalidOptionError("service", service, alike) from None


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
