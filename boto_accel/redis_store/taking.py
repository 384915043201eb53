"""What the user gives, read, digested and put into Redis: in the record, or in pieces."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from botocore.exceptions import MissingDependencyException

from boto_accel._effects import Await, Blocking
from boto_accel.redis_store import checksums
from boto_accel.redis_store.bodies import Missing, Pieces, Source
from boto_accel.redis_store.checksums import ALGORITHMS, DEFAULT, Digest, UnavailableError
from boto_accel.redis_store.keys import INLINE, PIECE, Shard
from boto_accel.redis_store.records import Blob
from boto_accel.redis_store.semantics import LARGEST_PUT, Refusal, not_implemented
from boto_accel.redis_store.store import Asking, Store, TroubleError, new_id

_LEASE_MS = 3_600_000  # milliseconds; so long live pieces of a put that never ends
_RENEW_S = 600.0  # seconds
_LONG = 256 * 1024  # bytes; digests of more are not made on the event loop


class Reader(Protocol):
    def read(self, store: Store) -> Asking:
        """The next PIECE bytes; fewer only at the end."""
        ...


class FromUser:
    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, store: Store) -> Asking:
        piece = self._source.read(PIECE)
        if hasattr(piece, "__await__"):
            piece = yield Await(lambda: piece)
        return piece


class FromObject:
    """Another object, of which *commands* bring the pieces, of whatever size."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, store: Store) -> Asking:
        found, size = [self._rest], len(self._rest)
        while size < PIECE and (command := self._pieces.command()) is not None:
            try:
                found.append(self._pieces.checked((yield from store.command(*command))))
            except Missing:
                text = "The source has changed while it was copied. Please try again."
                raise Refusal("InternalError", 500, text) from None
            size += len(found[-1])
        data = b"".join(found)
        self._rest = data[PIECE:]
        return data[:PIECE]


class Taken(NamedTuple):
    """data: where it is in the record; else it is in *blob*. checksums: by member."""

    size: int
    etag: str
    data: bytes | None
    blob: Blob
    checksums: dict[str, str]


class Digests:
    """MD5, and the checksum that the call asks for."""

    def __init__(self, algorithm: str | None) -> None:
        self.algorithm = algorithm
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._other: Digest | None = None if algorithm is None else new_digest(algorithm)

    def update(self, data: Any) -> None:
        self._md5.update(data)
        if self._other is not None:
            self._other.update(data)

    @property
    def md5(self) -> bytes:
        return self._md5.digest()

    @property
    def checksums(self) -> dict[str, str]:
        if self._other is None:
            return {}
        return {f"Checksum{self.algorithm}": checksums.encoded(self._other.digest())}


def new_digest(algorithm: str) -> Digest:
    """Raises botocore's MissingDependencyException, with its words."""
    try:
        return checksums.new_digest(algorithm)
    except UnavailableError:
        raise MissingDependencyException(
            msg=f"Using {algorithm} requires an additional dependency. You will need to pip "
            "install botocore[crt] before proceeding."
        ) from None


def algorithm_of(params: Mapping[str, Any], *, by_default: bool) -> str | None:
    """What the data is to be digested with. As `botocore.httpchecksum` resolves it."""
    for algorithm in ALGORITHMS:
        if f"Checksum{algorithm}" in params:
            return algorithm
    wanted: str | None = params.get("ChecksumAlgorithm")
    if wanted is None:
        return DEFAULT if by_default else None
    if wanted.upper() not in ALGORITHMS:
        raise not_implemented("x-amz-sdk-checksum-algorithm")
    return wanted.upper()


def take(store: Store, shard: Shard, reader: Reader, digests: Digests, *, inline: bool) -> Asking:
    """Read all of *reader*, and keep what is too long for a record in pieces with a lease."""
    piece = yield from reader.read(store)
    blob = new_id()
    if inline and len(piece) <= INLINE:
        yield from _digest(digests, piece)
        etag = f'"{digests.md5.hex()}"'
        return Taken(len(piece), etag, bytes(piece), Blob(blob, 0), digests.checksums)
    try:
        size = yield from _keep_pieces(store, shard, reader, digests, blob, piece)
    except (TroubleError, Refusal):
        yield from _delete_pieces(store, shard, blob)
        raise
    return Taken(size, f'"{digests.md5.hex()}"', None, Blob(blob, size), digests.checksums)


def _keep_pieces(
    store: Store, shard: Shard, reader: Reader, digests: Digests, blob: str, piece: Any
) -> Asking:
    """How many bytes there are, of which *piece* has the first."""
    size = number = 0
    renewed = time.monotonic()
    while len(piece):
        size += len(piece)
        if size > LARGEST_PUT:
            text = "Your proposed upload exceeds the maximum allowed size"
            raise Refusal("EntityTooLarge", 400, text, MaxSizeAllowed=str(LARGEST_PUT))
        name = shard.piece(blob, number)
        data = piece if isinstance(piece, bytes) else bytes(piece)
        yield from store.command("SET", name, data, "PX", _LEASE_MS)
        yield from _digest(digests, piece)
        number += 1
        if time.monotonic() - renewed > _RENEW_S:
            names = [shard.piece(blob, each) for each in range(number)]
            yield from store.many([("PEXPIRE", name, _LEASE_MS) for name in names])
            renewed = time.monotonic()
        piece = (yield from reader.read(store)) if len(piece) == PIECE else b""
    return size


def _digest(digests: Digests, piece: Any) -> Iterator[Any]:
    if len(piece) > _LONG:
        yield Blocking(partial(digests.update, piece))
    else:
        digests.update(piece)


def _delete_pieces(store: Store, shard: Shard, blob: str) -> Asking:
    """Delete what is not kept after all; where Redis does not answer, the lease ends it."""
    number = 0
    try:
        while (yield from store.command("UNLINK", shard.piece(blob, number))):
            number += 1
    except TroubleError:
        return


def check_given(params: Mapping[str, Any], taken: Taken, digests: Digests) -> None:
    """Raise what S3 says where the data is not what the call says of it."""
    if "ContentLength" in params and params["ContentLength"] != taken.size:
        text = "You did not provide the number of bytes specified by the Content-Length HTTP header"
        raise Refusal("IncompleteBody", 400, text)
    if "ContentMD5" in params:
        check_md5(params["ContentMD5"], digests.md5)
    for member, value in taken.checksums.items():
        if member in params and params[member] != value:
            name = member.removeprefix("Checksum")
            text = f"The {name} you specified did not match the calculated checksum."
            raise Refusal("BadDigest", 400, text)


def check_md5(given: str, md5: bytes) -> None:
    try:
        digest = base64.b64decode(given, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:
        raise Refusal("InvalidDigest", 400, "The Content-MD5 you specified was invalid.")
    if digest != md5:
        text = "The Content-MD5 you specified did not match what we received."
        raise Refusal("BadDigest", 400, text)


Ender = Callable[[Taken], Asking]


def checked(
    store: Store,
    shard: Shard,
    reader: Reader,
    params: Mapping[str, Any],
    algorithm: str | None,
    end: Ender,
    *,
    inline: bool,
) -> Asking:
    """Take, check, and *end*, which may refuse: then nothing is left behind."""
    digests = Digests(algorithm)
    taken = yield from take(store, shard, reader, digests, inline=inline)
    try:
        check_given(params, taken, digests)
        return (yield from end(taken))
    except Refusal:
        yield from _delete_pieces(store, shard, taken.blob.id)
        raise
