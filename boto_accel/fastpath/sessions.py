"""
Sessions of S3 Express: calls of a directory bucket are signed with the credentials of a session.

botocore makes the sessions (CreateSession), one a bucket, and makes them anew before they expire;
nothing is asked for here. A session that is to be made or renewed is left to botocore, which does
it when it signs.
Source: `botocore.utils.S3ExpressIdentityCache`, `RequestSigner.get_auth_instance`.
"""

from __future__ import annotations

from typing import Any

from boto_accel import _compat
from boto_accel.fastpath.steps import Steps

MOST_KNOWN = 100  # buckets, as in `S3ExpressIdentityCache`


class Sessions:
    """Those of a client that one operation has met; *cache* is its `S3ExpressIdentityCache`."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._known: dict[str, Any] = {}  # bucket to `RefreshableCredentials`

    def credentials(self, bucket: str) -> Any:
        """What calls of *bucket* are signed with now; None where botocore has to be asked first."""
        session = self._known.get(bucket)
        if session is None or session.refresh_needed():
            return None
        return _compat.frozen_in(session)

    def learn(self, bucket: str) -> Steps[Any]:
        """The credentials that botocore has just signed a call of *bucket* with."""
        session = yield self._cache.get_credentials(bucket)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[bucket] = session
        return _compat.frozen_in(session)
