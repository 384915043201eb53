"""The option of the commands that call an S3 which may not be AWS's; one spelling for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_Command = Callable[..., Any]


def endpoint(help_: str) -> Callable[[_Command], _Command]:
    """`--endpoint URL`, as parameter `endpoint`; `--endpoint-url`, the AWS CLI's, is the same."""
    names = ("--endpoint", "--endpoint-url", "endpoint")
    return click.option(*names, metavar="URL", callback=_checked, help=help_)


def _checked(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    """botocore raises a mere ValueError, when the client is made."""
    if given is not None:
        from botocore.utils import is_valid_endpoint_url

        if not is_valid_endpoint_url(given):
            raise click.BadParameter(f"{given!r} is no URL such as http://localhost:9000")
    return given
