"""Presigned URLs and posts are stock's, character for character."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from botocore import xform_name
from hypothesis import given
from hypothesis import strategies as st

from tests.generate.params import valid_params
from tests.generate.spoilt import Spoilt, spoilt_params
from tests.parity.configs import SETUPS, ClientSetup
from tests.parity.limits import bounded
from tests.parity.operations import FAST, operation_model
from tests.parity.worlds import Request, World

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

V4 = {"signature_version": "s3v4"}
QUERY = {"signature_version": "s3-query"}


def signed(name: str, more: dict[str, Any]) -> ClientSetup:
    return replace(SETUPS[name], options={**SETUPS[name].options, **more})


PRESIGNING: dict[str, ClientSetup] = {
    **SETUPS,
    "s3v4, path": signed("http, path", V4),
    "s3v4, virtual host": signed("http, virtual host", V4),
    "s3v4, https": signed("https, virtual host", V4),
    "s3v4, token": signed("http, session token", V4),
    "s3-query": signed("http, path", QUERY),
}
EXPIRY = st.sampled_from([None, 1, 60, 604800, 0])
METHODS = st.sampled_from([None, None, "GET", "PUT"])


def presign(method: str, params: dict[str, Any], **more: Any) -> Request:
    given_ = {name: value for name, value in more.items() if value is not None}
    arguments = {"ClientMethod": method, "Params": params, **given_}
    return Request("generate_presigned_url", lambda _: copy.deepcopy(arguments), answers=())


@pytest.mark.parametrize("operation", FAST)
def test_urls_are_stock_s(world: World, operation: str) -> None:
    model = operation_model(operation)
    setups = st.sampled_from(list(PRESIGNING))

    @bounded(25)
    @given(name=setups, params=valid_params(model), expires=EXPIRY, method=METHODS)
    def check(name: str, params: dict[str, Any], expires: Any, method: Any) -> None:
        call = presign(xform_name(operation), params, ExpiresIn=expires, HttpMethod=method)
        pair = world.compare(PRESIGNING[name], call)
        assert pair.differences() == []
        assert pair.fast.requests == ()

    check()


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "ListObjectsV2", "UploadPart"])
def test_urls_of_bad_parameters(world: World, operation: str) -> None:
    model = operation_model(operation)

    @bounded(40)
    @given(spoilt=spoilt_params(model))
    def check(spoilt: Spoilt) -> None:
        pair = world.compare(
            PRESIGNING["s3v4, path"], presign(xform_name(operation), spoilt.params)
        )
        assert pair.differences() == [], spoilt.how

    check()


@pytest.mark.parametrize("name", ["s3v4, path", "s3v4, virtual host", "s3v4, https", "s3v4, token"])
def test_plain_urls_go_fast(world: World, name: str) -> None:
    before = world.tally.stats.fallback if world.tally.stats else 0
    for method in ("get_object", "put_object", "head_object"):
        call = presign(method, {"Bucket": "my-bucket-1", "Key": "a key"}, ExpiresIn=60)
        pair = world.compare(PRESIGNING[name], call)
        assert pair.differences() == []
        assert isinstance(pair.stock.value, str)
    # presigning is no call: what is fast is not counted
    assert world.tally.stats.fallback == before, str(world.tally.stats)


def test_an_unknown_method_is_refused(world: World) -> None:
    for method in ("no_such_method", "", "GetObject", None, "get_paginator"):
        assert world.compare(PRESIGNING["s3v4, path"], presign(method, {})).differences() == []


POSTS: tuple[dict[str, Any], ...] = (
    {},
    {"ExpiresIn": 60},
    {"Fields": {"acl": "public-read"}, "Conditions": [{"acl": "public-read"}]},
    {"Conditions": [["content-length-range", 1, 10], ["starts-with", "$key", "p/"]]},
    {"Key": "uploads/${filename}"},
    {"Key": "ä/ü ${filename}"},
    {"Key": ""},
    {"Bucket": "not a bucket"},
    {"Bucket": "dotted.bucket.name"},
    {"Bucket": 7},
    {"Fields": 7},
)


@pytest.mark.parametrize("name", list(PRESIGNING))
@pytest.mark.parametrize("number", range(len(POSTS)))
def test_posts_are_stock_s(world: World, name: str, number: int) -> None:
    arguments = {"Bucket": "my-bucket-1", "Key": "k", **POSTS[number]}
    call = Request("generate_presigned_post", lambda _: copy.deepcopy(arguments), answers=())
    assert world.compare(PRESIGNING[name], call).differences() == []
