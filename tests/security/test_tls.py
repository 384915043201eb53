"""Certificates that are not good, and where the CA is said; see tests/fastpath/test_tls.py too."""

from __future__ import annotations

import datetime
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore
import pytest
import trustme
from botocore.exceptions import SSLError

from tests.fastpath.callers import all_fast, open_caller
from tests.fastpath.outcome import outcome
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.tls import TLSFiles, server_context

ONE_ATTEMPT = {"mode": "standard", "total_max_attempts": 1}
LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)
AGO = datetime.datetime(2002, 1, 1, tzinfo=datetime.timezone.utc)


@pytest.fixture(autouse=True)
def _every_engine(engine: str) -> None: ...


def context_of(leaf: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


# With a CA of the user's aiobotocore 2 does not, in aiohttp's hands; nor do we then.
LOOKS_AT_NAMES = botocore.__version__ >= "1.41"


@pytest.mark.parametrize("fault", ["expired", "of another name", "signed by itself"])
def test_a_certificate_that_is_not_good(
    flavour: str, capture: Callable[..., CaptureServer], tmp_path: Path, fault: str
) -> None:
    """SSLError in stock's words, and no request was sent: not even its head."""
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf = {
        "expired": lambda: ca.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=AGO),
        "of another name": lambda: ca.issue_cert("elsewhere.test"),
        "signed by itself": lambda: other.issue_cert("127.0.0.1"),
    }[fault]()
    server = capture(http_answer(200), tls=context_of(leaf))
    options: dict[str, Any] = {
        "endpoint_url": server.endpoint_url,
        "verify": str(tmp_path / "ca.pem"),
        "retries": ONE_ATTEMPT,
    }
    with open_caller(flavour, **options) as s3:
        stock = outcome(s3, "head_object", Bucket="b", Key="k")
        before = len(server.requests)
        with all_fast(1):
            fast = outcome(s3, "head_object", Bucket="b", Key="k")
    if LOOKS_AT_NAMES or flavour == "sync" or fault != "of another name":
        assert fast.error is not None
        assert stock.error is not None
        assert fast.error[0] is stock.error[0] is SSLError
        assert re.search("certificate verify failed|doesn't match", fast.error[1])
        assert server.requests == []
    else:
        assert (fast.error, len(server.requests) - before) == (stock.error, before)


def test_the_ca_of_the_environment(
    flavour: str,
    capture: Callable[..., CaptureServer],
    tls_files: TLSFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AWS_CA_BUNDLE is heeded; without it, and without `verify`, the CA is not trusted."""
    server = capture(http_answer(200), tls=server_context(tls_files))
    options: dict[str, Any] = {"endpoint_url": server.endpoint_url, "retries": ONE_ATTEMPT}
    with open_caller(flavour, **options) as s3, all_fast(1), pytest.raises(SSLError):
        s3("head_object", Bucket="b", Key="k")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tls_files.ca))
    with open_caller(flavour, **options) as s3, all_fast(1):
        s3("head_object", Bucket="b", Key="k")
    assert len(server.requests) == 1
