"""The two arguments that say where calls go: as values, or in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from boto_accel.errors import InvalidOptionError
from boto_accel.router.files import read_routes
from boto_accel.router.rules import Rules, parse_rules


def read_routes_of(clients: Any, mapping: Any) -> tuple[Any, Rules]:
    """(clients, unchecked; rules). Raises InvalidOptionError."""
    if isinstance(clients, str | os.PathLike):
        if mapping is not None:
            raise InvalidOptionError("mapping", type(mapping).__name__, "none: the file has it")
        clients, mapping = read_routes(Path(clients))
    return clients, parse_rules(mapping)
