"""Certificates: verified, not verified, of a CA of one's own, and the client's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import SSLError
from urllib3.exceptions import InsecureRequestWarning

from boto_accel import accelerate
from tests.fastpath.callers import all_fast, open_caller
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.tls import TLSFiles, server_context


@pytest.fixture
def server(capture: Callable[..., CaptureServer], tls_files: TLSFiles) -> CaptureServer:
    return capture(http_answer(200), tls=server_context(tls_files))


def test_a_ca_of_ones_own(flavour: str, server: CaptureServer, tls_files: TLSFiles) -> None:
    """`verify="ca.pem"` is used by the fast path, over one kept connection."""
    options = {"endpoint_url": server.endpoint_url, "verify": str(tls_files.ca)}
    with open_caller(flavour, **options) as s3, all_fast(3):
        for _ in range(3):
            s3("put_object", Bucket="b", Key="k", Body=b"x")
    assert [request.connection for request in server.requests] == [0, 0, 0]
    assert b"x-amz-checksum-crc" in server.requests[0].raw_body  # the trailer of aws-chunked


@pytest.mark.parametrize("verify", [None, "other"])
def test_a_certificate_that_is_not_trusted(
    flavour: str, server: CaptureServer, tls_files: TLSFiles, verify: str | None
) -> None:
    """SSLError as in stock, and no request, where the server's CA is not trusted."""
    options: dict[str, Any] = {
        "endpoint_url": server.endpoint_url,
        "verify": str(tls_files.other_ca) if verify else None,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
    }
    with open_caller(flavour, **options) as s3:
        with pytest.raises(SSLError) as stock:
            s3("head_object", Bucket="b", Key="k")
        with all_fast(1), pytest.raises(SSLError) as fast:
            s3("head_object", Bucket="b", Key="k")
    assert type(fast.value) is type(stock.value)
    assert "certificate verify failed" in str(fast.value)
    assert server.requests == []


def test_verify_false(flavour: str, server: CaptureServer) -> None:
    """`verify=False` accepts any certificate, as in stock."""
    options = {"endpoint_url": server.endpoint_url, "verify": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # urllib3's word about it
        with open_caller(flavour, **options) as s3, accelerate() as patch:
            s3("head_object", Bucket="b", Key="k")
    assert len(server.requests) == 1
    assert (patch.stats.fast, patch.stats.fallback) == (1, 0)


def test_urllib3_warns_of_what_is_not_verified(server: CaptureServer) -> None:
    """For each connection; in stock for each request, which Python by default shows once."""
    options = {"endpoint_url": server.endpoint_url, "verify": False}
    warned = pytest.warns(InsecureRequestWarning, match="host '127.0.0.1'")
    with open_caller("sync", **options) as s3, all_fast(1), warned:
        s3("head_object", Bucket="b", Key="k")


@pytest.mark.parametrize("form", ["one file", "two files"])
def test_client_certificates(
    flavour: str, capture: Callable[..., CaptureServer], tls_files: TLSFiles, form: str
) -> None:
    """Mutual TLS: the client's certificate is shown to the server by fast calls."""
    server = capture(http_answer(200), tls=server_context(tls_files, require_client=True))
    cert: Any = str(tls_files.client)
    if form == "two files":
        cert = (str(tls_files.client_cert), str(tls_files.client_key))
    options = {
        "endpoint_url": server.endpoint_url,
        "verify": str(tls_files.ca),
        "client_cert": cert,
    }
    with open_caller(flavour, **options) as s3, all_fast(2):
        s3("head_object", Bucket="b", Key="k")
        s3("head_object", Bucket="b", Key="k")
    assert len(server.peer_certificates) == 1
    assert server.peer_certificates[0]
