"""Bodies of every kind and size, written fast and read by stock, and the other way round."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.fastpath.callers import all_fast, open_caller

KIB, MIB = 1024, 1024 * 1024
SIZES = (0, 1, KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB + 1, 9 * MIB)
OFFSET = 7  # bytes; where a file is left standing before it is given


def _data(size: int) -> bytes:
    # Printable, so that the same bytes can be given as a str.
    piece = bytes(random.Random(size).choices(range(32, 127), k=min(size, 8191)))
    return (piece * (size // max(len(piece), 1) + 1))[:size]


def _file(data: bytes, path: Path, stack: ExitStack) -> Any:
    path.write_bytes(data)
    return stack.enter_context(path.open("rb"))


def _at_offset(file: Any) -> Any:
    file.seek(OFFSET)
    return file


KINDS: dict[str, Callable[[bytes, Path, ExitStack], Any]] = {
    "bytes": lambda data, path, stack: data,
    "bytearray": lambda data, path, stack: bytearray(data),
    "str": lambda data, path, stack: data.decode("ascii"),
    "BytesIO": lambda data, path, stack: io.BytesIO(data),
    "BytesIO at an offset": lambda data, path, stack: _at_offset(io.BytesIO(b"-" * OFFSET + data)),
    "file": _file,
    "file at an offset": lambda data, path, stack: _at_offset(
        _file(b"-" * OFFSET + data, path, stack)
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_every_size(
    flavour: str, weed: Any, bucket: str, kind: str, tmp_path: Path
) -> None:
    """Each body arrives whole, whatever it was and how long: read by stock, and read fast."""
    with open_caller(flavour, **weed.client_options) as s3, ExitStack() as stack:
        s3("create_bucket", Bucket=bucket)
        with all_fast(len(SIZES)):
            for size in SIZES:
                body = KINDS[kind](_data(size), tmp_path / str(size), stack)
                s3("put_object", Bucket=bucket, Key=str(size), Body=body)
        digests = [_digest(s3, bucket, size) for size in SIZES]
        with all_fast(len(SIZES)):
            assert [_digest(s3, bucket, size) for size in SIZES] == digests
    assert digests == [hashlib.sha256(_data(size)).hexdigest() for size in SIZES]


def _digest(s3: Any, bucket: str, size: int) -> str:
    return hashlib.sha256(s3.body(Bucket=bucket, Key=str(size))).hexdigest()


def test_a_memoryview_is_taken_as_stock_takes_it(flavour: str, seaweed: Any, bucket: str) -> None:
    """botocore takes no memoryview; its refusal is the same with and without the patch."""
    from boto_accel import accelerate
    from tests.fastpath.outcome import outcome

    with open_caller(flavour, **seaweed.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        params = {"Bucket": bucket, "Key": "k", "Body": memoryview(b"view")}
        stock = outcome(s3, "put_object", **params)
        with accelerate():
            fast = outcome(s3, "put_object", **params)
    assert (fast.error is None) == (stock.error is None)
    if stock.error is not None:
        assert fast.error is not None
        assert fast.error[:2] == stock.error[:2]


@pytest.mark.parametrize("size", [0, 10, 300_000])
def test_the_ways_to_read_a_body(seaweed: Any, bucket: str, size: int) -> None:
    """`read(n)`, `iter_chunks`, `iter_lines`, and iteration give what stock's body gives."""
    data = b"".join(b"line %d\r\n" % n for n in range(size // 8))[:size]
    ways: dict[str, Callable[[Any], Any]] = {
        "read(n)": lambda body: list(iter(lambda: body.read(1000), b"")),
        "iter_chunks": lambda body: list(body.iter_chunks(4096)),
        "iter_lines": lambda body: list(body.iter_lines(999)),
        "iteration": lambda body: list(body),
        "readlines": lambda body: body.readlines(),
        "twice": lambda body: (body.read(), body.read()),
        "a part": lambda body: (body.read(3), body.tell(), body.read()),
    }
    with open_caller("sync", **seaweed.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        s3("put_object", Bucket=bucket, Key="k", Body=data)
        stock = {name: _read(s3, bucket, way) for name, way in ways.items()}
        with all_fast(len(ways)):
            fast = {name: _read(s3, bucket, way) for name, way in ways.items()}
    assert fast == stock


def _read(s3: Any, bucket: str, way: Callable[[Any], Any]) -> Any:
    with closing(s3("get_object", Bucket=bucket, Key="k")["Body"]) as body:
        return way(body)


@pytest.mark.parametrize("size", [0, 10, 300_000])
@pytest.mark.aiobotocore
async def test_the_ways_to_read_a_body_of_aiobotocore(
    seaweed: Any, bucket: str, size: int, make_client: Callable[..., Any]
) -> None:
    """`read(n)`, `iter_chunks`, `iter_lines` and `async with` give what stock's body gives."""
    data = b"".join(b"line %d\r\n" % n for n in range(size // 8))[:size]

    async def pieces(body: Any) -> list[bytes]:
        found = []
        while piece := await body.read(1000):
            found.append(piece)
        return found

    async def chunks(body: Any) -> list[bytes]:
        return [piece async for piece in body.iter_chunks(4096)]

    async def lines(body: Any) -> list[bytes]:
        return [line async for line in body.iter_lines(999)]

    async def twice(body: Any) -> tuple[bytes, bytes]:
        return await body.read(), await body.read()

    async def entered(body: Any) -> list[bytes]:
        async with body as inner:  # the body, or what is under it, as the release has it
            return [await inner.read()]

    ways = (pieces, chunks, lines, twice, entered)

    async def read_all(s3: Any) -> list[Any]:
        found = []
        for way in ways:
            answer = await s3.get_object(Bucket=bucket, Key="k")
            with closing(answer["Body"]) as body:
                found.append(await way(body))
        return found

    async with make_client("async", "s3", **seaweed.client_options) as s3:
        await s3.create_bucket(Bucket=bucket)
        await s3.put_object(Bucket=bucket, Key="k", Body=data)
        stock = await read_all(s3)
        with all_fast(len(ways)):
            fast = await read_all(s3)
    assert [b"".join(each) for each in fast] == [b"".join(each) for each in stock]
    assert fast[2:] == stock[2:]
