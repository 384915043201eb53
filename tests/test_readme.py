"""
What the documentation says is so: its Python runs, its commands and its links exist.

A `text` block that directly follows a `python` block is what that one prints.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from boto_accel.bench.target import Target, own_server
from boto_accel.commands import cli
from tests.servers.clients import make_client
from tests.servers.valkey import STRICT

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
BUCKET = "my-bucket"  # the one that the examples use, empty before each
OPTIONAL = ("aiobotocore", "aioboto3", "opentelemetry", "s3fs")  # what only some environments have

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"(?:[\w.]+/)+[\w.]*|[\w.]+\.(?:py|md|cfg|toml)")


@dataclass(frozen=True)
class Block:
    """One fenced block; *line* is that of its first line of text, counted from 1."""

    page: Path
    line: int
    language: str
    text: str
    printed: str | None = None  # by an example, where the page says

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path, text: str) -> Iterator[Block]:
    found = list(FENCED.finditer(text))
    for number, match in enumerate(found):
        line = text.count("\n", 0, match.start()) + 2
        after = found[number + 1] if number + 1 < len(found) else None
        printed = None
        if after and after[1] == "text" and not text[match.end() : after.start()].strip():
            printed = after[2]
        yield Block(page, line, match[1], match[2], printed)


BLOCKS = [block for page in PAGES for block in blocks_of(page, page.read_text("utf-8"))]
EXAMPLES = [block for block in BLOCKS if block.language == "python"]
COMMANDS = [
    line.partition("#")[0].strip()
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.replace("\\\n", " ").splitlines()
    if line.startswith("boto-accel ")
]


@pytest.fixture(scope="module")
def server() -> Iterator[Target]:
    with own_server("http") as target:
        yield target


@pytest.fixture
def bucket(server: Target) -> None:
    """The bucket of the examples, as it was made."""
    options = {"endpoint_url": server.endpoint}
    with make_client("sync", "s3", **options) as s3:  # type: ignore[union-attr]
        s3.create_bucket(Bucket=BUCKET)
        for key in [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]:
            s3.delete_object(Bucket=BUCKET, Key=key)


def run(block: Block, server: Target, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run *block* as a program whose user has configured *server* as the S3 to use."""
    program = folder / "example.py"
    # Tracebacks name the lines of the page.
    program.write_text("\n" * (block.line - 1) + block.text, "utf-8")
    settings = {
        "AWS_ENDPOINT_URL_S3": server.endpoint,
        "AWS_ACCESS_KEY_ID": str(server.access_key),
        "AWS_SECRET_ACCESS_KEY": str(server.secret_key),
        "AWS_DEFAULT_REGION": server.region,
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, *STRICT, str(program)],
        env={**os.environ, **settings},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_an_example_runs(block: Block, server: Target, bucket: None, tmp_path: Path) -> None:
    """As it stands, against a real server; it prints what the page says and warns of nothing."""
    for name in OPTIONAL:
        if name in block.text and find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    done = run(block, server, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    if block.printed is not None:
        assert done.stdout == block.printed


def test_the_readme_has_an_example_for_each_world() -> None:
    readme = [block.text for block in EXAMPLES if block.page.name == "README.md"]
    assert any("boto3.client" in text and "with accelerate()" in text for text in readme)
    assert any("aiobotocore" in text and "async with accelerate()" in text for text in readme)


def test_a_block_knows_its_line_and_what_it_prints() -> None:
    text = "# x\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n```sh\nls\n```\n"
    first, *others = blocks_of(ROOT / "x.md", text)
    assert first == Block(ROOT / "x.md", 4, "python", "print(1)\n", "1\n")
    assert [other.language for other in others] == ["text", "sh"]


def test_an_example_that_is_wrong_fails(server: Target, bucket: None, tmp_path: Path) -> None:
    """With the line of the page, and for a mere warning as well."""
    wrong = "import boto3\nboto3.client('s3').get_object(Bucket='my-bucket', Key='no')\n"
    done = run(Block(ROOT / "x.md", 7, "python", wrong), server, tmp_path)
    assert done.returncode != 0
    assert "line 8" in done.stderr
    assert "NoSuchKey" in done.stderr
    done = run(Block(ROOT / "x.md", 1, "python", "open(__file__)\n"), server, tmp_path)
    assert "ResourceWarning" in done.stderr


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_has_its_options(line: str) -> None:
    """Parsed as the command line would be, and not run."""
    _, name, *arguments = shlex.split(line)
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    command.make_context(name, arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    """Every relative link, and everything between backticks that looks like a path."""
    prose = FENCED.sub("", page.read_text("utf-8"))
    links = [link for link in LINK.findall(prose) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = [name for name in CODE.findall(prose) if PATH.fullmatch(name)]
    # A page names files as one who is in the folder that it is about.
    folders = (ROOT / "boto_accel").rglob("*")
    places = [ROOT, ROOT / "boto_accel", *(each for each in folders if each.is_dir())]
    assert [n for n in named if not any((place / n).exists() for place in places)] == []


def test_the_measured_table_has_its_place() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    marked = re.compile(r"^<!-- measured -->\n(.+?)^<!-- /measured -->$", re.MULTILINE | re.DOTALL)
    assert len(marked.findall(readme)) == 1
