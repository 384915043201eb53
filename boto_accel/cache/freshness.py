"""
How long a reply may be given again, and what makes it stale before that.

Tags: an entry carries those of what it shows, a write invalidates those of what it changes. All
that comes from parameters is in them as a digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from boto_accel._services import plain
from boto_accel.cache.key import digest_tag


class State(Enum):
    """What may be done with an entry."""

    FRESH = "fresh"
    STALE = "stale"  # given once more, while it is asked for anew
    EXPIRED = "expired"


class Lifetime(NamedTuple):
    """Seconds: how long fresh, and how long stale after that."""

    fresh: float
    stale: float


UNLIMITED = Lifetime(float("inf"), 0)


class Span(NamedTuple):
    """Seconds since the epoch, as in an `Entry`."""

    stored_at: float
    fresh_until: float
    stale_until: float


def span_of(lifetime: Lifetime, stored_at: float) -> Span:
    fresh_until = stored_at + lifetime.fresh
    return Span(stored_at, fresh_until, fresh_until + lifetime.stale)


def state_of(entry: Any, now: float, lifetime: Lifetime) -> State:
    """
    entry: an `Entry`. lifetime: the reader's own, for who wrote it may have had a longer one.

    An entry from the future, by a clock that was set back, is expired.
    """
    age = now - entry.stored_at
    if age < -SKEW_S:
        return State.EXPIRED
    if now < entry.fresh_until and age < lifetime.fresh:
        return State.FRESH
    if now < entry.stale_until and age < lifetime.fresh + lifetime.stale:
        return State.STALE
    return State.EXPIRED


SKEW_S = 5.0  # seconds that the clocks of two machines, or two readings of one, may be apart


@dataclass(frozen=True)
class Names:
    """
    Something by operation: "iam.ListUsers" before "ListUsers" before "iam".

    Operations in either form, "list_users" too.
    """

    by_name: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Names:
        return cls({plain(name): value for name, value in given.items()})

    def find(self, service: str, operation: str) -> Any:
        """None where nothing is said."""
        of_service, of_operation = plain(service), plain(operation)
        for name in (f"{of_service}.{of_operation}", of_operation, of_service):
            if name in self.by_name:
                return self.by_name[name]
        return None


# Errors ------------------------------------------------------------------------------------------


def is_absence(response: Mapping[str, Any]) -> bool:
    """
    Whether the `response` of a ClientError says that something is not there.

    Services spell it in many ways: NoSuchKey, ResourceNotFoundException, InvalidGroup.NotFound.
    """
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status == 404 or code.startswith("NoSuch") or "NotFound" in code


# Tags --------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """
    What a call is about, for its tags.

    principal: as in the key; b"" where it is not known. endpoint: URL.
    """

    service: str
    operation: str
    region: str
    endpoint: str
    principal: bytes
    params: Mapping[str, Any]


def tags_of_read(target: Target) -> tuple[str, ...]:
    """The tags of an entry, for all that may invalidate it."""
    return (
        service_tag(target.service),
        operation_tag(target.service, target.operation),
        call_tag(target.service, target.operation, target.params),
        *(_s3_read(target) if target.service == "s3" else [_scope_tag(target)]),
    )


def tags_of_write(target: Target) -> tuple[str, ...]:
    """What a write invalidates."""
    if target.service == "s3":
        return tuple(_s3_write(target))
    return (_scope_tag(target),)


def service_tag(service: str) -> str:
    return f"service:{service}"


def operation_tag(service: str, operation: str) -> str:
    """*operation* in either form."""
    return f"operation:{service}.{plain(operation)}"


def call_tag(service: str, operation: str, params: Mapping[str, Any]) -> str:
    return digest_tag("call", service, plain(operation), dict(params))


def _scope_tag(target: Target) -> str:
    return digest_tag("scope", target.service, target.principal, target.region, target.endpoint)


# S3: objects are the same whoever reads or writes them, and from wherever. Buckets that are named
# by an ARN or an alias of an access point may be any bucket, so these go with all others.

_ANY = "s3:alias"
_BUCKETS = "s3:buckets"


def _s3_read(target: Target) -> list[str]:
    bucket, key = _names(target)
    if bucket is None:
        return [_BUCKETS]
    if _is_alias(bucket):
        return [_ANY]
    if key is None:
        return [_bucket_tag(bucket)]
    return [_contents_tag(bucket), _key_tag(bucket, key)]


def _s3_write(target: Target) -> list[str]:
    bucket, key = _names(target)
    if bucket is None or _is_alias(bucket):
        return [service_tag("s3")]
    keys = _deleted_keys(target.params) if key is None else [key]
    if keys is None or target.operation in _BEYOND_THE_KEY:
        return [_bucket_tag(bucket), _contents_tag(bucket), _BUCKETS, _ANY]
    return [_bucket_tag(bucket), _ANY, *(_key_tag(bucket, each) for each in keys)]


# Writes that change another key than the one in Key (S3 API, RenameObject: RenameSource).
_BEYOND_THE_KEY = {"RenameObject"}


def _names(target: Target) -> tuple[str | None, str | None]:
    bucket, key = target.params.get("Bucket"), target.params.get("Key")
    return (
        bucket if isinstance(bucket, str) else None,
        key if isinstance(key, str) else None,
    )


def _is_alias(bucket: str) -> bool:
    """S3 user guide, "Access point aliases" (`-s3alias`), Object Lambda (`--ol-s3`), Outposts."""
    return bucket.startswith("arn:") or bucket.endswith(("-s3alias", "--ol-s3", "--op-s3"))


def _deleted_keys(params: Mapping[str, Any]) -> list[str] | None:
    """The keys of DeleteObjects; None for a write of the bucket itself."""
    try:
        return [each["Key"] for each in params["Delete"]["Objects"]]
    except (KeyError, TypeError):
        return None


def _bucket_tag(bucket: str) -> str:
    return digest_tag("s3:bucket", bucket)


def _contents_tag(bucket: str) -> str:
    return digest_tag("s3:contents", bucket)


def _key_tag(bucket: str, key: str) -> str:
    return digest_tag("s3:key", bucket, key)


def tag_of_choice(service: str, operation: str | None, params: Mapping[str, Any] | None) -> str:
    """The tag of what a user names. Raises Uncacheable for parameters that no entry can have."""
    if operation is None:
        return service_tag(service)
    if params is None:
        return operation_tag(service, operation)
    return call_tag(service, operation, params)
