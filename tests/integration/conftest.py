"""Servers to talk to; no test leaves a patch in force."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from boto_accel import _hook
from tests.servers.clients import make_client
from tests.servers.seaweed import Seaweed


@pytest.fixture(autouse=True)
def _no_patch_left() -> Iterator[None]:
    yield
    assert _hook.stack.active == ()


@pytest.fixture(params=["http", "https", "moto"])
def server(request: pytest.FixtureRequest) -> Any:
    """SeaweedFS over http and over https, and moto's server: each with `client_options`."""
    name = {"http": "seaweed", "https": "seaweed_tls", "moto": "moto_server"}[request.param]
    return request.getfixturevalue(name)


@pytest.fixture(params=["http", "https"])
def weed(request: pytest.FixtureRequest) -> Seaweed:
    """SeaweedFS over http and over https."""
    name = {"http": "seaweed", "https": "seaweed_tls"}[request.param]
    found: Seaweed = request.getfixturevalue(name)
    return found


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Iterator[str]:
    """A bucket name that no other test has; nothing is made, but what the test makes is removed."""
    name = f"t-{uuid.uuid4().hex[:20]}"
    yield name
    # Each bucket of SeaweedFS takes volumes of its own, of which there are not many.
    for each in request.node.funcargs.values():
        if isinstance(each, Seaweed):
            with make_client("sync", "s3", **each.client_options) as s3:
                remove_bucket(s3, name)
            return


def remove_bucket(s3: Any, name: str) -> None:
    """The bucket with all that is in it; nothing where there is none."""
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for found in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                s3.delete_object(Bucket=name, Key=found["Key"], VersionId=found["VersionId"])
        for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
        s3.delete_bucket(Bucket=name)
    except s3.exceptions.NoSuchBucket:
        pass
