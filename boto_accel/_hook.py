"""
The one place that assigns anything onto botocore and aiobotocore.

* `BaseClient._make_api_call` and `AioBaseClient._make_api_call`: the class attribute is wrapped,
  so clients that exist follow (`MethodSlot`).
* `generate_presigned_url` and `generate_presigned_post` of botocore.signers and
  aiobotocore.signers: botocore copies these functions into each client class it makes, so there
  is no one attribute to wrap. Their *code* is exchanged instead (`CodeSlot`), which covers the
  classes that exist and those to come.
* What making sessions and clients calls (`MAKING`): methods of botocore that both libraries use
  (`MakingSlot`).

One owner: installed for the first patch, undone after the last, and the very objects that were
there are back. Where somebody has wrapped on top of us meanwhile, ours stays and is inert: taking
the top off would take away theirs.

aiobotocore may be imported after the first patch is entered. Importing it here, to be sure, would
cost users of boto3 alone its import (aiohttp and all) for having it installed. So `ImportWatch`
waits on `sys.meta_path`, for just that one name and only while patches are in force.
"""

from __future__ import annotations

import importlib
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import WRAPPER_ASSIGNMENTS, partial
from itertools import count
from types import CodeType, FunctionType
from typing import Any

from boto_accel._imports import ImportWatch, followed
from boto_accel._stack import Stack
from boto_accel.errors import UnsupportedBotocoreError

METHOD = "_make_api_call"
PRESIGNERS = ("generate_presigned_url", "generate_presigned_post")


@dataclass(frozen=True, slots=True)
class Target:
    """One library: where its clients are, and where its presigning functions are."""

    library: str
    client_module: str
    client_class: str
    signers_module: str
    # The entries of the stack, for calls and for presigning.
    method: str
    presign: str


SYNC = Target("botocore", "botocore.client", "BaseClient", "botocore.signers", "send", "presign")
ASYNC = Target(
    "aiobotocore", "aiobotocore.client", "AioBaseClient", "aiobotocore.signers", "asend", "apresign"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A method that is wrapped: the attribute *name* of a class."""

    library: str
    module: str
    owner: str
    name: str

    @property
    def method(self) -> str:
        return f"{self.owner}.{self.name}"


MAKING = (
    Place("botocore", "botocore.loaders", "JSONFileLoader", "load_file"),
    Place("botocore", "botocore.loaders", "Loader", "list_available_services"),
    Place("botocore", "botocore.endpoint_provider", "EndpointProvider", "__init__"),
    Place("botocore", "botocore.hooks", "BaseEventHooks", "_verify_accept_kwargs"),
    Place("botocore", "botocore.hooks", "EventAliaser", "__init__"),
    Place("botocore", "botocore.client", "ClientEndpointBridge", "resolve"),
)


class _Nobody:
    """What a retired wrapper reads in place of the stack: no patch is in force, ever."""

    send = asend = None
    make: Mapping[str, Any] = {}


# Wrapping the API calls


def wrap_send(original: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[[], None]]:
    """(the sync hook around *original*, what makes it inert for good)"""
    source: Any = stack

    def _make_api_call(self: Any, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        send = source.send
        if send is None:
            return original(self, operation_name, api_params)
        return send(self, operation_name, api_params, original)

    def retire() -> None:
        nonlocal source
        source = _Nobody

    return _dressed(_make_api_call, original), retire


def wrap_asend(original: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[[], None]]:
    """
    The same for `AioBaseClient`.

    A plain function that returns the coroutine: an `async def` would add a coroutine to each call.
    """
    source: Any = stack

    def _make_api_call(self: Any, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        send = source.asend
        if send is None:
            return original(self, operation_name, api_params)
        return send(self, operation_name, api_params, original)

    def retire() -> None:
        nonlocal source
        source = _Nobody

    wrapper = _dressed(_make_api_call, original)
    mark = getattr(inspect, "markcoroutinefunction", None)  # Python 3.12
    if mark is not None and inspect.iscoroutinefunction(original):
        mark(wrapper)
    return wrapper, retire


def _dressed(wrapper: Any, original: Any) -> Callable[..., Any]:
    """`functools.wraps`, but for *original*'s own `__dict__`: another's marks are not ours."""
    for name in WRAPPER_ASSIGNMENTS:
        if hasattr(original, name):
            setattr(wrapper, name, getattr(original, name))
    wrapper.__wrapped__ = original
    return wrapper


def wrap_making(
    name: str, original: Callable[..., Any]
) -> tuple[Callable[..., Any], Callable[[], None]]:
    """The same for the method *name* ("Loader.load_data") in `MAKING`."""
    source: Any = stack

    def making(self: Any, *args: Any, **kwargs: Any) -> Any:
        make = source.make.get(name)
        if make is None:
            return original(self, *args, **kwargs)
        return make(name, original, self, args, kwargs)

    def retire() -> None:
        nonlocal source
        source = _Nobody

    return _dressed(making, original), retire


def as_function(found: Any) -> Callable[..., Any]:
    """
    *found*, an attribute of a class, as a function whose first argument is the instance.

    Somebody's wrapper need not be a function: one of wrapt learns the instance only when it is
    bound, and a Mock is not bound at all, and so called without it.
    """
    if type(found) is FunctionType:  # not isinstance: a wrapper of wrapt says that it is one
        return found
    bind = getattr(type(found), "__get__", None)

    def stock(self: Any, *args: Any, **kwargs: Any) -> Any:
        method = found if bind is None else bind(found, self, type(self))
        return method(*args, **kwargs)

    return _dressed(stock, found)


_WRAP = {"send": wrap_send, "asend": wrap_asend}
Wrap = Callable[[Callable[..., Any]], tuple[Callable[..., Any], Callable[[], None]]]


class MethodSlot:
    """
    One class attribute, such as `_make_api_call`. Changed under the lock of the stack.

    The wrapper is kept when it is taken off, and put on again: entering and leaving a patch for
    each call of a decorated function makes no new functions.
    """

    def __init__(self, place: Place, wrap: Wrap) -> None:
        self._place = place
        self._wrap_with = wrap
        self._owner: type | None = None
        self._original: Any = None
        self._ours: Callable[..., Any] | None = None
        self._retire: Callable[[], None] = _nothing

    def check(self) -> None:
        """Raise UnsupportedBotocoreError if what we wrap is not there; change nothing."""
        self._owner_and_current()

    def install(self) -> None:
        owner, current = self._owner_and_current()
        # 1. Taken off cleanly the last time, and nothing has changed since.
        if self._ours is not None and owner is self._owner and current is self._original:
            setattr(owner, self._place.name, self._ours)
        # 2. New, or whether we are inside what is there cannot be seen.
        elif self._ours is None or not lies_beneath(self._ours, current):
            self._wrap(owner, current)
        # 3. Still in place, on top or beneath somebody's wrapper: it acts again by itself.

    def _wrap(self, owner: type, current: Any) -> None:
        self._retire()  # at most one of ours ever acts
        ours, self._retire = self._wrap_with(as_function(current))
        self._owner, self._original, self._ours = owner, current, ours
        setattr(owner, self._place.name, ours)

    def stock(self) -> Any:
        """What ours calls stock, or would if it were put on now."""
        _, current = self._owner_and_current()
        in_place = self._ours is not None and lies_beneath(self._ours, current)
        return self._original if in_place else current

    def undo(self) -> None:
        name = self._place.name
        if self._owner is not None and self._owner.__dict__.get(name) is self._ours:
            setattr(self._owner, name, self._original)

    def _owner_and_current(self) -> tuple[type, Any]:
        place = self._place
        owner = getattr(importlib.import_module(place.module), place.owner, None)
        if not isinstance(owner, type):
            raise _unsupported(place, f"{place.module}.{place.owner}")
        if place.name not in owner.__dict__:
            raise _unsupported(place, f"{place.module}.{place.method}")
        return owner, owner.__dict__[place.name]


class MakingSlot(MethodSlot):
    """
    A method in `MAKING`, if it is botocore's own: what somebody has put in its place is not
    spared, but called as often as stock calls it.
    """

    def install(self) -> None:
        try:
            _, current = self._owner_and_current()
        except UnsupportedBotocoreError:
            return  # clients are made as stock makes them
        ours = self._ours
        if is_own(current, self._place.module) or (ours and lies_beneath(ours, current)):
            super().install()


def is_own(function: Any, module: str) -> bool:
    """Whether *function* is one that *module* of botocore has made itself."""
    made_there = getattr(function, "__module__", None) == module
    return isinstance(function, FunctionType) and made_there and "__wrapped__" not in vars(function)


def _nothing() -> None:
    pass


def _unsupported(place: Place, wanted: str) -> UnsupportedBotocoreError:
    library = importlib.import_module(place.library)
    version = getattr(library, "__version__", "of unknown version")
    where = str(getattr(library, "__file__", None) or "unknown place")
    return UnsupportedBotocoreError("patching", f"{place.library} {version}", wanted, where)


def lies_beneath(ours: Callable[..., Any], top: Any) -> bool:
    """Whether *ours* is inside *top*, by the ways in which wrappers keep what they wrap."""
    seen: set[int] = set()
    todo = [top]
    while (
        todo and len(seen) < 200
    ):  # enough for any pile of wrappers, and no walk through a library
        item = todo.pop(0)
        if item is ours:
            return True
        if id(item) not in seen:
            seen.add(id(item))
            todo.extend(_kept_by(item))
    return False


def _kept_by(item: Any) -> Iterator[Any]:
    # 1. functools.wraps, wrapt. 2. bound methods. 3. functools.partial. 4. Mock(wraps=...).
    for name in ("__wrapped__", "__func__", "func", "_mock_wraps"):
        inner = inspect.getattr_static(item, name, None)
        # Static, for Mock makes up what it is asked for; wrapt has a property there.
        yield getattr(item, name, None) if inner is not None else None
    if isinstance(item, FunctionType):
        # 5. A closure, a default argument, a global that its code names.
        for cell in item.__closure__ or ():
            try:
                kept = cell.cell_contents
            except ValueError:  # not yet filled
                continue
            yield kept if callable(kept) else None
        yield from filter(callable, item.__defaults__ or ())
        yield from filter(callable, map(item.__globals__.get, item.__code__.co_names))


# Exchanging the code of the presigning functions


@dataclass(slots=True)
class Presigner:
    """One function whose code was exchanged: its stock self, and whether ours still acts."""

    stock: Callable[..., Any]
    live: bool = True


_presigners: dict[int, Presigner] = {}
_keys = count(1)


def presign(key: int, client: Any, *args: Any, **kwargs: Any) -> Any:
    """What the exchanged code of a botocore function calls."""
    presigner = _presigners[key]
    take = stack.presign
    if take is None or not presigner.live:
        return presigner.stock(client, *args, **kwargs)
    return take(client, args, kwargs, presigner.stock)


def apresign(key: int, client: Any, *args: Any, **kwargs: Any) -> Any:
    """What the exchanged code of an aiobotocore function calls and awaits."""
    presigner = _presigners[key]
    take = stack.apresign
    if take is None or not presigner.live:
        return presigner.stock(client, *args, **kwargs)
    return take(client, args, kwargs, presigner.stock)


class CodeSlot:
    """The code of one presigning function. Changed under the lock of the stack."""

    def __init__(self, target: Target, name: str) -> None:
        self._target = target
        self._name = name
        self._function: FunctionType | None = None
        self._original: CodeType | None = None
        self._ours: CodeType | None = None
        self._key = 0

    def install(self) -> None:
        """Exchange the code; a function we do not know how to exchange is left as it is."""
        function = vars(importlib.import_module(self._target.signers_module)).get(self._name)
        if not isinstance(function, FunctionType) or not _can_exchange(function.__code__):
            return  # wrapped by somebody, or gone: presigning is stock
        if function is self._function and function.__code__ is self._ours:
            return
        # As in MethodSlot: what was taken off cleanly is put on again, else made anew.
        if function is not self._function or function.__code__ is not self._original:
            self._make(function)
        function.__code__ = self._ours  # type: ignore[assignment]

    def _make(self, function: FunctionType) -> None:
        if self._key:
            _presigners[self._key].live = False
        self._key = next(_keys)
        _presigners[self._key] = Presigner(_twin(function))
        self._function, self._original = function, function.__code__
        self._ours = trampoline(function.__code__, self._target.presign, self._key)

    def undo(self) -> None:
        function, original = self._function, self._original
        if function is not None and original is not None and function.__code__ is self._ours:
            function.__code__ = original


def _can_exchange(code: CodeType) -> bool:
    gathers = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    return not (code.co_freevars or gathers or code.co_posonlyargcount) and code.co_argcount > 0


def _twin(function: FunctionType) -> FunctionType:
    """Another function object with the same code: stock, reachable after the exchange."""
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__qualname__, twin.__doc__ = function.__qualname__, function.__doc__
    twin.__module__ = function.__module__
    return twin


def trampoline(code: CodeType, entry: str, key: int) -> CodeType:
    """
    Code of the same signature and kind as *code* that does no more than call *entry*.

    It runs with botocore's globals, hence the import inside.
    """
    taken = code.co_argcount
    names = code.co_varnames[: taken + code.co_kwonlyargcount]
    asynchronous = bool(code.co_flags & inspect.CO_COROUTINE)
    text = "\n".join(trampoline_lines(code.co_name, names, taken, asynchronous, entry, key))
    filename = f"<boto_accel {entry} {code.co_name} {key}>"
    # Filed, so that getsource and tracebacks show it.
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope: dict[str, FunctionType] = {}
    exec(compile(text, filename, "exec"), scope)
    return scope[code.co_name].__code__


def trampoline_lines(
    name: str, names: Sequence[str], taken: int, asynchronous: bool, entry: str, key: int
) -> list[str]:
    """*names*: the arguments; the first *taken* are positional, the others keyword-only."""
    keywords = [f"{each}={each}" for each in names[taken:]]
    signature = [*names[:taken], *(["*"] if keywords else []), *names[taken:]]
    passed = ", ".join([repr(key), *names[:taken], *keywords])
    define, wait = ("async def", "await ") if asynchronous else ("def", "")
    return [
        f"{define} {name}({', '.join(signature)}):",
        f"    from boto_accel._hook import {entry}",
        f"    return {wait}{entry}({passed})",
        "",
    ]


# Both libraries, and when


class LibraryHook:
    """All that is patched in one library."""

    def __init__(self, target: Target) -> None:
        self.target = target
        calls = Place(target.library, target.client_module, target.client_class, METHOD)
        self._calls = MethodSlot(calls, _WRAP[target.method])
        self._presigning = [CodeSlot(target, name) for name in PRESIGNERS]

    def check(self) -> None:
        self._calls.check()

    def stock(self) -> Any:
        return self._calls.stock()

    def install(self) -> None:
        self._calls.install()
        for slot in self._presigning:
            slot.install()

    def undo(self) -> None:
        self._calls.undo()
        for slot in self._presigning:
            slot.undo()


def prepare() -> None:
    """
    Import what is about to be patched; called before a patch takes any lock.

    Under the lock of the stack nothing may wait for the import lock of a module: the thread that
    holds it may be in `ImportWatch`, waiting for the stack.
    """
    if stack.active:
        return
    _watch.start()
    importlib.import_module(SYNC.client_module)
    importlib.import_module(SYNC.signers_module)
    for place in MAKING:
        importlib.import_module(place.module)
    # One that is followed is hooked when it is there (`on_aiobotocore`). To wait for it could be to
    # wait for a thread that waits for this one, in the midst of importing botocore.client.
    if ASYNC.client_module in sys.modules and ASYNC.client_module not in followed:
        importlib.import_module(ASYNC.client_module)  # waits if another thread is executing it
        importlib.import_module(ASYNC.signers_module)


def dismiss() -> None:
    """Undo `prepare` where no patch is in force (any more, or after all)."""
    with stack.lock:
        if not stack.active:
            _watch.stop()


def _on_first() -> None:
    _watch.start()  # prepared, but another patch may have been left since
    try:
        hooks = [_sync_hook, *([_async_hook] if _is_there(ASYNC) else [])]
        for hook in hooks:
            hook.check()
        for hook in hooks:
            hook.install()
        for slot in _making:
            slot.install()
    except BaseException:
        _on_last()
        raise


def _is_there(target: Target) -> bool:
    """
    Whether there is a class to hook. The rest of its module may still be executed.

    `on_aiobotocore` runs under the same lock when it has been: no order of the two leaves it out.
    """
    return hasattr(sys.modules.get(target.client_module), target.client_class)


def _on_last() -> None:
    _sync_hook.undo()
    _async_hook.undo()
    for slot in _making:
        slot.undo()
    dismiss()


def stock_of(is_async: bool) -> Any:
    """The `_make_api_call` that calls are handed to: botocore's own, or somebody's wrapper."""
    return (_async_hook if is_async else _sync_hook).stock()


def on_aiobotocore() -> None:
    """aiobotocore.client has just been imported. What does not fit, its import raises."""
    importlib.import_module(ASYNC.signers_module)
    with stack.lock:
        if stack.active:
            _async_hook.install()


stack = Stack(_on_first, _on_last)
_sync_hook = LibraryHook(SYNC)
_async_hook = LibraryHook(ASYNC)
_making = [MakingSlot(place, partial(wrap_making, place.method)) for place in MAKING]
_watch = ImportWatch(ASYNC.client_module, on_aiobotocore)
