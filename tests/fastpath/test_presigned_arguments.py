"""What presigning does with the arguments that it is given, call after call."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from boto_accel import accelerate
from tests.fastpath.callers import Caller, open_caller

OBJECT = {"Bucket": "b", "Key": "k"}
SSE = {"SSECustomerKey": "k" * 32, "SSECustomerAlgorithm": "AES256"}
URLS: dict[str, tuple[str, dict[str, Any]]] = {
    "an object": ("get_object", OBJECT),
    "a listing": ("list_objects_v2", {"Bucket": "b"}),
    "a listing of another kind": ("list_objects", {"Bucket": "b", "Prefix": "p"}),
    "a key": ("get_object", {**OBJECT, **SSE}),
    "a copy": ("copy_object", {**OBJECT, "CopySource": {"Bucket": "b", "Key": "a b"}}),
}
FORMS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "fields": {"Fields": {"acl": "private"}},
    "conditions": {"Conditions": [{"acl": "private"}]},
    "both": {"Fields": {"acl": "private"}, "Conditions": [{"acl": "private"}]},
}
VERSIONS = ("s3", "s3v4")


def seen(caller: Caller, call: Callable[[], Any], arguments: Any) -> list[Any]:
    """What *call* gives, and what it leaves of *arguments*, again and again."""
    came: list[Any] = []
    for _ in range(4):
        given = caller.run(call())
        came.append(given)
        came.append(copy.deepcopy(arguments))
    return came


def check(flavour: str, version: str, make: Callable[[Caller], list[Any]]) -> None:
    options = {"endpoint_url": "http://localhost:1", "signature_version": version}
    with open_caller(flavour, **options) as caller:
        stock = make(caller)
        with accelerate() as patch:
            assert make(caller) == stock
        assert patch.stats.retired == 0


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", URLS)
def test_the_parameters_of_a_url(flavour: str, frozen_clock: Any, version: str, name: str) -> None:
    """botocore adds its defaults to the caller's own dict."""
    method, params = URLS[name]

    def make(caller: Caller) -> list[Any]:
        own = copy.deepcopy(params)
        return seen(caller, lambda: caller.client.generate_presigned_url(method, own), own)

    check(flavour, version, make)


@pytest.mark.parametrize("http_method", ["", "get", "POST", None])
def test_the_method_of_a_url(flavour: str, frozen_clock: Any, http_method: str | None) -> None:
    def make(caller: Caller) -> list[Any]:
        url = caller.client.generate_presigned_url
        return seen(caller, lambda: url("get_object", dict(OBJECT), HttpMethod=http_method), None)

    check(flavour, "s3v4", make)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("then", FORMS)
def test_the_fields_and_conditions_of_a_post(
    flavour: str, frozen_clock: Any, version: str, first: str, then: str
) -> None:
    """What botocore adds to the caller's own, ours does, and nothing else; whatever came first."""

    def make(caller: Caller) -> list[Any]:
        came = []
        post = caller.client.generate_presigned_post
        for name in (first, then):
            own = copy.deepcopy(FORMS[name])
            came += seen(caller, lambda own=own: post("b", "k", **own), own)
        return came

    check(flavour, version, make)
