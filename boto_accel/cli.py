"""The `boto-accel` command; what it can do is in `boto_accel.commands`."""

from __future__ import annotations

import sys

NEEDED = ("click", "rich")


def main() -> None:
    """Entry point; ends with a message where the extra `cli` is not installed."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        sys.exit(
            f"boto-accel needs {error.name}, which is not installed: pip install 'boto_accel[cli]'"
        )
    from boto_accel.commands import cli

    cli(prog_name="boto-accel")


if __name__ == "__main__":
    main()
