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
from typing import Any, NamedTuple

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

    models: the `ServiceModel`s of the clients that are given too. One at least has to be of
    *services*, and operations are looked for in these. Without services and clients an operation
    has only to look as one: to read the models of all services takes seconds.
    """
    held = {model.service_name for model in models}
    check_services("services", services - held)
    counted = [each for each in models if not services or each.service_name in services]
    if models and not counted:
        of_these = f"a client of services={sorted(services)}, or no call is of both"
        raise InvalidOptionError("clients", ", ".join(sorted(held)), of_these)
    if counted:
        of_both = held & services or held
        found = (each.operation_names for each in counted)
        _refuse("operations", _missing_operation(operations, of_both, found))
    elif services:
        _refuse("operations", _missing_operation_of(services, operations))
    else:
        _check_form(operations)


def check_services(parameter: str, names: Iterable[str]) -> None:
    """Raise InvalidOptionError for a name that botocore makes no client of."""
    _refuse(parameter, _missing_service(names))


def is_service(name: str) -> bool:
    """Whether botocore makes clients of it."""
    return _missing_service([name]) is None


def check_operation(parameter: str, name: str) -> None:
    """Raise InvalidOptionError for a *name* ("iam.ListUsers") that stands for no operation."""
    service, _, operation = name.partition(".")
    service = service.lower()
    missing = _missing_service([service]) or _missing_operation_of(
        frozenset([service]), frozenset([operation])
    )
    if missing:
        raise InvalidOptionError(parameter, name, missing.expected)


def operation_of(client: Any, operation: Any) -> str:
    """
    "ListUsers" for "list_users" and "ListUsers", if *client* has it.

    Raises InvalidOptionError; also for what is no client.
    """
    names: Any = getattr(getattr(client, "meta", None), "method_to_api_mapping", None)
    if names is None:
        raise InvalidOptionError("client", client, "a client of boto3 or aiobotocore")
    if not isinstance(operation, str):
        raise InvalidOptionError("operation", operation, "a name (str)")
    known = {plain(name): name for name in names.values()}
    service = client.meta.service_model.service_name
    _refuse("operation", _missing_operation([operation], [service], [known.values()]))
    return str(known[plain(operation)])


def service_models(parameter: str, names: Iterable[str] | None) -> Iterator[Any]:
    """
    The `ServiceModel`s of these services; None for all that a session makes clients of.

    Raises InvalidOptionError for a name that botocore makes no client of.
    """
    from botocore.exceptions import DataNotFoundError
    from botocore.model import ServiceModel

    loader = next(_loaders())
    wanted = list(loader.list_available_services(_MODEL) if names is None else names)
    check_services(parameter, wanted)
    for name in wanted:
        try:
            found = loader.load_service_model(name, _MODEL)
        except DataNotFoundError:  # it is another loader's
            found = next(_documents([name]))
        yield ServiceModel(found, name)


# What there is not -----------------------------------------------------------------------------


class _Missing(NamedTuple):
    name: str
    expected: str


def _refuse(parameter: str, missing: _Missing | None) -> None:
    if missing:
        raise InvalidOptionError(parameter, *missing)


def _missing_service(names: Iterable[str]) -> _Missing | None:
    wanted = set(names) - _services
    if not wanted:
        return None
    known: set[str] = set()
    for loader in _loaders():
        known.update(loader.list_available_services(_MODEL))
        if wanted <= known:
            _services.update(wanted)
            return None
    name = min(wanted - known)
    alike = {each: each for each in known}
    return _Missing(name, expected("a service, in AWS_DATA_PATH or", name.lower(), alike))


def _missing_operation_of(services: frozenset[str], operations: frozenset[str]) -> _Missing | None:
    if (services, operations) in _operations:
        return None
    found = (each.get("operations", ()) for each in _documents(services))
    missing = _missing_operation(operations, services, found)
    if not missing:
        _operations.add((services, operations))
    return missing


def _missing_operation(
    names: Iterable[str], services: Iterable[str], found: Iterable[Iterable[str]]
) -> _Missing | None:
    """found: the operations of *services*, in parts, for as long as a name is not among them."""
    from botocore import xform_name

    wanted = {plain(name): name for name in names}
    if not wanted:
        return None
    known: dict[str, str] = {}
    for part in found:
        known.update((plain(name), name) for name in part)
        if wanted.keys() <= known.keys():
            return None
    name = min(wanted.keys() - known.keys())
    what = f"an operation of {', '.join(sorted(services))}"
    alike = {name: xform_name(shown) for name, shown in known.items()}
    return _Missing(wanted[name], expected(what, name, alike))


def _check_form(names: Iterable[str]) -> None:
    for name in sorted(names):
        if not _NAME.fullmatch(name):
            forms = "names of operations: 'get_object' or 'GetObject'"
            raise InvalidOptionError("operations", name, forms)


def expected(what: str, name: str, known: Mapping[str, str]) -> str:
    """What there is in place of *name*: of *known* what is alike, as it is to be shown."""
    from difflib import get_close_matches

    from botocore import __version__

    alike = ", ".join(repr(known[each]) for each in get_close_matches(name, known))
    return f"{what} in botocore {__version__}" + (f", such as {alike}" if alike else "")


# What botocore has -----------------------------------------------------------------------------


def _documents(services: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """The models of *services*, as each loader has them."""
    from botocore.exceptions import DataNotFoundError

    for loader in _loaders():
        for service in services:
            try:
                yield loader.load_service_model(service, _MODEL)
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
