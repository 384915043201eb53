"""
What is kept with a client: its address, its link, and which handlers of the user's have a part.

In the client's own `__dict__`, so that it dies with it (`_compat.keep_on`). A link closes with its
client: that of a sync client is an entry in its session's container of pools, which the client
clears when it is closed, and held only weakly here; that of an async one is on the exit stack of
its session.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from boto_accel import _compat
from boto_accel.redis_store.keys import CLUSTER_SHARDS, Schema
from boto_accel.redis_store.links import AsyncLink, Link
from boto_accel.redis_store.settings import settings_of
from boto_accel.redis_store.urls import is_ours, read_url

STATE_KEY = "_boto_accel_redis"
_LINK_KEY = "boto_accel_redis"  # in the container of pools of a urllib3 session
_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-call",
    "needs-retry",
    "after-call",
    "after-call-error",
)
_OWN = ("botocore", "aiobotocore", "boto3", "aioboto3", "s3transfer", "boto_accel")
# Which botocore registers by the retry mode of a client; what each keeps is the client's.
_STANDARD = ("botocore.retries.standard", "aiobotocore.retries.standard")  # its quota
_ADAPTIVE = ("botocore.retries.adaptive", "aiobotocore.retries.adaptive")  # its rate
_of_parents: list[Any] = []  # not closed in a child: the sockets are the parent's


class Parts(NamedTuple):
    """
    Which handlers have a part in an operation.

    quiet: nobody but botocore. before_send: these hold an attempt back; after_call: these are told
    of a good answer; both are of the client's retry mode. sees_all: those of needs-retry want to be
    told of every answer, and not of failures alone.
    """

    quiet: bool
    before_send: tuple[Any, ...]
    after_call: tuple[Any, ...]
    sees_all: bool


class _Known(NamedTuple):
    """What is worked out of the handlers that *token* stands for; by event and operation."""

    token: object
    handlers: dict[tuple[str, str], tuple[Any, ...]]
    parts: dict[str, Parts]


class ClientState:
    """
    Guarding: `_lock` while a link is made. `_known` is replaced whole: a thread that is late with
    what it has worked out of earlier handlers writes it where nobody looks any more.
    """

    def __init__(self, client: Any) -> None:
        self.address = read_url(client.meta.endpoint_url)
        self.schema = Schema(
            self.address.prefix, CLUSTER_SHARDS if self.address.kind == "cluster" else 1
        )
        self.is_async = _compat.is_async(client)
        config = client.meta.config
        self.validates = config.parameter_validation
        self.checks_requests = config.request_checksum_calculation == "when_supported"
        self.checks_answers = config.response_checksum_validation == "when_supported"
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._link: Callable[[], Any] = _nothing
        self._known = _Known(None, {}, {})

    def link(self, client: Any) -> Any:
        """The connections of this process, and of this loop."""
        link = self._link()
        if self._pid != os.getpid():
            return self._link_after_fork(client)
        if link is None or (self.is_async and link.loop is not asyncio.get_running_loop()):
            return self._new_link(client)
        return link

    def _link_after_fork(self, client: Any) -> Any:
        _of_parents.append(self._link())
        self._link, self._lock, self._pid = _nothing, threading.Lock(), os.getpid()
        return self._new_link(client)

    def _new_link(self, client: Any) -> Any:
        session = _compat.endpoint_of(client).http_session
        if self.is_async:
            made = AsyncLink(self.address, settings_of(client))
            _compat.exit_stack_of(session).push_async_callback(self._aclose, made)
            self._link = lambda: made
            return made
        with self._lock:
            link = self._link()
            if link is None:
                link = Link(self.address, settings_of(client))
                _compat.companions_of(session)[_LINK_KEY] = link
                self._link = weakref.ref(link)
            return link

    async def _aclose(self, link: AsyncLink) -> None:
        if self._link() is link:
            self._link = _nothing
        if link.loop is asyncio.get_running_loop():
            await link.close()

    # Handlers

    def handlers(self, client: Any, event: str, operation: str) -> tuple[Any, ...]:
        """Those of *event* that are not botocore's own."""
        known = self._known_of(client)
        found = known.handlers.get((event, operation))
        if found is None:
            every = _all_handlers(client, event, operation)
            found = tuple(each for each in every if not _is_own(each))
            known.handlers[event, operation] = found
        return found

    def parts(self, client: Any, operation: str) -> Parts:
        """Who has a part in *operation*."""
        known = self._known_of(client)
        found = known.parts.get(operation)
        if found is None:
            quiet = not any(self.handlers(client, event, operation) for event in _EVENTS)
            found = known.parts[operation] = _parts_of(client, operation, quiet)
        return found

    def _known_of(self, client: Any) -> _Known:
        token = _compat.registrations(_compat.emitter_of(client))
        known = self._known
        if token is not known.token:
            known = self._known = _Known(token, {}, {})
        return known


def _nothing() -> None:
    """A link that is not there, as a weak reference says it."""


def _all_handlers(client: Any, event: str, operation: str) -> tuple[Any, ...]:
    return _compat.handlers_of(_compat.emitter_of(client), f"{event}.s3.{operation}")


def _parts_of(client: Any, operation: str, quiet: bool) -> Parts:
    before, needs, after = (
        _all_handlers(client, event, operation)
        for event in ("before-send", "needs-retry", "after-call")
    )
    return Parts(
        quiet,
        tuple(each for each in before if _module_of(each) in _ADAPTIVE),
        tuple(each for each in after if _module_of(each) in _STANDARD),
        any(_module_of(each) in _ADAPTIVE or not _is_own(each) for each in needs),
    )


def _is_own(handler: Any) -> bool:
    module = _module_of(getattr(handler, "func", handler))
    return module != "botocore.stub" and module.partition(".")[0] in _OWN  # Stubber is the user's


def _module_of(handler: Any) -> str:
    return str(getattr(handler, "__module__", None) or type(handler).__module__)


def _is_s3(client: Any) -> bool:
    return bool(client.meta.service_model.service_name == "s3")


def state_of(client: Any) -> ClientState | None:
    """The state of a client of ours, made at its first call; None for every other client."""
    state: ClientState | None = client.__dict__.get(STATE_KEY)
    if state is None and is_ours(client.meta.endpoint_url) and _is_s3(client):
        state = ClientState(client)
        _compat.keep_on(client, state, STATE_KEY)
    return state
