"""`botocache_context()`: the options of a cache, in the words of botocache's releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from boto_accel._patch import Narrowing
from boto_accel.cache import options
from boto_accel.cache.patch import CachePatch
from boto_accel.cache.stores import open_store

_POSITIONAL = ("cache_max_size", "cache_ttl", "cache_path", "call_verbs_to_cache")


def botocache_context(
    cache_max_size: Any = options.DEFAULT_MAX_ENTRIES,
    cache_ttl: Any = options.DEFAULT_TTL_S,
    cache_path: Any = ".cache",
    call_verbs_to_cache: Any = options.DEFAULT_VERBS,
    *,
    cache: Any = None,
    action_regex_to_cache: Any = None,
    call_log: bool = False,
    supress_warning_message: bool = False,
    ttl_by_operation: Mapping[str, float] | None = None,
    max_body_bytes: int = options.DEFAULT_MAX_BODY_BYTES,
    stale_while_revalidate: float = 0,
    cache_errors: float | Mapping[str, float] = 0,
    allow_sensitive: Any = False,
    clients: Any = None,
    services: Any = None,
    operations: Any = None,
    cache_max_bytes: int | None = options.DEFAULT_MAX_BYTES,
    invalidate_on_write: Any = True,
) -> CachePatch:
    """
    A patch that gives replies of AWS again, in boto3, botocore, aiobotocore and aioboto3.

    cache_max_size: entries that are kept. cache_ttl: seconds that one is fresh. cache_path: a
    folder, or a SQLite file. call_verbs_to_cache: what the names of the operations begin with.
    cache: in place of cache_path a URL (`sqlite:///path`, `memory://`, `redis://host`), or any
    MutableMapping; one that has a `ttl` of its own keeps that. action_regex_to_cache: in place of
    the verbs, for `re.match` on the operation. call_log: log each call, without the values of its
    parameters. supress_warning_message: do not warn of a store that is broken.
    ttl_by_operation: {"iam.ListUsers": 60, "DescribeInstances": 10, "ec2": 300}; 0 is never.
    max_body_bytes: the longest body of a stream that is kept. stale_while_revalidate: seconds that
    a reply is given after its time, while AWS is asked in the background. cache_errors: seconds
    that an error is kept which says that something is not there; or {"AccessDenied": 10}.
    allow_sensitive: keep what the service model marks as sensitive, and credentials; True, or
    names of services or operations. clients, services, operations: only these; None for all.
    cache_max_bytes: of all entries together. invalidate_on_write: whether a write drops what it
    may have made stale; True, False, or names of services.

    The first four are the API of botocache's README, `cache` to `supress_warning_message` that of
    its last release, which are taken by position too. Use it with `with`, `async with`, as a
    decorator, or `.install()`. Raises InvalidOptionError, or MissingExtraError, before anything is
    changed.
    """
    named = {name: value for name, value in locals().items() if name not in _POSITIONAL}
    old = options.of_last_release(
        (cache_max_size, cache_ttl, cache_path, call_verbs_to_cache), named
    )
    if old is not None:
        return botocache_context(**old)
    max_entries = options.whole("cache_max_size", cache_max_size, 1)
    if cache_max_bytes is not None:
        options.whole("cache_max_bytes", cache_max_bytes, 1)
    own_ttl = getattr(cache, "ttl", None)
    if cache_ttl == options.DEFAULT_TTL_S and type(own_ttl) in (int, float):
        cache_ttl = own_ttl
    narrowed = Narrowing.of(clients, services, operations)
    chosen = options.make_options(
        cache_ttl=cache_ttl,
        call_verbs_to_cache=call_verbs_to_cache,
        action_regex_to_cache=action_regex_to_cache,
        ttl_by_operation=ttl_by_operation,
        stale_while_revalidate=stale_while_revalidate,
        cache_errors=cache_errors,
        max_body_bytes=max_body_bytes,
        allow_sensitive=allow_sensitive,
        invalidate_on_write=invalidate_on_write,
        call_log=call_log,
        quiet=supress_warning_message,
        operations=narrowed.operations,
    )
    parameter, where = ("cache_path", cache_path) if cache is None else ("cache", cache)
    open_ = partial(
        open_store,
        where,
        max_entries=max_entries,
        max_bytes=cache_max_bytes,
        parameter=parameter,
    )
    # Writes of other operations make stale what these have read.
    return CachePatch(open_, chosen, replace(narrowed, operations=None))
