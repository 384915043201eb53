"""All that can be told of a client without a call, as plain values to compare clients by."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError

REGIONS = (
    "us-east-1",
    "eu-central-1",
    "cn-north-1",
    "us-gov-west-1",
    "eusc-de-east-1",
    "aws-global",
)
CREDENTIALS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "secret"}
# What is emitted in a client's life; handlers are registered for these.
EVENTS = (
    "provide-client-params before-parameter-build before-endpoint-resolution before-call "
    "request-created choose-signer before-sign before-send response-received before-parse "
    "needs-retry after-call after-call-error before-compute-checksum"
).split()

T = TypeVar("T")


def with_client(
    flavour: str, service: str, look: Callable[[Any, Any], T], region: str = REGIONS[0]
) -> T:
    """What *look* returns for a new session and a client of it."""
    if flavour == "async":
        return asyncio.run(_with_async_client(service, look, region))
    session = boto3.Session(region_name=region, **CREDENTIALS)
    client = session.client(service)
    try:
        return look(session, client)
    finally:
        client.close()


async def _with_async_client(service: str, look: Callable[[Any, Any], T], region: str) -> T:
    from aiobotocore.session import get_session

    session = get_session()
    async with session.create_client(service, region_name=region, **CREDENTIALS) as client:
        return look(session, client)


def portrait(session: Any, client: Any) -> dict[str, Any]:
    cls = type(client)
    model = client.meta.service_model
    operation = model.operation_names[0]
    core = getattr(session, "_session", session)  # botocore's session, in boto3's
    resolver = core._get_internal_component("endpoint_resolver")
    return {
        "class": [cls.__name__, *(base.__name__ for base in cls.__mro__)],
        "attributes": dir(client),
        "operations": client.meta.method_to_api_mapping,
        "model": json.dumps(model._service_description),
        "metadata": dict(model.metadata),
        "region": client.meta.region_name,
        "partition": client.meta.partition,
        "url": client.meta.endpoint_url,
        "config": {name: repr(value) for name, value in sorted(vars(client.meta.config).items())},
        "handlers": {event: handlers(client, event, operation) for event in EVENTS},
        "signature": str(signatures(client)),
        "shapes": shapes(model.operation_model(operation)),
        "exceptions": exceptions(client),
        "waiters": client.waiter_names,
        "pages": [name for name in client.meta.method_to_api_mapping if client.can_paginate(name)],
        "endpoints": list(endpoints(client)),
        "services": core.get_available_services(),
        "regions": resolver.get_available_endpoints(model.endpoint_prefix),
    }


def signatures(client: Any) -> tuple[Any, ...]:
    signer = client._request_signer
    return signer.signature_version, signer.signing_name, signer.region_name


def handlers(client: Any, event: str, operation: str) -> list[str]:
    """The names of the handlers that the event calls, in order."""
    service = client.meta.service_model.service_id.hyphenize()
    emitter = client.meta.events._emitter
    found = emitter._handlers.prefix_search(f"{event}.{service}.{operation}")
    return [getattr(each, "__qualname__", type(each).__name__) for each in found]


def shapes(operation: Any) -> list[Any]:
    """The input and output of an operation, as `botocore.model` reads them."""
    found = [operation.name, dict(operation.http), operation.auth_type, operation.documentation]
    for shape in (operation.input_shape, operation.output_shape, *operation.error_shapes):
        if shape is not None:
            members = getattr(shape, "members", {})
            found.append([shape.name, dict(shape.metadata), dict(shape.serialization)])
            found += [[name, each.name, each.type_name] for name, each in members.items()]
    return found


def exceptions(client: Any) -> list[str]:
    return sorted(name for name in dir(client.exceptions) if not name.startswith("_"))


def endpoints(client: Any) -> Iterator[Any]:
    """What the rules of the service say, for some regions and variants."""
    resolver = client._ruleset_resolver
    if resolver is None:
        return
    provider = resolver._provider
    known = provider.ruleset.parameters
    for region in REGIONS:
        for variant in ({}, {"UseFIPS": True}, {"UseDualStack": True}, {"Bucket": "b.c"}):
            values = {"UseFIPS": False, "UseDualStack": False, "Region": region, **variant}
            given = {name: value for name, value in values.items() if name in known}
            try:
                yield tuple(provider.resolve_endpoint(**given))
            except BotoCoreError as error:
                yield str(error)


@contextmanager
def counted_reads(monkeypatch: Any) -> Iterator[list[str]]:
    """The files that are opened to be parsed, by stock or by us."""
    import botocore.loaders

    opened: list[str] = []

    def reading(opener: Callable[..., Any]) -> Callable[..., Any]:
        def read(path: str, *args: Any, **kwargs: Any) -> Any:
            opened.append(path)
            return opener(path, *args, **kwargs)

        return read

    openers = {end: reading(each) for end, each in botocore.loaders._JSON_OPEN_METHODS.items()}
    with monkeypatch.context() as patch:
        patch.setattr(botocore.loaders, "_JSON_OPEN_METHODS", openers)
        yield opened


def all_services() -> list[str]:
    return botocore.session.Session().get_available_services()
