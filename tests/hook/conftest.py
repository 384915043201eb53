"""Clients without a network, and the check that each test leaves botocore as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import botocore.client
import botocore.session
import botocore.signers
import pytest

from boto_accel import _hook

PRESIGNERS = ("generate_presigned_url", "generate_presigned_post")


def hooked_objects() -> list[Any]:
    """All that the hook may exchange, the very objects."""
    found: list[Any] = [botocore.client.BaseClient.__dict__["_make_api_call"]]
    found += [getattr(botocore.signers, name).__code__ for name in PRESIGNERS]
    if "aiobotocore.client" in sys.modules:
        import aiobotocore.client
        import aiobotocore.signers

        found.append(aiobotocore.client.AioBaseClient.__dict__["_make_api_call"])
        found += [getattr(aiobotocore.signers, name).__code__ for name in PRESIGNERS]
    return found


def same(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))


@pytest.fixture(autouse=True)
def _left_as_found() -> Iterator[None]:
    """At the end of every test the very objects that were there are back."""
    before = hooked_objects()
    yield
    assert _hook.stack.active == ()
    assert same(before, hooked_objects())
    assert _hook._watch not in sys.meta_path


def make_s3() -> Any:
    session = botocore.session.Session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    # A port that nobody listens on: what is not answered by a patch fails at once.
    return session.create_client("s3", region_name="us-east-1", endpoint_url="http://127.0.0.1:1")


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    client = make_s3()
    yield client
    client.close()
