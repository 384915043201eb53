"""Which page of a listing comes next."""

from __future__ import annotations

from typing import Any


def next_page(params: dict[str, Any], page: dict[str, Any], markers: list[str]) -> dict[str, Any]:
    """What a paginator of botocore asks next. Source: `paginators-1.json` of S3."""
    found = {name: value for name, value in params.items() if name not in markers}
    for name in markers:
        marker = page.get(f"Next{name}")
        if marker is None and name == "Marker":
            marker = page["Contents"][-1]["Key"]
        if marker is not None:
            found[name] = marker
    return found
