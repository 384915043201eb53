"""
The request context as stock leaves it, for handlers of after-call that are the user's.

The fast path itself needs none: what stock notes in it on the way of a call is put together from
what was sent.
Source: `BaseClient._make_api_call`, `Endpoint._update_retries_context`, `SigV4Auth.add_auth`,
`httpchecksum.resolve_request_checksum_algorithm`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boto_accel.fastpath import eligibility, proof

if TYPE_CHECKING:
    from boto_accel.fastpath.call import Prepared


def as_stocks(prepared: Prepared, context: Mapping[str, Any]) -> dict[str, Any]:
    """*context* with what stock would have noted in it; the caller's to change."""
    params = dict(prepared.params)
    noted: dict[str, Any] = {}
    if prepared.settled is None:
        params = prepared.plan.variant(tuple(params)).run_triggered(params, noted)
        for handler, _ in prepared.plan.parameter_handlers:
            if eligibility.name_of(handler) in eligibility.CONTEXT_HANDLERS:
                handler(params=params, context=noted)
    sent = proof.headers_in(prepared.wire.head)
    most = prepared.plan.answers.most_attempts
    noted["retries"] = {
        **context.get("retries", {}),
        "attempt": 1,
        "invocation-id": prepared.invocation_id,
        **({} if most is None else {"max": most}),
    }
    if prepared.endpoint.signs:
        noted["timestamp"] = sent[proof.TIMESTAMP]
    checksum = _checksum(prepared, params)
    if checksum:
        noted["checksum"] = checksum
    own = {key: copy.deepcopy(value) for key, value in prepared.endpoint.context.items()}
    return {**context, **own, **noted}


def _checksum(prepared: Prepared, params: Mapping[str, Any]) -> dict[str, Any]:
    noted: dict[str, Any] = {}
    plan = prepared.plan
    algorithm = prepared.variant.algorithm(params)
    if algorithm is not None:
        if plan.rule.default_header and plan.rule.member not in params:
            noted["request_algorithm_header"] = {
                "name": plan.rule.default_header,
                "value": algorithm.upper(),
            }
        noted["request_algorithm"] = {
            "algorithm": algorithm,
            "in": "trailer" if plan.rule.trailer and prepared.endpoint.https else "header",
            "name": f"x-amz-checksum-{algorithm}",
        }
    if prepared.variant.validates_answer and plan.answers.algorithms:
        noted["response_algorithms"] = [name for name, _ in plan.answers.algorithms]
    return noted
