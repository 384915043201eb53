"""
Compiled writers and readers, common to the clients of one session.

botocore gives each client objects of its own over the same model. What is compiled of the model is
kept with the loader that the model came from, and goes away with it.
Guarding: dicts that are added to in one step; two threads that compile the same make equal ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from boto_accel import _compat

T = TypeVar("T")

_of_loaders: WeakKeyDictionary[Any, dict[Any, tuple[Any, Any]]] = WeakKeyDictionary()


def writer(client: Any, model: Any, lane: Any, serializer: Any) -> Any:
    """The lane's RequestWriter for the operation *model*."""
    settings = tuple(sorted(vars(serializer).items()))  # its precision of timestamps
    # Handlers change the target when a client makes its first call of the operation.
    key = ("writer", model.name, model.http.get("requestUri"), type(serializer), settings)
    return common(client, key, lambda: lane.RequestWriter(model, serializer))


def reader(
    client: Any, model: Any, lane: Any, read_timestamp: Callable[[Any], Any], read_blob: Any
) -> Any:
    """The lane's AnswerReader for the operation *model*."""
    key = ("reader", model.name, read_timestamp, read_blob)
    return common(
        client, key, lambda: lane.AnswerReader(model.output_shape, read_timestamp, read_blob)
    )


def common(client: Any, key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """What *make* gives, made once for *key* and the model of *client*. Raises what *make* does."""
    loader = _compat.loader_of(client)
    description = _compat.description_of(client.meta.service_model)
    if loader is None or description is None:
        return make()
    key = (id(description), *key)  # a model that was changed for one client is another object
    try:
        kept = _of_loaders.setdefault(loader, {})
        known = kept.get(key)
    except TypeError:  # a loader or a setting that is no key
        return make()
    if known is not None:
        made: T = known[1]
        return made
    made = make()
    kept[key] = (description, made)  # held, so that its identity stays its own
    return made


def references_of(client: Any, read: Callable[[Mapping[str, Any]], T]) -> T | None:
    """What *read* finds in the endpoint rules of the service; None where there are none."""
    loader = _compat.loader_of(client)
    model = client.meta.service_model
    if loader is None:
        return None

    def make() -> T | None:
        try:
            rules = loader.load_service_model(
                model.service_name, "endpoint-rule-set-1", api_version=model.api_version
            )
        except Exception:
            return None
        return read(rules)

    return common(client, ("references",), make)
