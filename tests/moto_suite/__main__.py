"""
moto's own tests, at moto's server, stock and with `pytest --boto-accel`: the same must pass.

They call most operations of some 160 services, in thousands of scenarios that nobody wrote with
this package in mind. The sdist of the installed moto has them; it comes from the package index.
Ends with 1 where a test ends otherwise than in stock. A test that fails in both is moto's own
business (it wants Docker, say), and one that ends differently from run to run is named as well:
run it again alone, with --only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path

from tests.servers.moto_server import run_moto_server

FOLDER = Path("build/moto")
# Their subjects are Docker, moto itself, or what cannot be had over HTTP.
LEFT_OUT = (
    "test_awslambda",
    "test_awslambda_simple",
    "test_batch",
    "test_batch_simple",
    "test_core",
    "test_moto_api",
    "test_utilities",
)
PLUGIN = "moto_on_the_wire"
LONGEST_S = 60  # seconds a test may take: some wait for the real AWS, which is not to be had
WAYS: Mapping[str, tuple[str, ...]] = {
    "stock": (),
    "fast": ("--boto-accel", "--boto-accel-stats"),
}
ENVIRONMENT = {
    "TEST_SERVER_MODE": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "foobar_key",
    "AWS_SECRET_ACCESS_KEY": "foobar_secret",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.moto_suite", description=__doc__)
    parser.add_argument("--only", action="append", help="tests of this service (sqs); repeatable")
    options = parser.parse_args()
    sdist = unpacked_sdist()
    tests = tests_of(sdist, options.only)
    with ExitStack() as stack:
        runs = [stack.enter_context(started(way, sdist, tests, stack)) for way in WAYS]
        for run in runs:
            run.wait()
    return told(*(outcomes(way) for way in WAYS))


def unpacked_sdist() -> Path:
    """The folder of the sdist of the moto that is installed, downloaded where it is not there."""
    name = f"moto-{metadata.version('moto')}"
    if not (FOLDER / name).exists():
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
        subprocess.run(
            [*download, "--dest", str(FOLDER), name.replace("-", "==")],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        shutil.unpack_archive(FOLDER / f"{name}.tar.gz", FOLDER)
    return FOLDER / name


def tests_of(sdist: Path, services: Iterable[str] | None) -> list[str]:
    """Folders, as they are called from *sdist*."""
    if services is not None:
        return [f"tests/test_{service}" for service in services]
    found = sorted(each.name for each in (sdist / "tests").glob("test_*") if each.is_dir())
    return [f"tests/{name}" for name in found if name not in LEFT_OUT]


def started(
    way: str, sdist: Path, tests: Iterable[str], stack: ExitStack
) -> subprocess.Popen[bytes]:
    """pytest over *tests*, with a server of its own."""
    server = stack.enter_context(run_moto_server())
    report = report_of(way, "xml").resolve()
    report.unlink(missing_ok=True)  # that of an earlier run is not taken for one of this
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", PLUGIN]
    command += ["--timeout", str(LONGEST_S), "--continue-on-collection-errors"]
    command += [f"--junitxml={report}"]
    log = stack.enter_context(report_of(way, "log").open("wb"))
    print(f"{way}: tail -f {log.name}", flush=True)
    return subprocess.Popen(
        [*command, *WAYS[way], *tests],
        cwd=sdist,
        env={
            **os.environ,
            **ENVIRONMENT,
            "TEST_SERVER_MODE_ENDPOINT": server.endpoint_url,
            "PYTHONPATH": str(Path(__file__).resolve().parent),  # of the plugin
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def report_of(way: str, suffix: str) -> Path:
    return FOLDER / f"{way}.{suffix}"


def outcomes(way: str) -> dict[str, str]:
    """How each test ended: "passed", or the tag that pytest's report has for it."""
    found = {}
    for case in ET.parse(report_of(way, "xml")).iter("testcase"):
        ended = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = ended[0] if ended else "passed"
    return found


def told(stock: Mapping[str, str], fast: Mapping[str, str]) -> int:
    """Print what came of it; 1 where anything differs, or nothing was tested."""
    for name, found in (("stock", stock), ("fast", fast)):
        print(name, *(f"{count} {ended}" for ended, count in Counter(found.values()).items()))
    differing = sorted(
        name for name in stock.keys() | fast.keys() if stock.get(name) != fast.get(name)
    )
    for name in differing:
        print(f"{name}: stock {stock.get(name)}, fast {fast.get(name)}")
    return 1 if differing or "passed" not in stock.values() else 0


if __name__ == "__main__":
    sys.exit(main())
