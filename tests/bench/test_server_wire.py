"""What the benchmark's server does on the wire, seen through a bare socket."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from boto_accel.bench.target import Target, own_server


@pytest.fixture
def connection(http_target: Target) -> Iterator[socket.socket]:
    host, _, port = http_target.endpoint.partition("://")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as made:
        made.sendall(b"PUT /wire HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert read_answer(made)[0] == 200
        yield made


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        assert got, f"closed after {data!r}"
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return int(status.split()[1]), headers, body


def test_an_expectation_is_answered_before_the_body_is_sent(connection: socket.socket) -> None:
    connection.sendall(
        b"PUT /wire/k HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    )
    assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(b"abc")
    assert read_answer(connection)[0] == 200


def test_answers_have_the_headers_of_s3(connection: socket.socket) -> None:
    connection.sendall(b"PUT /wire/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    read_answer(connection)
    connection.sendall(b"GET /wire/k HTTP/1.1\r\nHost: x\r\n\r\n")
    status, headers, body = read_answer(connection)
    assert (status, body) == (200, b"abc")
    assert set(headers) == {
        "x-amz-id-2",
        "x-amz-request-id",
        "date",
        "last-modified",
        "etag",
        "x-amz-server-side-encryption",
        "accept-ranges",
        "content-type",
        "content-length",
        "server",
    }


def test_request_ids_differ(connection: socket.socket) -> None:
    seen = set()
    for _ in range(3):
        connection.sendall(b"GET /wire/none HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, body = read_answer(connection)
        assert status == 404
        assert headers["x-amz-request-id"].encode() in body
        seen.add(headers["x-amz-request-id"])
    assert len(seen) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfYZQ==\r\n\r\n",
        b"5;chunk-signature=00ff\r\nabcde\r\n0;chunk-signature=00ff\r\n\r\n",
    ],
)
def test_an_aws_chunked_body_with_a_length_is_decoded(
    connection: socket.socket, body: bytes
) -> None:
    """So do SDKs that do not use HTTP chunks beside."""
    connection.sendall(
        b"PUT /wire/chunked HTTP/1.1\r\nHost: x\r\nContent-Encoding: aws-chunked\r\n"
        b"x-amz-decoded-content-length: 5\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    assert read_answer(connection)[0] == 200
    connection.sendall(b"GET /wire/chunked HTTP/1.1\r\nHost: x\r\n\r\n")
    assert read_answer(connection)[2] == b"abcde"


def test_a_truncated_aws_chunked_body_is_refused(connection: socket.socket) -> None:
    connection.sendall(
        b"PUT /wire/cut HTTP/1.1\r\nHost: x\r\nContent-Encoding: aws-chunked\r\n"
        b"x-amz-decoded-content-length: 5\r\nContent-Length: 6\r\n\r\n5\r\nabc"
    )
    status, _, body = read_answer(connection)
    assert status == 400
    assert b"IncompleteBody" in body


def test_requests_in_one_packet_are_answered_in_order(connection: socket.socket) -> None:
    put = b"PUT /wire/p HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%b"
    connection.sendall(put % b"1" + b"HEAD /wire/none HTTP/1.1\r\nHost: x\r\n\r\n")
    received = b""
    while received.count(b"\r\n\r\n") < 2:
        received += connection.recv(65536)
    assert received.index(b" 200 ") < received.index(b" 404 ")


def test_connections_are_kept_unless_the_client_wants_none(connection: socket.socket) -> None:
    connection.sendall(b"GET /wire/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert read_answer(connection)[0] == 404
    assert connection.recv(1) == b""


def test_what_is_no_http_closes_the_connection(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x01 not http\r\n\r\n")
    assert connection.recv(1) == b""


def test_the_server_ends_with_the_one_who_started_it() -> None:
    """Its input is a pipe that closes however the parent ends."""
    with own_server("http") as target:
        port = int(target.endpoint.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_the_server_ends_on_a_signal_with_a_connection_open() -> None:
    command = [sys.executable, "-m", "boto_accel.bench.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split('"port": ')[1].split(",")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as kept:
            kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(kept)[0] == 200
            process.terminate()
            assert process.wait(10) == 0
