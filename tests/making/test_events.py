"""Registering handlers: the same are taken, the same are refused, under the same names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.handlers import BUILTIN_HANDLERS
from botocore.hooks import EVENT_ALIASES, EventAliaser, HierarchicalEmitter

from boto_accel import accelerate


class Handlers:
    def takes(self, **kwargs: Any) -> None: ...

    def refuses(self, event: str) -> None: ...

    @classmethod
    def of_the_class(cls, **kwargs: Any) -> None: ...

    @staticmethod
    def static(event: str, **kwargs: Any) -> None: ...

    def __call__(self, **kwargs: Any) -> None: ...


def takes(**kwargs: Any) -> None: ...


def refuses(event: str) -> None: ...


def says_otherwise(**kwargs: Any) -> None: ...


says_otherwise.__signature__ = __import__("inspect").signature(refuses)  # type: ignore[attr-defined]


@functools.wraps(refuses)
def wraps(*args: Any, **kwargs: Any) -> None: ...


HANDLERS = {
    "function": takes,
    "function without": refuses,
    "lambda": lambda **_: None,
    "lambda without": lambda event: None,
    "method": Handlers().takes,
    "method without": Handlers().refuses,
    "method of the class": Handlers.of_the_class,
    "static method": Handlers.static,
    "object": Handlers(),
    "partial": functools.partial(takes, a=1),
    "signature": says_otherwise,
    "wrapper": wraps,
    "built-in": print,
    "class": dict,
    "none": None,
}


def registered(handler: Any) -> str:
    session = botocore.session.Session()
    try:
        session.register("before-call.s3", handler)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "taken"


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_are_taken_and_refused_as_in_stock(name: str) -> None:
    stock = registered(HANDLERS[name])
    with accelerate():
        assert registered(HANDLERS[name]) == stock


def test_some_are_refused_and_some_are_not() -> None:
    assert registered(takes) == "taken"
    assert registered(refuses).startswith("ValueError: Event handler")


def names_of(make: Callable[[], Any]) -> dict[str, str]:
    aliaser = make()
    events = [
        *(entry[0] for entry in BUILTIN_HANDLERS),
        "before-call.cloudwatch.GetX",
        "needs-retry.x",
    ]
    return {name: aliaser._alias_event_name(name) for name in events}


def test_events_have_the_names_that_stock_gives_them() -> None:
    def make() -> Any:
        return EventAliaser(HierarchicalEmitter())

    stock = names_of(make)
    with accelerate():
        assert names_of(make) == stock
        assert names_of(make) == stock


@pytest.mark.parametrize("aliases", [{}, {"before-call": "other"}])
def test_aliases_of_somebody_elses(aliases: dict[str, str]) -> None:
    def make() -> Any:
        return EventAliaser(HierarchicalEmitter(), aliases)

    stock = names_of(make)
    with accelerate():
        names_of(lambda: EventAliaser(HierarchicalEmitter()))
        assert names_of(make) == stock


def test_aliases_that_change_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody adds to botocore's own table."""

    def make() -> Any:
        return EventAliaser(HierarchicalEmitter())

    with accelerate():
        before = names_of(make)
        monkeypatch.setitem(EVENT_ALIASES, "before-parameter-build", "other")
        changed = names_of(make)
        monkeypatch.undo()
        assert names_of(make) == before != changed
    monkeypatch.setitem(EVENT_ALIASES, "before-parameter-build", "other")
    assert names_of(make) == changed
