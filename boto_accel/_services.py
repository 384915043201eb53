"""
The names of services and operations that a user gives, held to botocore's models.

A misspelt one would match no call, and nobody would be told. What there is is for botocore to say,
which also reads the user's own models (AWS_DATA_PATH, `data_path`, ~/.aws/models). Sessions may
have loaders of their own, so those that there are have a say before a name is refused.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from boto_accel.errors import InvalidOptionError

_MODEL = "service-2"  # the kind of botocore's files that says which operations a service has
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# What was found is not looked for again. Added to in one step, never taken from.
_services = {"s3"}  # which the patches of S3 give themselves
_operations: set[tuple[frozenset[str], frozenset[str]]] = set()  # (of these services, these)


def plain(operation: str) -> str:
    """Equal for "get_object" and "GetObject", without asking botocore for its exceptions."""
    return operation.replace("_", "").lower()


def check_names(
    services: frozenset[str], operations: frozenset[str], models: Collection[Any]
) -> None:
    """
    Raise InvalidOptionError for a service, or an operation, that botocore does not have.

    models: the `ServiceModel`s of the clients that are given too; then operations are looked for in
    these. Without services and clients an operation has only to look as one: to read the models of
    all services takes seconds.
    """
    held = {model.service_name for model in models}
    check_services("services", services - held)
    if models:
        _check_operations(operations, held, (model.operation_names for model in models))
    elif not services:
        _check_form(operations)
    elif operations and (services, operations) not in _operations:
        _check_operations(operations, services, _operations_of(services))
        _operations.add((services, operations))


def check_services(parameter: str, names: Iterable[str]) -> None:
    """Raise InvalidOptionError for a name that botocore makes no client of."""
    wanted = set(names) - _services
    if not wanted:
        return
    known: set[str] = set()
    for loader in _loaders():
        known.update(loader.list_available_services(_MODEL))
        if wanted <= known:
            _services.update(wanted)
            return
    name = min(wanted - known)
    alike = {each: each for each in known}
    what = "a service, in AWS_DATA_PATH or"
    raise InvalidOptionError(parameter, name, expected(what, name.lower(), alike))


def _check_form(names: Iterable[str]) -> None:
    for name in sorted(names):
        if not _NAME.fullmatch(name):
            forms = "names of operations: 'get_object' or 'GetObject'"
            raise InvalidOptionError("operations", name, forms)


def _check_operations(
    names: Iterable[str], services: Iterable[str], found: Iterable[Iterable[str]]
) -> None:
    """found: the operations of *services*, in parts, for as long as a name is not among them."""
    from botocore import xform_name

    wanted = {plain(name): name for name in names}
    known: dict[str, str] = {}
    for part in found:
        known.update((plain(name), name) for name in part)
        if wanted.keys() <= known.keys():
            return
    missing = min(wanted.keys() - known.keys())
    what = f"an operation of {', '.join(sorted(services))}"
    alike = {name: xform_name(shown) for name, shown in known.items()}
    raise InvalidOptionError("operations", wanted[missing], expected(what, missing, alike))


def _operations_of(services: Iterable[str]) -> Iterator[Iterable[str]]:
    from botocore.exceptions import DataNotFoundError

    for loader in _loaders():
        for service in services:
            try:
                yield loader.load_service_model(service, _MODEL).get("operations", ())
            except DataNotFoundError:  # it is another loader's
                continue


def _loaders() -> Iterator[Any]:
    """That of a session as it is made now, and then those of the sessions and clients there are."""
    # Not above: `botocore.session` may be what is being imported when a patch is entered.
    from botocore.exceptions import BotoCoreError
    from botocore.loaders import Loader
    from botocore.session import Session

    try:
        yield Session().get_component("data_loader")
    except BotoCoreError:  # of the configuration; a session of the user's may have another
        yield Loader()
    for each in gc.get_objects():
        if issubclass(type(each), Loader):
            yield each


def expected(what: str, name: str, known: Mapping[str, str]) -> str:
    """What there is in place of *name*: of *known* what is alike, as it is to be shown."""
    from difflib import get_close_matches

    from botocore import __version__

    alike = ", ".join(repr(known[each]) for each in get_close_matches(name, known))
    return f"{what} in botocore {__version__}" + (f", such as {alike}" if alike else "")
