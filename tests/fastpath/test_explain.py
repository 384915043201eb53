"""`explain`, the narrowing of `accelerate`, and its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from boto_accel import _hook, accelerate, explain
from boto_accel.errors import InvalidOptionError
from tests.fastpath.callers import open_caller
from tests.servers.capture import CaptureServer, http_answer

FAST = (
    "get_object put_object head_object delete_object delete_objects copy_object list_objects_v2 "
    "list_objects list_object_versions list_buckets head_bucket create_bucket delete_bucket "
    "create_multipart_upload upload_part upload_part_copy complete_multipart_upload "
    "abort_multipart_upload list_parts list_multipart_uploads put_object_tagging "
    "get_object_tagging delete_object_tagging"
).split()


@pytest.mark.parametrize("method", FAST)
def test_the_operations_that_are_promised(flavour: str, method: str) -> None:
    """Each promised operation of S3 would go fast, asked for by either of its names."""
    with open_caller(flavour) as s3:
        told = explain(s3.client, method)
        assert told.fast, told.reason
        assert (told.reason, str(told), bool(told)) == ("", "fast", True)
        assert explain(s3.client, s3.client.meta.method_to_api_mapping[method]) == told


@pytest.mark.parametrize("method", ["select_object_content"])
def test_what_is_stock_says_why(flavour: str, method: str) -> None:
    """An operation with an event stream is stock's, and the reason names it."""
    with open_caller(flavour) as s3:
        told = explain(s3.client, method)
    assert not told.fast
    assert not told
    assert told.reason
    assert told.reason in str(told)


def test_explaining_changes_nothing(flavour: str, capture: Callable[..., CaptureServer]) -> None:
    """`explain` keeps nothing on the client, and sends nothing."""
    server = capture(http_answer(200))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
        before = dict(vars(s3.client))
        explain(s3.client, "get_object")
        assert vars(s3.client) == before
    assert server.accepted == 0


@pytest.mark.parametrize("operation", ["", "get_objekt", None, 3, b"get_object", ["get_object"]])
def test_no_such_operation(operation: Any) -> None:
    with open_caller("sync") as s3, pytest.raises(InvalidOptionError, match="operation"):
        explain(s3.client, operation)


@pytest.mark.parametrize("client", [None, 3, "s3", object()])
def test_no_client(client: Any) -> None:
    with pytest.raises(InvalidOptionError, match="client"):
        explain(client, "get_object")


@pytest.mark.parametrize(
    "options",
    [
        {"http": "curl"},
        {"http": None},
        {"shadow": -0.1},
        {"shadow": 1.1},
        {"shadow": True},
        {"shadow": "1"},
        {"shadow": float("nan")},
        {"services": 3},
        {"operations": [3]},
        {"clients": "s3"},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    """A bad option raises before anything is changed; it is a ValueError too."""
    with pytest.raises(InvalidOptionError) as raised:
        accelerate(**options)
    assert isinstance(raised.value, ValueError)
    assert raised.value.parameter == next(iter(options))
    assert _hook.stack.active == ()


@pytest.mark.parametrize(
    ("narrowing", "fast"),
    [
        ({"operations": "head_object"}, 1),
        ({"operations": ["HeadObject", "delete_object"]}, 2),
        ({"services": "s3"}, 2),
        ({"services": ["dynamodb"]}, 0),
        ({"services": "s3", "operations": "DeleteObject"}, 1),
    ],
)
def test_narrowing(
    flavour: str, capture: Callable[..., CaptureServer], narrowing: dict[str, Any], fast: int
) -> None:
    """What is not named is stock's and not even counted."""
    server = capture(http_answer(200))
    with (
        open_caller(flavour, endpoint_url=server.endpoint_url) as s3,
        accelerate(**narrowing) as patch,
    ):
        s3("head_object", Bucket="b", Key="k")
        s3("delete_object", Bucket="b", Key="k")
    assert (patch.stats.fast, patch.stats.fallback) == (fast, 0)
    assert len(server.requests) == 2


def test_narrowing_to_clients(flavour: str, capture: Callable[..., CaptureServer]) -> None:
    """`clients=` takes one client or several; others are stock."""
    server = capture(http_answer(200))
    url = server.endpoint_url
    with (
        open_caller(flavour, endpoint_url=url) as one,
        open_caller(flavour, endpoint_url=url) as two,
    ):
        with accelerate(clients=one.client) as patch:
            for s3 in (one, two, one):
                s3("head_object", Bucket="b", Key="k")
        assert (patch.stats.fast, patch.stats.fallback) == (2, 0)
        with accelerate(clients=[one.client, two.client]) as patch:
            for s3 in (one, two):
                s3("head_object", Bucket="b", Key="k")
        assert patch.stats.fast == 2
