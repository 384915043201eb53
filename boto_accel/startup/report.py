"""What the patches of a process have done, printed when it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

TITLES = {"ROUTE": "routed", "CACHE": "cached", "SEND": "accelerated"}
UNUSED = "this process has not imported botocore: there was nothing to patch"


class Report:
    """
    The statistics of this process alone; each of its children prints its own.

    is_program: it is what `boto-accel run` was asked to run; other processes say nothing where
    they made no call. A forked child goes on counting from what its parent had counted.
    """

    def __init__(self, is_program: bool) -> None:
        self._patches: Sequence[Any] | None = None
        self._is_program = is_program
        self._pid = os.getpid()

    def entered(self, patches: Sequence[Any]) -> None:
        """botocore has come, and *patches* are in force: none where they could not be entered."""
        self._patches = patches

    def print(self) -> None:
        """To stderr, which may be gone."""
        text = self.text()
        if text and sys.stderr is not None:
            try:
                print(text, file=sys.stderr, flush=True)
            except (OSError, ValueError):  # closed
                pass

    def text(self) -> str:
        """ "" where there is nothing to be said."""
        if self._patches is None:
            return f"{self._title()}\n{UNUSED}" if self._is_program else ""
        counted = any(has_counted(patch.stats.as_dict()) for patch in self._patches)
        if not self._patches or not (counted or self._is_program):
            return ""
        return "\n".join([self._title(), *map(section, self._patches)])

    def _title(self) -> str:
        pid = os.getpid()
        forked = f" (forked of {self._pid}, its counts included)" if pid != self._pid else ""
        # Not its arguments: there may be secrets in them.
        return f"boto-accel: process {pid}{forked}, {os.path.basename(sys.argv[0]) or 'python'}"


def section(patch: Any) -> str:
    """What *patch* has counted, under a title."""
    lines = (f"  {line}" for line in str(patch.stats).splitlines())
    return "\n".join([f"{TITLES[patch.layer.name]}:", *lines])


def has_counted(counts: Any) -> bool:
    """Whether any number in *counts*, which may be nested, is more than zero."""
    if isinstance(counts, Mapping):
        return any(map(has_counted, counts.values()))
    return isinstance(counts, int) and counts > 0
