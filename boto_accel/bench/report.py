"""
A finished benchmark as plain data, which is what `--json` writes.

Rule 1: pure; the date is passed in. The keys are an interface: change them with FORMAT.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from boto_accel.bench.cases import Case
from boto_accel.bench.machine import describe_machine, installed_versions
from boto_accel.bench.measure import Figures, Sample
from boto_accel.bench.runner import Outcome, Result, Settings, Skipped

FORMAT = 1


def make_report(
    settings: Settings, outcomes: list[Outcome], at: datetime.datetime
) -> dict[str, Any]:
    """Everything that was measured, and with what; times in microseconds per call."""
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    return {
        "format": FORMAT,
        "date": at.isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": installed_versions(),
        "settings": _settings(settings),
        "results": [_compared(result) for result in results if result.case.compared],
        "beside": [_beside(result) for result in results if not result.case.compared],
        "skipped": [_skipped(outcome) for outcome in outcomes if isinstance(outcome, Skipped)],
    }


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        "endpoint": settings.endpoint or "in-memory",
        "rounds": settings.pace.rounds,
        "round_seconds": settings.pace.round_s,
        "engines": list(settings.engines),
        "pinned": settings.pin,
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "case": case.name,
        "client": case.client,
        "operation": case.operation,
        "size": case.size,
        "scheme": case.scheme,
        "in_flight": case.in_flight,
        "loop": case.loop or None,
    }


def _compared(result: Result) -> dict[str, Any]:
    counts = result.counts
    return {
        **_case(result.case),
        "engine": result.engine,
        "stock": _figures(result.stock),
        "fast": _figures(result.fast),
        "cpu_ratio": _rounded(result.cpu_ratio),
        "wall_ratio": _rounded(result.wall_ratio),
        "fast_calls": None if counts is None else counts.fast,
        "fallback_calls": None if counts is None else counts.fallback,
        "fallback_reasons": {} if counts is None else counts.reasons,
    }


def _beside(result: Result) -> dict[str, Any]:
    return {**_case(result.case), "alone": _figures(result.alone)}


def _skipped(outcome: Skipped) -> dict[str, Any]:
    return {**_case(outcome.case), "engine": outcome.engine, "reason": outcome.reason}


def _figures(figures: Figures | None) -> dict[str, Any] | None:
    if figures is None:
        return None
    return {
        "cpu_us": _rounded(figures.cpu_us),
        "wall_us": _rounded(figures.wall_us),
        "per_second": _rounded(figures.per_second),
        "calls": figures.calls,
        "rounds": _rounds(figures.rounds),
    }


def _rounds(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    return [
        {"calls": s.calls, "cpu_us": _rounded(s.cpu_us), "wall_us": _rounded(s.wall_us)}
        for s in samples
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
