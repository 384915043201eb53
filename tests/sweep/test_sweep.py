"""
The sweep's short form: a few operations of a few services of each protocol, others each day.

The seed is in the names of what fails; BOTO_ACCEL_SWEEP_SEED sets it. `make sweep` is the whole.
"""

from __future__ import annotations

import datetime
import gzip
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest

from boto_accel.fastpath.plan import LANES
from tests.servers.clock import FrozenClock
from tests.sweep.cases import SHORT
from tests.sweep.clients import FLAVOURS, still_world
from tests.sweep.page import write_page
from tests.sweep.results import ServiceReport, report_of, total
from tests.sweep.service import Order, sweep_service
from tests.sweep.workers import Journal

SEED_NAME = "BOTO_ACCEL_SWEEP_SEED"
SEED = os.environ.get(SEED_NAME) or datetime.date.today().isoformat()
PROTOCOLS = ("json", "rest-json", "query", "ec2", "rest-xml", "smithy-rpc-v2-cbor")
SERVICES = 4  # of each protocol, where there are as many
OPERATIONS = 5  # of each service
LEAST_FAST = 0.25  # share of cases: parity by always falling back would prove nothing
DATA = Path(botocore.__file__).parent / "data"
HEAD_BYTES = 2048  # of a model: its metadata are in them

pytestmark = [
    pytest.mark.filterwarnings("ignore:Unverified HTTPS request"),
    # of botocore's own: deprecated services, old names of operations
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
]


@pytest.fixture(scope="module")
def clock() -> Iterator[FrozenClock]:
    with still_world() as made:
        yield made


def sample(protocol: str, flavour: str) -> list[Order]:
    """What is swept today of *protocol*."""
    draw = random.Random(f"{SEED} {protocol} {flavour}")
    session = botocore.session.Session()
    orders: list[Order] = []
    available = session.get_available_services()
    for service in draw.sample(available, len(available)):
        if len(orders) == SERVICES:
            break
        if not _may_speak(service, protocol):
            continue
        model = session.get_service_model(service)
        if model.resolved_protocol == protocol:
            names = list(model.operation_names)
            chosen = tuple(draw.sample(names, min(OPERATIONS, len(names))))
            order = Order(service, SEED, SHORT, flavour, all_errors=False, operations=chosen)
            orders.append(order)
    return orders


def _may_speak(service: str, protocol: str) -> bool:
    """By the first lines of the newest model: parsing all models takes seconds."""
    newest = max((DATA / service).glob("*/service-2.json*"))
    opened = gzip.open if newest.suffix == ".gz" else open
    with opened(newest, "rb") as file:
        return f'"{protocol}"'.encode() in file.read(HEAD_BYTES)


def swept(orders: list[Order], clock: FrozenClock) -> list[ServiceReport]:
    return [sweep_service(order, clock) for order in orders]


@pytest.mark.parametrize("flavour", list(FLAVOURS))
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_sample_of_all_services_is_stocks(
    protocol: str, flavour: str, clock: FrozenClock
) -> None:
    if flavour == "async":
        pytest.importorskip("aiobotocore")
    orders = sample(protocol, flavour)
    if not orders:
        pytest.skip(f"botocore {botocore.__version__} has no service that speaks {protocol}")
    reports = swept(orders, clock)
    found = [str(difference) for report in reports for difference in report.differences]
    assert not found, f"{SEED_NAME}={SEED}\n" + "\n\n".join(found)
    counts = total(reports)
    assert counts.unsent < 0.5 * counts.cases, "most of what was generated was never sent"
    if set(PROTOCOLS) <= set(LANES):
        assert counts.equal >= LEAST_FAST * counts.cases, counts


def test_a_seed_makes_the_same_sample_again() -> None:
    assert sample("json", "sync") == sample("json", "sync")
    assert sample("query", "sync") != sample("query", "async")


class Tampering:
    """Handlers that a fast twin has and a stock client has not: differences to be found."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, event: str, handler: Any) -> None:
        real = FLAVOURS["sync"].client

        def client(clients: Any, twin: str, endpoint: str) -> Any:
            made = real(clients, twin, endpoint)
            if twin == "fast":
                made.meta.events.register(event, handler, unique_id="tampering")
            return made

        monkeypatch.setattr(FLAVOURS["sync"], "client", client)


def tampered(clock: FrozenClock) -> list[str]:
    order = Order("s3", "0", SHORT, operations=("HeadBucket",))
    return [line for each in sweep_service(order, clock).differences for line in each.lines]


def test_a_changed_answer_is_found(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    Tampering(monkeypatch, "after-call", lambda parsed, **_: parsed.update(Added=1))
    assert any("'Added'" in line for line in tampered(clock))


def test_a_changed_request_is_found(clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    Tampering(monkeypatch, "provide-client-params", lambda params, **_: {**params, "Bucket": "b2"})
    assert any(line.startswith("$.requests[0]") for line in tampered(clock))


def test_nothing_is_found_where_nothing_differs(clock: FrozenClock) -> None:
    report = sweep_service(Order("s3", "0", SHORT, operations=("HeadBucket",)), clock)
    assert not report.differences
    assert report.counts.equal > 0.5 * report.counts.cases
    assert report.counts.equal + report.counts.fallbacks.total() == report.counts.cases


def test_an_interrupted_sweep_goes_on(tmp_path: Path) -> None:
    """What the journal holds is read back as it was, for the same seed alone."""
    report = ServiceReport("sqs", "json", "sync", slow_operations={"SendMessage": ["proxies"]})
    report.counts.fallbacks["proxies"] += 2
    Journal(tmp_path, "0", fresh=False).add("sqs sync long", report)
    assert Journal(tmp_path, "0", fresh=False).found == {"sqs sync long": report}
    assert report_of(report.as_dict()) == report
    assert not Journal(tmp_path, "1", fresh=False).found
    assert not Journal(tmp_path, "0", fresh=True).found


def test_the_page_has_a_row_for_each_protocol(tmp_path: Path) -> None:
    report = ServiceReport("sqs", "json", "sync")
    report.counts.operations, report.counts.cases, report.counts.equal = 23, 1500, 1499
    report.counts.fallbacks["proxies"] += 1
    write_page(tmp_path / "parity.md", [report], "0", "short")
    written = (tmp_path / "parity.md").read_text()
    assert "| json, sync | 23 | 1,500 | 1,499 | 1 | 0 | 0 |" in written
    assert "| json, sync | proxies | 1 |" in written
