"""
Which cases there are, and what they are called.

Rule 1: pure data; nothing is measured here.
A name reads client/scheme/operation/size/in-flight, such as `aiobotocore/http/get/1KiB/c32/uvloop`:
`t10` is ten threads, `c32` is thirty-two calls in flight on one event loop; `n10000` at the end is
ten thousand objects, each put or got once a round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from fnmatch import fnmatchcase
from itertools import product

from boto_accel.bench.services import CALLS

KIB = 1024
SIZES = {"100B": 100, "1KiB": KIB, "5KB": 5000, "64KiB": 64 * KIB, "8MiB": 8 * KIB * KIB}
SIZE_NAMES = {size: name for name, size in SIZES.items()}
BATCHED_OBJECTS = 20_000  # of 1 KiB, from 16 threads or 256 tasks
MANY_OBJECTS = 10_000  # of 5 KB, a thousand in flight: the workload of the project aioboto3lite
LIST_KEYS = 1000  # keys on the listed page; the most S3 gives at once
CACHED_KEYS = 10  # on the page of the cached cases: an answer of 2 KB

STOCK_CLIENTS = ("boto3", "aiobotocore")  # measured stock and fast; the others stand beside them


class Tier(IntEnum):
    """How soon a case is left out: `--quick` runs QUICK, the default up to USUAL."""

    QUICK = 0
    USUAL = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class Case:
    """
    One thing to measure; *size* in bytes, 0 where there is no body.

    *objects*: how many there are, each put or got once a round; 0 for one, as often as a round
    takes.
    """

    client: str  # boto3, aiobotocore, obstore, socket, botocache, redis_s3, redis-py
    # get, put, head, list, presign-default, presign-s3v4, make-client, cached-memory,
    # cached-sqlite, or one of services.CALLS
    operation: str
    size: int = KIB
    scheme: str = "http"
    in_flight: int = 1
    loop: str = ""  # asyncio, uvloop; empty for synchronous clients
    objects: int = 0

    @property
    def name(self) -> str:
        size = f"/{SIZE_NAMES[self.size]}" if self.size else ""
        kind = f"c{self.in_flight}/{self.loop}" if self.loop else f"t{self.in_flight}"
        many = f"/n{self.objects}" if self.objects else ""
        return f"{self.client}/{self.scheme}/{self.operation}{size}/{kind}{many}"

    @property
    def compared(self) -> bool:
        """Whether it is run stock and fast; the others are run as they are."""
        return self.client in STOCK_CLIENTS

    @property
    def has_engines(self) -> bool:
        """Whether the HTTP engines differ for it: boto3 and presigning have the one."""
        return self.client == "aiobotocore" and self.on_wire

    @property
    def service(self) -> str:
        """The service whose client is used."""
        return CALLS[self.operation].service if self.operation in CALLS else "s3"

    @property
    def on_wire(self) -> bool:
        return not self.operation.startswith("presign") and not self.makes_clients

    @property
    def makes_clients(self) -> bool:
        """Whether a call of it is a new session, and a client of it."""
        return self.operation == "make-client"

    @property
    def cached(self) -> bool:
        """Whether the fast side is the response cache, and not `accelerate()`."""
        return self.operation.startswith("cached-")

    @property
    def batched(self) -> bool:
        """Whether the fast side is `batch_puts()`."""
        return self.operation == "batched-put"


_TRANSFERS = (*product(("get", "put"), SIZES.values()), ("head", 0))


def all_cases() -> list[Case]:
    """Every case, in the order in which they are run and shown."""
    return [
        *_boto3_cases(),
        *_aiobotocore_cases(),
        *_cached_cases(),
        *_batched_cases(),
        *_service_cases(),
        *_obstore_cases(),
        *_socket_cases(),
        *_redis_cases(),
    ]


def _boto3_cases() -> Iterator[Case]:
    for scheme, threads in product(("http", "https"), (1, 10)):
        for operation, size in _TRANSFERS:
            yield Case("boto3", operation, size, scheme, threads)
        yield Case("boto3", "list", 0, scheme, threads)
    yield Case("boto3", "presign-default", 0)
    yield Case("boto3", "presign-s3v4", 0)
    yield Case("boto3", "make-client", 0)


def _aiobotocore_cases() -> Iterator[Case]:
    for scheme, loop, tasks in product(("http", "https"), ("asyncio", "uvloop"), (1, 32, 1000)):
        for operation, size in (*_TRANSFERS, ("list", 0)):
            # A thousand 8 MiB bodies at once are 8 GiB.
            if tasks < 1000 or size <= 64 * KIB:
                yield Case("aiobotocore", operation, size, scheme, tasks, loop)
    for loop, operation in product(("asyncio", "uvloop"), ("put", "get")):
        yield Case("aiobotocore", operation, 5000, "http", 1000, loop, MANY_OBJECTS)
    yield Case("aiobotocore", "presign-default", 0, loop="asyncio")
    yield Case("aiobotocore", "presign-s3v4", 0, loop="asyncio")
    yield Case("aiobotocore", "make-client", 0, loop="asyncio")


def _cached_cases() -> Iterator[Case]:
    for operation in ("cached-memory", "cached-sqlite"):
        yield Case("boto3", operation, 0)
        yield Case("aiobotocore", operation, 0, loop="asyncio")
    yield Case("botocache", "cached-memory", 0)


def _batched_cases() -> Iterator[Case]:
    yield Case("boto3", "batched-put", KIB, "http", 16, objects=BATCHED_OBJECTS)
    yield Case("aiobotocore", "batched-put", KIB, "http", 256, "asyncio", BATCHED_OBJECTS)


def _service_cases() -> Iterator[Case]:
    for operation in CALLS:
        yield Case("boto3", operation, 0)
        yield Case("aiobotocore", operation, 0, in_flight=32, loop="asyncio")


def _obstore_cases() -> Iterator[Case]:
    for scheme, operation in product(("http", "https"), ("get", "put")):
        yield Case("obstore", operation, scheme=scheme)
        yield Case("obstore", operation, scheme=scheme, in_flight=32, loop="asyncio")


def _socket_cases() -> Iterator[Case]:
    for scheme, operation in product(("http", "https"), ("get", "put")):
        yield Case("socket", operation, scheme=scheme)


def _redis_cases() -> Iterator[Case]:
    for operation in ("get", "put"):
        yield Case("redis_s3", operation, 5000)
        for loop in ("asyncio", "uvloop"):
            yield Case("redis_s3", operation, 5000, "http", 1000, loop, MANY_OBJECTS)
    yield Case("redis-py", "get", 5000)


_QUICK = (
    "boto3/http/get/1KiB/t1",
    "boto3/http/put/1KiB/t1",
    "boto3/http/head/t1",
    "boto3/http/list/t1",
    "boto3/http/presign-s3v4/t1",
    "boto3/http/get/1KiB/t10",
    "boto3/https/get/1KiB/t1",
    "aiobotocore/http/get/1KiB/c32/asyncio",
    "aiobotocore/http/put/1KiB/c32/asyncio",
    "aiobotocore/http/get/1KiB/c32/uvloop",
    "obstore/http/get/1KiB/*",
    "socket/http/get/1KiB/t1",
)
_USUAL = (
    "boto3/http/*/t1",
    "boto3/http/[gp][eu]t/1KiB/t10",
    "boto3/https/*/1KiB/t1",
    "boto3/https/*/8MiB/t1",
    "boto3/https/head/t1",
    "boto3/https/get/1KiB/t10",
    "aiobotocore/http/*/1KiB/c1/asyncio",
    "aiobotocore/http/*/c32/asyncio",
    "aiobotocore/https/*/1KiB/c32/asyncio",
    "aiobotocore/https/head/c32/asyncio",
    "aiobotocore/http/*/1KiB/c1000/asyncio",
    "aiobotocore/http/*/1KiB/c32/uvloop",
    "aiobotocore/http/head/c32/uvloop",
    "aiobotocore/http/*/1KiB/c1000/uvloop",
    "aiobotocore/http/presign-s3v4/c1/asyncio",
    "aiobotocore/http/make-client/c1/asyncio",
    "*/cached-memory/*",
    "*/cached-sqlite/*",
    *(f"*/{operation}/*" for operation in CALLS),
    "obstore/*",
    "socket/*",
)


def tier_of(case: Case) -> Tier:
    if _matches(case, _QUICK):
        return Tier.QUICK
    return Tier.USUAL if _matches(case, _USUAL) else Tier.FULL


def select_cases(tier: Tier, patterns: tuple[str, ...] = ()) -> list[Case]:
    """
    The cases to run: those whose name matches one of *patterns*, or else those of *tier*.

    A pattern is a name, a shell pattern for the whole name, or a part of names: `get/1KiB`.
    """
    cases = all_cases()
    if not patterns:
        return [case for case in cases if tier_of(case) <= tier]
    names = {case.name for case in cases}
    # A whole name means that case alone, though `…/t1` is a part of `…/t10`.
    whole = tuple(p if p in names or any(c in p for c in "*?[") else f"*{p}*" for p in patterns)
    return [case for case in cases if _matches(case, whole)]


def for_endpoint(cases: list[Case], scheme: str) -> list[Case]:
    """
    *cases* as they can be run against one endpoint of an S3 that speaks *scheme*, each once.

    The bare socket is left out: it signs nothing, and a real S3 would send it away.
    """
    kept = (
        replace(case, scheme=scheme)
        for case in cases
        if case.client != "socket" and case.service == "s3"
    )
    return list(dict.fromkeys(kept))


def _matches(case: Case, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(case.name, pattern) for pattern in patterns)
