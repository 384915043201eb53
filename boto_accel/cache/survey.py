"""What a cache holds, and what it would hold of which service: for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import UnknownServiceError

from boto_accel.cache import policy
from boto_accel.cache.freshness import UNLIMITED, state_of
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
    """Raises InvalidOptionError for a service that botocore does not know."""
    # Not above: `botocore.session` may be what is being imported when a patch is entered.
    from botocore.session import Session

    session: Any = Session()
    for service in session.get_available_services() if services is None else services:
        model = _model_of(session, service)
        for name in model.operation_names:
            found = _decide(options, model, name)
            if found.reason != policy.NOT_ASKED:
                yield found


def _model_of(session: Any, service: str) -> Any:
    try:
        return session.get_service_model(service)
    except UnknownServiceError:
        raise InvalidOptionError("service", service, "a service of botocore's: 'iam'") from None


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
