"""aws-xray-sdk: a subsegment a call, with the same data, and its header on the wire."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from boto_accel import accelerate
from tests.fastpath.callers import Caller, open_caller
from tests.servers.capture import CaptureServer, http_answer

xray = pytest.importorskip("aws_xray_sdk.core")

pytestmark = pytest.mark.usefixtures("put_back")


class Emitter:
    """Keeps what would go to the daemon."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send_entity(self, entity: Any) -> None:
        self.sent.append(entity)

    def set_daemon_address(self, address: str) -> None:
        raise AssertionError(address)

    @property
    def ip(self) -> str:
        return "127.0.0.1"

    port = 0


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = xray.xray_recorder
    found.configure(sampling=False, context_missing="IGNORE_ERROR", plugins=())
    monkeypatch.setattr(found, "_emitter", Emitter())
    yield found
    found.clear_trace_entities()


@contextmanager
def patched(flavour: str) -> Iterator[None]:
    """X-Ray has no way to leave botocore; `put_back` takes off what is left of it."""
    name = "aiobotocore" if flavour == "async" else "botocore"
    client = importlib.import_module(f"{name}.client")
    importlib.import_module(f"aws_xray_sdk.ext.{name}").patch()
    try:
        yield
    finally:
        del client._xray_enabled


def traced(recorder: Any, s3: Caller) -> list[Any]:
    """(name, operation, status) of the subsegments of one call."""
    segment = recorder.begin_segment("test")
    s3("put_object", Bucket="b", Key="k", Body=b"x")
    found = [
        (each.name, each.aws["operation"], each.aws["key"], each.http["response"]["status"])
        for each in segment.subsegments
    ]
    recorder.end_segment()
    return found


@pytest.mark.parametrize("entered", ["ours", "theirs"])
def test_subsegments(
    entered: str, flavour: str, recorder: Any, capture: Callable[..., CaptureServer]
) -> None:
    """One subsegment a call whoever is first, and the trace's header is sent."""
    server = capture(http_answer(200))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        if entered == "ours":
            with accelerate() as patch, patched(flavour):
                found = traced(recorder, s3)
        else:
            with patched(flavour), accelerate() as patch:
                found = traced(recorder, s3)
                assert traced(recorder, s3) == found
    assert found == [("s3", "PutObject", "k", 200)]
    assert all(request.header("x-amzn-trace-id") for request in server.requests)
    assert all(" is replaced by aws_xray_sdk.ext." in reason for reason in patch.stats.reasons)
    assert patch.stats.fast == 0
