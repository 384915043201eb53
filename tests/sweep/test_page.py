"""docs/parity.md: what it says besides the counts, and where something differed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.sweep.page import write_page
from tests.sweep.results import Difference, ServiceReport


def written(path: Path, *reports: ServiceReport) -> str:
    write_page(path, list(reports), "7", "long")
    return path.read_text("utf-8")


def test_how_to_repeat_it(tmp_path: Path) -> None:
    page = written(tmp_path / "parity.md", ServiceReport("sqs", "json", "sync"))
    assert '`make sweep SWEEP="--fresh --seed 7 --cases long"`' in page
    assert "## What is different" not in page


def test_where_a_difference_is(tmp_path: Path) -> None:
    report = ServiceReport("sqs", "json", "sync")
    case = Difference("sqs", "SendMessage", "sync", "full", "7", ("body",))
    report.differences += [case, replace(case, case="minimal")]
    again = "--service sqs --operation SendMessage --world sync --seed 7"
    page = written(tmp_path / "parity.md", report)
    assert f"| sqs.SendMessage, sync | 2 | `{again}` |" in page
