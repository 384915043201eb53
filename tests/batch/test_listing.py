"""Pages that are merged, stepped by hand."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from boto_accel._call import Call, Flavour
from boto_accel._effects import Blocking, Forward
from boto_accel.batch.index import Entry
from boto_accel.batch.listing import list_merged

SECOND = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


class Batches:
    """What the batches hold."""

    def __init__(self, *entries: Entry) -> None:
        self._entries = entries

    def objects(self, prefix: str, start: str) -> Any:
        return iter(self._entries)


def listed(batches: Any, *plain: dict[str, Any]) -> Any:
    """What is listed where S3 lists *plain*."""
    steps = list_merged(batches, Call(None, "ListObjectsV2", {"Bucket": "events"}, Flavour.SYNC))
    outcome: Any = None
    try:
        while True:
            match steps.send(outcome):
                case Blocking(fn):
                    outcome = fn()
                case Forward():
                    outcome = {"Contents": list(plain), "IsTruncated": False}
    except StopIteration as end:
        return end.value["Contents"]


@pytest.mark.parametrize(("seconds", "is_newer"), [(0.9, False), (1.0, True)])
def test_a_listing_tells_times_to_the_second_as_reads_do(seconds: float, is_newer: bool) -> None:
    """Some servers list fractions; the header Last-Modified, by which reads go, has none."""
    stamp = int(SECOND.timestamp()) * 10**9 + 10**8
    plain = {"Key": "a", "LastModified": SECOND + datetime.timedelta(seconds=seconds)}
    (found,) = listed(Batches(Entry("a", stamp, size=3)), plain)
    assert (found is plain) == is_newer
