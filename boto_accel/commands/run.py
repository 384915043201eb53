"""`boto-accel run`: an unchanged program, with patches."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from boto_accel.errors import BotoAccelError
from boto_accel.startup import shim
from boto_accel.startup.activation import make_patches
from boto_accel.startup.settings import (
    DEFAULT_HTTP,
    PROGRAM,
    VARIABLES,
    Settings,
    parse_duration,
    write_settings,
)

SHIM = os.path.dirname(os.path.abspath(shim.__file__))
PYTHON_SUFFIXES = (".py", ".pyw", ".pyc", ".pyz")
# Of env(1): what was to be run is there and cannot be, or is not there.
CANNOT_RUN, NOT_FOUND = 126, 127


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--accelerate/--no-accelerate", default=True, show_default=True, help="Fast calls.")
@click.option(
    "--http",
    default=DEFAULT_HTTP,
    show_default=True,
    metavar="ENGINE",
    help="What moves the bytes of aiobotocore: direct, aiohttp, aiosonic.",
)
@click.option("--cache", metavar="DURATION", help="Cache replies for so long: 90s, 15m, 2h, 1d.")
@click.option(
    "--cache-path",
    default="",
    metavar="PATH_OR_URL",
    help="Where: a folder, a SQLite file, redis://…; else in the user's folder for caches.",
)
@click.option(
    "--route",
    metavar="FILE",
    help="Route calls of S3 by this file (.toml, .yaml, .json).",
)
@click.option("--stats", is_flag=True, help="Print at the end, to stderr, what was patched.")
@click.argument("command_line", nargs=-1, type=click.UNPROCESSED, metavar="-- PROGRAM [ARG]...")
def command(
    accelerate: bool,
    http: str,
    cache: str | None,
    cache_path: str,
    route: str | None,
    stats: bool,
    command_line: tuple[str, ...],
) -> None:
    """
    Run an unchanged Python program with patches.

    PROGRAM is a Python file, `-m` and a module, or a command on PATH. It is run as it would be
    without boto-accel: same arguments, same exit code, same process. The Python processes that it
    starts are patched as well.

    \b
      boto-accel run -- aws s3 ls
      boto-accel run --cache 15m --stats -- report.py --month 7
      boto-accel run --no-accelerate --route routes.toml -- -m my.service

    The exit code is the program's; 2 for wrong options, 126 for a program that cannot be run, 127
    for one that is not there.
    """
    if not command_line:
        raise click.UsageError("no program: boto-accel run [OPTIONS] -- PROGRAM [ARG]...")
    if cache is None and cache_path:
        raise click.UsageError("--cache-path needs --cache, such as --cache 15m")
    try:
        settings = Settings(
            accelerate=accelerate,
            http=http,
            cache=None if cache is None else parse_duration("--cache", cache),
            cache_path=_absolute(cache_path),
            route=_absolute(route or ""),
            stats=stats,
        )
        check(settings)
    except (BotoAccelError, OSError) as error:
        raise click.UsageError(str(error)) from error
    words = command_words(command_line)
    check_isolation(words)
    _run(words, environment_for(settings, os.environ))


def check(settings: Settings) -> None:
    """Make the patches that can be wrong, here, where it is said before the program begins."""
    if settings != Settings(accelerate=settings.accelerate, stats=settings.stats):
        make_patches(settings)
    if settings.stats and settings.is_off:
        raise click.UsageError("--stats needs a patch to count for")


def _absolute(path: str) -> str:
    """The program, or one of its children, may be somewhere else."""
    return os.path.abspath(os.path.expanduser(path)) if path and "://" not in path else path


def environment_for(settings: Settings, outer: Mapping[str, str]) -> dict[str, str]:
    """
    *outer*, in which each Python begins with our `sitecustomize`.

    The options are the whole truth: what *outer* asks for by itself is taken out.
    """
    inner = {name: value for name, value in outer.items() if name not in VARIABLES}
    inner.update(write_settings(settings))
    paths = [path for path in outer.get("PYTHONPATH", "").split(os.pathsep) if path != SHIM]
    # An empty entry is the current folder, but PYTHONPATH that is empty has no entries.
    inner["PYTHONPATH"] = os.pathsep.join([SHIM, *(paths if any(paths) else [])])
    inner[PROGRAM] = str(os.getpid())
    return inner


def command_words(given: Sequence[str]) -> list[str]:
    """
    The command line that `execve` takes: a path, and arguments.

    Python files and `-m` are for this interpreter, as with `python PROGRAM`; what can be executed
    says itself, in its first line, which interpreter it is for.
    """
    first, *rest = given
    if first == "-m":
        if not rest:
            raise click.UsageError("-m needs a module")
        return [_this_python(), *given]
    if first.startswith("-"):
        raise click.UsageError(f"{first!r} is no program; options of boto-accel come before the --")
    found = None if first.endswith(PYTHON_SUFFIXES) else shutil.which(first)
    if found is not None:
        return [os.path.abspath(found), *rest]
    if not os.path.exists(first):
        _fail(NOT_FOUND, f"{first}: there is no such file, and no such command on PATH")
    if Path(first).is_dir() and not Path(first, "__main__.py").is_file():
        _fail(CANNOT_RUN, f"{first} is a folder, without a __main__.py")
    return [_this_python(), *given]


def _this_python() -> str:
    if not sys.executable:
        _fail(CANNOT_RUN, "this Python does not know its own path (sys.executable)")
    return sys.executable


def check_isolation(words: Sequence[str]) -> None:
    """A Python that is told to ignore its environment would go on unpatched, unsaid."""
    for line in (_shebang(words[0]), list(words)):
        option = isolating_option(line)
        if option:
            _fail(
                CANNOT_RUN,
                f"{' '.join(line[:2])}: with {option} Python ignores PYTHONPATH, by which patches "
                "come; use BOTO_ACCEL and `boto-accel install-hook`",
            )


def _shebang(path: str) -> list[str]:
    """The words of the first line, if that is one for an interpreter; execve(2)."""
    try:
        with open(path, "rb") as file:
            first = file.readline(4096)
    except OSError:
        return []
    return os.fsdecode(first[2:]).split() if first.startswith(b"#!") else []


def isolating_option(words: Sequence[str]) -> str:
    """-I, -E or -S among the options of a Python; "" without, and for other programs."""
    rest = iter(words)
    if not os.path.basename(next(rest, "")).lower().startswith("python"):
        return ""
    for word in rest:
        if not word.startswith("-") or word.startswith("--") or word == "-":
            return ""
        for index, letter in enumerate(word[1:], start=2):
            if letter in "IES":
                return f"-{letter}"
            if letter in "cm":
                return ""
            if letter in "WX":
                if index == len(word):
                    next(rest, None)  # its value is the next word
                break
    return ""


def _run(words: list[str], environment: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        _run_as_child(words, environment)
    # Python ignores these, and what is ignored stays so over execve(2); as in `subprocess`.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execve(words[0], words, environment)
    except OSError as error:
        _fail(CANNOT_RUN, f"{words[0]}: {error.strerror}")


def _run_as_child(words: list[str], environment: dict[str, str]) -> NoReturn:
    """Windows: there a process cannot become another one, and Ctrl-C reaches both."""
    del environment[PROGRAM]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = subprocess.run(words, env=environment, check=False)
    except OSError as error:
        _fail(CANNOT_RUN, f"{words[0]}: {error.strerror}")
    sys.exit(done.returncode)


def _fail(code: int, message: str) -> NoReturn:
    click.echo(f"boto-accel run: {message}", err=True)
    sys.exit(code)
