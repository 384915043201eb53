"""ddtrace, in a process of its own: it patches more than botocore, and starts threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from tests.servers.capture import CaptureServer, http_answer

pytestmark = pytest.mark.skipif(find_spec("ddtrace") is None, reason="ddtrace is not installed")

PROGRAM = """
import importlib, sys, warnings
warnings.simplefilter("ignore")
from contextlib import ExitStack, contextmanager
from ddtrace.trace import TraceFilter, tracer
from boto_accel import accelerate
from tests.fastpath.callers import open_caller
from tests.together.orders import Order, phases

url, library, flavour, entered, left = sys.argv[1:]
integration = importlib.import_module(f"ddtrace.contrib.internal.{library}.patch")

class Keep(TraceFilter):
    traces = []

    def process_trace(self, trace):
        self.traces.append([(span.name, span.resource, span.get_tag("aws.operation"),
                             span.get_tag("http.status_code")) for span in trace])

tracer.configure(trace_processors=[Keep()])

@contextmanager
def patched():
    integration.patch()
    yield
    integration.unpatch()

def spans(s3):
    s3("head_object", Bucket="b", Key="k")
    found, Keep.traces = Keep.traces, []
    return found

with open_caller(flavour, endpoint_url=url) as s3, ExitStack() as undo:
    with patched():
        stock = spans(s3)
    assert len(stock) == 1 and "headobject" in str(stock).lower(), stock
    patch = accelerate()
    for in_force in phases(Order(entered, left), patch, patched, undo):
        assert spans(s3) == (stock if "theirs" in in_force else []), in_force
print("done")
print(*patch.stats.reasons, sep=chr(10))
"""


@pytest.mark.parametrize("entered", ["ours", "theirs"])
def test_spans(entered: str, flavour: str, capture: Callable[..., CaptureServer]) -> None:
    """
    One span a call, the same one as in stock, and the trace's header on the wire.

    ddtrace takes off whatever is on top, so it is left first where it is on top only.
    """
    server = capture(http_answer(200))
    library = "aiobotocore" if flavour == "async" else "botocore"
    left = "ours" if entered == "theirs" else "theirs"
    environment = {
        **os.environ,
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_TRACE_AGENT_URL": "http://127.0.0.1:1",
        "DD_AGENTLESS_LOG_SUBMISSION_ENABLED": "false",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, server.endpoint_url, library, flavour, entered, left],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said, *reasons = done.stdout.splitlines()
    assert said == "done"
    assert reasons
    assert all("ddtrace." in reason for reason in reasons), reasons
    traced = [request.header("x-datadog-trace-id") for request in server.requests]
    # In stock, and whenever it is in force: beside ours, and alone where it is the outer one.
    assert len([each for each in traced if each]) == (2 if entered == "ours" else 4)
