"""How people mock AWS: `mock.patch` of the call itself, the Stubber, and moto in process."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.stub import Stubber

from boto_accel import accelerate, explain
from tests.fastpath.callers import open_caller
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.clients import make_client
from tests.together.orders import ORDERS, Order, Phases, in_each_order

ANSWER = http_answer(200, b"")


@in_each_order
def test_the_call_mocked(
    order: Order,
    flavour: str,
    capture: Callable[..., CaptureServer],
    phases: Callable[..., Phases],
    put_back: None,
) -> None:
    """
    `mock.patch("botocore.client.BaseClient._make_api_call")`, with the usual function in it.

    The mock answers wherever it is. What it puts back when it is left is what it has found: left
    out of order, it takes ours off, and calls are stock until ours is entered again.
    """
    server = capture(ANSWER)
    name = "botocore.client.BaseClient._make_api_call"
    if flavour == "async":
        name = "aiobotocore.client.AioBaseClient._make_api_call"
    seen: list[str] = []

    def mocked(self: Any, operation: str, params: Any) -> Any:
        seen.append(operation)
        return {"Mocked": params["Key"]}

    async def amocked(self: Any, operation: str, params: Any) -> Any:
        return mocked(self, operation, params)

    new = amocked if flavour == "async" else mocked
    patch = accelerate()
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        with accelerate():  # a plan is there, which would do without stock
            s3("head_object", Bucket="b", Key="k")
        for in_force in phases(order, patch, lambda: mock.patch(name, new=new)):
            sent, fast = len(server.requests), patch.stats.fast
            answer = s3("head_object", Bucket="b", Key="k")
            if "theirs" in in_force:
                assert answer == {"Mocked": "k"}, in_force
                assert (len(server.requests), patch.stats.fast) == (sent, fast)
            else:
                assert "Mocked" not in answer, in_force
                assert len(server.requests) == sent + 1
                undone = order == ("theirs", "theirs")
                assert patch.stats.fast == fast + (in_force == {"ours"} and not undone)


@in_each_order
def test_a_wrapper_of_the_call(
    order: Order, capture: Callable[..., CaptureServer], phases: Callable[..., Phases]
) -> None:
    """
    A wrapper that calls what it found is called once a call wherever it is. On top of ours the
    call is fast; beneath ours it would not be asked by one that is fast, so that is stock's.
    """
    server = capture(ANSWER)
    seen: list[str] = []

    @contextmanager
    def wrapped() -> Iterator[None]:
        found = BaseClient._make_api_call

        @functools.wraps(found)
        def log(self: Any, operation: str, params: Any) -> Any:
            seen.append(operation)
            return found(self, operation, params)

        with mock.patch.object(BaseClient, "_make_api_call", log):
            yield

    patch = accelerate()
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3:
        for in_force in phases(order, patch, wrapped):
            before = len(seen), patch.stats.fast
            s3.head_object(Bucket="b", Key="k")
            on_top = order.entered == "ours"
            fast = "ours" in in_force and (on_top or in_force == {"ours"})
            fast = fast and not (order == ("theirs", "theirs") and in_force == {"ours"})
            assert len(seen) - before[0] == ("theirs" in in_force)
            assert patch.stats.fast - before[1] == fast, in_force
            told = explain(s3, "head_object")
            # With ours off, what is on top now is what ours would be put around.
            beneath = "theirs" in in_force and not (on_top and "ours" in in_force)
            kept = order == ("ours", "ours") and in_force == {"theirs"}  # ours is there, inert
            assert told.fast is (kept or not beneath), (in_force, told)
    reason = f"BaseClient._make_api_call is replaced by {__name__}"
    assert set(patch.stats.reasons) <= {reason}
    assert patch.stats.fallback == (order.entered == "theirs")
    assert len(server.requests) == 5


@pytest.mark.parametrize("entered", ["ours", "theirs"])
def test_a_mock_of_the_call(entered: str, put_back: None) -> None:
    """A Mock is called as in stock: without the client, which it is not bound to."""
    name = "botocore.client.BaseClient._make_api_call"
    contexts: dict[str, Any] = {"ours": accelerate(), "theirs": mock.patch(name)}
    second = "theirs" if entered == "ours" else "ours"
    with make_client("sync", "s3", endpoint_url="http://127.0.0.1:1") as s3:
        with contexts[entered] as one, contexts[second] as other:
            mocked = one if entered == "theirs" else other
            mocked.return_value = {"ETag": "mocked"}
            assert s3.head_object(Bucket="b", Key="k") == {"ETag": "mocked"}
        mocked.assert_called_once_with("HeadObject", {"Bucket": "b", "Key": "k"})


@in_each_order
def test_stubber(
    order: Order, capture: Callable[..., CaptureServer], phases: Callable[..., Phases]
) -> None:
    """A Stubber answers what it was told to, whoever is first; the reason names it."""
    server = capture(ANSWER)

    @contextmanager
    def stubbed() -> Iterator[None]:
        with Stubber(s3) as stubber:
            for _ in range(3):
                stubber.add_response("head_object", {"ETag": '"x"'}, {"Bucket": "b", "Key": "k"})
            yield

    patch = accelerate()
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3:
        for in_force in phases(order, patch, stubbed):
            sent, fast = len(server.requests), patch.stats.fast
            answer = s3.head_object(Bucket="b", Key="k")
            assert (answer.get("ETag") == '"x"') is ("theirs" in in_force)
            assert len(server.requests) - sent == ("theirs" not in in_force)
            assert patch.stats.fast - fast == (in_force == {"ours"})
    assert patch.stats.reasons == {"handlers of before-call (botocore.stub)": 1}


MOTO = """
import sys, warnings
warnings.simplefilter("ignore")
from contextlib import ExitStack
import boto3
from moto import mock_aws
from boto_accel import accelerate
from tests.servers.capture import CaptureServer, http_answer
from tests.together.orders import Order, phases
options = dict(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
reason = "handlers of before-send (moto.core.botocore_stubber)"
with CaptureServer(http_answer(200)) as server, ExitStack() as undo:
    # Imported, moto has its handler in each client that is made, and it answers inside mock_aws.
    outside = boto3.client("s3", endpoint_url=server.endpoint_url, **options)
    s3 = boto3.client("s3", **options)
    patch = accelerate()
    for in_force in phases(Order(*sys.argv[1:]), patch, mock_aws, undo):
        if "theirs" in in_force:
            s3.create_bucket(Bucket="bucket")
            s3.put_object(Bucket="bucket", Key="k", Body=b"moto")
            assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"moto"
        else:
            outside.head_object(Bucket="b", Key="k")
    assert len(server.requests) == 3
    assert patch.stats.fast == 0 and set(patch.stats.reasons) == {reason}, patch.stats
    outside.close()
    s3.close()
print("done")
"""


@pytest.mark.skipif(find_spec("moto") is None, reason="moto is not installed")
@pytest.mark.parametrize("order", [ORDERS[0], ORDERS[3]], ids=str)
def test_moto_in_process(order: Order) -> None:
    """`mock_aws` answers, inside and outside of ours. Its handler is botocore's for good."""
    done = subprocess.run(
        [sys.executable, "-c", MOTO, *order], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


def test_moto_in_process_is_not_imported_here() -> None:
    """What other tests call stock is not moto's."""
    assert "moto.core.models" not in sys.modules
    assert BaseClient.__dict__["_make_api_call"].__module__ == "botocore.client"
