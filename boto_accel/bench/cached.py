"""The response cache as the fast side of a case, and botocache beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from boto_accel.bench.cases import Case
from boto_accel.bench.errors import TargetUnfitError
from boto_accel.bench.subjects import Subject, Threads, boto3_call
from boto_accel.bench.target import Target


def open_cache(case: Case, stack: ExitStack) -> Any:
    """A cache of the kind that *case* names, and removed with *stack*."""
    # Imported when needed: what is measured stock must not depend on it.
    from boto_accel import botocache_context

    if case.operation == "cached-memory":
        return botocache_context(cache="memory://")
    folder = tempfile.mkdtemp(prefix="boto-accel-bench-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return botocache_context(cache_path=os.path.join(folder, "cache"))


def botocache_subject(case: Case, target: Target) -> Subject:
    """
    A client of boto3's that botocache caches for; its last release, with a cache in memory.

    It need not be in force while calls are made: a client made under it goes on caching.
    """
    try:
        botocache = import_module("botocache.botocache")
        mapping = import_module("cachetools").LRUCache(100)
    except ImportError as error:
        raise TargetUnfitError(case.name, "botocache is not installed") from error
    import boto3

    with botocache.botocache_context(cache=mapping, action_regex_to_cache=["List.*"]):
        client = boto3.Session().client("s3", **target.client_arguments())
    return Threads(case, boto3_call(client, case, target), client.close)
