"""One run of a program, by stock or accelerated: all that a user can see of it, in order."""

from __future__ import annotations

import asyncio
import copy
import functools
import logging
import re
from collections.abc import Callable
from typing import Any

from boto_accel import accelerate
from tests.fastpath.callers import Caller, open_caller
from tests.fastpath.outcome import INVOCATION_ID
from tests.servers.capture import CaptureServer, Recorded, normalised
from tests.servers.clock import FrozenClock
from tests.servers.steps import Answer
from tests.twins import answers
from tests.twins.programs import (
    CALLS,
    PARAMETER_EVENTS,
    Call,
    Change,
    CloseClient,
    Presign,
    Program,
    ReadOn,
    Reenter,
    Register,
    Step,
    Unregister,
)

TURNS = 10  # of the loop; what has arrived by then has been looked at
_OBJECT_AT = re.compile(r"0x[0-9a-f]+|host='[^']*', port=\d+")
_SAID = {**answers.ANSWERS, **answers.CUT_OFF}


class Script:
    """What the server is to say next; good answers where nothing is left."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def __call__(self, request: Recorded) -> Answer:
        return _SAID[self.left.pop(0) if self.left else "good"](request)


class Twin:
    """Runs one program; *seen*: what came of it."""

    def __init__(self, server: CaptureServer, script: Script, clock: FrozenClock) -> None:
        self.seen: list[Any] = []
        self._server = server
        self._script = script
        self._clock = clock
        self._caller: Caller
        self._patch: Any = None
        self._aside: list[Any] = []
        self._handlers: list[tuple[str, Callable[..., Any]]] = []
        self._at = len(server.requests)

    def run(self, flavour: str, program: Program, *, fast: bool) -> None:
        self._clock.reset()
        options = copy.deepcopy({k: v for k, v in program.options.items() if k != _UNSIGNED})
        signed = {k: v for k, v in program.options.items() if k == _UNSIGNED}
        url = self._server.endpoint_url
        with open_caller(flavour, endpoint_url=url, **options, **signed) as self._caller:
            self._patch = accelerate() if fast else None
            if fast:
                self._patch.install()
            try:
                for number, step in enumerate(program.steps):
                    self.seen.append((number, step))
                    self._do(step)
                    self._settle()
            finally:
                if fast:
                    self._patch.uninstall()
                for body in self._aside:
                    body.close()

    def _do(self, step: Step) -> None:
        match step:
            case Call():
                self._call(step)
            case ReadOn():
                if self._aside:
                    self._read(self._aside.pop(step.which % len(self._aside)), step.reading)
            case Register():
                self._register(step)
            case Unregister():
                if self._handlers:
                    name, handler = self._handlers.pop(step.which % len(self._handlers))
                    self._caller.client.meta.events.unregister(name, handler)
            case Change("time", seconds):
                self._clock.tick(seconds)
            case Change(what, to):
                credentials = self._caller.client._request_signer._credentials
                if credentials is not None:
                    setattr(credentials, what, to)
            case Presign(method):
                self._presign(method)
            case CloseClient():
                if not self._caller.is_async:
                    self._caller.client.close()
            case Reenter():
                if self._patch is not None:
                    self._patch.uninstall()
                    self._patch.install()

    def _note(self, what: str, act: Callable[[], Any]) -> Any:
        """Do it, and write down what came of it. Returns the value; None for an exception."""

        async def within() -> Any:
            given = act()
            return await given if hasattr(given, "__await__") else given

        try:
            value = self._caller.run(within()) if self._caller.is_async else act()
        except Exception as error:
            self.seen.append((what, told(error)))
            return None
        self.seen.append((what, _shown(value)))
        return value

    def _settle(self) -> None:
        """Until the server has done all, and the client has seen it; note what it received."""
        assert self._server.wait_until_quiet()
        if self._caller.is_async:
            self._caller.run(_turns())
        received, self._at = self._server.requests[self._at :], len(self._server.requests)
        for request in received:
            plain = normalised(request)
            headers = [pair for pair in plain.headers if pair[0] != INVOCATION_ID]
            self.seen.append((plain.method, plain.target, headers, plain.body, request.complete))

    def _call(self, step: Call) -> None:
        method, make = CALLS[step.name]
        self._script.left = list(step.answers)
        params = make()
        value = self._note(method, lambda: getattr(self._caller.client, method)(**params))
        self._script.left = []
        body = params.pop("Body", None)
        self.seen.append((params, body.tell() if hasattr(body, "tell") else None))
        if value is not None and hasattr(value.get("Body"), "read"):
            self._read(value["Body"], step.reading)

    def _read(self, body: Any, reading: str) -> None:
        if reading == "some, later more":
            self._note("read", lambda: body.read(3))
        if reading in ("later", "some, later more"):
            self._aside.append(body)
            return
        if reading == "some, closed":
            self._note("read", lambda: body.read(3))
        if reading in ("closed", "some, closed"):
            body.close()
        if reading == "nothing":
            self._note("read", lambda: body.read(0))
        if reading in ("lines", "chunks"):
            pieces = body.iter_lines(16) if reading == "lines" else body.iter_chunks(16)
            self._note(reading, lambda: _listed(pieces) if self._caller.is_async else list(pieces))
        if reading == "within":
            self._note("within", lambda: _within(body) if self._caller.is_async else within(body))
        if reading != "dropped":
            for _ in range(2):
                self._note("read", body.read)
            self._note("tell", body.tell)
        body.close()

    def _presign(self, method: str) -> None:
        params = {"Bucket": "b", **({} if "list" in method else {"Key": "k"})}
        url = self._caller.client.generate_presigned_url
        self._note("presign", lambda: url(method, Params=params))
        self.seen.append(params)

    def _register(self, step: Register) -> None:
        operation = "" if step.event == "before-endpoint-resolution" else step.operation
        name = f"{step.event}.s3{operation}"
        events = self._caller.client.meta.events
        handler = functools.partial(self._handle, step)
        (events.register_last if step.last else events.register)(name, handler)
        self._handlers.append((name, handler))

    def _handle(self, step: Register, event_name: str, **given: Any) -> Any:
        self.seen.append((event_name, sorted(given)))
        if step.event == "before-parse":
            answer = given["response_dict"]
            self.seen.append((sorted(answer), dict(answer["headers"]), answer["status_code"]))
        if step.event == "after-call":
            self.seen.append(_shown(given["parsed"]))
            answer = given["http_response"]
            headers = sorted(answer.headers.items())
            self.seen.append((sorted(given["context"]), answer.status_code, headers))
        if step.deed == "raise":
            raise ValueError("by a handler")
        return _change(step.event, given) if step.deed == "change" else None


_UNSIGNED = "signature_version"  # a mark, known by its identity


def _shown(value: Any) -> Any:
    """A copy, without the stream that may be in it."""
    if isinstance(value, dict) and hasattr(value.get("Body"), "read"):
        value = {**value, "Body": type(value["Body"]).__name__}
    return copy.deepcopy(value)


def _change(event: str, given: dict[str, Any]) -> Any:
    """What a handler may change there."""
    if event in PARAMETER_EVENTS and "Key" in given["params"]:
        given["params"]["Key"] = "changed"
    elif event == "before-call":
        given["params"]["headers"]["X-Mine"] = "1"
    elif event in ("request-created", "before-sign", "before-send"):
        given["request"].headers["X-Mine"] = "1"
    elif event == "after-call":
        given["parsed"]["Mine"] = 1
    elif event == "needs-retry":
        return 0 if given["attempts"] < 2 else None
    return None


def told(error: BaseException) -> Any:
    """What an exception tells."""
    kind = type(error)
    request = getattr(error, "request", None)
    return (
        f"{kind.__module__}.{kind.__qualname__}",
        _OBJECT_AT.sub("#", str(error)),
        copy.deepcopy(getattr(error, "response", None)),
        {k: _OBJECT_AT.sub("#", str(v)) for k, v in getattr(error, "kwargs", {}).items()},
        request and (request.method, request.url),
    )


def within(body: Any) -> Any:
    with body as entered:
        return entered.read(2), entered.read()


async def _within(body: Any) -> Any:
    async with body as entered:
        return await entered.read()


async def _listed(pieces: Any) -> list[bytes]:
    return [piece async for piece in pieces]


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Warnings(logging.Handler):
    """What botocore and what is beneath it warn of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("boto_accel"):
            self.texts.append((record.name, _OBJECT_AT.sub("#", record.getMessage())))
