"""What the patches of a process have done, printed when it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from boto_accel._stack import Layer

TITLES = {Layer.ROUTE: "routed", Layer.CACHE: "cached", Layer.SEND: "accelerated"}
UNUSED = "this process has not imported botocore: there was nothing to patch"


class Report:
    """
    The statistics of this process alone; each of its children prints its own.

    is_program: it is what `boto-accel run` was asked to run; other processes say nothing where
    they made no call. A forked child goes on counting from what its parent had counted.
    """

    def __init__(self, is_program: bool) -> None:
        self.patches: list[Any] = []
        self._is_program = is_program
        self._pid = os.getpid()

    def print(self) -> None:
        """To stderr, which may be gone."""
        text = self.text()
        if text and sys.stderr is not None:
            try:
                print(text, file=sys.stderr, flush=True)
            except (OSError, ValueError):  # closed
                pass

    def text(self) -> str:
        if not self.patches:
            return f"{self._title()}\n{UNUSED}" if self._is_program else ""
        if not self._is_program and not any(
            has_counted(patch.stats.as_dict()) for patch in self.patches
        ):
            return ""
        return "\n".join([self._title(), *map(section, self.patches)])

    def _title(self) -> str:
        pid = os.getpid()
        forked = f" (forked of {self._pid}, its counts included)" if pid != self._pid else ""
        # Not its arguments: there may be secrets in them.
        return f"boto-accel: process {pid}{forked}, {os.path.basename(sys.argv[0]) or 'python'}"


def section(patch: Any) -> str:
    """What *patch* has counted, under a title."""
    lines = (f"  {line}" for line in str(patch.stats).splitlines())
    return "\n".join([f"{TITLES[patch.layer]}:", *lines])


def has_counted(counts: Any) -> bool:
    """Whether any number in *counts*, which may be nested, is more than zero."""
    if isinstance(counts, Mapping):
        return any(map(has_counted, counts.values()))
    return isinstance(counts, int) and counts > 0
