"""What a caller is given of an entry, and what is kept of a reply."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from boto_accel._bodies import Read, body_of
from boto_accel._call import Call
from boto_accel.cache import freshness
from boto_accel.cache.attempt import Asked, Attempt, Found
from boto_accel.cache.codec import ERROR, Damaged, Kept, Unencodable, encode
from boto_accel.cache.copies import Copies
from boto_accel.cache.counts import CacheStats
from boto_accel.cache.freshness import Lifetime, State
from boto_accel.cache.options import Options
from boto_accel.cache.plan import Plan
from boto_accel.cache.store import Entry

MARKER = "BotoAccelCache"  # in ResponseMetadata of a hit
UNKNOWN_TYPE = "a reply with values of other types than botocore's"


class Replies:
    """Of one cache. uncached: told of a call whose reply is not kept, and why."""

    def __init__(
        self,
        chosen: Options,
        stats: CacheStats,
        clock: Callable[[], float],
        uncached: Callable[[Call, str], None],
    ) -> None:
        self.options = chosen
        self.stats = stats
        self._clock = clock
        self._uncached = uncached
        self._copies = Copies()

    def forget(self) -> None:
        """What is remembered of replies that were given."""
        self._copies = Copies()

    def read(self, plan: Plan, key: bytes, entry: Entry) -> Found | None:
        """None for an entry that cannot be given, here: another program may have other wishes."""
        state = freshness.state_of(entry, self._clock(), plan.lifetime)
        if state is State.EXPIRED:
            return None
        try:
            kept = self._copies.read(key, entry.payload, time.tzname)
        except Damaged:
            return None
        if kept.kind == ERROR and not self._is_wanted_error(entry, kept):
            return None
        return Found(entry, kept, state)

    def _is_wanted_error(self, entry: Entry, kept: Kept) -> bool:
        return self._clock() - entry.stored_at < self.options.lifetime_of_error(kept.value)

    def give(self, call: Call, found: Found) -> Any:
        """The reply of a hit, the caller's own; or raise the error that was kept."""
        entry, kept, state = found
        self.stats.count("hits" if state is State.FRESH else "stale")
        metadata = kept.value.get("ResponseMetadata")
        if type(metadata) is dict:
            age = max(0.0, self._clock() - entry.stored_at)
            metadata[MARKER] = {"Hit": True, "Stale": state is State.STALE, "AgeSeconds": age}
        if kept.kind == ERROR:
            raise _error_class(call.client, kept.value)(kept.value, call.operation)
        if kept.member:
            data = kept.value[kept.member]
            kept.value[kept.member] = body_of(Read(data), len(data), call.flavour)
        return kept.value

    def entry_of(
        self,
        asked: Asked,
        kept: Kept | None,
        lifetime: Lifetime,
        asked_at: float,
        attempt: Attempt,
    ) -> Entry | None:
        if kept is None or type(kept.value) is not dict:
            return None
        try:
            payload = encode(kept)
        except Unencodable:
            self._uncached(asked.call, UNKNOWN_TYPE)
            return None
        span = freshness.span_of(lifetime, asked_at)
        return Entry(payload, attempt.tags, *span, asked.plan.label)

    def entry_of_error(
        self, asked: Asked, error: ClientError, asked_at: float, attempt: Attempt
    ) -> Entry | None:
        response: Any = error.response
        fresh = self.options.lifetime_of_error(response)
        if not fresh or type(error) is not _error_class(asked.call.client, response):
            return None
        kept = Kept(ERROR, "", response)
        return self.entry_of(asked, kept, Lifetime(fresh, 0), asked_at, attempt)


def _error_class(client: Any, response: Mapping[str, Any]) -> Any:
    """Source: `BaseClient._make_api_call`."""
    error = response.get("Error", {})
    return client.exceptions.from_code(error.get("QueryErrorCode") or error.get("Code"))
