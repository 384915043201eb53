"""The servers do what the other tests rely on: shown with stock clients, sync and async."""

from __future__ import annotations

import base64
import contextlib
import datetime
import io
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import zlib
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    SSLError,
)

from boto_accel.bench.seaweedfs import Certificate, SeaweedFS
from tests.servers.capture import (
    CLOCK_HEADERS,
    CaptureServer,
    Close,
    Drip,
    Reset,
    Send100,
    Sleep,
    WaitForRequest,
    http_answer,
    normalised,
)
from tests.servers.clients import make_client
from tests.servers.tls import server_context

ONCE = {"retries": {"total_max_attempts": 1}}


async def call(flavour: str, operation: str, params: dict[str, Any], **options: Any) -> Any:
    """One S3 call on a new stock client; a streamed Body is read and replaced by its bytes."""
    (reply,) = await calls(flavour, [(operation, params)], **options)
    return reply


async def calls(
    flavour: str, wanted: list[tuple[str, dict[str, Any]]], **options: Any
) -> list[Any]:
    """Several calls on one client."""
    if flavour == "sync":
        with make_client("sync", "s3", **options) as client:
            return [_read(getattr(client, name)(**params)) for name, params in wanted]
    async with make_client("async", "s3", **options) as client:
        return [await _aread(await getattr(client, name)(**params)) for name, params in wanted]


def _read(reply: Any) -> Any:
    if "Body" in reply:
        reply["Body"] = reply["Body"].read()
    return reply


async def _aread(reply: Any) -> Any:
    if "Body" in reply:
        async with reply["Body"] as body:
            reply["Body"] = await body.read()
    return reply


def exchange(server: CaptureServer, *pieces: bytes) -> bytes:
    """Send *pieces* on one plain connection, and return all that came back until its end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        for piece in pieces:
            sock.sendall(piece)
        with contextlib.suppress(OSError):  # reset already: reading says so
            sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


# ---------------------------------------------------------------- the capturing server


async def test_capture_records_the_request_and_gives_the_scripted_answer(capture, flavour):
    """Method, target, headers in order and the answer's bytes, for both kinds of client."""
    server = capture([http_answer(200, b"hello", {"ETag": '"e"'})])
    reply = await call(
        flavour, "get_object", {"Bucket": "b", "Key": "k/ü"}, endpoint_url=server.endpoint_url
    )
    assert reply["Body"] == b"hello"
    assert reply["ETag"] == '"e"'
    (request,) = server.requests
    assert (request.method, request.target, request.version) == (
        b"GET",
        b"/b/k/%C3%BC",
        b"HTTP/1.1",
    )
    assert request.header("host") == f"127.0.0.1:{server.port}".encode()
    assert request.body == b""
    assert request.complete
    lines = [name + b": " + value for name, value in request.headers]
    assert request.head == b"\r\n".join([b"GET /b/k/%C3%BC HTTP/1.1", *lines, b"", b""])


async def test_capture_shows_connection_reuse(capture, flavour):
    """Two calls in a row share a connection; after a Close the next one is new."""
    server = capture([http_answer(), http_answer(), [http_answer(), Close()], http_answer()])
    head = ("head_object", {"Bucket": "b", "Key": "k"})
    await calls(flavour, [head] * 4, endpoint_url=server.endpoint_url)
    assert [request.connection for request in server.requests] == [0, 0, 0, 1]
    assert server.accepted == 2


async def test_capture_answers_100_continue_before_the_body(capture, flavour):
    server = capture(continue_after=0.05)
    params = {"Bucket": "b", "Key": "k", "Body": io.BytesIO(b"x" * 5000)}
    await call(flavour, "put_object", params, endpoint_url=server.endpoint_url)
    (request,) = server.requests
    assert request.expects_continue
    assert request.sent_100
    assert not request.body_before_continue
    assert request.header("content-length") == b"%d" % len(request.raw_body)
    assert b"x" * 5000 in request.body


def test_capture_notices_a_body_sent_before_100_continue(capture):
    server = capture(http_answer())
    head = b"PUT /b/k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    assert exchange(server, head + b"abc").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert server.requests[0].body_before_continue


async def test_capture_can_answer_expect_with_the_final_status(capture, flavour):
    """The client keeps the body back, and gets the error at once."""
    server = capture([http_answer(403)] * 2, expect="final")
    for _ in range(2):
        params = {"Bucket": "b", "Key": "k", "Body": io.BytesIO(b"x" * 5000)}
        with pytest.raises(ClientError, match="403"):
            await call(flavour, "put_object", params, endpoint_url=server.endpoint_url, **ONCE)
    assert len(server.requests) == 2
    assert all(not r.complete and r.body == b"" and not r.sent_100 for r in server.requests)


def test_capture_can_ignore_expect(capture):
    """Stock boto3 sends the body all the same after a second without an answer."""
    server = capture(expect="ignore")
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as client:
        client.put_object(Bucket="b", Key="k", Body=b"x" * 5000)
    (request,) = server.requests
    assert request.expects_continue
    assert not request.sent_100
    assert b"x" * 5000 in request.body


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_capture_removes_chunked_framing_and_keeps_it_raw(
    capture, flavour, scheme, tls_files
):
    """An upload with a trailer: chunked over aws-chunked, of which only the outer is taken off."""
    tls = server_context(tls_files) if scheme == "https" else None
    server = capture(tls=tls)
    body = io.BytesIO(b"y" * 3000)
    params = {"Bucket": "b", "Key": "k", "Body": body, "ChecksumAlgorithm": "CRC32"}
    options = {"endpoint_url": server.endpoint_url, "verify": str(tls_files.ca)}
    await call(flavour, "put_object", params, **options)
    (request,) = server.requests
    crc = base64.b64encode(zlib.crc32(b"y" * 3000).to_bytes(4, "big"))
    if scheme == "https":
        assert request.header("content-encoding") == b"aws-chunked"
        assert request.header("x-amz-trailer") == b"x-amz-checksum-crc32"
        assert b"x-amz-checksum-crc32:" + crc in request.body
        assert request.body.startswith(b"bb8\r\nyyy")
    else:
        assert request.header("x-amz-checksum-crc32") == crc
        assert request.body == b"y" * 3000
    if request.is_chunked:
        assert len(request.raw_body) > len(request.body)
        assert request.raw_body.endswith(b"0\r\n\r\n")
    else:
        assert request.raw_body == request.body


def test_capture_reads_chunks_extensions_and_trailers(capture):
    server = capture(http_answer())
    head = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw = b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n"
    exchange(server, head, raw[:4], raw[4:])
    (request,) = server.requests
    assert (request.body, request.raw_body) == (b"abcde", raw)
    assert request.trailers == ((b"X-Sum", b"1"), (b"X-B", b"2"))


@pytest.mark.parametrize(
    "sent",
    [b"Content-Length: 9\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc"],
)
def test_capture_records_a_request_that_was_broken_off(sent):
    with CaptureServer() as server:
        assert exchange(server, b"PUT / HTTP/1.1\r\n" + sent) == b""
    (request,) = server.requests
    assert not request.complete
    assert request.raw_body.endswith(b"abc")


@pytest.mark.parametrize("step", [Reset(), Close()], ids=repr)
async def test_capture_ends_a_connection_before_the_answer(capture, flavour, step):
    # aiohttp sends an idempotent request a second time when its connection was closed.
    attempts = 1 if flavour == "sync" else 2
    server = capture([step] * attempts)
    head = {"Bucket": "b", "Key": "k"}
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        await call(flavour, "head_object", head, endpoint_url=server.endpoint_url, **ONCE)
    assert len(server.requests) == attempts


@pytest.mark.parametrize("step", [Reset(), Close()], ids=repr)
async def test_capture_ends_a_connection_within_the_answer(capture, flavour, step):
    server = capture([[http_answer(200, b"12345")[:-2], step]])
    get = {"Bucket": "b", "Key": "k"}
    with pytest.raises(Exception, match=r"(?i)reset|broken|incomplete|payload"):
        await call(flavour, "get_object", get, endpoint_url=server.endpoint_url, **ONCE)


async def test_capture_refuses_on_connect(capture, flavour):
    server = capture(on_connect=Reset())
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        await call(
            flavour,
            "head_object",
            {"Bucket": "b", "Key": "k"},
            endpoint_url=server.endpoint_url,
            **ONCE,
        )
    assert server.accepted >= 1
    assert server.requests == []


def test_capture_reset_is_a_reset_and_close_is_an_end(capture):
    server = capture([Reset(), Close()])
    with pytest.raises(ConnectionResetError):
        exchange(server, b"GET / HTTP/1.1\r\n\r\n")
    assert exchange(server, b"GET / HTTP/1.1\r\n\r\n") == b""


def test_capture_drips_and_sleeps(capture):
    answer = http_answer(200, b"0123456789")
    server = capture([[Sleep(0.01), Drip(answer, 7, 0.001)]])
    assert exchange(server, b"GET / HTTP/1.1\r\n\r\n") == answer


def test_capture_early_lets_the_script_place_100_and_the_body(capture):
    server = capture([[Send100(), WaitForRequest(), http_answer(204)]], early=True)
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as client:
        client.put_object(Bucket="b", Key="k", Body=b"x" * 5000)
    (request,) = server.requests
    assert request.sent_100
    assert request.complete
    assert b"x" * 5000 in request.body


def test_capture_early_answer_without_reading_the_body_is_recorded_incomplete(capture):
    server = capture([[http_answer(400), Close()]], early=True)
    got = exchange(server, b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400 ")
    assert not server.requests[0].complete


def test_capture_callable_script_sees_the_request(capture):
    server = capture(lambda request: http_answer(200, request.method + b" " + request.target))
    assert exchange(server, b"GET /a HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\nGET /a")


def test_capture_raises_what_went_wrong_in_its_threads():
    """A script that ran out, one that raises, and bytes that are not HTTP do not stay unseen."""
    get = b"GET / HTTP/1.1\r\n\r\n"
    with pytest.raises(AssertionError, match="request 1 has no answer"), CaptureServer([b""]) as s:
        exchange(s, get + get)
    with pytest.raises(ZeroDivisionError), CaptureServer(lambda _: 1 // 0) as s:
        exchange(s, get)
    with pytest.raises(ValueError, match="unpack"), CaptureServer() as s:
        exchange(s, b"nonsense\r\n\r\n")


def test_capture_stops_while_connections_stall():
    """Leaving ends a sleeping answer and an idle connection at once."""
    with CaptureServer([Sleep(3600)]) as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        asking = socket.create_connection(("127.0.0.1", server.port))
        asking.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert server.wait_for_requests(1)
    for sock in (idle, asking):
        with sock:
            sock.settimeout(10)
            assert sock.recv(1) == b""


async def test_capture_tls_and_client_certificates(capture, flavour, tls_files):
    server = capture(tls=server_context(tls_files, require_client=True))
    options = {"endpoint_url": server.endpoint_url, "verify": str(tls_files.ca)}
    pair = (str(tls_files.client_cert), str(tls_files.client_key))
    head = {"Bucket": "b", "Key": "k"}
    await call(flavour, "head_object", head, client_cert=pair, **options)
    der = ssl.PEM_cert_to_DER_cert(tls_files.client_cert.read_text())
    assert server.peer_certificates == [der]
    with pytest.raises((SSLError, ConnectionClosedError, EndpointConnectionError)):
        await call(flavour, "head_object", head, **options, **ONCE)
    assert len(server.requests) == 1


async def test_capture_counts_refused_handshakes(capture, flavour, tls_files):
    server = capture(tls=server_context(tls_files))
    options = {"endpoint_url": server.endpoint_url, "verify": str(tls_files.other_ca)}
    with pytest.raises(SSLError):
        await call(flavour, "head_object", {"Bucket": "b", "Key": "k"}, **options, **ONCE)
    assert server.requests == []


def test_capture_close_notify(capture, tls_files):
    """Close(notify=True) is a clean end of TLS, Close() a cut one."""
    server = capture([Close(notify=True), Close()], tls=server_context(tls_files))
    context = ssl.create_default_context(cafile=str(tls_files.ca))

    def last_read() -> bytes:
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw,
            context.wrap_socket(
                raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False
            ) as sock,
        ):
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            return sock.recv(1)

    assert last_read() == b""
    with pytest.raises(ssl.SSLEOFError):
        last_read()


# ---------------------------------------------------------------- comparing, and the clock


async def test_normalised_masks_what_the_clock_changes(capture, frozen_clock, flavour):
    """Two calls at different times are equal under the mask and unequal without it."""
    server = capture(http_answer())
    head = ("head_object", {"Bucket": "b", "Key": "k"})
    await calls(flavour, [head], endpoint_url=server.endpoint_url)
    frozen_clock.tick(1)
    await calls(flavour, [head], endpoint_url=server.endpoint_url)
    one, two = server.requests
    assert normalised(one) != normalised(two)
    assert normalised(one, CLOCK_HEADERS) == normalised(two, CLOCK_HEADERS)
    assert dict(normalised(one, CLOCK_HEADERS).headers)[b"authorization"] == b"*"


async def test_frozen_clock_makes_requests_equal_to_the_byte(capture, frozen_clock, flavour):
    server = capture(http_answer())
    head = ("head_object", {"Bucket": "b", "Key": "k"})
    for _ in range(2):
        frozen_clock.reset()
        await calls(flavour, [head, head], endpoint_url=server.endpoint_url)
    first, second, again, after = server.requests
    assert [first.head, second.head] == [again.head, after.head]
    assert first.header("amz-sdk-invocation-id") != second.header("amz-sdk-invocation-id")
    assert first.header("x-amz-date") == b"20240229T235958Z"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_frozen_clock_reaches_presigned_urls(frozen_clock, version):
    """Both signature versions take the time from the clock, and see it move."""
    frozen_clock.set(datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc))
    with make_client("sync", "s3", signature_version=version) as client:
        params = {"Bucket": "bucket", "Key": "k"}
        urls = [client.generate_presigned_url("get_object", params) for _ in range(2)]
        frozen_clock.tick(60)
        urls.append(client.generate_presigned_url("get_object", params))
    assert urls[0] == urls[1] != urls[2]
    expected = "X-Amz-Date=20300101T000000Z" if version == "s3v4" else "Expires=1893459600"
    assert expected in urls[0]


def test_frozen_clock_is_undone(frozen_clock, monkeypatch):
    import botocore.auth
    import botocore.compat

    assert botocore.compat.get_current_datetime().year == 2024
    assert uuid.uuid4.__self__ is frozen_clock
    monkeypatch.undo()
    assert botocore.compat.datetime is datetime
    assert botocore.auth.time.time is time.time
    assert not hasattr(uuid.uuid4, "__self__")


def test_clients_know_nothing_of_the_developers_settings():
    assert Path(os.environ["AWS_CONFIG_FILE"]).exists() is False
    assert boto3.Session().get_credentials() is None
    assert boto3.Session().region_name is None


async def test_make_client_merges_config(flavour):
    """Unknown options go to Config, on top of a given one; sessions are not shared."""
    from botocore.config import Config

    if flavour == "async":
        from aiobotocore.config import AioConfig as Config
    options = {"config": Config(read_timeout=7), "max_pool_connections": 3}
    if flavour == "sync":
        with make_client("sync", "s3", **options) as client:
            config = client.meta.config
    else:
        async with make_client("async", "s3", **options) as client:
            config = client.meta.config
    assert (config.read_timeout, config.max_pool_connections) == (7, 3)


# ---------------------------------------------------------------- SeaweedFS


@pytest.fixture(params=["seaweed", "seaweed_tls"])
def any_seaweed(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def bucket(seaweed):
    name = f"servers-{uuid.uuid4().hex[:12]}"
    with make_client("sync", "s3", **seaweed.client_options) as client:
        client.create_bucket(Bucket=name)
    return name


async def test_seaweed_stores_and_returns(any_seaweed, bucket, flavour):
    put = ("put_object", {"Bucket": bucket, "Key": "a/b", "Body": b"data", "Metadata": {"m": "1"}})
    get = ("get_object", {"Bucket": bucket, "Key": "a/b"})
    _, reply = await calls(flavour, [put, get], **any_seaweed.client_options)
    assert reply["Body"] == b"data"
    assert reply["Metadata"] == {"m": "1"}


async def test_seaweed_rejects_a_wrong_secret(any_seaweed, bucket, flavour):
    options = {**any_seaweed.client_options, "aws_secret_access_key": "wrong"}
    with pytest.raises(ClientError) as caught:
        await call(flavour, "list_objects_v2", {"Bucket": bucket}, **options)
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


async def test_seaweed_rejects_anonymous_calls(seaweed, bucket, flavour):
    from botocore import UNSIGNED

    options = {**seaweed.client_options, "signature_version": UNSIGNED}
    with pytest.raises(ClientError) as caught:
        await call(flavour, "list_objects_v2", {"Bucket": bucket}, **options)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


async def test_seaweed_rejects_a_skewed_clock(seaweed, bucket, flavour, frozen_clock):
    with pytest.raises(ClientError) as caught:
        await call(flavour, "list_objects_v2", {"Bucket": bucket}, **seaweed.client_options)
    assert caught.value.response["Error"]["Code"] == "RequestTimeTooSkewed"


def test_seaweed_verifies_presigned_urls(any_seaweed, bucket):
    """A presigned GET works, and not once its signature is changed or its key another."""
    options = {**any_seaweed.client_options, "signature_version": "s3v4"}
    with make_client("sync", "s3", **options) as client:
        client.put_object(Bucket=bucket, Key="k", Body=b"data")
        client.put_object(Bucket=bucket, Key="other", Body=b"data")
        url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert _fetch(url, any_seaweed.verify) == b"data"
    forged = url.replace(f"/{bucket}/k?", f"/{bucket}/other?")
    assert forged != url
    with pytest.raises(urllib.error.HTTPError) as caught:
        _fetch(forged, any_seaweed.verify)
    with caught.value as answer:  # an HTTPError is an open answer
        assert answer.code == 403


def _fetch(url: str, verify: str | None) -> bytes:
    context = ssl.create_default_context(cafile=verify) if verify else None
    with urllib.request.urlopen(url, timeout=30, context=context) as answer:
        return answer.read()


async def test_seaweed_checks_the_trailer_of_an_upload(seaweed_tls, bucket, flavour, no_backoff):
    """Over https stock sends the CRC after the body; a right one is stored, a wrong one refused."""
    right = base64.b64encode(zlib.crc32(b"z" * 9000).to_bytes(4, "big")).decode()
    put = {"Bucket": bucket, "Key": "t", "Body": io.BytesIO(b"z" * 9000)}
    options = seaweed_tls.client_options
    reply = await call(flavour, "put_object", {**put, "ChecksumAlgorithm": "CRC32"}, **options)
    assert reply["ChecksumCRC32"] == right
    wrong = base64.b64encode(b"oops").decode()
    put = {**put, "Body": io.BytesIO(b"z" * 9000), "ChecksumCRC32": wrong}
    with pytest.raises(ClientError) as caught:
        await call(flavour, "put_object", put, **options)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_seaweed_keeps_connections_alive(seaweed, bucket):
    with make_client("sync", "s3", **seaweed.client_options) as client:
        replies = [client.list_objects_v2(Bucket=bucket) for _ in range(2)]
    headers = [reply["ResponseMetadata"]["HTTPHeaders"] for reply in replies]
    assert all(h.get("connection", "keep-alive") == "keep-alive" for h in headers)


_PARENT = """
import time
from boto_accel.bench.seaweedfs import SeaweedFS
with SeaweedFS() as server:
    print(server.pid, server.log_path.parent, flush=True)
    time.sleep(600)
"""


def _group_is_alive(pid: int) -> bool:
    """Whether a process of the group runs; zombies that wait for their parent do not count."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_seaweed_leaves_nothing_behind(seaweed, tls_files):
    """Process and folder are gone once the block is left."""
    with SeaweedFS(certificate=Certificate(tls_files.cert, tls_files.key)) as server:
        pid, directory = server.pid, server.log_path.parent
        assert directory.exists()
        assert "telemetry" not in server.log_path.read_text().lower()
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
    assert not directory.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_seaweed_dies_with_a_killed_parent(seaweed):
    """SIGKILL gives the parent no chance to tidy up: the guard ends the server."""
    root = Path(__file__).parent.parent
    child = subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with child:
        assert child.stdout is not None
        pid, directory = child.stdout.readline().decode().split()
        assert _group_is_alive(int(pid))
        child.kill()
    for _ in range(600):
        if not _group_is_alive(int(pid)) and not Path(directory).exists():
            break
        time.sleep(0.05)
    assert not _group_is_alive(int(pid))
    assert not Path(directory).exists()


# ---------------------------------------------------------------- moto


async def test_moto_server_stores(moto_server, flavour):
    create = ("create_bucket", {"Bucket": "moto-store"})
    put = ("put_object", {"Bucket": "moto-store", "Key": "k", "Body": b"data"})
    get = ("get_object", {"Bucket": "moto-store", "Key": "k"})
    *_, reply = await calls(flavour, [create, put, get], **moto_server.client_options)
    assert reply["Body"] == b"data"


def test_moto_server_is_reset(moto_server):
    with make_client("sync", "s3", **moto_server.client_options) as client:
        client.create_bucket(Bucket="left-over")
        moto_server.reset()
        assert client.list_buckets()["Buckets"] == []


def test_moto_server_leaves_this_process_alone(moto_server):
    """botocore's own handlers are what clients get: moto is imported in the server only."""
    code = (
        "import sys, tests.conftest\n"
        "from tests.servers.moto_server import run_moto_server\n"
        "with run_moto_server() as server: server.reset()\n"
        "assert not any(name.split('.')[0] == 'moto' for name in sys.modules)\n"
    )
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
