"""Timestamps of answers against `botocore.utils.parse_timestamp`, under several local zones."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.utils import parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from boto_accel.fastpath.timestamps import read_timestamp

pytestmark = pytest.mark.skipif(not hasattr(time, "tzset"), reason="no tzset here")

# No summer time now or ever, only once, only formerly, now, and by half an hour; then UTC's names.
ZONES = [
    "Asia/Tokyo",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "UTC",
    "Europe/London",
    "XST-3:07:05",
]


@contextmanager
def local_zone(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        try:
            yield
        finally:
            patch.undo()
            time.tzset()


def outcome(read: Any, value: Any) -> Any:
    """What is equal only where class, fields, fold, zone and its answers are."""
    try:
        moment = read(value)
    except (ValueError, RuntimeError) as error:
        return type(error), str(error)
    zone = moment.tzinfo
    told = moment.replace(tzinfo=None), moment.fold, type(moment), type(zone), zone
    try:
        return *told, moment.tzname(), moment.utcoffset(), moment.dst()
    except OverflowError:  # dateutil looks an hour ahead and back
        return told


@pytest.mark.parametrize("zone", ZONES)
@given(
    value=st.one_of(
        st.integers(-(2**34), 2**34),
        st.integers(),
        st.floats(),
        st.floats(-1e10, 1e11),
        st.integers(0, 2**45).map(lambda milliseconds: milliseconds / 1000),
        st.booleans(),
    )
)
@example(value=1667091600)  # an hour that Berlin has twice
@example(value=253402300799)  # the last second that there is, in UTC
@example(value=253402300800)
@example(value=-62135596800)  # and the first
@example(value=0.0000005)
@example(value=float("nan"))
def test_epoch_seconds_are_read_as_botocore_reads_them(zone: str, value: Any) -> None:
    with local_zone(zone):
        assert outcome(read_timestamp, value) == outcome(parse_timestamp, value)


@pytest.mark.parametrize("zone", ZONES)
@given(
    moment=st.datetimes(datetime.datetime(1000, 1, 1)),
    written=st.sampled_from(
        [
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%dT%H:%M:%S.123Z",
            "%a, %d %b %Y %H:%M:%S GMT",
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%dT%H:%M:%S+0100",
        ]
    ),
)
def test_texts_are_read_as_botocore_reads_them(
    zone: str, moment: datetime.datetime, written: str
) -> None:
    text = moment.strftime(written)
    with local_zone(zone):
        assert outcome(read_timestamp, text) == outcome(parse_timestamp, text)


@pytest.mark.parametrize("value", ["2026-11-21T06:49:58Z", 1795244400])
def test_a_zone_that_changes_is_followed(value: Any) -> None:
    for zone in (*ZONES, *ZONES):
        with local_zone(zone):
            assert outcome(read_timestamp, value) == outcome(parse_timestamp, value)
