"""`boto-accel install-hook`: patches by environment alone, in every Python of an environment."""

from __future__ import annotations

import json
import os
import sysconfig
from pathlib import Path

import click

# `site` runs the files of a folder in the order of their names: this one when what others put
# onto the path is there, such as an editable install of this package.
NAME = "zz_boto_accel.pth"
# `site` runs lines that begin with "import". Harmless where boto_accel is gone, and one look into
# a dict where BOTO_ACCEL is not set.
LINE = (
    'import os; os.environ.get("BOTO_ACCEL") and exec("try:\\n'
    " from boto_accel.startup.activation import activate\\n"
    'except ImportError: pass\\nelse: activate()")\n'
)


@click.command()
@click.option("--remove", is_flag=True, help="Take it away again.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(remove: bool, as_json: bool) -> None:
    """
    Let BOTO_ACCEL switch patches on, in every program of this Python environment.

    Writes one line into site-packages. It does nothing where BOTO_ACCEL is not set:

    \b
      boto-accel install-hook
      BOTO_ACCEL=accelerate,cache BOTO_ACCEL_CACHE=15m my-service

    Does nothing a second time. The exit code is 1 where site-packages cannot be written.
    """
    path = hook_path()
    try:
        changed = remove_hook(path) if remove else install_hook(path)
    except OSError as error:
        raise click.ClickException(
            f"{path.parent} cannot be written ({error.strerror}); activate a virtual environment, "
            "or ask who may write there"
        ) from error
    if as_json:
        click.echo(json.dumps({"path": str(path), "installed": not remove, "changed": changed}))
        return
    what = (
        ("removed" if changed else "was not there")
        if remove
        else ("installed" if changed else "is there already")
    )
    click.echo(f"{path}: {what}")


def hook_path() -> Path:
    """Where the hook of this environment is, or would be."""
    return Path(sysconfig.get_path("purelib"), NAME)


def is_installed(path: Path) -> bool:
    try:
        return path.read_text("utf-8") == LINE
    except OSError:
        return False


def install_hook(path: Path) -> bool:
    """Whether it was not there. A Python that starts meanwhile finds it whole, or not at all."""
    if is_installed(path):
        return False
    # `site` would run a file that ends in .pth.
    new = path.with_name(f".{NAME}.{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        # For all who may use the environment: readable as the umask has it, as pip's files are.
        with open(new, "x", encoding="utf-8", newline="\n") as file:
            file.write(LINE)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return True


def remove_hook(path: Path) -> bool:
    """Whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
