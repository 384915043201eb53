"""Sentinels make a replica the primary while calls come: the same client goes on there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from redis import Redis
from redis.exceptions import ResponseError

from boto_accel import redis_s3
from tests.fastpath.callers import Caller, open_caller
from tests.servers.sentinel import run_sentinel
from tests.servers.valkey import Valkey

Start = Callable[..., Valkey]


@contextmanager
def replicated(start: Start, program: Path, folder: Path) -> Iterator[tuple[Valkey, Valkey, int]]:
    """(primary, replica, port of their sentinel)"""
    primary = start()
    replica = start("--replicaof", "127.0.0.1", str(primary.port))
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor main 127.0.0.1 {primary.port} 1\n"
        "sentinel down-after-milliseconds main 600000\n"  # it is told when to act
    )
    with run_sentinel(program, configuration) as port:
        yield primary, replica, port


def replicate(at_primary: Redis) -> None:
    """
    Returns when the replica has all that was written so far.

    A sentinel would also promote one that has not had its first copy yet.
    """
    with at_primary.client() as redis:  # WAIT is for the writes of its own connection
        redis.set("mark", "")
        while not redis.wait(1, 1000):
            pass


def fail_over(sentinel: Redis) -> None:
    """Returns when the sentinel names the new primary."""
    with sentinel.pubsub(ignore_subscribe_messages=True) as events:
        events.psubscribe("+switch-master", "-failover-abort-*")
        channel = None
        while channel != b"+switch-master":
            ask(sentinel)
            channel = next_of(events)


def ask(sentinel: Redis) -> None:
    """Until it does so: it learns of the replica from the primary, which it asks now and then."""
    while True:
        try:
            sentinel.execute_command("SENTINEL", "FAILOVER", "main")
        except ResponseError as error:
            if "NOGOODSLAVE" not in str(error):
                raise
            time.sleep(0.05)  # there is no event for it
        else:
            return


def next_of(events: Any) -> bytes:
    while (message := events.get_message(timeout=10)) is None:
        pass
    channel: bytes = message["channel"]
    return channel


@contextmanager
def putting(s3: Caller) -> Iterator[list[Exception]]:
    """Puts, one after the other, by a client of their own; and what they raise."""
    raised: list[Exception] = []
    ends = threading.Event()

    def put() -> None:
        number = 0
        while not ends.is_set():
            try:
                s3("put_object", Bucket="one", Key=f"{number}", Body=b"x")
            except Exception as error:
                raised.append(error)
            number += 1

    thread = threading.Thread(target=put)
    thread.start()
    try:
        yield raised
    finally:
        ends.set()
        thread.join()


def test_the_client_goes_on_at_the_new_primary(
    own_valkey: Start, program: Path, tmp_path: Path, flavour: str
) -> None:
    """What was replicated is there; what failed meanwhile did so in botocore's words."""
    with replicated(own_valkey, program, tmp_path) as (primary, replica, port):
        url = f"redis+sentinel://127.0.0.1:{port}/main/0"
        with (
            Redis(port=primary.port) as at_primary,
            Redis(port=port) as sentinel,
            Redis(port=replica.port) as at_replica,
            redis_s3(),
            open_caller(flavour, endpoint_url=url, retries={"total_max_attempts": 10}) as s3,
        ):
            s3("create_bucket", Bucket="one")
            s3("put_object", Bucket="one", Key="before", Body=bytes(5_000_000))
            replicate(at_primary)
            with putting(s3) as raised:
                fail_over(sentinel)
            primary.stop()
            s3("put_object", Bucket="one", Key="after", Body=b"new")
            assert s3.body(Bucket="one", Key="before") == bytes(5_000_000)
            assert s3.body(Bucket="one", Key="after") == b"new"
            assert at_replica.role()[0] == b"master"
            assert at_replica.exists("boto-accel:s3:1:{one/0}o:after")
    assert [each for each in raised if not isinstance(each, ClientError | HTTPClientError)] == []
