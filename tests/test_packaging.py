"""What is shipped: the wheel and its metadata, and what a checkout must and must not hold."""

from __future__ import annotations

import email.message
import email.parser
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import boto_accel

ROOT = Path(__file__).resolve().parent.parent

BUILD_WHEEL = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
BUILD_NEEDS = ("setup.cfg", "pyproject.toml", "LICENSE")

SKIPPED_FOLDERS = {"build", "dist", "__pycache__"}
OWN_HIDDEN = {".ci", ".gitignore"}

# Folders of one machine or another, where a file was written or a test was run.
MACHINE_PATH = re.compile(r"(?<![\w.:/*-])/(?:work|tmp|home|root|Users|private|opt|mnt)/[\w.]")
REGISTRY = re.compile(
    r"\b(?:test[.])?py[p]i[.]org|pythonhosted[.]org|--(?:extra-)?index[-]url|--find[-]links",
    re.IGNORECASE,
)

README_COMMANDS = ["make demo", "make test"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of this checkout, built from a copy: building leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    copy_sources(folder / "checkout")
    done = subprocess.run(
        [sys.executable, "-c", BUILD_WHEEL, str(folder)],
        cwd=folder / "checkout",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def copy_sources(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "boto_accel", folder / "boto_accel", ignore=ignored)
    for name in (*BUILD_NEEDS, "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)


@pytest.fixture(scope="module")
def wheel_metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    return email.parser.Parser().parsestr(read(wheel, "METADATA"))


def read(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (each for each in wheel.namelist() if each.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def required(metadata: email.message.Message, extra: str = "") -> list[str]:
    """The requirements of *extra*, or those without one, without spaces and sorted."""
    marker = f'extra=="{extra}"' if extra else ""
    lines = (line.replace(" ", "").partition(";") for line in metadata.get_all("Requires-Dist"))
    return sorted(name for name, _, found in lines if found == marker)


def test_the_version_is_the_same_everywhere(wheel_metadata: email.message.Message) -> None:
    assert wheel_metadata["Version"] == boto_accel.__version__


def test_the_wheel_holds_every_module_and_the_typing_marker(wheel: zipfile.ZipFile) -> None:
    """A type checker believes the annotations only where py.typed is installed."""
    package = ROOT / "boto_accel"
    wanted = {path.relative_to(ROOT).as_posix() for path in package.rglob("*.py")}
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == wanted | {"boto_accel/py.typed"}


def test_the_metadata(wheel: zipfile.ZipFile, wheel_metadata: email.message.Message) -> None:
    """Two requirements without caps; the rest are extras; one command."""
    assert wheel_metadata["License-Expression"] == "Apache-2.0"
    assert wheel_metadata["Requires-Python"].replace(" ", "") == ">=3.10"
    assert required(wheel_metadata) == ["botocore>=1.40.46", "httptools>=0.6.4"]
    assert required(wheel_metadata, "async") == ["aiobotocore>=2.25.1"]
    assert "boto-accel = boto_accel.cli:main" in read(wheel, "entry_points.txt")
    assert "Apache License" in read(wheel, "licenses/LICENSE")


def test_all_is_every_optional_capability(wheel_metadata: email.message.Message) -> None:
    assert required(wheel_metadata, "all") == ["boto_accel[aiosonic,async,cache,cli,redis,router]"]
    extras = set(wheel_metadata.get_all("Provides-Extra"))
    assert {"async", "aiosonic", "cache", "redis", "cli", "bench", "test", "all"} <= extras


def test_the_test_extra_leaves_aiobotocore_out(wheel_metadata: email.message.Message) -> None:
    """Else botocore could not be tested alone, nor at a version that no aiobotocore takes."""
    names = " ".join(required(wheel_metadata, "test"))
    assert "pytest" in names
    assert not re.search("aiobotocore|aioboto3|s3fs|boto_accel", names)


def test_no_file_names_a_machine_or_a_registry() -> None:
    """A checkout works anywhere, with whatever registry the user's pip is set up for."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in files_of_the_checkout()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        for match in [MACHINE_PATH.search(line) or REGISTRY.search(line)]
        if match
    ]
    assert found == []


# In pieces, so that this file does not hold what it looks for.
@pytest.mark.parametrize(
    "pieces",
    [("cd /", "home/me/x"), ("'/", "tmp/a'"), ("https://py", "pi.org/x"), ("--index", "-url x")],
)
def test_a_machine_or_a_registry_would_be_found(pieces: tuple[str, str]) -> None:
    line = "".join(pieces)
    assert MACHINE_PATH.search(line) or REGISTRY.search(line)


def files_of_the_checkout() -> list[Path]:
    """What git tracks or would track; without git, what is not hidden and not built."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not is_skipped(path.relative_to(ROOT))]
    files = [path for path in paths if path.is_file()]
    assert ROOT / "setup.cfg" in files
    return files


def is_skipped(path: Path) -> bool:
    return any(
        part in SKIPPED_FOLDERS
        or part.endswith(".egg-info")
        or (part.startswith(".") and part not in OWN_HIDDEN)
        for part in path.parts
    )


def text_of(path: Path) -> str:
    """Latin-1, which reads any file: a path in a binary file is found as well."""
    return path.read_text("latin-1")


def test_make_knows_the_commands_of_the_readme() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "lint", "types", "build", "smoke", "test-matrix"} <= set(targets)


def test_the_readme_sets_up_with_exactly_two_commands() -> None:
    """A newcomer needs `make demo` and `make test`, and is told of nothing else to type."""
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md yet")
    assert sorted(make_commands(readme.read_text("utf-8"))) == README_COMMANDS


def make_commands(markdown: str) -> list[str]:
    """The lines of fenced blocks that run make, without prompts and comments."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    lines = (line.partition("#")[0].strip() for line in "".join(blocks).splitlines())
    commands = (line.removeprefix("$ ") for line in lines)
    return [line for line in commands if re.match(r"make\b", line)]


def test_make_commands_are_read_from_fenced_blocks() -> None:
    text = "make x\n```\n$ make demo  # a server\n```\ntext\n```sh\nmake test\nmaker\n```\n"
    assert make_commands(text) == ["make demo", "make test"]


def test_the_ci_script_can_be_run() -> None:
    """It is started as a program, not through a shell."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111 == 0o111
    assert "BOTO_ACCEL_REQUIRE_SERVERS=1" in script.read_text()
