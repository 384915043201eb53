"""Stamps: they grow, whatever the clock does, and hosts agree as far as S3 tells the time."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from boto_accel.batch.clock import DATE_NS, MOST_AHEAD_NS, Clock
from tests.batch.memory import MemoryS3
from tests.batch.test_client import client_at

SECOND = 10**9
NOW = 1_800_000_000 * SECOND


class Host:
    """Its clock is *off* nanoseconds from S3's; an answer takes *delay*, half of it on the way."""

    def __init__(self, off: int, delay: int = 0) -> None:
        self.true, self.off, self.delay = NOW, off, delay
        self.clock = Clock(lambda: self.true + self.off)

    def ask(self) -> None:
        asked = self.true + self.off
        date = (self.true + self.delay // 2) // SECOND * SECOND
        self.true += self.delay
        self.clock.compare(date, asked)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("tick"), st.integers(-5 * SECOND, 5 * SECOND)),
            st.tuples(st.just("observe"), st.integers(0, 2 * NOW)),
            st.tuples(st.just("compare"), st.integers(0, 2 * NOW)),
            st.tuples(st.just("stamp"), st.just(0)),
        )
    )
)
def test_stamps_grow(steps: list[tuple[str, int]]) -> None:
    """Also where the clock goes back, or others are wrong; and nobody brings them far ahead."""
    now, last = NOW, 0
    clock = Clock(lambda: now)
    for step, value in steps:
        if step == "tick":
            now += value
        elif step == "observe":
            clock.observe(value)
        elif step == "compare":
            clock.compare(value, now)
        stamp = clock.stamp()
        assert stamp > last
        last = stamp
    assert last <= NOW + len(steps) * 5 * SECOND + 2 * MOST_AHEAD_NS + len(steps)


@given(st.integers(-600 * SECOND, 600 * SECOND), st.integers(0, 5 * SECOND))
def test_a_clock_that_is_off_is_corrected(off: int, delay: int) -> None:
    """To within the time that the answer took, and the precision of Date."""
    host = Host(off, delay)
    host.ask()
    assert abs(host.clock.stamp() - host.true) <= DATE_NS + delay


@given(st.integers(-SECOND // 2, 0))
def test_a_clock_that_is_not_proven_wrong_is_left_alone(off: int) -> None:
    host = Host(off)
    host.true += SECOND - 1  # the end of S3's second
    host.ask()
    assert host.clock.stamp() == host.true + off


def test_a_server_of_another_time_is_not_believed() -> None:
    host = Host(0)
    host.clock.compare(NOW + 3600 * SECOND, NOW)
    assert host.clock.stamp() == NOW


def test_uploads_compare_the_clocks(s3_server: MemoryS3, tmp_path: Path) -> None:
    """A host whose clock is ahead: what it puts after an upload is of S3's time."""
    with s3_server.client() as client, client_at(client, tmp_path) as batch:
        batch.put_object("a", b"1")
        real = batch._engine.clock._read
        batch._engine.clock._read = lambda: real() + 300 * SECOND
        batch.flush()
        batch._engine.clock._last = 0  # as in a process that has not put before
        batch.put_object("b", b"2")
        stamp = batch._engine._view["b"].entry.stamp
    assert abs(stamp - real()) < 200 * SECOND
