"""
What all operations stand on: commands and scripts, and where a write enters a bucket.

Each method is steps: it yields what it wants done, and is the same in both worlds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

from boto_accel._effects import Await, Effect
from boto_accel.redis_store import scripts
from boto_accel.redis_store.keys import Schema, Shard
from boto_accel.redis_store.records import decode_record
from boto_accel.redis_store.scripts import Script
from boto_accel.redis_store.semantics import (
    Refusal,
    no_such_bucket,
    no_such_key,
    precondition_failed,
)
from boto_accel.redis_store.state import ClientState
from boto_accel.redis_store.troubles import kinds_of_trouble, translated

_MOST_ROUNDS = 20  # of a write that finds its shard closed; each has seen a deletion end
# Steps of ours are sent what they ask for, and return a value.
Asking = Generator[Effect, Any, Any]


class Reply(NamedTuple):
    """
    members: of the output. headers: those of HTTP, in lower case.

    checked_with: the algorithm that the body is checked with as it is read; "" for none.
    """

    members: dict[str, Any]
    status: int = 200
    headers: Mapping[str, str] = {}  # never filled
    checked_with: str = ""


class TroubleError(Exception):
    """A command has failed; *error* is what the user is to see."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Options:
    """ttl_s: of objects that have none of their own. grace_s: how long a replaced version lives."""

    ttl_s: float | None = None
    grace_s: float = 600.0


class Store:
    """
    One call's view of Redis. clock: seconds, by this machine.

    object_id: of what the call writes. It is the same for each attempt: one that succeeded, and
    whose answer was lost, is known by it.
    """

    def __init__(
        self, client: Any, state: ClientState, options: Options, clock: Callable[[], float]
    ) -> None:
        self.client = client
        self.state = state
        self.schema: Schema = state.schema
        self.link = state.link(client)
        self.options = options
        self.clock = clock
        self.grace_ms = round(options.grace_s * 1000)

    @cached_property
    def object_id(self) -> str:
        return new_id()

    # Asking Redis

    def _ask(self, fn: Callable[[], Any]) -> Asking:
        try:
            return (yield Await(fn))
        except kinds_of_trouble() as error:
            raise TroubleError(translated(error, self.state.address)) from error

    def command(self, *command: Any) -> Asking:
        return self._ask(partial(self.link.execute, *command))

    def run(self, script: Script, keys: Sequence[Any], args: Sequence[Any]) -> Asking:
        return self._ask(partial(self.link.run, script, keys, args))

    def many(self, commands: Sequence[tuple[Any, ...]]) -> Asking:
        """What each answers; raises if one fails."""
        return self._checked((yield from self._ask(partial(self.link.many, commands))))

    def run_each(
        self, script: Script, calls: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    ) -> Asking:
        return self._checked((yield from self._ask(partial(self.link.run_each, script, calls))))

    def _checked(self, answers: list[Any]) -> list[Any]:
        for each in answers:
            if isinstance(each, Exception):
                raise TroubleError(translated(each, self.state.address)) from each
        return answers

    # Buckets

    def check_bucket(self, bucket: str) -> Asking:
        """Raise NoSuchBucket."""
        if not (yield from self.command("HEXISTS", self.schema.buckets, bucket)):
            raise no_such_bucket(bucket)

    def write(
        self, bucket: str, shard: Shard, script: Script, keys: Sequence[Any], args: Sequence[Any]
    ) -> Asking:
        """
        Run *script*, which writes into *shard*; into a bucket that exists.

        A shard that is not open is opened first, if the bucket is there: a deletion of the bucket
        that is under way ends by it (docs/redis.md, "Deleting a bucket").
        """
        both = [self.schema.buckets, self.schema.deleting]
        for _ in range(_MOST_ROUNDS):
            answer = yield from self.run(script, keys, args)
            if answer[0] != b"STATE":
                return answer
            if (yield from self.run(scripts.ENTER_BUCKET, both, [bucket]))[0] == b"ABSENT":
                raise no_such_bucket(bucket)
            yield from self.run(scripts.OPEN_SHARD, [shard.state], [answer[1]])
        raise aborted()

    def sweep(self, dead: Sequence[tuple[Shard, Sequence[bytes]]]) -> Asking:
        """For each shard, whether the records of these keys are gone; they are not listed then."""
        calls = [([shard.index, *map(shard.record, keys)], keys) for shard, keys in dead]
        answers = yield from self.run_each(scripts.SWEEP, calls)
        return [answer[0] == b"OK" for answer in answers]

    # Objects

    def record(self, bucket: str, key: bytes, shard: Shard) -> Asking:
        """(head, data) of an object, as `decode_record` has it. Raises NoSuchKey, NoSuchBucket."""
        found = yield from self.command("HMGET", shard.record(key), "m", "d")
        record = decode_record(*found)
        if record is None:
            yield from self.check_bucket(bucket)
            raise no_such_key(key.decode())
        return record


def new_id() -> str:
    return secrets.token_hex(16)


def aborted() -> Refusal:
    text = (
        "A conflicting conditional operation is currently in progress against this resource. "
        "Please try again."
    )
    return Refusal("OperationAborted", 409, text)


def refusal_of(answer: bytes, key: bytes) -> Refusal | None:
    """Of a script that exchanges a record; None for b"OK"."""
    match answer:
        case b"EXISTS":
            return precondition_failed("If-None-Match")
        case b"DIFFERS":
            return precondition_failed("If-Match")
        case b"ABSENT":
            return no_such_key(key.decode())
        case b"GONE":  # a piece was evicted while others were being written
            return Refusal("SlowDown", 503, "Redis has reached its maxmemory: reduce what is kept.")
    return None
