"""
What botocore's loaders give while an `accelerate()` is in force.

`JSONFileLoader.load_file` parses a file each time it is called, and each session has a `Loader`
that calls it. For the files that botocore and boto3 bring it gives a copy of the shared document
instead (`shared.py`), which is as much the session's own as a parsed one would be. All else of the
loaders is stock: search paths, extras, versions, what is kept by a session.

`Loader.list_available_services` looks through all folders, 400 of botocore's. Those are looked
through once for a process, and the user's own each time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore import BOTOCORE_ROOT
from botocore.loaders import Loader

from boto_accel import _compat
from boto_accel._compat import Declined
from boto_accel.fastpath.making.documents import documents


def load_file(
    stock: Callable[..., Any], loader: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """`JSONFileLoader.load_file(file_path)`: a copy of what is in the file, or None without one."""
    if len(args) == 1 and not kwargs and _is_packaged(args[0]):
        try:
            if _compat.is_stock_file_loader(loader):
                document = documents.read(args[0])
                return None if document is None else document.copy()
        except (Declined, OSError, ValueError):
            pass  # stock says what is wrong with the file
    return stock(loader, *args, **kwargs)


def list_available_services(
    stock: Callable[..., Any], loader: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """`Loader.list_available_services(type_name)`: sorted names of services."""
    kind = args[0] if args else kwargs.get("type_name")
    if isinstance(kind, str) and len(args) + len(kwargs) == 1 and type(loader) is Loader:
        try:
            results = _compat.results_of(loader)
            # Source: `instance_cache`, which gives the same list again.
            key = ("list_available_services", *(args or ("type_name", kind)))
            if key not in results and _compat.is_stock_file_loader(loader.file_loader):
                results[key] = _services(stock, loader, kind)
        except (Declined, OSError):
            pass
    return stock(loader, *args, **kwargs)


def _services(stock: Callable[..., Any], loader: Any, kind: str) -> list[str]:
    packaged = [folder for folder in packaged_folders() if folder in loader.search_paths]
    others = [path for path in loader.search_paths if path not in packaged]
    found = set(stock(_loader_of(others), kind)) if others else set()
    for folder in packaged:
        look = partial(stock, _loader_of([folder]), kind)
        found |= documents.services(folder, kind, look)
    return sorted(found)


def _loader_of(folders: list[str]) -> Any:
    return Loader(extra_search_paths=folders, include_default_search_paths=False)


def _is_packaged(path: Any) -> bool:
    return isinstance(path, str) and path.startswith(
        tuple(folder + os.sep for folder in packaged_folders())
    )


def packaged_folders() -> list[str]:
    """Where botocore and boto3 have their data: the folders as their loaders spell them."""
    boto3 = getattr(sys.modules.get("boto3"), "__file__", None)
    roots = [BOTOCORE_ROOT, *([os.path.dirname(boto3)] if boto3 is not None else [])]
    return [os.path.join(root, "data") for root in roots]
