"""
The `boto-accel` command line: one module a command, imported when it is asked for.

A module named here defines `command`, a click command.
"""

from __future__ import annotations

from importlib import import_module

import click

from boto_accel import __version__

COMMANDS = {
    "batch": "boto_accel.commands.batch",
    "bench": "boto_accel.commands.bench",
    "cache": "boto_accel.commands.cache",
    "doctor": "boto_accel.commands.doctor",
    "install-hook": "boto_accel.commands.hook",
    "route": "boto_accel.commands.route",
    "run": "boto_accel.commands.run",
    "table": "boto_accel.commands.table",
}


class Commands(click.Group):
    """A group whose commands are imported one by one, so that none pays for another's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="boto-accel")
def cli() -> None:
    """The AWS SDKs for Python, faster, without changing the code that uses them."""
