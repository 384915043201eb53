"""Answers that end before their body does: how stock takes them, it depends on its version."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from tests.fastpath.callers import Caller, all_fast, open_caller
from tests.servers.capture import CaptureServer, Close

pytestmark = [
    pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning"),
    pytest.mark.usefixtures("frozen_heap"),
]
PLAIN = b"x" * 41
LISTING = b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
ITEM = b'{"Item":{"a":{"S":"b"}}}'
IDENTITY = b"<R><GetCallerIdentityResult><Arn>a</Arn></GetCallerIdentityResult></R>"
OBJECT = {"Bucket": "b", "Key": "k"}

Read = Callable[[Caller, Any], Any]


def in_pieces(caller: Caller, body: Any) -> list[bytes]:
    return [body.read(10) for _ in range(6)]


def in_chunks(caller: Caller, body: Any) -> list[bytes]:
    return list(body.iter_chunks(7))


def into_a_buffer(caller: Caller, body: Any) -> Any:
    return body.readinto(bytearray(100))


def again_and_again(caller: Caller, body: Any) -> list[Any]:
    """A reader that goes on after the error."""
    seen: list[Any] = []
    for _ in range(8):
        try:
            seen.append(body.read(20))
        except Exception as error:
            seen.append((type(error), str(error)))
    return seen


def as_it_is(caller: Caller, body: Any) -> Any:
    return caller.run(body.read())


CALLS: dict[str, tuple[str, str, dict[str, Any], bytes, Read | None]] = {
    "read": ("s3", "get_object", OBJECT, PLAIN, as_it_is),
    "read in pieces": ("s3", "get_object", OBJECT, PLAIN, in_pieces),
    "read in chunks": ("s3", "get_object", OBJECT, PLAIN, in_chunks),
    "read into": ("s3", "get_object", OBJECT, PLAIN, into_a_buffer),
    "read again": ("s3", "get_object", OBJECT, PLAIN, again_and_again),
    "text": ("s3", "get_bucket_policy", {"Bucket": "b"}, b'{"a": 1}', None),
    "rest-xml": ("s3", "list_objects_v2", {"Bucket": "b"}, LISTING, None),
    "nothing": ("s3", "put_object", {**OBJECT, "Body": b"x"}, b"", None),
    "json": ("dynamodb", "get_item", {"TableName": "t", "Key": {"a": {"S": "b"}}}, ITEM, None),
    "query": ("sts", "get_caller_identity", {}, IDENTITY, None),
}


IN_PARTS = ("read in pieces", "read in chunks", "read into", "read again")


def cut_off(status: int, chunked: bool, body: bytes) -> Any:
    """Of 999 bytes, or of chunks without an end, there are those of *body*."""
    if chunked:
        head, sent = b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (len(body) or 5, body)
    else:
        head, sent = b"Content-Length: 999", body
    return (b"HTTP/1.1 %d X\r\n%b\r\n\r\n%b" % (status, head, sent), Close())


def came_of(flavour: str, server: CaptureServer, name: str) -> Any:
    """What the call gave or raised, and how many requests it made."""
    service, method, params, _, read = CALLS[name]
    before = len(server.requests)
    retries = {"mode": "standard", "total_max_attempts": 2}
    with open_caller(flavour, service, endpoint_url=server.endpoint_url, retries=retries) as caller:
        try:
            seen = caller(method, **params)
            seen.pop("ResponseMetadata")
            came = seen if read is None else read(caller, seen["Body"])
        except Exception as error:
            # Exceptions of a service are made anew for each client.
            home, text = type(error).__module__, str(error).replace(server.endpoint_url, "URL")
            if home.startswith("urllib3") and urllib3.__version__ < "2":  # has other words for it
                text = ""
            came = (home, type(error).__name__, text)
    return came, len(server.requests) - before


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_answer_cut_off_ends_as_in_stock(
    capture: Callable[..., CaptureServer],
    flavour: str,
    engine: str,
    status: int,
    framing: str,
    name: str,
    no_backoff: None,
) -> None:
    """The same value or error, after the same number of attempts."""
    if flavour == "async" and name in IN_PARTS:
        pytest.skip("what comes of it depends on when the end of the connection is seen")
    server = capture(lambda _: cut_off(status, framing == "chunks", CALLS[name][3]))
    stock = came_of(flavour, server, name)
    with all_fast(1, http=engine):
        fast = came_of(flavour, server, name)
    assert fast == stock
    gc.collect()  # aiohttp leaves connections open whose error nobody read to its end
