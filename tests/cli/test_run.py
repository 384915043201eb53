"""`boto-accel run`: real programs, in processes of their own, at real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from boto_accel.commands.run import SHIM, environment_for, isolating_option
from boto_accel.errors import InvalidOptionError
from boto_accel.startup.settings import (
    Settings,
    default_cache_path,
    parse_duration,
    read_settings,
    write_settings,
)
from tests.cli.programs import (
    LIST,
    LISTED,
    PATCHED,
    TIMEOUT_S,
    Environment,
    console_script,
    execute,
    run,
    variables,
)
from tests.servers.capture import CaptureServer

posix = pytest.mark.skipif(os.name == "nt", reason="exec is a POSIX call")


@pytest.fixture
def server(capture: Callable[..., CaptureServer], monkeypatch: pytest.MonkeyPatch) -> CaptureServer:
    server = capture(LISTED)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
    return server


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Lists buckets."""
    path = tmp_path / "program.py"
    path.write_text(LIST)
    return path


# As `python PROGRAM`

TELL = """\
import json, os, signal, sys
told = {
    "argv": sys.argv, "path": sys.path, "name": __name__, "file": globals().get("__file__"),
    "main": sys.modules["__main__"].__dict__ is globals(),
    "spec": __spec__ and (__spec__.name, __spec__.origin),
    "executable": sys.executable, "flags": list(sys.flags), "cwd": os.getcwd(),
    "click": "click" in sys.modules, "botocore": "botocore" in sys.modules,
    "orig_argv": sys.orig_argv, "stdin": sys.stdin.read(),
    "ignored": [n for n in range(1, 32) if signal.getsignal(n) == signal.SIG_IGN],
}
print(json.dumps(told))
"""


@posix
@pytest.mark.parametrize("safe", ["", "1"])
@pytest.mark.parametrize("form", ["script", "folder", "module", "command"])
def test_a_program_finds_all_as_python_has_it(tmp_path: Path, form: str, safe: str) -> None:
    """Arguments, __main__, path, flags, interpreter; nothing of boto-accel is imported."""
    package = tmp_path / "telling"
    package.mkdir()
    for name in ("__init__.py", "tell.py", "__main__.py"):
        (package / name).write_text("" if name == "__init__.py" else TELL)
    script = console_script(tmp_path / "bin" / "tell-all", sys.executable, TELL)
    words: Sequence[str] = {
        "script": [str(package / "tell.py")],
        "folder": [str(package)],
        "module": ["-m", "telling.tell"],
        "command": ["tell-all"],
    }[form]
    plain = [str(script)] if form == "command" else [sys.executable, *words]
    path = {
        "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "PYTHONSAFEPATH": safe,
    }
    wanted, found = (
        subprocess.run(
            [*command, "--stats", "a b", "--", "-m"],
            env=variables(path), cwd=tmp_path, input="typed", capture_output=True, text=True,
            timeout=TIMEOUT_S, check=True,
        )
        for command in (plain, [sys.executable, "-m", "boto_accel.cli", "run", "--", *words])
    )  # fmt: skip
    assert json.loads(found.stdout) == json.loads(wanted.stdout)
    assert found.stderr == wanted.stderr == ""
    assert json.loads(found.stdout)["stdin"] == "typed"


@posix
@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(3)",
        "sys.exit('what went wrong')",
        "raise ValueError('what went wrong')",
        "raise KeyboardInterrupt",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os._exit(5)",
    ],
)
def test_a_program_ends_as_it_does_with_python(tmp_path: Path, ending: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import os, signal, sys\n{ending}\n")
    wanted = execute(sys.executable, program)
    found = run("--", program)
    assert (found.returncode, found.stdout, found.stderr) == (
        wanted.returncode,
        wanted.stdout,
        wanted.stderr,
    )


@posix
def test_ctrl_c_is_the_program_s(tmp_path: Path) -> None:
    """It is the process itself: a signal that is sent to boto-accel reaches it and no other."""
    program = tmp_path / "program.py"
    program.write_text("print('ready', flush=True)\nimport sys; sys.stdin.read()\n")
    with subprocess.Popen(
        [sys.executable, "-m", "boto_accel.cli", "run", "--", str(program)],
        env=variables(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -signal.SIGINT  # 130 in a shell
    assert "KeyboardInterrupt" in said


# Patches


def test_calls_are_accelerated_and_told_of(program: Path, server: CaptureServer) -> None:
    ended = run("--stats", "--", program, "--stats")
    assert (ended.returncode, ended.stdout) == (0, "one --stats\n")
    assert "accelerated:" in ended.stderr
    assert " ".join(ended.stderr.split()).count("s3.ListBuckets 1 0") == 1
    assert len(server.requests) == 1


def test_without_patches_it_is_stock(program: Path, server: CaptureServer) -> None:
    program.write_text(LIST + PATCHED + "print(patched())\n")
    assert run("--", program).stdout == "one\nTrue\n"
    assert run("--no-accelerate", "--", program).stdout == "one\nFalse\n"


def test_statistics_of_a_program_that_fails(program: Path, server: CaptureServer) -> None:
    program.write_text(LIST + "raise SystemExit(4)\n")
    ended = run("--stats", "--", program)
    assert ended.returncode == 4
    assert "s3.ListBuckets" in ended.stderr


def test_a_program_without_botocore_says_so_and_pays_nothing(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\nprint([m for m in sys.modules if m.split('.')[0] in ('botocore', 'boto3')])\n"
    )
    ended = run("--stats", "--", program)
    assert (ended.returncode, ended.stdout) == (0, "[]\n")
    assert "has not imported botocore" in ended.stderr


def test_the_second_run_is_answered_from_the_cache(
    tmp_path: Path, program: Path, server: CaptureServer
) -> None:
    pytest.importorskip("msgspec")
    options = ("--cache", "15m", "--cache-path", tmp_path / "cache", "--stats")
    first, second = (run(*options, "--", program) for _ in range(2))
    assert first.stdout == second.stdout == "one\n"
    assert ["misses   1" in first.stderr, "hits     1" in second.stderr] == [True, True]
    assert len(server.requests) == 1


def test_the_cache_is_in_the_user_s_folder(
    tmp_path: Path, program: Path, server: CaptureServer
) -> None:
    pytest.importorskip("msgspec")
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    assert run("--cache", "1h", "--", program, environment=home).returncode == 0
    wanted = Path(default_cache_path({**os.environ, **home}, sys.platform))
    if sys.platform == "linux":
        assert wanted == tmp_path / "xdg" / "boto_accel"
        assert list(wanted.glob("*.sqlite3"))


@posix
def test_the_aws_command_twice(aws_cli: Path, tmp_path: Path, server: CaptureServer) -> None:
    """AWS CLI v1 has a botocore of its own, and that one is patched."""
    options = ("--cache", "15m", "--cache-path", tmp_path / "cache", "--stats")
    path = {"PATH": f"{aws_cli}{os.pathsep}{os.environ['PATH']}"}
    first, second = (run(*options, "--", "aws", "s3", "ls", environment=path) for _ in range(2))
    assert first.stdout == second.stdout
    assert first.stdout.endswith(" one\n")
    assert "hits     1" in second.stderr
    assert len(server.requests) == 1


def test_calls_are_routed(
    tmp_path: Path, capture: Callable[..., CaptureServer], server: CaptureServer
) -> None:
    other = capture(LISTED)
    routes = tmp_path / "routes.json"
    there = {
        "endpoint_url": other.endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "AKIAOTHER",
        "aws_secret_access_key": "hush",
    }
    rules = [
        {"bucket_name": "old", "mapped_bucket_name": "new", "client": "there"},
        {"bucket_name": "*", "client": "here"},
    ]
    routes.write_text(json.dumps({"clients": {"there": there}, "mapping": rules}))
    program = tmp_path / "program.py"
    program.write_text(
        "import boto3\ns3 = boto3.client('s3')\n"
        "for b in ('old', 'b'): s3.put_object(Bucket=b, Key='k', Body=b'')\n"
    )
    # The program runs elsewhere than where the path was given.
    ended = run("--route", "routes.json", "--stats", "--", program, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert [(len(each.requests), each.requests[0].target) for each in (server, other)] == [
        (1, b"/b/k"),
        (1, b"/new/k"),
    ]
    assert "there 1" in ended.stderr


# Children, other interpreters


@posix
def test_python_children_are_patched_and_tell_for_themselves(
    tmp_path: Path, program: Path, server: CaptureServer
) -> None:
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import subprocess, sys, os\n"
        f"done = subprocess.run([sys.executable, {str(program)!r}])\n"
        "print(done.returncode, flush=True)\n"
        "subprocess.run([sys.executable, '-c', 'import botocore.client'], check=True)\n"
    )
    ended = run("--stats", "--", parent)
    assert (ended.returncode, ended.stdout) == (0, "one\n0\n")
    told = [line for line in ended.stderr.splitlines() if line.startswith("boto-accel: process")]
    # The child that made no call says nothing.
    assert [line.rpartition(", ")[2] for line in told] == ["program.py", "parent.py"]


@posix
def test_a_forked_child_says_whose_counts_it_has(tmp_path: Path, server: CaptureServer) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        LIST + "import os\nchild = os.fork()\nif child: os.waitpid(child, 0)\n"
        "boto3.client('s3').list_buckets()\n"
    )
    ended = run("--stats", "--", program)
    assert ended.returncode == 0, ended.stderr
    first, second = (each for each in ended.stderr.splitlines() if "process" in each)
    parent = second.split()[2].rstrip(",")
    assert f"(forked of {parent}, its counts included)" in first
    assert "forked" not in second
    assert [line.split()[1] for line in ended.stderr.splitlines() if "ListBuckets" in line] == [
        "2",
        "2",
    ]


@posix
def test_a_pool_of_processes_is_patched(tmp_path: Path, server: CaptureServer) -> None:
    """By spawning, each begins as an interpreter of its own."""
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing\n\n"
        "def is_patched(_):\n"
        f"    {PATCHED}"
        "    return __name__ == '__mp_main__' and patched()\n\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(is_patched, [1]))\n"
    )
    ended = run("--", program)
    assert (ended.returncode, ended.stdout) == (0, "[True]\n"), ended.stderr


@posix
@pytest.mark.parametrize("there", [None, "a syntax of the future"])
def test_an_interpreter_without_boto_accel(tmp_path: Path, there: str | None) -> None:
    """
    As the program it is refused; as a child of it, it runs as ever.

    Likewise one that finds a boto_accel which is not for its version.
    """
    other = Environment(tmp_path / "other")
    if there:
        (other.site_packages / "boto_accel").mkdir()
        (other.site_packages / "boto_accel" / "__init__.py").write_text(there)
    command = console_script(tmp_path / "bin" / "foreign", other.python, "print('ran')\n")
    refused = run("--", command)
    assert (refused.returncode, refused.stdout) == (126, "")
    assert "cannot import boto_accel" in refused.stderr
    parent = tmp_path / "parent.py"
    parent.write_text(f"import subprocess\nsubprocess.run([{str(command)!r}], check=True)\n")
    ended = run("--", parent)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ran\n", "")


@posix
def test_another_interpreter_that_has_boto_accel(tmp_path: Path, server: CaptureServer) -> None:
    other = Environment(tmp_path / "other")
    other.add_packages()
    command = console_script(tmp_path / "bin" / "foreign", other.python, LIST)
    ended = run("--stats", "--", command)
    assert (ended.returncode, ended.stdout) == (0, "one\n"), ended.stderr
    assert "s3.ListBuckets" in ended.stderr


@posix
def test_a_sitecustomize_of_the_user_s_own_is_run(tmp_path: Path, program: Path) -> None:
    """And PYTHONPATH is the user's still, for imports."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import builtins\nbuiltins.OWN = 'own'\n")
    program.write_text(
        f"import sys, sitecustomize\n{PATCHED}"
        "print(OWN, sitecustomize.__file__, [p for p in sys.path if 'shim' in p], patched())\n"
    )
    own = {"PYTHONPATH": str(tmp_path / "own")}
    ended = run("--", program, environment=own)
    file = tmp_path / "own" / "sitecustomize.py"
    assert (ended.returncode, ended.stdout) == (0, f"own {file} [] True\n"), ended.stderr


@posix
def test_a_sitecustomize_that_fails_is_told_of_as_ever(tmp_path: Path, program: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import no_such_module\n")
    program.write_text(PATCHED + "print(patched())\n")
    ended = run("--", program, environment={"PYTHONPATH": str(tmp_path / "own")})
    assert (ended.returncode, ended.stdout) == (0, "True\n")
    assert "no_such_module" in ended.stderr


# What is refused


@posix
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "no program"),
        (["--", "-m"], 2, "-m needs a module"),
        (["--", "--stats"], 2, "options of boto-accel come before"),
        (["--cache", "15 parsecs", "--", "x"], 2, "--cache='15 parsecs'; expected a duration"),
        (["--cache-path", "here", "--", "x"], 2, "--cache-path needs --cache"),
        (["--http", "carrier-pigeon", "--", "x"], 2, "expected one of direct, aiohttp, aiosonic"),
        (["--route", "nowhere.toml", "--", "x"], 2, "nowhere.toml"),
        (["--no-accelerate", "--stats", "--", "x"], 2, "--stats needs a patch"),
        (["--", "no-such-command"], 127, "no such command on PATH"),
        (["--", "no/such.py"], 127, "no such file"),
        (["--", "."], 126, "without a __main__.py"),
        (["--", sys.executable, "-I", "-c", "1"], 126, "with -I Python ignores PYTHONPATH"),
    ],
)
def test_what_cannot_be_run_is_said(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    ended = run(*words, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@posix
def test_what_is_no_program_and_what_is_for_an_isolated_python(tmp_path: Path) -> None:
    garbage = console_script(tmp_path / "garbage", tmp_path / "no-interpreter", "")
    ended = run("--", garbage)
    assert (ended.returncode, ended.stdout) == (126, "")
    isolated = console_script(tmp_path / "isolated", f"{sys.executable} -sE", "print('ran')\n")
    ended = run("--", isolated)
    assert (ended.returncode, ended.stdout) == (126, "")
    assert "with -E" in ended.stderr


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("python -I x.py", "-I"),
        ("/usr/bin/python3.12 -sE x.py", "-E"),
        ("python -W error -S x.py", "-S"),
        ("python -Werror -X dev -u -I x.py", "-I"),
        ("python x.py -I", ""),
        ("python -m x -I", ""),
        ("python -c I -S", ""),
        ("python -sP x.py", ""),
        ("python -WI -X S x.py", ""),
        ("python --version -I", ""),
        ("python - -I", ""),
        ("sh -E x", ""),
        ("", ""),
    ],
)
def test_options_by_which_python_ignores_its_environment(words: str, option: str) -> None:
    assert isolating_option(words.split()) == option


# Settings


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), (" 2H ", 7200), ("1d", 86400), ("0.5h", 1800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration("x", text) == seconds


@pytest.mark.parametrize(
    "text", ["", "m", "15x", "-1s", "0", "0d", "1h30m", "1e3", "inf", "nan", "\u0661s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidOptionError, match="90s, 15m, 2h or 1d"):
        parse_duration("x", text)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(accelerate=True),
        Settings(accelerate=True, http="aiohttp", stats=True),
        Settings(cache=900.0, cache_path="/x y"),
        Settings(accelerate=True, cache=0.5, route="/routes.toml", stats=True),
    ],
)
def test_settings_are_read_as_they_were_written(settings: Settings) -> None:
    assert read_settings(write_settings(settings)) == settings


def test_what_variables_mean() -> None:
    assert read_settings({}).is_off
    assert read_settings({"BOTO_ACCEL": "off", "BOTO_ACCEL_ROUTE": "x"}).is_off
    assert read_settings({"BOTO_ACCEL_CACHE": "nonsense"}).is_off
    found = read_settings({"BOTO_ACCEL": " Accelerate, cache "})
    assert found == Settings(accelerate=True, cache=900.0)
    found = read_settings({"BOTO_ACCEL": "accelerate", "BOTO_ACCEL_ROUTE": "r.toml"})
    assert found == Settings(accelerate=True, route="r.toml")


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"BOTO_ACCEL": "fast"}, "BOTO_ACCEL="),
        ({"BOTO_ACCEL": "1"}, "BOTO_ACCEL="),
        ({"BOTO_ACCEL": ","}, "BOTO_ACCEL="),
        ({"BOTO_ACCEL": "route"}, "BOTO_ACCEL_ROUTE="),
        ({"BOTO_ACCEL": "cache", "BOTO_ACCEL_CACHE": "soon"}, "BOTO_ACCEL_CACHE="),
        ({"BOTO_ACCEL": "cache", "BOTO_ACCEL_STATS": "maybe"}, "BOTO_ACCEL_STATS="),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        read_settings(variables)
    assert str(caught.value).startswith(named)


def test_options_are_the_whole_truth() -> None:
    """What the surroundings ask for is not added to what the command line says."""
    outer = {"BOTO_ACCEL": "cache", "BOTO_ACCEL_CACHE": "1d", "PYTHONPATH": f"{SHIM}{os.pathsep}/a"}
    inner = environment_for(Settings(accelerate=True), outer)
    assert read_settings(inner) == Settings(accelerate=True)
    assert inner["PYTHONPATH"].split(os.pathsep) == [SHIM, "/a"]
    assert environment_for(Settings(), {})["PYTHONPATH"] == SHIM
    assert Path(SHIM, "sitecustomize.py").exists()
