"""The options of a cache: checked, and read as botocache's releases read theirs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from boto_accel._services import check_operation, check_services, plain
from boto_accel.cache import policy
from boto_accel.cache.freshness import Lifetime, Names, is_absence
from boto_accel.errors import InvalidOptionError

DEFAULT_TTL_S = 900  # botocache's
DEFAULT_VERBS = ("List", "Get", "Describe")  # botocache's
DEFAULT_MAX_ENTRIES = 10_000
DEFAULT_MAX_BODY_BYTES = 1024 * 1024  # with the entries above, what a disk should have to spare
DEFAULT_MAX_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True)
class Options:
    """What a cache does with which operation. All times are in seconds. operations: `plain`."""

    asked: Callable[[str], bool]
    operations: frozenset[str] | None
    ttl: float
    ttl_by_operation: Names
    stale_while_revalidate: float
    cache_errors: float | Mapping[str, float]
    max_body_bytes: int
    allow_sensitive: bool | Names
    invalidate_on_write: bool | frozenset[str]
    call_log: bool
    quiet: bool

    def is_asked(self, operation: str) -> bool:
        of_these = self.operations is None or plain(operation) in self.operations
        return of_these and self.asked(operation)

    def lifetime(self, service: str, operation: str) -> Lifetime:
        own = self.ttl_by_operation.find(service, operation)
        return Lifetime(self.ttl if own is None else own, self.stale_while_revalidate)

    def lifetime_of_error(self, response: Mapping[str, Any]) -> float:
        """0 for an error that is not kept."""
        if isinstance(self.cache_errors, Mapping):
            code = str(response.get("Error", {}).get("Code", ""))
            return self.cache_errors.get(code, 0)
        return self.cache_errors if is_absence(response) else 0

    def allows_sensitive(self, service: str, operation: str) -> bool:
        allowed = self.allow_sensitive
        if isinstance(allowed, Names):
            return allowed.find(service, operation) is not None
        return allowed

    def forgets_after(self, service: str) -> bool:
        """Whether a write of *service* drops what it may have made stale."""
        wanted = self.invalidate_on_write
        return service in wanted if isinstance(wanted, frozenset) else wanted


def make_options(
    *,
    cache_ttl: Any,
    call_verbs_to_cache: Any,
    action_regex_to_cache: Any,
    ttl_by_operation: Any,
    stale_while_revalidate: Any,
    cache_errors: Any,
    max_body_bytes: Any,
    allow_sensitive: Any,
    invalidate_on_write: Any,
    call_log: Any,
    quiet: Any,
    operations: frozenset[str] | None,
) -> Options:
    """Raises InvalidOptionError."""
    return Options(
        asked=_asked(call_verbs_to_cache, action_regex_to_cache),
        operations=operations,
        ttl=seconds("cache_ttl", cache_ttl),
        ttl_by_operation=_times("ttl_by_operation", ttl_by_operation),
        stale_while_revalidate=seconds("stale_while_revalidate", stale_while_revalidate),
        cache_errors=_errors(cache_errors),
        max_body_bytes=whole("max_body_bytes", max_body_bytes, 0),
        allow_sensitive=_allowed(allow_sensitive),
        invalidate_on_write=_writes(invalidate_on_write),
        call_log=bool(call_log),
        quiet=bool(quiet),
    )


def seconds(name: str, given: Any) -> float:
    if type(given) not in (int, float) or not given >= 0:
        raise InvalidOptionError(name, given, "a number of seconds, 0 or more")
    # What is kept for ever is kept for as long as a clock may show.
    return min(float(given), _FOR_EVER_S) if math.isinf(given) else float(given)


_FOR_EVER_S = 1e10  # seconds; three centuries


def whole(name: str, given: Any, least: int) -> int:
    if type(given) is not int or given < least:
        raise InvalidOptionError(name, given, f"a whole number, {least} or more")
    return given


def _asked(verbs: Any, patterns: Any) -> Callable[[str], bool]:
    if patterns is None:
        return policy.asked_by_verbs(_texts("call_verbs_to_cache", verbs))
    try:
        return policy.asked_by_patterns(_texts("action_regex_to_cache", patterns))
    except re.error as error:
        raise InvalidOptionError("action_regex_to_cache", patterns, f"a regex: {error}") from None


def _texts(name: str, given: Any) -> list[str]:
    """One text or several, as botocache takes them."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, Iterable):
        several = list(given)
        if all(isinstance(each, str) for each in several):
            return several
    raise InvalidOptionError(name, given, "a text, or several")


def _times(name: str, given: Any) -> Names:
    if given is None:
        return Names({})
    if not isinstance(given, Mapping) or not all(isinstance(each, str) for each in given):
        raise InvalidOptionError(name, given, "a dict: {'iam.ListUsers': 60, 'ec2': 10}")
    _check_names(name, given)
    return Names.of({each: seconds(f"{name}[{each!r}]", time) for each, time in given.items()})


def _errors(given: Any) -> float | Mapping[str, float]:
    if not isinstance(given, Mapping):
        return seconds("cache_errors", given)
    return {str(code): seconds(f"cache_errors[{code!r}]", time) for code, time in given.items()}


def _allowed(given: Any) -> bool | Names:
    if isinstance(given, bool):
        return given
    names = _texts("allow_sensitive", given)
    _check_names("allow_sensitive", names)
    return Names.of(dict.fromkeys(names, True))


def _check_names(parameter: str, names: Iterable[str]) -> None:
    """
    Raise InvalidOptionError for a name of `Names` that stands for nothing.

    An operation without its service has only to look as one: in one of its two forms, or with a
    verb that reads.
    """
    for name in names:
        if "." in name:
            check_operation(parameter, name)
        elif not _OPERATION.fullmatch(name):
            check_services(parameter, [name.lower()])  # `Names` tells no case apart


_OPERATION = re.compile(
    rf"[A-Z]\w*[a-z]\w*|[a-z]\w*_\w+|(?i:{'|'.join(policy.READ_VERBS)})\w*", re.ASCII
)


def _writes(given: Any) -> bool | frozenset[str]:
    if isinstance(given, bool):
        return given
    services = frozenset(_texts("invalidate_on_write", given))
    check_services("invalidate_on_write", services)
    return services


def of_last_release(
    positional: tuple[Any, Any, Any, Any], names: Mapping[str, Any]
) -> dict[str, Any] | None:
    """
    The arguments of botocache 0.0.6, `(cache, action_regex_to_cache, call_log,
    supress_warning_message)`, given by position; None where these are not they.

    *positional* are those that stand where README's `(cache_max_size, cache_ttl, cache_path,
    call_verbs_to_cache)` stand, *names* the others.
    """
    cache, patterns, call_log, quiet = positional
    if isinstance(cache, int) or cache is None:
        return None
    given = {**names, "cache": cache}
    if isinstance(patterns, str | list | tuple):
        given["action_regex_to_cache"] = patterns
    if isinstance(call_log, bool):
        given["call_log"] = call_log
    if isinstance(quiet, bool):
        given["supress_warning_message"] = quiet
    return given
