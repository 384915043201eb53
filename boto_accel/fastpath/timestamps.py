"""
Timestamps of answers: the usual formats read at once, every other by botocore's parser.

Source: `botocore.utils.parse_timestamp`, which the results equal, tzinfo class included.
"""

from __future__ import annotations

import datetime
import re
import time
from functools import lru_cache
from typing import Any

from botocore.utils import parse_timestamp
from dateutil.tz import tzlocal, tzoffset, tzutc

_UTC = tzutc()
_NUMBERS = (int, float)
_MONTHS = {
    name: number
    for number, name in enumerate(
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1
    )
}
# IMF-fixdate (RFC 9110, 5.6.7), what HTTP servers send: "Sat, 21 Nov 2026 06:49:58 GMT"
_HTTP_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-3][0-9]) ([A-Z][a-z]{2}) ([1-9][0-9]{3}) "
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]) GMT"
)
# RFC 3339 in UTC, what S3 puts into XML: "2026-11-21T06:49:58.000Z"
_RFC3339 = re.compile(
    r"([1-9][0-9]{3})-([01][0-9])-([0-3][0-9])T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])"
    r"(?:\.([0-9]{3}))?Z"
)


def read_timestamp(value: Any) -> datetime.datetime:
    """
    The moment that *value* says: an HTTP date or ISO 8601 as text, or epoch seconds.

    Raises what `parse_timestamp` raises (ValueError, RuntimeError).
    """
    global _here
    here = _here
    if here.names is not time.tzname:  # a new tuple with each `time.tzset`
        here = _here = _Zone()
    if value.__class__ is str:
        return here.read_text(value)
    if value.__class__ in _NUMBERS and here.fixed is not None:
        try:
            return datetime.datetime.fromtimestamp(value, here.fixed).replace(tzinfo=here.local)
        except (ValueError, OverflowError, OSError):  # botocore knows more of such years
            pass
    return parse_timestamp(value)


class _Zone:
    """
    The local time zone, which answers depend on: it is the tzinfo of epoch seconds.

    fixed: where *local* has one offset for all times, a zone of that offset whose arithmetic is
    not in Python; else None. Texts are remembered: a datetime cannot be changed, so callers may
    share one.
    """

    def __init__(self) -> None:
        self.names = time.tzname
        self.local = tzlocal()
        offset = -time.timezone  # seconds
        self.fixed: datetime.timezone | None = None
        if self.local == tzoffset(self.names[0], offset):
            self.fixed = datetime.timezone(datetime.timedelta(seconds=offset))
        self.read_text = lru_cache(maxsize=4096)(self._read_text)

    def _read_text(self, text: str) -> datetime.datetime:
        match = _RFC3339.fullmatch(text)
        if match:
            zone = self._zulu()
            if zone is None:
                return parse_timestamp(text)
            year, month, day, hour, minute, second, milli = match.groups("0")
            micro = int(milli) * 1000
            return _moment(text, year, int(month), day, hour, minute, second, micro, zone)
        match = _HTTP_DATE.fullmatch(text)
        if match:
            day, name, year, hour, minute, second = match.groups()
            return _moment(text, year, _MONTHS.get(name, 0), day, hour, minute, second, 0, _UTC)
        return parse_timestamp(text)

    def _zulu(self) -> datetime.tzinfo | None:
        """
        The zone that dateutil gives a "Z": UTC, as a rule, but the local zone where that is called
        UTC. None where only one of its two names is.
        Source: `dateutil.parser.parser._build_tzaware`.
        """
        if "UTC" not in self.names:
            return _UTC
        return self.local if self.names == ("UTC", "UTC") else None


def _moment(
    text: str,
    year: str,
    month: int,
    day: str,
    hour: str,
    minute: str,
    second: str,
    micro: int,
    zone: datetime.tzinfo,
) -> datetime.datetime:
    try:
        return datetime.datetime(
            int(year), month, int(day), int(hour), int(minute), int(second), micro, zone
        )
    except ValueError:  # no such day: botocore's parser has the words for it
        return parse_timestamp(text)


_here = _Zone()


def timestamp_reader(parser_defaults: Any) -> Any:
    """The function that reads timestamps for a client: its own where one was set (AWS CLI)."""
    return parser_defaults.get("timestamp_parser") or read_timestamp
