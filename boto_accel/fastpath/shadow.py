"""
`accelerate(shadow=…)`: a share of the read calls goes through botocore as well, to compare.

What is compared is the parsed answer, without the head's values that differ between any two
exchanges (request ids, dates). A stream is compared by class and length, unread.
"""

from __future__ import annotations

import logging
from typing import Any

from boto_accel.fastpath import proof
from boto_accel.fastpath.call import Prepared
from boto_accel.fastpath.proof import Different
from boto_accel.fastpath.steps import Steps
from boto_accel.fastpath.stock import Stock

logger = logging.getLogger("boto_accel")

READS = frozenset(("GET", "HEAD"))


def check(
    counts: Any,
    stock: Stock,
    client: Any,
    prepared: Prepared,
    result: dict[str, Any],
    steps: Steps[dict[str, Any]] | None,
) -> Steps[dict[str, Any]]:
    """Compare the result, which *steps* lead to where there are any; it is what is returned."""
    if steps is not None:
        result = yield from steps
    if prepared.wire.method in READS:
        yield from _check(counts, stock, client, prepared, result)
    return result


def _check(
    counts: Any, stock: Stock, client: Any, prepared: Prepared, result: dict[str, Any]
) -> Steps[None]:
    """Send the call through stock, and compare. The user's result is never touched."""
    plan = prepared.plan
    try:
        theirs = yield stock(client, plan.operation, dict(prepared.params))
    except Exception as error:  # ours was good: the object may be gone since, or the network
        logger.warning(
            "boto_accel shadow: %s.%s failed through botocore: %s",
            plan.service,
            plan.operation,
            type(error).__name__,
        )
        counts.count_shadow(different=True)
        return
    stream = plan.answers.reader.payload if plan.answers.streams else None
    if stream is not None:
        theirs[stream].close()
    try:
        proof.compare_answers(_lasting(result), _lasting(theirs), stream)
    except Different as different:
        logger.warning(
            "boto_accel shadow: %s.%s differs from botocore in %s",
            plan.service,
            plan.operation,
            different.what,
        )
        counts.count_shadow(different=True)
        return
    counts.count_shadow(different=False)


def _lasting(result: dict[str, Any]) -> dict[str, Any]:
    """*result* without what differs between any two exchanges."""
    metadata = result.get("ResponseMetadata", {})
    kept = {"HTTPStatusCode": metadata.get("HTTPStatusCode")}
    return {**result, "ResponseMetadata": kept}
