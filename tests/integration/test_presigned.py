"""Presigned URLs and posts made while accelerated, used by a plain HTTP client."""

from __future__ import annotations

import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from boto_accel import accelerate
from tests.fastpath.callers import open_caller

Fetch = Callable[..., bytes]


@pytest.fixture
def fetch() -> Fetch:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(url: str, data: bytes | None = None, method: str = "GET", **headers: str) -> bytes:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data=data, method=method, headers=given)
        with opener.open(request, timeout=30) as answer:
            found: bytes = answer.read()
        return found

    return ask


@pytest.mark.parametrize("version", ["s3v4", None])
def test_urls(flavour: str, seaweed: Any, bucket: str, fetch: Fetch, version: str | None) -> None:
    """SeaweedFS takes the URLs for put, get and list, in version 4 and in the older one."""
    options = {**seaweed.client_options, **({"signature_version": version} if version else {})}
    with open_caller(flavour, **options) as s3:
        s3("create_bucket", Bucket=bucket)
        place = {"Bucket": bucket, "Key": "a b/ü&+.txt"}
        # What is in the query besides the signature SeaweedFS knows in version 4 only.
        more = {"ResponseContentType": "text/x"} if version == "s3v4" else {}
        with accelerate() as patch:
            for _ in range(2):  # the first of a kind is made by botocore as well
                put = _url(s3, "put_object", place)
                get = _url(s3, "get_object", {**place, **more})
                listing = _url(s3, "list_objects_v2", {"Bucket": bucket, "Prefix": "a b"})
        stats = patch.stats
        assert (stats.proved, stats.retired, stats.fallback) == (3, 0, 0), f"\n{stats}"
        fetch(put, b"presigned", "PUT", Content_Type="")
        assert fetch(get) == b"presigned"
        if version == "s3v4":
            assert b"KeyCount>1<" in fetch(listing)
        assert s3.body(**place) == b"presigned"


def _url(s3: Any, method: str, params: dict[str, Any]) -> str:
    url: str = s3.run(s3.client.generate_presigned_url(method, Params=params, ExpiresIn=300))
    return url


def test_posts(flavour: str, seaweed: Any, bucket: str, fetch: Fetch) -> None:
    """A presigned post made while accelerated uploads a form."""
    options = {**seaweed.client_options, "signature_version": "s3v4"}
    with open_caller(flavour, **options) as s3:
        s3("create_bucket", Bucket=bucket)
        with accelerate():
            post = s3.run(s3.client.generate_presigned_post(bucket, "form.txt", ExpiresIn=300))
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in post["fields"].items()
        ]
        file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
        form = f"{''.join(parts)}{file}\r\nposted\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        fetch(post["url"], form, "POST", Content_Type=kind)
        assert s3.body(Bucket=bucket, Key="form.txt") == b"posted"
