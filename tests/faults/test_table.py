"""The page that tells what was tried, and what was."""

from __future__ import annotations

from tests.faults.faults import FAULTS, KINDER, STRICTER
from tests.faults.table import PAGE, page


def test_the_page_is_what_is_tried() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.faults.table"


def test_each_departure_is_of_a_fault_that_there_is() -> None:
    assert set().union(*STRICTER.values(), *KINDER.values()) <= FAULTS.keys()
