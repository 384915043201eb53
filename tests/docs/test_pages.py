"""
Every fenced block of the documentation is of use as it stands.

Python runs: that of `docs/howto/` here, that of the pages above it by tests/test_readme.py.
Commands and their options exist, data can be read. A block that cannot run says so in the line
before it, `<!-- not run: why -->`, and is counted here.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from boto_accel.bench.target import Target, own_server
from boto_accel.commands import cli
from tests.servers.clients import make_client
from tests.servers.moto_server import MotoServer, has_moto, run_moto_server
from tests.test_readme import BUCKET, CODE, FENCED, LINK, PATH, ROOT, Block, blocks_of, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HOWTO = ROOT / "docs" / "howto"
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
# How many blocks of a page are marked as not run. One more is one that nobody tests.
NOT_RUN = {"docs/howto/lambda.md": 1}
# What only some environments have; a block that imports one is skipped without it.
OPTIONAL = ("aiobotocore", "celery", "django", "fastapi", "pandas", "s3fs")

MARK = re.compile(r"^<!-- not run: \S.* -->\n\Z", re.MULTILINE)
ASSIGNMENT = re.compile(r"[A-Z_]+=")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def is_marked(text: str, match: re.Match[str]) -> bool:
    return MARK.search(text[: match.start()]) is not None


def marked_and_other(page: Path) -> tuple[int, list[Block]]:
    """How many blocks are marked, and those that are not."""
    text = page.read_text("utf-8")
    marks = [is_marked(text, match) for match in FENCED.finditer(text)]
    blocks = blocks_of(page, text)
    return sum(marks), [block for block, mark in zip(blocks, marks, strict=True) if not mark]


FOUND = {page: marked_and_other(page) for page in PAGES}
BLOCKS = [block for _, blocks in FOUND.values() for block in blocks]
PROGRAMS = [b for b in BLOCKS if b.language == "python" and b.page.parent == HOWTO]


# Python ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3_server() -> Iterator[Target]:
    with own_server("http") as target:
        yield target


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    if not has_moto():
        pytest.skip("moto's server is not installed")
    with run_moto_server() as server:
        yield server


@pytest.fixture
def world(s3_server: Target, moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Target:
    """S3 with one bucket and one object, and moto for the other services, both as they begin."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint_url)
    moto.reset()
    with make_client("sync", "s3", endpoint_url=s3_server.endpoint) as s3:  # type: ignore[union-attr]
        s3.create_bucket(Bucket=BUCKET)
        for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            s3.delete_object(Bucket=BUCKET, Key=each["Key"])
        s3.put_object(Bucket=BUCKET, Key="hello.txt", Body=b"Hello")
    return s3_server


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_runs(block: Block, world: Target, tmp_path: Path) -> None:
    """As it stands; it prints what the page says and warns of nothing."""
    for name in OPTIONAL:
        if re.search(rf"\b{name}\b", block.text) and find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    done = run(block, world, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert block.printed is None or done.stdout == block.printed


# Commands ----------------------------------------------------------------------------


def commands_of(block: Block) -> Iterator[list[str]]:
    """The words of each command, without variables before and comments behind it."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "dockerfile":
            first, _, line = line.partition(" ")
            if first != "RUN":
                continue
        words = shlex.split(line, comments=True)
        while words and ASSIGNMENT.match(words[0]):
            del words[0]
        if words:
            yield words


def check_boto_accel(arguments: list[str]) -> None:
    """Parse *arguments* as the command line would, down to the last command, and run nothing."""
    command: click.Command = cli
    context = None
    while isinstance(command, click.Group):
        name, *arguments = arguments
        context = click.Context(command, parent=context, info_name=name)
        found = command.get_command(context, name)
        assert found is not None, f"boto-accel has no {name}"
        command = found
    command.make_context(command.name, arguments, parent=context)


def check_make(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = [each for each in arguments if "=" not in each]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "boto-accel": check_boto_accel,
    "make": check_make,
}
SHELL = [block for block in BLOCKS if block.language in ("sh", "dockerfile")]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_exist(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("spool").mkdir()
    for words in commands_of(block):
        for word in words:
            if re.fullmatch(r"\w+\.(toml|json|py)", word):
                tmp_path.joinpath(word).touch()  # some options want a file that is there
        CHECKS.get(words[0], lambda _: None)(words[1:])
    if block.language == "sh" and shutil.which("bash"):
        parsed = ["bash", "-n", "-c", block.text]
        assert subprocess.run(parsed, capture_output=True, text=True, check=False).stderr == ""


# Data, and the rest ------------------------------------------------------------------

READ: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "python": ast.parse,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}
AS_IT_IS = {"dockerfile", "mermaid", "sh", "text"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_can_be_read(page: Path) -> None:
    """In a language that is known here, so that none goes unchecked."""
    for block in FOUND[page][1]:
        assert block.language in {*READ, *AS_IT_IS}, str(block)
        READ.get(block.language, str)(block.text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    prose = FENCED.sub("", page.read_text("utf-8"))
    links = [link for link in LINK.findall(prose) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    if page.parent == HOWTO:  # of the others tests/test_readme.py; here users have files as well
        named = [name for name in CODE.findall(prose) if PATH.fullmatch(name)]
        ours = [name for name in named if "/" in name and (ROOT / name.split("/")[0]).exists()]
        assert [name for name in ours if not (ROOT / name).exists()] == []


def test_blocks_that_are_not_run_are_counted() -> None:
    found = Counter({name_of(page): marked for page, (marked, _) in FOUND.items()})
    assert +found == Counter(NOT_RUN)


def test_a_mark_is_of_the_block_that_follows(tmp_path: Path) -> None:
    page = tmp_path / "x.md"
    page.write_text("<!-- not run: AWS -->\n```python\n1\n```\n\n```python\n2\n```\n", "utf-8")
    marked, blocks = marked_and_other(page)
    assert (marked, [block.text for block in blocks]) == (1, ["2\n"])


@pytest.mark.parametrize("line", ["run --no-such -- x.py", "cache nothing", "cahce ls"])
def test_a_command_that_is_wrong_is_found(line: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        check_boto_accel(shlex.split(line))
