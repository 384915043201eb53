"""Sweeping one service: each operation's cases on stock, then on the twin, then compared."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from boto_accel import accelerate
from tests.parity.compare import differences
from tests.parity.exchange import Exchange
from tests.parity.worlds import method_name
from tests.servers.clock import FrozenClock
from tests.sweep.cases import Recipe, make_cases
from tests.sweep.clients import FLAVOURS, Clients, all_hosts_are_here
from tests.sweep.results import Counts, Difference, ServiceReport
from tests.sweep.tokens import lacks_token, without_tokens

MOST_LINES = 8  # of one difference
IDLE_S = 600.0  # seconds; connections that are idle while the other world has its turn stay open


@dataclass(frozen=True)
class Order:
    """What is to be swept; *operations* None is all of them."""

    service: str
    seed: str
    recipes: Sequence[Recipe]
    flavour: str = "sync"
    all_errors: bool = True
    operations: tuple[str, ...] | None = None


def sweep_service(order: Order, clock: FrozenClock) -> ServiceReport:
    """All cases of *order*; within `clients.still_world()`."""
    began = time.monotonic()
    with (
        Exchange(stalled_s=IDLE_S) as exchange,
        all_hosts_are_here(exchange.port("http")),
        FLAVOURS[order.flavour](order.service, exchange, clock) as clients,
    ):
        client = clients.client("stock", "resolved")
        service_model = client.meta.service_model
        report = ServiceReport(order.service, service_model.resolved_protocol, order.flavour)
        for name in order.operations or service_model.operation_names:
            model = service_model.operation_model(name)
            if hasattr(client, method_name(model)):  # none for HTTP/2's streams in both directions
                _sweep_operation(order, clients, model, report)
    report.seconds = time.monotonic() - began
    return report


def _sweep_operation(order: Order, clients: Clients, model: Any, report: ServiceReport) -> None:
    cases = list(make_cases(model, order.seed, order.recipes, all_errors=order.all_errors))
    stock = [clients.see("stock", model, case) for case in cases]
    counts = Counts(operations=1, cases=len(cases))
    # a patch of its own, so that its counts are those of this operation alone
    with told_by_the_log() as told, accelerate() as patch:
        for case, expected in zip(cases, stock, strict=True):
            before = (patch.stats.fast, patch.stats.reasons, patch.stats.retired)
            told.clear()
            seen = clients.see("fast", model, case)
            reason = _why_not_fast(before, patch.stats)
            if lacks_token(model, case.params):
                expected, seen = without_tokens(expected), without_tokens(seen)
            lines = [*differences(expected, seen)]
            if patch.stats.retired > before[2]:
                lines.append(f"the plan was given up: {'; '.join(told)}")
            _count(counts, reason, lines)
            if lines:
                where = (order.service, model.name, order.flavour, case.name, order.seed)
                report.differences.append(Difference(*where, tuple(lines[:MOST_LINES])))
    valid = [seen for case, seen in zip(cases, stock, strict=True) if case.valid]
    unsent = sum(not seen.requests for seen in valid)
    counts.unsent = unsent
    if unsent == len(valid):
        report.unsent_operations.append(model.name)
    if not counts.equal and not counts.different:
        report.slow_operations[model.name] = sorted(counts.fallbacks)
    report.counts.add(counts)


def _why_not_fast(before: tuple[int, Any, int], stats: Any) -> str | None:
    """The reason that was counted since *before*; None where the call went fast."""
    fast, reasons, _ = before
    if stats.fast > fast:
        return None
    new = [name for name, number in stats.reasons.items() if number > reasons.get(name, 0)]
    return new[0] if new else "nothing was counted"


def _count(counts: Counts, reason: str | None, lines: Sequence[str]) -> None:
    if lines:
        counts.different += 1
    elif reason is None:
        counts.equal += 1
    else:
        counts.fallbacks[reason] += 1


class _Listener(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


@contextmanager
def told_by_the_log() -> Iterator[list[str]]:
    """What boto_accel logs meanwhile: which part of a plan differed."""
    told: list[str] = []
    handler = _Listener(told)
    logger = logging.getLogger("boto_accel")
    logger.addHandler(handler)
    try:
        yield told
    finally:
        logger.removeHandler(handler)
