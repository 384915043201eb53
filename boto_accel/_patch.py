"""What a patch is: something that can be entered, left, installed, and put around a function."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, TypeVar
from weakref import WeakSet

from boto_accel import _hook
from boto_accel._call import Call
from boto_accel._effects import Forward, Steps
from boto_accel._services import check_names, plain
from boto_accel._stack import Layer, Stock
from boto_accel.errors import InvalidOptionError, PatchStateError

P = TypeVar("P", bound="Patch")
F = TypeVar("F", bound=Callable[..., Any])


class Patch:
    """
    One capability that can be switched on, for the whole process.

    narrowing: which calls it is for; all if it is left out.

    A subclass has a `layer`, and either `handle` (a generator; every layer but SEND) or `send`
    and `asend` (layer SEND; no generators, so that a call pays for nothing but itself).
    """

    layer: ClassVar[Layer]
    makes: ClassVar[frozenset[str]] = frozenset()  # names of `_hook.MAKING` that `make` answers

    def __init__(self, narrowing: Narrowing | None = None) -> None:
        self._narrowing = narrowing or Narrowing()
        # True: `matches` says yes to everything and need not be asked.
        self.unrestricted: bool = self._narrowing == Narrowing()
        # Re-entrant for the reason at Stack.lock. Held while resources open and close, so that
        # nobody who enters at the same time goes on before they are there.
        self._door = threading.RLock()
        self._depth = 0
        self._installs = 0

    # What a subclass overrides

    def handle(self, call: Call) -> Steps:
        """The steps that answer *call*."""
        return (yield Forward(call))

    def send(self, client: Any, operation: str, params: Mapping[str, Any], stock: Stock) -> Any:
        """The reply to a call; `stock(client, operation, params)` is the unpatched way to it."""
        return stock(client, operation, params)

    def asend(self, client: Any, operation: str, params: Mapping[str, Any], stock: Stock) -> Any:
        """
        A coroutine of the reply; `stock(client, operation, params)` returns one.

        No other awaitable: callers give it to `asyncio.create_task`.
        """
        return stock(client, operation, params)

    def presign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        """
        What `generate_presigned_url` or `generate_presigned_post` returns.

        `stock(client, *args, **kwargs)` is the way further in; `stock.__name__` tells which of
        the two it is. *args* are all arguments in the order of botocore's signature, those that
        the caller left out included; *kwargs* has the keyword-only ones, of which there are none.
        """
        return stock(client, *args, **kwargs)

    def apresign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        """An awaitable of the same, for aiobotocore."""
        return stock(client, *args, **kwargs)

    def make(
        self,
        name: str,
        stock: Callable[..., Any],
        owner: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """
        What the method *name* ("Loader.load_data") of *owner* returns: one of `makes`.

        The first patch that has the name takes it for all clients, however it is narrowed.
        """
        return stock(owner, *args, **kwargs)

    def _entered_first(self) -> None:
        """Open what calls will need. What it raises, entering raises, and nothing has changed."""

    def _left_last(self) -> None:
        """Close it. New calls do not come any more; calls under way may still be running."""

    # What the stack asks

    def matches(self, client: Any, operation: str) -> bool:
        """Whether a call is this patch's business; *operation* in either form."""
        return self.unrestricted or self._narrowing.admits(client, operation)

    def takes_part(self, method: str) -> bool:
        """Whether the subclass has a `presign` or `apresign` (*method*) of its own."""
        return getattr(type(self), method) is not getattr(Patch, method)

    # What a user does

    def __enter__(self: P) -> P:
        _hook.prepare()
        with self._door:
            self._depth += 1
            if self._depth == 1:
                self._come_into_force()
        return self

    def _come_into_force(self) -> None:
        try:
            self._entered_first()
        except BaseException:
            self._depth -= 1
            _hook.dismiss()
            raise
        try:
            _hook.stack.push(self)
        except BaseException:
            self._depth -= 1
            self._left_last()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        with self._door:
            if not self._depth:
                raise PatchStateError(type(self).__name__, "leave", "it is not in force")
            self._depth -= 1
            if not self._depth:
                _hook.stack.pop(self)
                self._left_last()

    async def __aenter__(self: P) -> P:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def install(self: P) -> P:
        """Enter for good, or until `uninstall()`. Counts, as entering does."""
        with self._door:
            self.__enter__()
            self._installs += 1
        return self

    def uninstall(self) -> None:
        """Undo one `install()`. Raises PatchStateError if there is none to undo."""
        with self._door:
            if not self._installs:
                raise PatchStateError(type(self).__name__, "uninstall", "it is not installed")
            self._installs -= 1
            self.__exit__()

    def __call__(self, function: F) -> F:
        """
        *function* with this patch in force while it runs, each call entering on its own.

        A generator, sync or async, is in force from its first step to its end, whichever way it
        ends. Raises InvalidOptionError for what is no function.
        """
        given: object = function
        if isinstance(given, type) or not callable(given):
            raise InvalidOptionError("function", given, "a function to decorate")
        return functools.wraps(function)(_around(self, function))  # type: ignore[return-value]


@dataclass(frozen=True)
class Narrowing:
    """
    The calls that a patch is for; None stands for all.

    clients: held weakly. services: by the name that a client is made with: "s3". operations: as
    `plain` has them.
    """

    clients: WeakSet[Any] | None = None
    services: frozenset[str] | None = None
    operations: frozenset[str] | None = None

    @classmethod
    def of(cls, clients: Any = None, services: Any = None, operations: Any = None) -> Narrowing:
        """
        As a user gives them, each one or several; operations as "get_object" or "GetObject".

        Raises InvalidOptionError for anything else, and for what would match no call
        (`check_names`).
        """
        held = _clients(clients)
        of_services = _names("services", services)
        names = _names("operations", operations)
        models = [each.meta.service_model for each in held or ()]
        check_names(of_services or frozenset(), names or frozenset(), models)
        return cls(held, of_services, None if names is None else frozenset(map(plain, names)))

    def admits(self, client: Any, operation: str) -> bool:
        return (
            (self.operations is None or plain(operation) in self.operations)
            and (self.services is None or client.meta.service_model.service_name in self.services)
            and (self.clients is None or client in self.clients)
        )


def _clients(given: Any) -> WeakSet[Any] | None:
    if given is None:
        return None
    expected = "a client of botocore, boto3, aiobotocore or aioboto3, or several"
    several = [given] if _is_client(given) else _several("clients", given, expected)
    for client in several:
        if not _is_client(client):
            raise InvalidOptionError("clients", client, expected)
    return WeakSet(several)


def _is_client(value: Any) -> bool:
    return hasattr(type(value), "_make_api_call")


def _names(parameter: str, given: Any) -> frozenset[str] | None:
    if given is None:
        return None
    expected = f"a name (str), or several; None for all {parameter}"
    several = [given] if isinstance(given, str) else _several(parameter, given, expected)
    for name in several:
        if not isinstance(name, str) or not name:
            raise InvalidOptionError(parameter, name, expected)
    return frozenset(several)


def _several(parameter: str, given: Iterable[Any], expected: str) -> list[Any]:
    try:
        return list(given)
    except TypeError:
        raise InvalidOptionError(parameter, given, expected) from None


def _around(patch: Patch, function: Callable[..., Any]) -> Callable[..., Any]:
    """One wrapper for each kind of function; each is of the kind that it wraps."""
    if inspect.isasyncgenfunction(function):
        return _around_async_generator(patch, function)
    if inspect.isgeneratorfunction(function):
        return _around_generator(patch, function)
    if inspect.iscoroutinefunction(function):
        return _around_coroutine(patch, function)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with patch:
            return function(*args, **kwargs)

    return wrapper


def _around_coroutine(patch: Patch, function: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        async with patch:
            return await function(*args, **kwargs)

    return wrapper


def _around_generator(patch: Patch, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with patch:
            return (yield from function(*args, **kwargs))

    return wrapper


def _around_async_generator(patch: Patch, function: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        async with patch:
            inner = function(*args, **kwargs)
            try:
                value = await inner.__anext__()
                while True:  # `yield from`, which async generators do not have
                    try:
                        sent = yield value
                    except GeneratorExit:
                        raise  # closed: the inner one is closed below
                    except BaseException as error:
                        value = await inner.athrow(error)
                    else:
                        value = await inner.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                await inner.aclose()

    return wrapper
