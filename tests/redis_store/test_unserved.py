"""A client of Redis that no patch serves says what to switch on; a URL may be without a host."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointResolutionError

from boto_accel import (
    BotoAccelError,
    InvalidOptionError,
    NotInForceError,
    accelerate,
    botocache_context,
    redis_s3,
    route_s3,
)
from boto_accel.cache.scope import scope_of
from tests.fastpath.callers import all_fast, open_caller
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.valkey import Valkey

URL = "redis://user:s3cret-word@127.0.0.1:1/3?client_name=s3cret-option"
Entered = Callable[[Path], AbstractContextManager[Any]]
PATCHES: dict[str, Entered] = {
    "none": lambda _: nullcontext(),
    "accelerate": lambda _: accelerate(),
    "cache": lambda folder: botocache_context(cache_path=folder / "cache.db"),
    "route": lambda _: route_s3({}, [{"bucket_name": "*", "client": "own"}]),
    "narrowed": lambda _: redis_s3(operations="put_object"),
}


@pytest.mark.parametrize("patch", PATCHES)
def test_the_error_says_what_to_switch_on(patch: str, flavour: str, tmp_path: Path) -> None:
    """And it is botocore's own, for who catches that; without user, password and options."""
    with PATCHES[patch](tmp_path), open_caller(flavour, endpoint_url=URL) as s3:
        for _ in range(2):
            with pytest.raises(NotInForceError, match=r"with boto_accel\.redis_s3\(\)") as caught:
                s3("get_object", Bucket="one", Key="k")
            assert isinstance(caught.value, EndpointResolutionError)
            assert isinstance(caught.value, BotoAccelError)
            assert caught.value.endpoint_url == "redis://127.0.0.1:1/3"
            assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("method", ["generate_presigned_url", "generate_presigned_post"])
def test_so_does_presigning(method: str, flavour: str) -> None:
    arguments: dict[str, Any] = {"Bucket": "one", "Key": "k"}
    if method == "generate_presigned_url":
        arguments = {"ClientMethod": "get_object", "Params": arguments}
    with open_caller(flavour, endpoint_url=URL) as s3, pytest.raises(NotInForceError):
        s3.run(getattr(s3.client, method)(**arguments))


def test_the_error_pickles() -> None:
    error = pickle.loads(pickle.dumps(NotInForceError("redis://h:1/0")))
    assert (error.endpoint_url, str(error)) == (
        "redis://h:1/0",
        str(NotInForceError("redis://h:1/0")),
    )


def test_calls_of_other_endpoints_stay_fast(
    flavour: str, capture: Callable[..., CaptureServer]
) -> None:
    """The handler is none of a stranger: to the fast path, and to the cache."""
    server = capture(http_answer(200, b"<R></R>"))
    with open_caller(flavour, endpoint_url=server.endpoint_url) as s3, all_fast(3):
        for _ in range(3):
            s3("list_buckets")
        assert b"refuse_unserved" not in scope_of(s3.client).encoded("ListBuckets")


PROGRAM = """
import botocore, boto_accel
from botocore import _INITIALIZERS
before = list(_INITIALIZERS)
boto_accel.accelerate, boto_accel.NotInForceError
assert _INITIALIZERS == before
boto_accel.redis_s3
assert len(_INITIALIZERS) == len(before) + 1
import boto_accel.redis_store.patch
boto_accel.redis_s3(), boto_accel.redis_s3()
assert len(_INITIALIZERS) == len(before) + 1
"""


def test_only_the_name_of_the_patch_has_an_effect() -> None:
    """Not `import boto_accel`, nor other names; and it has it once."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)


# Schemes that there are not ----------------------------------------------------------------------

MISSPELT = {
    "redis+embeded://local/tmp?password=s3cret": "redis+embeded://…",
    "rediss+clusters://:s3cret@h:1": "rediss+clusters://…",
    "valkey://h:6379/0": "valkey://…",
    "Redis+Server://h:1": "Redis+Server://…",
}


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("url", MISSPELT)
def test_a_scheme_that_there_is_not(patch: str, url: str, flavour: str, tmp_path: Path) -> None:
    """Of a client that was made before; botocore raises EndpointResolutionError for such a URL."""
    with open_caller(flavour, endpoint_url=url) as s3, PATCHES[patch](tmp_path):
        with pytest.raises(InvalidOptionError, match=r"redis\+embedded://local") as caught:
            s3("get_object", Bucket="one", Key="k")
        assert isinstance(caught.value, EndpointResolutionError)
        assert str(caught.value).startswith(f"endpoint_url='{MISSPELT[url]}'")
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
        back = pickle.loads(pickle.dumps(caught.value))
        assert (type(back), str(back)) == (type(caught.value), str(caught.value))


@pytest.mark.parametrize("url", [*MISSPELT, "redis+embeded://", "redis:s3cret@h:1", "redis:6379"])
def test_such_a_client_is_not_made(url: str, flavour: str) -> None:
    with redis_s3():
        with (
            pytest.raises(InvalidOptionError, match=r"rediss://, redis\+cluster://") as caught,
            open_caller(flavour, endpoint_url=url),
        ):
            pass
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
        with open_caller(flavour, endpoint_url="https://redis.example.com"):
            pass


# URLs without a host ---------------------------------------------------------------------------


def test_an_embedded_server(program: Path, flavour: str) -> None:
    with redis_s3(), open_caller(flavour, endpoint_url="redis+embedded://?prefix=none") as s3:
        assert s3.client.meta.endpoint_url == "redis+embedded://local?prefix=none"
        s3("create_bucket", Bucket=f"no-host-{flavour}")
        s3("put_object", Bucket=f"no-host-{flavour}", Key="k", Body=b"x")
        assert s3.body(Bucket=f"no-host-{flavour}", Key="k") == b"x"


def test_a_socket(own_valkey: Callable[..., Valkey], flavour: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # a socket's name has 107 bytes
        own_valkey("--unixsocket", f"{folder}/s", "--requirepass", "s3cret-word")
        url = f"unix://:s3cret-word@{folder}/s"
        with redis_s3(), open_caller(flavour, endpoint_url=url) as s3:
            s3("create_bucket", Bucket="one")
            assert [each["Name"] for each in s3("list_buckets")["Buckets"]] == ["one"]


@pytest.mark.parametrize("url", ["redis+embedded://", "unix:///run/redis.sock", "redis:///0"])
def test_other_clients_are_made_as_ever(url: str, flavour: str) -> None:
    """Without the patch, or of another service, botocore makes no client for such a URL."""
    with (
        pytest.raises(ValueError, match="Invalid endpoint"),
        open_caller(flavour, endpoint_url=url),
    ):
        pass
    with (
        redis_s3(),
        pytest.raises(ValueError, match="Invalid endpoint"),
        open_caller(flavour, "sqs", endpoint_url=url),
    ):
        pass
