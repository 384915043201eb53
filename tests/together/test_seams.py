"""A function of botocore that is replaced for a while: whose it is is told, and it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from botocore.endpoint import Endpoint

from boto_accel import accelerate, explain
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.clients import make_client


def test_replaced_when_a_client_makes_its_first_call(capture: Callable[..., CaptureServer]) -> None:
    """The client is not refused for ever: its calls are fast once the function is back."""
    server = capture(http_answer(200))
    stock = Endpoint.prepare_request

    def prepare_request(self: Any, request: Any) -> Any:
        request.headers["X-Theirs"] = "1"
        return stock(self, request)

    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, accelerate() as patch:
        with mock.patch.object(Endpoint, "prepare_request", prepare_request):
            s3.head_object(Bucket="b", Key="k")
            reason = explain(s3, "head_object").reason
        s3.head_object(Bucket="b", Key="k")
    assert [request.header("x-theirs") for request in server.requests] == [b"1", None]
    assert reason == f"Endpoint.prepare_request is replaced by {__name__}"
    assert patch.stats.reasons == {reason: 1}
    assert (patch.stats.fast, patch.stats.fallback) == (1, 1)


@pytest.mark.parametrize("part", ["_endpoint", "_request_signer"])
@pytest.mark.parametrize("first", [True, False], ids=["from the first call on", "later"])
def test_a_method_replaced_on_a_part_of_a_client(
    capture: Callable[..., CaptureServer], part: str, first: bool
) -> None:
    """It is called as stock calls it; when it is gone the client's calls are fast."""
    server = capture(http_answer(200))
    method = "make_request" if part == "_endpoint" else "sign"
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, accelerate() as patch:
        if not first:
            s3.head_object(Bucket="b", Key="k")
        stock = getattr(getattr(s3, part), method)
        with mock.patch.object(getattr(s3, part), method, side_effect=stock) as mocked:
            s3.head_object(Bucket="b", Key="k")
        assert mocked.call_count == 1
        s3.head_object(Bucket="b", Key="k")
    what = "endpoint" if part == "_endpoint" else "signer"
    assert patch.stats.reasons == {f"a method of the client's {what} is replaced": 1}
    assert patch.stats.fallback == 1
