"""Telling how far many rows are: to a function, or as a bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boto_accel.datastore.effects import Progress
from boto_accel.errors import InvalidOptionError, MissingExtraError


@contextmanager
def telling(progress: Any, what: str) -> Iterator[Progress | None]:
    """*progress* is False or None for nobody, True for a bar, or called with done and total."""
    if progress is True:
        with _bar(what) as told:
            yield told
    elif progress is None or progress is False:
        yield None
    elif callable(progress):
        yield progress
    else:
        expected = "True for a bar, or a function of the number done and the number of all"
        raise InvalidOptionError("progress", progress, expected)


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    try:
        from rich.console import Console
        from rich.progress import Progress as Bar
    except ModuleNotFoundError as error:
        raise MissingExtraError("progress=True", "rich", "cli") from error
    with Bar(console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield tell
