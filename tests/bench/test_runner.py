"""A run goes through to its end, whatever is missing, and leaves nothing behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from botocore.session import Session

from boto_accel.bench.cases import Case, Tier, select_cases
from boto_accel.bench.certificate import write_certificate
from boto_accel.bench.measure import Pace
from boto_accel.bench.runner import Outcome, Result, Settings, Skipped, run
from boto_accel.bench.target import Target
from boto_accel.errors import MissingExtraError

pytestmark = pytest.mark.usefixtures("frozen_heap")  # each round collects garbage first

SHORT = Pace(rounds=2, round_s=0.01)


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.rounds = 0
        self.done: list[Outcome] = []

    def case_started(self, case: Case, engine: str) -> None:
        self.started.append(case.name)

    def round_done(self) -> None:
        self.rounds += 1

    def case_done(self, outcome: Outcome) -> None:
        self.done.append(outcome)


def chosen(*patterns: str) -> tuple[Case, ...]:
    return tuple(select_cases(Tier.FULL, patterns))


@pytest.mark.parametrize(
    "name",
    [
        "boto3/http/get/64KiB/t10",
        "boto3/http/put/100B/t1",
        "boto3/http/head/t1",
        "boto3/http/list/t1",
        "boto3/http/presign-default/t1",
        "aiobotocore/http/get/5KB/c32/asyncio",
        "aiobotocore/http/put/1KiB/c1/asyncio",
        "aiobotocore/http/presign-s3v4/c1/asyncio",
    ],
)
def test_a_case_is_run_stock_and_fast(name: str) -> None:
    pytest.importorskip(name.split("/")[0])
    listener = Listener()
    [outcome] = run(Settings(chosen(name), SHORT), listener)
    assert isinstance(outcome, Result), outcome
    assert outcome.stock is not None
    assert outcome.fast is not None
    assert outcome.counts is not None
    assert outcome.counts.fallback == 0, outcome.counts
    if outcome.case.on_wire:
        assert outcome.counts.fast >= outcome.fast.calls
    assert outcome.cpu_ratio is not None
    assert listener.rounds == 2 * SHORT.rounds
    assert (listener.started, listener.done) == ([name], [outcome])


@pytest.mark.parametrize("operation", ["put", "get"])
def test_many_objects_are_each_put_or_got_once_a_round(operation: str) -> None:
    pytest.importorskip("aiobotocore")
    case = Case("aiobotocore", operation, 5000, in_flight=20, loop="asyncio", objects=50)
    [outcome] = run(Settings((case,), SHORT), Listener())
    assert isinstance(outcome, Result), outcome
    assert outcome.fast is not None
    assert outcome.fast.calls == 50 * SHORT.rounds
    assert outcome.counts is not None
    assert outcome.counts.fallback == 0


def test_https_is_run_with_a_certificate_that_is_verified() -> None:
    pytest.importorskip("cryptography")
    pytest.importorskip("boto3")
    [outcome] = run(Settings(chosen("boto3/https/put/1KiB/t1"), SHORT), Listener())
    assert isinstance(outcome, Result), outcome


def test_uvloop_is_run_where_it_is_installed() -> None:
    pytest.importorskip("aiobotocore")
    pytest.importorskip("uvloop")
    [outcome] = run(Settings(chosen("aiobotocore/http/get/1KiB/c32/uvloop"), SHORT), Listener())
    assert isinstance(outcome, Result), outcome


def test_those_beside_are_run_as_they_are() -> None:
    [outcome] = run(Settings(chosen("socket/http/put/1KiB/t1"), SHORT), Listener())
    assert isinstance(outcome, Result)
    assert outcome.alone is not None
    assert (outcome.stock, outcome.fast, outcome.cpu_ratio) == (None, None, None)


@pytest.mark.parametrize("name", ["obstore/http/get/1KiB/t1", "obstore/http/put/1KiB/c32/asyncio"])
def test_obstore_is_run_where_it_is_installed(name: str) -> None:
    pytest.importorskip("obstore")
    [outcome] = run(Settings(chosen(name), SHORT), Listener())
    assert isinstance(outcome, Result), outcome


def test_a_missing_library_skips_its_cases_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    cases = chosen("obstore/http/get/1KiB/t1", "socket/http/get/1KiB/t1")
    skipped, measured = run(Settings(cases, SHORT), Listener())
    assert isinstance(skipped, Skipped)
    assert "obstore" in skipped.reason
    assert "pip install 'boto_accel[bench]'" in skipped.reason
    assert isinstance(measured, Result)


def test_an_engine_that_is_not_there_skips_with_the_reason() -> None:
    pytest.importorskip("aiobotocore")
    case = chosen("aiobotocore/http/head/c1/asyncio")
    settings = Settings(case, SHORT, engines=("direct", "carrier-pigeon"))
    measured, skipped = run(settings, Listener())
    assert isinstance(measured, Result)
    assert isinstance(skipped, Skipped)
    assert "carrier-pigeon" in skipped.reason


def test_no_certificate_without_cryptography(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'boto_accel\[bench\]'"):
        write_certificate(tmp_path)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
def test_the_process_has_its_cpus_back_afterwards() -> None:
    before = os.sched_getaffinity(0)
    run(Settings(chosen("socket/http/get/1KiB/t1"), SHORT), Listener())
    assert os.sched_getaffinity(0) == before


def test_an_endpoint_of_ones_own_is_left_as_it_was(
    http_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other people's objects in the bucket included."""
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDUSER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = Session().create_client("s3", **http_target.client_arguments())
    client.create_bucket(Bucket="mine")
    client.put_object(Bucket="mine", Key="get/1024", Body=b"kept")
    cases = chosen("boto3/http/get/1KiB/t1", "boto3/http/list/t1", "boto3/https/head/t1")
    settings = Settings(cases, SHORT, endpoint=http_target.endpoint, bucket="mine")
    got, listed, https = run(settings, Listener())
    assert isinstance(got, Result), got
    assert isinstance(listed, Result), listed
    assert isinstance(https, Skipped)
    assert [item["Key"] for item in client.list_objects_v2(Bucket="mine")["Contents"]] == [
        "get/1024"
    ]
    client.close()
