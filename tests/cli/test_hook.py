"""`boto-accel install-hook`, and what the environment then does, in a virtual environment."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

click_testing = pytest.importorskip("click.testing")
pytest.importorskip("rich")

from boto_accel.commands import cli, hook  # noqa: E402
from tests.cli.programs import LIST, LISTED, PATCHED, Environment, execute  # noqa: E402
from tests.servers.capture import CaptureServer  # noqa: E402

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the environments are POSIX ones")

IMPORTED = "import sys; print(sorted(n for n in ('boto_accel', 'botocore') if n in sys.modules))"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def environment(made: Environment) -> Environment:
    """With boto_accel, and with its hook, which the command has installed."""
    made.add_packages()
    ended = install(made)
    assert ended.returncode == 0, ended.stderr
    return made


def install(environment: Environment, *options: str) -> subprocess.CompletedProcess[str]:
    command = ("-m", "boto_accel.cli", "install-hook", *options)
    return execute(environment.python, *command)


def python(environment: Environment, code: str, **variables: str) -> tuple[int, str, str]:
    ended = execute(environment.python, "-c", code, environment=variables)
    return ended.returncode, ended.stdout, ended.stderr


def test_it_is_installed_once_and_removed_once(environment: Environment) -> None:
    path = environment.site_packages / hook.NAME
    found = [json.loads(install(environment, *o, "--json").stdout) for o in ([], ["--remove"])]
    assert found == [
        {"path": str(path), "installed": True, "changed": False},
        {"path": str(path), "installed": False, "changed": True},
    ]
    assert [each.name for each in environment.site_packages.glob("*pth*")] == ["a_paths.pth"]
    assert "was not there" in install(environment, "--remove").stdout
    assert install(environment).stdout == f"{path}: installed\n"
    assert path.read_text().count("\n") == 1
    # Others who use the environment can read it, as far as the umask lets them.
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_line_of_an_older_release_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / hook.NAME
    path.write_text("import os  # what another release wrote\n")
    assert hook.install_hook(path)
    assert path.read_text() == hook.LINE
    assert os.listdir(tmp_path) == [hook.NAME]


@pytest.mark.parametrize("options", [[], ["--remove"]])
def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    """A file stands in for it: to root no folder is read-only."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(hook, "hook_path", lambda: tmp_path / "file" / hook.NAME)
    ended = click_testing.CliRunner().invoke(cli, ["install-hook", *options])
    assert ended.exit_code == 1
    assert f"{tmp_path / 'file'} cannot be written" in ended.output
    assert "virtual environment" in ended.output


def test_without_the_variable_nothing_is_imported(environment: Environment) -> None:
    assert python(environment, IMPORTED) == (0, "[]\n", "")
    assert python(environment, IMPORTED, BOTO_ACCEL="") == (0, "[]\n", "")
    assert python(environment, PATCHED + "print(patched())", BOTO_ACCEL="off")[1] == "False\n"


def test_with_it_botocore_is_not_imported_before_the_program_does(environment: Environment) -> None:
    assert python(environment, IMPORTED, BOTO_ACCEL="accelerate,cache") == (
        0,
        "['boto_accel']\n",
        "",
    )


@pytest.mark.parametrize(
    "first",
    ["boto3", "botocore.session", "botocore.client", "aiobotocore.session", "aiobotocore.client"],
)
def test_whatever_imports_botocore_finds_it_patched(environment: Environment, first: str) -> None:
    """At once, aiobotocore as well; in an isolated interpreter, too."""
    library = first.partition(".")[0]
    pytest.importorskip(library)
    module, owner = ("botocore", "BaseClient")
    if library == "aiobotocore":
        module, owner = ("aiobotocore", "AioBaseClient")
    pytest.importorskip("msgspec")
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        f"import {first}, {module}.client as c, sys\n"
        f"print(c.{owner}._make_api_call.__globals__['__name__'], len(sys.meta_path))\n"
        "from boto_accel import _hook\n"
        "print([p.layer.name for p in _hook.stack.active])\n"
    )
    variables = {"BOTO_ACCEL": "accelerate,cache", "BOTO_ACCEL_CACHE_PATH": "memory://"}
    ended = execute(environment.python, "-I", "-c", code, environment=variables)
    assert ended.returncode == 0, ended.stderr
    name, *rest = ended.stdout.splitlines()
    assert (name.split()[0], rest) == ("boto_accel._hook", ["['CACHE', 'SEND']"])
    assert ended.stderr == ""


IN_THREADS = """
import importlib, threading
names = ["aiobotocore.session", "boto3", "botocore.client", "aiobotocore.client", "botocore.stub"]
together = threading.Barrier(len(names))
failures = []

def load(name):
    together.wait()
    try:
        importlib.import_module(name)
    except Exception as error:
        failures.append((name, error))

threads = [threading.Thread(target=load, args=(name,)) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
import aiobotocore.client, botocore.client
for owner in (botocore.client.BaseClient, aiobotocore.client.AioBaseClient):
    print(owner._make_api_call.__globals__["__name__"])
print(failures)
"""


@pytest.mark.aiobotocore
def test_threads_that_import_at_once_find_it_patched(environment: Environment) -> None:
    """Each waits for modules of the others: ours must not be the one wait too many."""
    code, out, err = python(environment, IN_THREADS, BOTO_ACCEL="accelerate")
    assert (code, out.split(), err) == (0, ["boto_accel._hook", "boto_accel._hook", "[]"], "")


def test_by_environment_alone(
    environment: Environment, capture: Callable[..., CaptureServer], tmp_path: Path
) -> None:
    pytest.importorskip("msgspec")
    server = capture(LISTED)
    chosen = {
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "BOTO_ACCEL": "accelerate,cache",
        "BOTO_ACCEL_CACHE": "15m",
        "BOTO_ACCEL_CACHE_PATH": str(tmp_path / "cache"),
        "BOTO_ACCEL_STATS": "1",
    }
    told = [python(environment, LIST, **chosen) for _ in range(2)]
    assert [(code, out) for code, out, _ in told] == [(0, "one\n")] * 2
    assert ["misses   1" in told[0][2], "hits     1" in told[1][2]] == [True, True]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BOTO_ACCEL": "fast"}, "BOTO_ACCEL='fast'; expected off, or names of accelerate, "),
        ({"BOTO_ACCEL": "cache", "BOTO_ACCEL_CACHE": "soon"}, "BOTO_ACCEL_CACHE='soon'; expected "),
        ({"BOTO_ACCEL": "accelerate", "BOTO_ACCEL_HTTP": "x"}, "http='x'; expected one of direct"),
        ({"BOTO_ACCEL": "accelerate,route", "BOTO_ACCEL_ROUTE": "none.json"}, "FileNotFoundError"),
        ({"BOTO_ACCEL": "cache", "BOTO_ACCEL_CACHE_PATH": "ftp://x"}, "cache_path='ftp://...'; "),
    ],
)
def test_a_wrong_variable_is_one_line_and_no_patch(
    environment: Environment, variables: dict[str, str], said: str
) -> None:
    """The interpreter starts, and the program runs, whatever the variables say."""
    code, out, err = python(environment, PATCHED + "print(patched())", **variables)
    assert (code, out) == (0, "False\n")
    assert err.count("\n") == 1
    assert err.startswith("boto-accel: ")
    assert said in err
    assert "nothing is patched" in err


def test_a_hook_that_outlives_the_package_is_harmless(environment: Environment) -> None:
    environment.remove_packages()
    assert python(environment, IMPORTED, BOTO_ACCEL="accelerate") == (0, "[]\n", "")
