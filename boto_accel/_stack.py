"""
The patches in force.

`active` and the five entries of the hook are replaced, never mutated: readers take no lock, and
each reads one attribute. All that can be decided without the call is decided here, when a patch
comes or goes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from boto_accel._call import Call, Flavour
from boto_accel._drive import adrive, drive

if TYPE_CHECKING:
    from boto_accel._patch import Patch

# stock(client, operation, params); send(client, operation, params, stock)
Stock = Callable[[Any, str, Mapping[str, Any]], Any]
Send = Callable[[Any, str, Mapping[str, Any], Stock], Any]
# presign(client, args, kwargs, stock); stock(client, *args, **kwargs)
Presign = Callable[[Any, tuple[Any, ...], Mapping[str, Any], Callable[..., Any]], Any]
# make(name, stock, owner, args, kwargs); stock(owner, *args, **kwargs)
Make = Callable[[str, Callable[..., Any], Any, tuple[Any, ...], Mapping[str, Any]], Any]


class Layer(IntEnum):
    """The place of a patch in the chain, outermost first. The order of entering does not matter."""

    ROUTE = 0
    CACHE = 1
    BATCH = 2
    STORE = 3
    SEND = 4


class Stack:
    """
    The patches in force, outermost first; within a layer the first entered is outermost.

    on_first: called before the first patch comes. May raise: then nothing has changed.
    on_last: called after the last patch has gone.

    `send` and `asend` are what the hooks of the API calls call, `presign` and `apresign` those of
    presigning; None where no patch in force has a part in it. `make` has those of making clients,
    by the name of the method.
    """

    def __init__(self, on_first: Callable[[], None], on_last: Callable[[], None]) -> None:
        # Re-entrant: the collector may close a decorated generator, and so leave its patch,
        # in the middle of a change that this same thread is making.
        self.lock = threading.RLock()
        self.active: tuple[Patch, ...] = ()
        self.send: Send | None = None
        self.asend: Send | None = None
        self.presign: Presign | None = None
        self.apresign: Presign | None = None
        self.make: Mapping[str, Make] = {}
        self._on_first = on_first
        self._on_last = on_last
        self._opened = False

    def push(self, patch: Patch) -> None:
        """Put *patch*, which is not in force, into force. Raises what on_first raises."""
        with self.lock:
            if not self._opened:
                self._on_first()
                self._opened = True
            # sorted() is stable: within a layer the order of entering stays.
            self._change(lambda now: tuple(sorted((*now, patch), key=_layer_of)))

    def pop(self, patch: Patch) -> None:
        """Take *patch* out of force, wherever in the stack it is."""
        with self.lock:
            self._change(lambda now: tuple(other for other in now if other is not patch))
            if self._opened and not self.active:
                self._opened = False
                self._on_last()

    def _change(self, step: Callable[[tuple[Patch, ...]], tuple[Patch, ...]]) -> None:
        # Made anew if a finaliser of this thread came in between (see the lock).
        before = None
        while before is not self.active:
            before = self.active
            after = step(before)
            send, asend = sender(after, "send"), sender(after, "asend")
            presign, apresign = presigner(after, "presign"), presigner(after, "apresign")
            make = makers(after)
        self.active = after
        self.send, self.asend = send, asend
        self.presign, self.apresign = presign, apresign
        self.make = make


def _layer_of(patch: Patch) -> Layer:
    return patch.layer


def sender(active: tuple[Patch, ...], method: str) -> Send | None:
    """
    What answers an API call while *active* is in force; *method* is "send" or "asend".

    One unrestricted patch that sends, and no other: its own bound method, and nothing around it.
    """
    if not active:
        return None
    layers = tuple(patch for patch in active if patch.layer is not Layer.SEND)
    senders = tuple(patch for patch in active if patch.layer is Layer.SEND)
    chosen = _first_sender(senders, method)
    return _through_layers(layers, chosen, method) if layers else chosen


def _first_sender(senders: tuple[Patch, ...], method: str) -> Send:
    """The outermost sender that matches takes the call, and if none does, stock."""
    if senders and senders[0].unrestricted:
        own: Send = getattr(senders[0], method)
        return own
    choices = tuple((patch.matches, getattr(patch, method)) for patch in senders)

    def choose(client: Any, operation: str, params: Mapping[str, Any], stock: Stock) -> Any:
        for matches, send in choices:
            if matches(client, operation):
                return send(client, operation, params, stock)
        return stock(client, operation, params)

    return choose


def _through_layers(layers: tuple[Patch, ...], chosen: Send, method: str) -> Send:
    run: Callable[..., Any] = drive if method == "send" else adrive
    flavour = Flavour.SYNC if method == "send" else Flavour.ASYNC

    def send(client: Any, operation: str, params: Mapping[str, Any], stock: Stock) -> Any:
        call = Call(client, operation, params, flavour)
        return run(layers, call, partial(_finish, chosen, stock))

    return send


def _finish(chosen: Send, stock: Stock, call: Call) -> Any:
    return chosen(call.client, call.operation, call.params, stock)


def presigner(active: tuple[Patch, ...], method: str) -> Presign | None:
    """What presigns while *active* is in force; *method* is "presign" or "apresign"."""
    takers = tuple(patch for patch in active if patch.takes_part(method))
    if not takers:
        return None
    if takers[0].unrestricted and takers[0].layer is Layer.SEND:
        own: Presign = getattr(takers[0], method)
        return own
    return partial(_presign_from, takers, method)


def _presign_from(
    takers: tuple[Patch, ...],
    method: str,
    client: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    stock: Callable[..., Any],
) -> Any:
    operation = _presigned_operation(stock, args)
    for index, patch in enumerate(takers):
        if patch.matches(client, operation):
            # Nobody comes after a sender but stock; after another layer, the layers further in.
            rest = () if patch.layer is Layer.SEND else takers[index + 1 :]
            inner = _presign_inner(rest, method, stock) if rest else stock
            return getattr(patch, method)(client, args, kwargs, inner)
    return stock(client, *args, **kwargs)


def _presign_inner(
    rest: tuple[Patch, ...], method: str, stock: Callable[..., Any]
) -> Callable[..., Any]:
    def inner(client: Any, *args: Any, **kwargs: Any) -> Any:
        return _presign_from(rest, method, client, args, kwargs, stock)

    inner.__name__ = stock.__name__  # by which a patch tells a URL from a form
    return inner


def _presigned_operation(stock: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """The operation by which a patch is narrowed: that of the URL, or PutObject for a form."""
    if stock.__name__ == "generate_presigned_post":
        return "PutObject"
    method = args[0] if args else None
    return method if isinstance(method, str) else ""  # stock says what is wrong with it


def makers(active: tuple[Patch, ...]) -> dict[str, Make]:
    """
    What has a part in making clients while *active* is in force: of each method the first patch.

    Narrowed or not, since there is no client yet to narrow by, and what is made is the same.
    """
    return {name: patch.make for patch in reversed(active) for name in patch.makes}
