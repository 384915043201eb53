"""VCR.py, which stands in for the network, and freezegun, which stands in for the clock."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boto_accel import accelerate
from tests.fastpath.callers import Caller, open_caller
from tests.servers.capture import CaptureServer, http_answer
from tests.together.orders import Order, Phases, in_each_order


def lists(s3: Caller) -> list[str]:
    return [each["Name"] for each in s3("list_buckets").get("Buckets", ())]


@pytest.mark.parametrize("entered", ["ours", "theirs"])
def test_vcr(
    entered: str, flavour: str, tmp_path: Path, capture: Callable[..., CaptureServer]
) -> None:
    """A cassette that is recorded while accelerated is played back while accelerated."""
    vcr = pytest.importorskip("vcr")
    body = b"<R><Buckets><Bucket><Name>one</Name></Bucket></Buckets></R>"
    server = capture([http_answer(200, body), http_answer(200, b"<R></R>")])
    cassette = str(tmp_path / "cassette.yaml")
    stats = []

    def within(record_mode: str) -> list[str]:
        recorder = vcr.VCR().use_cassette(cassette, record_mode=record_mode)
        with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
            patch = accelerate()
            first, second = (patch, recorder) if entered == "ours" else (recorder, patch)
            with first, second:
                found = lists(s3)
            stats.append(patch.stats)
        return found

    assert within("once") == ["one"]
    assert within("none") == ["one"]
    assert len(server.requests) == 1
    assert [each.fast for each in stats] == [0, 0]
    assert all(" is replaced by vcr." in reason for each in stats for reason in each.reasons)
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3, accelerate() as patch:
        assert lists(s3) == []
    assert patch.stats.fast == 1


@in_each_order
def test_freezegun(
    order: Order, flavour: str, capture: Callable[..., CaptureServer], phases: Callable[..., Phases]
) -> None:
    """Calls stay fast, and are signed with the time that is frozen while it is, and only then."""
    freezegun = pytest.importorskip("freezegun")
    server = capture(http_answer(200))
    patch = accelerate()

    def frozen() -> Any:
        # Without real_asyncio the clock of the event loop stands, too.
        return freezegun.freeze_time("2021-02-03T04:05:06Z", real_asyncio=True)

    year = str(datetime.datetime.now(datetime.timezone.utc).year).encode()
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        for in_force in phases(order, patch, frozen):
            fast = patch.stats.fast
            s3("head_object", Bucket="b", Key="k")
            signed = server.requests[-1].header("x-amz-date") or b""
            assert (signed == b"20210203T040506Z") is ("theirs" in in_force)
            assert signed.startswith(b"2021" if "theirs" in in_force else year[:3])
            assert patch.stats.fast - fast == ("ours" in in_force)
    assert patch.stats.fallback == 0
