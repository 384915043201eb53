"""
The table of docs/faults.md, made of `faults.py`; a test holds the two equal.

`python -m tests.faults.table` writes the file anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.faults.faults import FAULTS, KINDER, MODES, STRICTER, Fault

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
INTRODUCTION = """\
# Faults

What was tried against a server that fails, or a network that does. This page is made of
`tests/faults/faults.py` by `python -m tests.faults.table`, and a test holds them equal.

For each fault, in each world and retry mode, and over each HTTP engine, five calls are made on one
client: `get_object`, `head_object`, `list_objects_v2`, `put_object` of bytes and of a file of
1 MiB. They are made by stock and inside `accelerate()`. The result or the exception (its class,
bases, text and `response`) and the requests that the server saw have to be equal, and no more
sockets may be left open than by stock. A connection that is refused is tried besides.
`make test` takes `direct` and, in each retry mode, another of the other engines;
`make test-engines` takes all.

* *sync*, *async*: the worlds in which it is tried; async over the engines direct, aiohttp and
  aiosonic. Clients with adaptive retries are stock's, whose rate limiter sees each request.
* *stricter*: stock makes something of an answer whose framing is wrong; the fast path fails the
  attempt, and the next one is stock's own. It never gives another value.
* *kinder*: stock trips over an answer that the fast path reads as it was meant.

| fault | tried in | retry modes | not as stock |
| --- | --- | --- | --- |
"""


def page() -> str:
    return INTRODUCTION + "".join(rows())


def rows() -> Iterator[str]:
    for name, make in FAULTS.items():
        fault = make()
        modes = "all" if fault.modes == MODES else ", ".join(fault.modes)
        yield f"| {name} | {', '.join(fault.flavours)} | {modes} | {departures(name, fault)} |\n"


def departures(name: str, fault: Fault) -> str:
    found = [f"{world}: stricter" for world in fault.flavours if name in STRICTER[world]]
    found += [
        f"{world}, {engine}: kinder"
        for (world, engine), names in KINDER.items()
        if world in fault.flavours and name in names
    ]
    return "; ".join(found)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
