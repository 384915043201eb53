"""
Makes a virtual environment and installs into it; what `make` and the test matrix use.

    python tools/environment.py FOLDER [--fresh] -- PIP ARGUMENTS...

Standard library only, and readable by any Python 3: on one that is too old the message must come
from here, not from the parser.
"""

import argparse
import os
import subprocess
import sys
import venv

OLDEST = (3, 10)

ASK_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


def main():
    options = parse_arguments()
    if sys.version_info < OLDEST:
        raise SystemExit(
            "boto_accel needs Python {}.{} or newer; {} is {}.{}. Name another one: "
            "make PYTHON=python3.12 ...".format(*OLDEST, sys.executable, *sys.version_info[:2])
        )
    try:
        prepare(options.folder, fresh=options.fresh)
        install(options.folder, options.requirements)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"pip failed with status {error.returncode}") from None


def parse_arguments():
    parser = argparse.ArgumentParser(description="Make a virtual environment and install into it.")
    parser.add_argument("folder")
    parser.add_argument("--fresh", action="store_true", help="begin with an empty environment")
    parser.add_argument("requirements", nargs="+", help="arguments of pip install, after --")
    return parser.parse_args()


def prepare(folder, fresh=False):
    """An environment of this interpreter in *folder*; one that exists is kept if it still works."""
    if fresh or not is_usable(folder):
        print(f"creating {folder} with {sys.executable}", flush=True)
        venv.create(folder, clear=True, with_pip=True, symlinks=os.name != "nt")
        # A pip as old as its Python may not know the metadata, or the wheels, of today.
        install(folder, ["--upgrade", "pip"])


def is_usable(folder):
    """Whether *folder* holds an environment of this very version of Python, with a pip."""
    try:
        found = subprocess.run(
            [python_of(folder), "-c", "import pip; " + ASK_VERSION],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return found.stdout.decode().strip() == "{}.{}.{}".format(*sys.version_info[:3])


def install(folder, requirements):
    """May take minutes. Raises subprocess.CalledProcessError with pip's status."""
    command = [python_of(folder), "-m", "pip", "install", "--quiet"]
    print("pip install", *requirements, flush=True)
    # setuptools warns of every editable installation; `make build` shows the others.
    environ = dict(os.environ, PYTHONWARNINGS="ignore", PIP_DISABLE_PIP_VERSION_CHECK="1")
    subprocess.run([*command, *requirements], check=True, env=environ)


def python_of(folder):
    """The interpreter of the environment in *folder*."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(folder, *parts)


if __name__ == "__main__":
    main()
