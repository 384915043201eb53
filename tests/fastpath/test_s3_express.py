"""Directory buckets (S3 Express One Zone): calls are signed with the credentials of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boto_accel import _compat, accelerate, explain
from tests.fastpath.callers import all_fast, open_caller
from tests.fastpath.outcome import Outcome, outcome, stock_and_accelerated
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.recorded import Recorded

BUCKET = "data--use1-az4--x-s3"
USUAL = "data"
KEY = "tokens/0001 ü.bin"
BODY = b"x" * 1024

CALLS: dict[str, dict[str, Any]] = {
    "put_object": {"Key": KEY, "Body": BODY, "Metadata": {"a": "b"}},
    "get_object": {"Key": KEY, "Range": "bytes=0-9"},
    "head_object": {"Key": KEY},
    "delete_object": {"Key": KEY},
    "delete_objects": {"Delete": {"Objects": [{"Key": KEY}, {"Key": "b"}]}},
    "list_objects_v2": {"Prefix": "tokens/"},
    "head_bucket": {},
    "create_multipart_upload": {"Key": KEY},
    "upload_part": {"Key": KEY, "UploadId": "u", "PartNumber": 1, "Body": BODY},
    "copy_object": {"Key": KEY, "CopySource": {"Bucket": BUCKET, "Key": "b"}},
    "create_session": {},
}


class Express:
    """Answers as S3 does: each CreateSession has other credentials, which end at *end*."""

    def __init__(self, end: str = "2040-01-01T00:00:00Z") -> None:
        self.end = end
        self.made = 0
        self.refuses = False

    def __call__(self, request: Recorded) -> bytes:
        if b"session" not in request.target.partition(b"?")[2].split(b"&"):
            return _answer_to(request)
        if self.refuses:
            return http_answer(403, b"<Error><Code>Refused</Code><Message>no</Message></Error>")
        self.made += 1
        return http_answer(
            200,
            b"<CreateSessionResult><Credentials><SessionToken>token/%d+</SessionToken>"
            b"<SecretAccessKey>secret%d</SecretAccessKey><AccessKeyId>AKIDSESSION%d</AccessKeyId>"
            b"<Expiration>%s</Expiration></Credentials></CreateSessionResult>"
            % (self.made, self.made, self.made, self.end.encode()),
        )


def _answer_to(request: Recorded) -> bytes:
    if b"list-type" in request.target:
        return http_answer(200, b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>")
    if b"uploads" in request.target:
        return http_answer(200, b"<R><UploadId>u</UploadId></R>")
    if request.header("x-amz-copy-source"):
        return http_answer(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
    if request.method == b"POST":
        return http_answer(200, b"<DeleteResult></DeleteResult>")
    return http_answer(200)


@contextmanager
def _caller(flavour: str, server: CaptureServer, **options: Any) -> Iterator[Any]:
    with open_caller(flavour, endpoint_url=server.endpoint_url, **options) as caller:
        yield caller


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("token", [None, "a token of STS's"])
@pytest.mark.parametrize("method", CALLS)
def test_requests_and_answers_are_stocks(
    flavour: str,
    token: str | None,
    method: str,
    capture: Callable[..., CaptureServer],
    frozen_clock: Any,
) -> None:
    server = capture(Express())

    def call() -> Outcome:
        server._script = Express()  # sessions are numbered anew
        with _caller(flavour, server, aws_session_token=token) as caller:
            seen = [outcome(caller, method, Bucket=BUCKET, **CALLS[method]) for _ in range(3)]
        assert [each.error for each in seen] == [None] * 3
        return seen[-1]

    stock, fast, stats = stock_and_accelerated(server, frozen_clock, call)
    assert fast == stock
    assert stats.fallback == 0, f"\n{stats}"
    assert stats.retired == 0, f"\n{stats}"
    sessions = [each for each in stock.requests if b"session" in each.target]
    # CopyObject does without one: its source may be in another bucket.
    assert len(sessions) == {"create_session": 3, "copy_object": 0}.get(method, 1)
    for each in stock.requests:
        headers = dict(each.headers)
        in_session = each not in sessions and method != "copy_object"
        assert (b"x-amz-s3session-token" in headers) == in_session
        assert (b"x-amz-security-token" in headers) == (token is not None and not in_session)


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_buckets_of_both_kinds_by_one_client(
    flavour: str, capture: Callable[..., CaptureServer], frozen_clock: Any
) -> None:
    """Each kind is proved on its own, and a bucket has a session of its own."""
    server = capture(Express())
    other = BUCKET.replace("data", "more")

    def call() -> Outcome:
        server._script = Express()
        with _caller(flavour, server) as caller:
            for bucket in (USUAL, BUCKET, USUAL, other, BUCKET, other):
                last = outcome(caller, "put_object", Bucket=bucket, Key=KEY, Body=BODY)
        return last

    stock, fast, stats = stock_and_accelerated(server, frozen_clock, call)
    assert fast == stock
    assert stats.fallback == stats.retired == 0
    assert stats.proved == 3  # either kind of bucket, and CreateSession
    tokens = [dict(each.headers).get(b"x-amz-s3session-token") for each in fast.requests]
    puts = [t for t, each in zip(tokens, fast.requests, strict=True) if each.method == b"PUT"]
    assert puts == [None, b"token/1+", None, b"token/2+", b"token/1+", b"token/2+"]


@pytest.mark.parametrize("flavour", ["sync", "async"])
@pytest.mark.parametrize("left_s", [30, 5, -1])  # of the 45 and 10 that botocore begins to renew at
def test_sessions_that_end_are_made_anew(
    flavour: str, left_s: int, capture: Callable[..., CaptureServer]
) -> None:
    express = Express()
    server = capture(express)
    with _caller(flavour, server) as caller, all_fast():
        for _ in range(3):
            caller("head_object", Bucket=BUCKET, Key=KEY)
        assert express.made == 1
        session = caller.run(_session_cache(caller.client).get_credentials(BUCKET))
        session._expiry_time = datetime.now(timezone.utc) + timedelta(seconds=left_s)
        for _ in range(3):
            caller("head_object", Bucket=BUCKET, Key=KEY)
    tokens = [request.header("x-amz-s3session-token") for request in server.requests]
    assert [token for token in tokens if token] == [b"token/1+"] * 3 + [b"token/2+"] * 3
    assert express.made == 2
    assert b"Credential=AKIDSESSION2/" in (server.requests[-1].header("authorization") or b"")


def _session_cache(client: Any) -> Any:
    handlers = _compat.handlers_of(_compat.emitter_of(client), "before-sign.s3")
    [resolver] = [each for each in handlers if "s3express" in each.__name__]
    return _compat.cache_of(resolver)


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_sessions_that_are_always_about_to_end(
    flavour: str, capture: Callable[..., CaptureServer], frozen_clock: Any
) -> None:
    """One is made for each call, as in stock: such as where the clock of the machine is wrong."""
    end = datetime.now(timezone.utc) + timedelta(seconds=40)
    express = Express()
    server = capture(express)

    def call() -> Outcome:
        server._script = Express(end.strftime("%Y-%m-%dT%H:%M:%SZ"))
        with _caller(flavour, server) as caller:
            for _ in range(3):
                last = outcome(caller, "head_object", Bucket=BUCKET, Key=KEY)
        return last

    stock, fast, stats = stock_and_accelerated(server, frozen_clock, call)
    assert fast == stock
    assert stats.fallback == stats.retired == 0


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_session_that_is_refused(
    flavour: str, capture: Callable[..., CaptureServer], frozen_clock: Any
) -> None:
    """The call ends with the error of CreateSession, as in stock; the next one asks again."""
    express = Express()
    express.refuses = True
    server = capture(express)

    def call() -> Outcome:
        with _caller(flavour, server) as caller:
            outcome(caller, "head_object", Bucket=BUCKET, Key=KEY)
            return outcome(caller, "put_object", Bucket=BUCKET, Key=KEY, Body=BODY)

    stock, fast, _ = stock_and_accelerated(server, frozen_clock, call)
    assert fast == stock
    assert stock.error is not None
    assert issubclass(stock.error[0], ClientError)
    assert "CreateSession" in stock.error[1]


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_bad_parameters_ask_for_no_session(
    flavour: str, capture: Callable[..., CaptureServer], frozen_clock: Any
) -> None:
    server = capture(Express())

    def call() -> Outcome:
        with _caller(flavour, server) as caller:
            return outcome(caller, "put_object", Bucket=BUCKET, Key=KEY, Body=BODY, Metadata="no")

    stock, fast, _ = stock_and_accelerated(server, frozen_clock, call)
    assert fast == stock
    assert stock.error is not None
    assert stock.requests == ()


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_without_sessions_the_clients_own_credentials_sign(
    flavour: str, capture: Callable[..., CaptureServer], frozen_clock: Any
) -> None:
    server = capture(Express())

    def call() -> Outcome:
        options = {"s3": {"disable_s3_express_session_auth": True}}
        with _caller(flavour, server, aws_session_token="t", **options) as caller:
            outcome(caller, "head_object", Bucket=BUCKET, Key=KEY)
            return outcome(caller, "head_object", Bucket=BUCKET, Key=KEY)

    stock, fast, stats = stock_and_accelerated(server, frozen_clock, call)
    assert fast == stock
    assert stats.fallback == 0
    assert [each.method for each in fast.requests] == [b"HEAD", b"HEAD"]
    assert all(dict(each.headers)[b"x-amz-security-token"] == b"t" for each in fast.requests)


def test_explain_and_presigning(capture: Callable[..., CaptureServer]) -> None:
    """URLs of directory buckets are botocore's; `explain` needs no session to tell."""
    server = capture(Express())
    with _caller("sync", server) as caller, accelerate() as patch:
        s3 = caller.client
        assert explain(s3, "get_object").fast
        url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEY})
        assert "X-Amz-S3session-Token=token" in url
    assert patch.stats.fallback == 1
