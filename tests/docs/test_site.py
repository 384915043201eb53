"""What the site is made of is whole: its pages, its tables, its reference, its picture."""

from __future__ import annotations

import configparser
import importlib.util
import inspect
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import boto_accel
from boto_accel.fastpath.plan import LANES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {
    "accelerate": "accelerate.md",
    "batch_puts": "batch.md",
    "botocache_context": "cache.md",
    "redis_s3": "redis.md",
    "route_s3": "router.md",
}
CONFIGURATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages_in(navigation: Any) -> Iterator[str]:
    if isinstance(navigation, str):
        yield navigation
    elif isinstance(navigation, dict):
        for inner in navigation.values():
            yield from pages_in(inner)
    else:
        for inner in navigation:
            yield from pages_in(inner)


def test_every_page_is_in_the_navigation_once() -> None:
    """The builder says nothing of a page that is not there."""
    listed = sorted(pages_in(CONFIGURATION["nav"]))
    assert listed == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_the_reference_has_every_public_name() -> None:
    page = (DOCS / "reference.md").read_text("utf-8")
    told = re.findall(r"^::: boto_accel\.(\w+)$", page, re.MULTILINE)
    assert sorted(told) == sorted({*boto_accel.__all__, "errors"} - {"__version__"})


def test_every_public_name_says_what_it_is() -> None:
    silent = [
        name
        for name in boto_accel.__all__
        if name != "__version__" and not (getattr(boto_accel, name).__doc__ or "").strip()
    ]
    assert silent == []


@pytest.mark.parametrize("name", PAGES)
def test_the_page_of_a_patch_tells_of_each_parameter(name: str) -> None:
    page = (DOCS / PAGES[name]).read_text("utf-8")
    parameters = inspect.signature(getattr(boto_accel, name)).parameters
    assert [each for each in parameters if not re.search(rf"`[^`\n]*\b{each}\b", page)] == []


def test_the_tables_of_the_benchmark_are_those_of_its_reports() -> None:
    command = [sys.executable, str(ROOT / "tools" / "benchmark_page.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_table_that_is_not_would_be_found() -> None:
    page = (DOCS / "benchmark.md").read_text("utf-8")
    made = tool("benchmark_page")
    reports = {name: made.read(path) for name, path in made.REPORTS.items()}
    assert made.page_with(page.replace("10.4x", "11.4x"), reports) == page
    reports["engines"]["results"][0]["fast"]["cpu_us"] += 1
    assert made.page_with(page, reports) != page


def test_the_figures_of_the_readme_are_those_of_the_reports() -> None:
    """Each row's stock, ours and ratio are those of one case."""
    made = tool("benchmark_page")
    known = {
        (f"{r['stock']['cpu_us']:,.1f}", f"{r['fast']['cpu_us']:,.1f}", f"{r['cpu_ratio']:.1f}x")
        for path in made.REPORTS.values()
        for r in made.read(path)["results"]
    }
    readme = (ROOT / "README.md").read_text("utf-8")
    ours = {(stock, fast, ratio) for stock, fast, ratio in re.findall(
        r"\| ([\d,.]+) \| ([\d,.]+) \| ([\d.]+x) \|$", readme, re.MULTILINE
    )}  # fmt: skip
    assert len(ours) > 20
    assert ours - known == set()


def test_the_figures_of_the_page_of_batches_are_those_of_its_report() -> None:
    made = tool("benchmark_page")
    page = (DOCS / "batch.md").read_text("utf-8")
    for result in made.read(DOCS / "measured" / "batched.json")["results"]:
        stock, fast = result["stock"], result["fast"]
        row = f"| {stock['cpu_us']:,.1f} | {fast['cpu_us']:,.1f} | {result['cpu_ratio']:.1f}x |"
        assert f"{row} {fast['per_second']:,.0f} |" in page


def test_the_compatibility_table_has_the_floors_of_setup_cfg() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    page = (DOCS / "compatibility.md").read_text("utf-8")
    table = dict(re.findall(r"^\| ([^|]+) \| ([\d.]+) \|", page, re.MULTILINE))
    extras = setup["options.extras_require"]
    needed = " ".join([setup["options"]["install_requires"], *extras.values()])
    floors = dict(re.findall(r"^(\S+) >= ([\d.]+)", needed.replace(" \n", "\n"), re.MULTILINE))
    assert table["CPython"] == setup["options"]["python_requires"].removeprefix(">= ")
    assert table["botocore, boto3"] == floors["botocore"] == floors["boto3"]
    for name in ("aiobotocore", "httptools", "aiosonic"):
        assert table[name] == floors[name]
    assert table["redis-py"] == floors["redis"]


def test_the_page_of_parity_is_of_a_whole_sweep_without_a_difference() -> None:
    """Each protocol in both worlds, of which botocore ships services; nothing is different."""
    page = (DOCS / "parity.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\w-]+), (a?sync)((?: \| [\d,]+){6}) \|$", page, re.MULTILINE)
    found = {(name, world): counts.split(" | ")[1:] for name, world, counts in rows}
    assert set(found) == {(name, world) for name in (*LANES, "all") for world in ("sync", "async")}
    for operations, cases, equal, fallback, different, _ in found.values():
        assert different == "0"
        assert min(map(number_of, (operations, cases, equal))) > 0
        assert number_of(cases) == number_of(equal) + number_of(fallback)


def number_of(text: str) -> int:
    return int(text.replace(",", ""))


def test_pictures_are_well_formed_and_shown() -> None:
    pages = "".join(page.read_text("utf-8") for page in DOCS.rglob("*.md"))
    for picture in (DOCS / "assets").glob("*.svg"):
        root = ElementTree.parse(picture).getroot()
        assert root.findtext("{http://www.w3.org/2000/svg}title")
        assert f"](assets/{picture.name})" in pages


def test_parameters_become_a_list() -> None:
    pytest.importorskip("griffe")
    text = "What.\n\na: one, b: no. b, c (seconds): two\nlines. d: of\nall.\n\n    a: code\n\nEnd."
    listed = tool("docstrings").with_lists(text, ["a", "b", "c", "d"])
    items = ["- **`a`**: one, b: no.", "- **`b`, `c` (seconds)**: two lines.", "- **`d`**: of all."]
    assert listed == "What.\n\n" + "\n".join(items) + "\n\n    a: code\n\nEnd."
