"""
Whether a call is tried again, and when: the client's own retry handlers are asked.

As `botocore.endpoint.Endpoint` asks them, with the true attempt count and one request context for
all attempts. So modes and numbers of attempts, the quota of the standard mode and the rate of the
adaptive one are botocore's own code and state, shared with nobody and counted nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.hooks import first_non_none_response

from boto_accel import _compat
from boto_accel._call import Call
from boto_accel._effects import Await, Steps
from boto_accel.redis_store.answers import http_response
from boto_accel.redis_store.events import called
from boto_accel.redis_store.state import Parts

# A parsed answer, good or not, or the exception that there is in place of one.
Outcome = dict[str, Any] | Exception


class Attempts:
    """The attempts of one call. context: of its request; handlers keep things of theirs in it."""

    def __init__(self, call: Call, parts: Parts, context: dict[str, Any]) -> None:
        self._call = call
        self._parts = parts
        self._context = context
        self.retries = 0

    def begin(self) -> Steps:
        """Wait for as long as the rate of the adaptive mode wants."""
        for handler in self._parts.before_send:
            yield from called(self._call, handler, "before-send", request=None)

    def delay(self, outcome: Outcome) -> Steps:
        """
        Seconds until the next attempt, None for none. May raise *outcome*, as the legacy mode does.

        To be asked where `decides` says so. Source: `Endpoint._needs_retry`.
        """
        call, context = self._call, self._context
        context.setdefault("retries", {})["attempt"] = self.retries + 1
        # There is no other region: `S3RegionRedirectorv2.redirect_from_error` looks at this first.
        context["s3_redirect"] = {**context.get("s3_redirect", {}), "redirected": True}
        error = outcome if isinstance(outcome, Exception) else None
        answer = None if isinstance(outcome, Exception) else (http_response(outcome), outcome)
        responses = yield Await(
            partial(
                _compat.emitter_of(call.client).emit,
                f"needs-retry.s3.{call.operation}",
                response=answer,
                endpoint=_compat.endpoint_of(call.client),
                operation=call.client.meta.service_model.operation_model(call.operation),
                attempts=self.retries + 1,
                caught_exception=error,
                request_dict={"context": context},
            )
        )
        found = first_non_none_response(responses)
        return None if found is False else found

    def decides(self, outcome: Outcome) -> bool:
        """botocore's handlers look at no answer of ours below 500, but for the adaptive mode's."""
        return (
            self._parts.sees_all
            or isinstance(outcome, Exception)
            or outcome["ResponseMetadata"]["HTTPStatusCode"] >= 500
        )

    def end(self, parsed: Mapping[str, Any]) -> Steps:
        """Give back what the quota of the standard mode has lent, for a good answer."""
        for handler in self._parts.after_call:
            response = http_response(parsed)
            yield from called(
                self._call, handler, "after-call", context=self._context, http_response=response
            )
