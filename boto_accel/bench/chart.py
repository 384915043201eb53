"""
A report as an SVG bar chart: the CPU that is left of each case's stock CPU.

Rule 1: pure; text in, text out.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

WIDTH = 960  # pixels, as are all lengths here
LABELS = 330
VALUES = 190
ROW = 30
TOP = 70
BOTTOM = 50
BARS = WIDTH - LABELS - VALUES
_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#222}"
    ".title{font-size:18px;font-weight:600}.note{font-size:12px;fill:#666}"
    ".stock{fill:#d7dbe0}.fast{fill:#1f7a4d}.slow{fill:#b3412e}"
)


def draw(report: dict[str, Any]) -> str:
    """The chart of every compared case of *report*, as one SVG document."""
    rows = [row for row in report["results"] if row["cpu_ratio"]]
    height = TOP + ROW * max(len(rows), 1) + BOTTOM
    longest = max((1 / row["cpu_ratio"] for row in rows), default=1.0)
    scale = BARS / max(longest, 1.0)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img">'
        ),
        f"<title>CPU per call</title><style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(20, 30, "CPU per call: accelerated as a share of stock", "title"),
        _text(20, 52, "grey: stock, green: accelerated; shorter is better", "note"),
    ]
    for index, row in enumerate(rows):
        parts += _row(row, TOP + ROW * index, scale)
    if not rows:
        parts.append(_text(20, TOP + 18, "no case was compared", "note"))
    parts += [_text(20, height - 18, _footer(report), "note"), "</svg>"]
    return "\n".join(parts) + "\n"


def _row(row: dict[str, Any], top: float, scale: float) -> list[str]:
    share = 1 / row["cpu_ratio"]
    numbers = f"{_us(row['stock']['cpu_us'])} → {_us(row['fast']['cpu_us'])}"
    kind = "fast" if share <= 1 else "slow"
    return [
        _text(20, top + 16, _label(row)),
        _bar(top, scale, "stock"),
        _bar(top + 4, scale * share, kind, height=14),
        _text(LABELS + BARS + 12, top + 16, f"{row['cpu_ratio']:.1f}x  {numbers}"),
    ]


def _label(row: dict[str, Any]) -> str:
    engine = row["engine"]
    return row["case"] if engine in ("", "direct") else f"{row['case']} ({engine})"


def _bar(top: float, length: float, kind: str, height: int = 22) -> str:
    return (
        f'<rect class="{kind}" x="{LABELS}" y="{top:g}" '
        f'width="{max(length, 1):.1f}" height="{height}"/>'
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(text)}</text>'


def _us(value: float) -> str:
    return f"{value / 1000:.1f} ms" if value >= 10_000 else f"{value:.0f} µs"


def _footer(report: dict[str, Any]) -> str:
    versions = report["versions"]
    named = [f"{name} {versions[name]}" for name in ("botocore", "aiobotocore") if versions[name]]
    machine = report["machine"]
    return ", ".join([report["date"][:10], machine["python"], *named, machine["cpu"]])
