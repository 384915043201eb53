"""Stock clients for tests: dummy credentials, nothing read from the developer's AWS files."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"

# Arguments of create_client(); whatever else make_client() is given is for Config.
_CLIENT_ARGUMENTS = frozenset(
    {
        "region_name",
        "api_version",
        "use_ssl",
        "verify",
        "endpoint_url",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_account_id",
        "config",
    }
)


def make_client(
    flavour: str, service: str, **options: Any
) -> AbstractContextManager[Any] | AbstractAsyncContextManager[Any]:
    """
    A client that closes with its block: `with` for "sync" (boto3), `async with` for "async".

    *options* are those of boto3's `client()` (endpoint_url, verify, ...); the others are taken as
    arguments of `Config` (max_pool_connections=1, s3={...}), merged onto `config` if that is given.
    Each client has a session of its own, so that handlers registered on one reach no other.
    """
    if flavour == "async":
        return _async_client(service, options)
    if flavour == "sync":
        return _sync_client(service, options)
    raise ValueError(f"flavour is 'sync' or 'async', not {flavour!r}")


@contextmanager
def _sync_client(service: str, options: dict[str, Any]) -> Iterator[Any]:
    session = boto3.Session(botocore_session=_prepared(botocore.session.Session()))
    # boto3 adds its own folder once a session, and the loader is shared.
    _loader().search_paths[:] = dict.fromkeys(_loader().search_paths)
    client = session.client(service, **_arguments(options, Config))
    try:
        yield client
    finally:
        client.close()


@asynccontextmanager
async def _async_client(service: str, options: dict[str, Any]) -> AsyncIterator[Any]:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import AioSession

    session = _prepared(AioSession())
    async with session.create_client(service, **_arguments(options, AioConfig)) as client:
        yield client


def _arguments(options: dict[str, Any], config_class: type[Any]) -> dict[str, Any]:
    arguments = {
        "region_name": REGION,
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SECRET_KEY,
        **{name: value for name, value in options.items() if name in _CLIENT_ARGUMENTS},
    }
    rest = {name: value for name, value in options.items() if name not in _CLIENT_ARGUMENTS}
    if rest:
        config = config_class(**rest)
        given = arguments.get("config")
        arguments["config"] = given.merge(config) if given else config
    return arguments


def _prepared(session: Any) -> Any:
    # Reading and parsing the service models is most of what making a client costs.
    session.register_component("data_loader", _loader())
    return session


@functools.lru_cache(maxsize=1)
def _loader() -> botocore.loaders.Loader:
    """Models of botocore and boto3; none of the developer's own (AWS_DATA_PATH, ~/.aws/models)."""
    loader = botocore.loaders.Loader(include_default_search_paths=False)
    loader.search_paths.append(botocore.loaders.Loader.BUILTIN_DATA_PATH)
    return loader
