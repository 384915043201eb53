"""The clients of S3 that are made where none is given."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from boto_accel.errors import InvalidOptionError, MissingExtraError

CONNECTIONS = 32  # of a client made here: calls of insert_many and select_many in flight


def make_client(session: Any, endpoint_url: str | None) -> Any:
    """Of boto3's default session, or of *session*, one of boto3 or botocore."""
    from botocore.config import Config

    options = {"endpoint_url": endpoint_url, "config": Config(max_pool_connections=CONNECTIONS)}
    if session is not None:
        return _creator(session)("s3", **options)
    if find_spec("boto3") is not None:
        import boto3

        return boto3.client("s3", **options)
    from botocore.session import Session

    return Session().create_client("s3", **options)


def make_async_client(session: Any, endpoint_url: str | None) -> Any:
    """What is entered for a client; *session* is one of aiobotocore or aioboto3."""
    try:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import AioSession
    except ModuleNotFoundError as error:
        raise MissingExtraError("AsyncDatabase", "aiobotocore", "async") from error

    config = AioConfig(max_pool_connections=CONNECTIONS)
    made = _creator(AioSession() if session is None else session)
    return made("s3", endpoint_url=endpoint_url, config=config)


def _creator(session: Any) -> Any:
    # A session of boto3 or aioboto3 has `client`, one of botocore or aiobotocore `create_client`.
    for name in ("client", "create_client"):
        if callable(getattr(session, name, None)):
            return getattr(session, name)
    expected = "a session of boto3, botocore, aioboto3 or aiobotocore"
    raise InvalidOptionError("session", session, expected)


def check_given(client: Any, session: Any, endpoint_url: Any, *, is_async: bool) -> None:
    """Raises InvalidOptionError for a client of the other world, or one that is told twice."""
    if client is None:
        return
    for name, value in (("session", session), ("endpoint_url", endpoint_url)):
        if value is not None:
            raise InvalidOptionError(name, value, "it left out: client= has one")
    wanted = "aiobotocore" if is_async else "botocore or boto3"
    expected = f"a client of S3 of {wanted}"
    if not callable(getattr(client, "put_object", None)):
        raise InvalidOptionError("client", client, expected)
    known = [base.__name__ for base in type(client).__mro__]
    if "BaseClient" in known and ("AioBaseClient" in known) is not is_async:
        raise InvalidOptionError("client", client, expected)
