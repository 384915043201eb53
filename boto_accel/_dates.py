"""When a service has answered. Source: RFC 9110, 5.6.7 and 6.6.1."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any


def date_of(answer: Mapping[str, Any]) -> datetime.datetime | None:
    """By the clock of who has answered; None where there is no date, or one of another form."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
