"""The chart is well-formed SVG and its bars are as long as the ratios say."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from boto_accel.bench.chart import BARS, draw

SVG = "{http://www.w3.org/2000/svg}"


def row(case: str, stock: float, fast: float, engine: str = "direct") -> dict[str, Any]:
    return {
        "case": case,
        "engine": engine,
        "stock": {"cpu_us": stock},
        "fast": {"cpu_us": fast},
        "cpu_ratio": stock / fast,
    }


def report(*rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "date": "2024-01-02T03:04:05+00:00",
        "machine": {"python": "CPython 3.12.0", "cpu": "A & B <CPU>"},
        "versions": {"botocore": "1.2.3", "aiobotocore": None},
        "results": list(rows),
    }


def bars(svg: ElementTree.Element, kind: str) -> list[float]:
    found = svg.iter(f"{SVG}rect")
    return [float(bar.attrib["width"]) for bar in found if bar.attrib.get("class") == kind]


def test_a_bar_is_the_share_of_stock_that_is_left() -> None:
    svg = ElementTree.fromstring(draw(report(row("a", 1000, 100), row("b", 1000, 500))))
    assert bars(svg, "stock") == [BARS, BARS]
    assert bars(svg, "fast") == pytest.approx([BARS / 10, BARS / 2])


def test_a_slower_case_is_drawn_as_such_and_inside_the_picture() -> None:
    svg = ElementTree.fromstring(draw(report(row("a", 100, 200))))
    assert bars(svg, "slow") == [BARS]
    assert bars(svg, "stock") == [BARS / 2]


def test_text_is_escaped_and_names_what_was_measured() -> None:
    svg = ElementTree.fromstring(draw(report(row("a<b", 20_000, 100, engine="aiosonic"))))
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert "a<b (aiosonic)" in texts
    assert "200.0x  20.0 ms → 100 µs" in texts
    assert "2024-01-02, CPython 3.12.0, botocore 1.2.3, A & B <CPU>" in texts


def test_a_report_without_comparisons_is_a_picture_too() -> None:
    svg = ElementTree.fromstring(draw(report({**row("a", 1, 1), "cpu_ratio": None})))
    assert "no case was compared" in [text.text for text in svg.iter(f"{SVG}text")]
