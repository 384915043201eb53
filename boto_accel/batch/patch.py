"""
`batch_puts()`: small puts gathered into tars, and found again by their own keys.

The newest entry of a key, in the spool or in a batch, says what there is:

* an object: the newer of it and a plain object counts, by their times;
* deleted, or replaced by a plain object: what S3 has as a plain object counts.

So a delete deletes the plain object too, and a put that goes straight to S3 is noted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any

from botocore.exceptions import ClientError

from boto_accel._call import Call, Flavour
from boto_accel._clienterrors import precondition_failed
from boto_accel._effects import Await, Blocking, Forward, Sleep, Steps
from boto_accel._patch import Narrowing, Patch
from boto_accel._stack import Layer
from boto_accel.batch import copying, listing, names, putting, replies
from boto_accel.batch.counts import BatchStats, Savings
from boto_accel.batch.engine import Engine, Held
from boto_accel.batch.errors import BatchedObjectError, BatchError, QueueFull, WriterClosed
from boto_accel.batch.index import DELETED, PLAIN, Entry
from boto_accel.batch.match import Match, read_match
from boto_accel.batch.options import Options, make_options
from boto_accel.batch.place import is_absent

logger = logging.getLogger("boto_accel")

# Parts of an upload are nobody's object; they become a plain one when the upload is completed.
_OF_UPLOADS = frozenset(
    "CreateMultipartUpload UploadPart ListParts AbortMultipartUpload WriteGetObjectResponse".split()
)
_LISTINGS = frozenset(["ListObjects", "ListObjectsV2"])
_NOT_ENTERED = "it is not in force; use `with`, or install()"
_INSIDE = frozenset({Layer.ROUTE, Layer.CACHE, Layer.BATCH})
LONGEST_PAUSE_S = 5  # seconds that a conditional put waits for the time of what it replaces


class BatchPatch(Patch):
    """See `batch_puts`, which makes it. Has `.stats`, `flush`, `aflush` and `savings`."""

    layer = Layer.BATCH

    def __init__(
        self,
        match: Match,
        options: Options,
        narrowing: Narrowing,
        *,
        strict: bool,
        check_plain: bool,
    ) -> None:
        super().__init__(narrowing)
        self.match = match
        self.options = options
        self.stats: BatchStats = BatchStats()
        self._strict = strict
        self._checks_plain = check_plain
        self._engine: Engine | None = None
        self._leaves_spooled = False

    # For users

    def flush(self, timeout: float | None = None) -> None:
        """
        Bring to S3 all that was put until now.

        Raises BatchUploadError where that fails, or is not done after *timeout* seconds: nothing is
        lost by that. Raises SpoolError for puts of ack="memory" that are lost.
        """
        self.engine.flush(timeout)

    async def aflush(self, timeout: float | None = None) -> None:
        """`flush`, for code on an event loop."""
        await asyncio.to_thread(self.flush, timeout)

    def savings(self, price_per_1000: float = 0.005) -> Savings:
        """What was saved so far, at a price for 1,000 PutObject calls (that of us-east-1)."""
        return self.stats.savings(price_per_1000)

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise WriterClosed(_NOT_ENTERED)
        return self._engine

    def objects(self, prefix: str, start: str) -> Iterator[Entry]:
        """Of the spool and of the batches: the newest, where it is an object."""
        found = self.engine.entries(prefix, start)
        return (each for each in found if each.is_object and self._takes(each.key))

    def _takes(self, key: str) -> bool:
        return self.match.takes(self.match.bucket, key)

    # Entering and leaving

    def _entered_first(self) -> None:
        self._engine = Engine(self.options, self.stats, _INSIDE)

    def _left_last(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close(flush=not self._leaves_spooled)

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        # Who is told to stop at once stops at once: what was acknowledged is in the spool.
        self._leaves_spooled = kind is not None and not issubclass(kind, Exception)
        try:
            super().__exit__(kind, error, trace)
        except BatchError as failure:
            if error is None:
                raise
            logger.error("batch: %s", failure)  # the error of the block says more

    async def __aenter__(self) -> BatchPatch:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    # A call

    def handle(self, call: Call) -> Steps:
        params, operation = call.params, call.operation
        if operation in _LISTINGS:
            prefix = params.get("Prefix", "")
            if isinstance(prefix, str) and self.match.may_be_under(params.get("Bucket"), prefix):
                self.engine.seen(call.client)
                return (yield from listing.list_merged(self, call))
        elif operation == "DeleteObjects":
            if params.get("Bucket") == self.match.bucket:
                return (yield from self._delete_several(call))
        elif operation in ("CopyObject", "UploadPartCopy"):
            return (yield from copying.copy(self, call))
        elif self.match.takes(params.get("Bucket"), params.get("Key")):
            if not params["Key"]:
                return (yield Forward(call))
            self.engine.seen(call.client)
            step = _STEPS.get(operation, BatchPatch._guard)
            return (yield from step(self, call))
        return (yield Forward(call))

    # Putting

    def put_object(self, call: Call) -> Steps:
        found = putting.read_put(call.params, self.options.max_object_bytes)
        self.stats.count("puts")
        if type(found) is str:
            return (yield from self.put_straight(call, found))
        assert isinstance(found, putting.Read)
        return (yield from self.put(call, call.params["Key"], found))

    def put(self, call: Call, key: str, found: putting.Read) -> Steps:
        """The answer to a put that a batch takes."""
        engine = self.engine
        is_sync = call.flavour is Flavour.SYNC
        while True:
            try:
                placed = engine.put(key, *found, is_sync=is_sync)
                break
            except QueueFull as error:
                yield Blocking(partial(engine.wait_for_room, error, len(found.body)))
        if placed.waiter is not None:
            yield Await(placed.waiter.wait)
        self.stats.count("batched")
        location = {
            "Bucket": self.options.purpose.into_bucket,
            "Key": placed.segment.key,
            "Offset": placed.offset,
            "Size": len(found.body),
        }
        return replies.put_reply(placed.entry.etag, location)

    def put_straight(self, call: Call, reason: str) -> Steps:
        """A put past the batches: conditions see them, and from then on the plain object counts."""
        if self._strict:
            raise BatchedObjectError(
                call.operation, call.params["Bucket"], call.params["Key"], f"not batched: {reason}"
            )
        self.stats.count_straight(reason)
        return (yield from self.put_plain(call))

    def put_plain(self, call: Call) -> Steps:
        """Forward what makes a plain object, and note it."""
        decidable = yield from self._decidable(call)
        try:
            reply = yield Forward(decidable)
        except ClientError as error:
            if decidable is call or _status_of(error.response) != 412:
                raise
            raise precondition_failed(call, "If-Match") from error
        self._observe(reply)
        yield from self._note(call, call.params["Key"], PLAIN)
        return reply

    def _decidable(self, call: Call) -> Steps:
        """
        A put, with conditions that S3 itself can decide in one step.

        Where an object in a batch counts, they are asked of that. If IfMatch holds, S3 is told that
        the plain object has to be what it is now, or still absent: of several such puts, of
        whichever hosts, it lets one through.
        """
        params = call.params
        if not any(params.get(name) is not None for name in putting.CONDITIONS):
            return call
        found = yield Blocking(partial(self.engine.newest, params["Key"], 0.0))
        if found is None or not found.entry.is_object:
            return call
        plain, answer = yield from self._head(call)
        if plain is not None and replies.stamp_of(plain["LastModified"]) > found.entry.stamp:
            return call
        if params.get("IfNoneMatch") is not None:
            raise precondition_failed(call, "If-None-Match")
        if str(params["IfMatch"]).strip('"') not in (found.entry.etag, "*"):
            raise precondition_failed(call, "If-Match")
        yield from self._let_its_second_pass(call, found.entry.stamp, answer)
        others = {name: each for name, each in params.items() if name not in putting.CONDITIONS}
        as_it_is = {"IfNoneMatch": "*"} if plain is None else {"IfMatch": plain["ETag"]}
        return replace(call, params={**others, **as_it_is})

    def _let_its_second_pass(self, call: Call, stamp: int, answer: Mapping[str, Any]) -> Steps:
        """
        S3 tells times to the second: what it stores now would not count as newer, elsewhere.

        answer: S3's last one, whose time is the least that it can be there by now.
        """
        date = replies.answered_at(answer)
        now = self.engine.clock.stamp() if date is None else date
        left = stamp // 10**9 + 1 - now // 10**9
        if left > LONGEST_PAUSE_S:
            raise self._impossible(call, f"its time is {left} s ahead of that of S3")
        if left > 0:
            yield Sleep(left)

    def _note(self, call: Call, key: str, kind: int) -> Steps:
        placed = self.engine.note(key, kind, is_sync=call.flavour is Flavour.SYNC)
        if placed.waiter is not None:
            yield Await(placed.waiter.wait)

    def _observe(self, reply: Mapping[str, Any]) -> None:
        """What is put from now on is newer than this answer of S3's."""
        date = replies.answered_at(reply)
        if date is not None:
            self.engine.clock.observe(date)

    # Reading

    def _read(self, call: Call) -> Steps:
        """GetObject and HeadObject."""
        found = yield from self.find(call)
        if found is None:
            return (yield Forward(call))
        unknown = sorted(call.params.keys() - replies.HONOURED)
        if unknown:
            raise self._impossible(call, f"it is in a batch, where {', '.join(unknown)} has no use")
        entry = found.entry
        span = replies.span_of(call, entry)
        reply = replies.read_reply(call, entry, span, self._location(found))
        if call.operation == "GetObject":
            read = partial(self.engine.content, found, span.first, span.size)
            reply["Body"] = replies.body_reply(call, (yield Blocking(read)))
        return reply

    def find(self, call: Call, max_age: float | None = None) -> Steps:
        """The object in a batch that *call* is about; None for a plain one, or none."""
        if call.params.get("VersionId") is not None:
            return None  # batches have no versions
        found = yield Blocking(partial(self.engine.newest, call.params["Key"], max_age))
        if found is None or not found.entry.is_object:
            return None
        return None if (yield from self._plain_is_newer(call, found)) else found

    def _plain_is_newer(self, call: Call, found: Any) -> Steps:
        params = call.params
        if not self._checks_plain and params.get("ExpectedBucketOwner") is None:
            return False
        plain, _ = yield from self._head(call)
        return plain is not None and replies.stamp_of(plain["LastModified"]) > found.entry.stamp

    def _head(self, call: Call) -> Steps:
        """(the plain object or None, what S3 has answered)"""
        kept = ("Bucket", "Key", "ExpectedBucketOwner", "RequestPayer")
        asked = {name: call.params[name] for name in kept if name in call.params}
        try:
            plain = yield Forward(replace(call, operation="HeadObject", params=asked))
        except ClientError as error:
            if is_absent(error):
                return None, error.response
            raise
        self.engine.clock.observe(replies.stamp_of(plain["LastModified"]))
        return plain, plain

    def _location(self, found: Any) -> dict[str, Any]:
        batch = found.segment.batch if isinstance(found, Held) else found.batch
        purpose = self.options.purpose
        return {
            "Bucket": purpose.into_bucket,
            "Key": names.tar_key(purpose.into_prefix, batch),
            "Offset": found.entry.offset,
            "Size": found.entry.size,
        }

    def _guard(self, call: Call) -> Steps:
        """What is about one object, and not known here: S3's, unless the object is in a batch."""
        if (yield from self.find(call)) is not None:
            raise self._impossible(call, "the object is in a batch, where this cannot be done")
        return (yield Forward(call))

    def _pass(self, call: Call) -> Steps:
        return (yield Forward(call))

    def _impossible(self, call: Call, reason: str) -> BatchedObjectError:
        return BatchedObjectError(call.operation, call.params["Bucket"], call.params["Key"], reason)

    # Deleting

    def _delete(self, call: Call) -> Steps:
        """
        The plain object first: if it can be deleted and the note not written, all is as it was.
        """
        params = call.params
        if params.get("VersionId") is not None:
            return (yield Forward(call))
        conditions = ("IfMatch", "IfMatchLastModifiedTime", "IfMatchSize")
        if any(params.get(name) is not None for name in conditions):
            yield from self._refuse_if_batched(call, params["Key"])
        reply = yield Forward(call)
        yield from self._note(call, params["Key"], DELETED)
        self.stats.count("deletes")
        return reply

    def _refuse_if_batched(self, call: Call, key: str) -> Steps:
        at_key = {"Bucket": call.params["Bucket"], "Key": key}
        if (yield from self.find(replace(call, params=at_key), 0.0)) is not None:
            reason = "conditions of deletes cannot be had for an object in a batch"
            raise BatchedObjectError(call.operation, call.params["Bucket"], key, reason)

    def _delete_several(self, call: Call) -> Steps:
        given = call.params.get("Delete")
        objects = given.get("Objects") if isinstance(given, Mapping) else None
        if not isinstance(objects, list | tuple) or not all(map(_is_named, objects)):
            return (yield Forward(call))  # botocore says what is wrong with it
        ours = [each for each in objects if not each.get("VersionId") and self._takes(each["Key"])]
        if ours:
            self.engine.seen(call.client)
        for each in ours:
            if each.keys() & {"ETag", "LastModifiedTime", "Size"}:
                yield from self._refuse_if_batched(call, each["Key"])
        reply = yield Forward(call)
        failed = {each.get("Key") for each in reply.get("Errors", ())}
        for each in ours:
            if each["Key"] not in failed:
                yield from self._note(call, each["Key"], DELETED)
                self.stats.count("deletes")
        return reply

    # Presigning

    def presign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        self._check_presigned(client, args, stock.__name__)
        return stock(client, *args, **kwargs)

    async def apresign(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        stock: Callable[..., Any],
    ) -> Any:
        await asyncio.to_thread(self._check_presigned, client, args, stock.__name__)
        return await stock(client, *args, **kwargs)

    def _check_presigned(self, client: Any, args: tuple[Any, ...], function: str) -> None:
        """
        Refuse a URL for reading what is in a batch: it would lead to S3, which has no such key.

        S3 is not asked: making a URL sends nothing.
        """
        if function == "generate_presigned_post":
            return
        method, params = args[:2]
        api = client.meta.method_to_api_mapping
        operation = api.get(method) if isinstance(method, str) else None
        if operation is None or not isinstance(params, Mapping) or operation in _MADE_BY_URL:
            return
        bucket, key = params.get("Bucket"), params.get("Key")
        if not self.match.takes(bucket, key) or params.get("VersionId") is not None:
            return
        found = self.engine.known(str(key))
        if found is not None and found.entry.is_object:
            reason = "a presigned URL leads to S3, where this key is only in a batch"
            raise BatchedObjectError(str(operation), str(bucket), str(key), reason)


# A URL by which something is put makes a plain object.
_MADE_BY_URL = _OF_UPLOADS | {"PutObject", "CompleteMultipartUpload"}

_STEPS: dict[str, Callable[[BatchPatch, Call], Steps]] = {
    "PutObject": BatchPatch.put_object,
    "GetObject": BatchPatch._read,
    "HeadObject": BatchPatch._read,
    "DeleteObject": BatchPatch._delete,
    "CompleteMultipartUpload": BatchPatch.put_plain,
    **dict.fromkeys(_OF_UPLOADS, BatchPatch._pass),
}


def _status_of(answer: Mapping[str, Any]) -> Any:
    return answer.get("ResponseMetadata", {}).get("HTTPStatusCode")


def _is_named(each: Any) -> bool:
    return isinstance(each, Mapping) and isinstance(each.get("Key"), str) and bool(each["Key"])


def batch_puts(
    match: str | list[str],
    into: str,
    *,
    spool_dir: Any,
    max_bytes: int = 64 * 2**20,
    max_count: int = 10_000,
    max_delay: float = 5.0,
    ack: str = "spool",
    spool_max_bytes: int = 2**30,
    on_full: str = "wait",
    max_object_bytes: int = 2**20,
    strict: bool = False,
    storage_class: str | None = None,
    upload_args: Mapping[str, Any] | None = None,
    client: Any = None,
    refresh_after: float = 1.0,
    check_plain: bool = True,
    clients: Any = None,
) -> BatchPatch:
    """
    A patch that gathers small puts into tars, in boto3, botocore, aiobotocore and aioboto3.

    match: which keys, "s3://bucket/prefix/*"; several of one bucket as a list. into: where the
    tars and their indexes go, "s3://bucket/prefix/". spool_dir: a folder of this process alone, on
    a disk that outlives a crash. max_bytes, max_count, max_delay (seconds): when a tar is full.
    ack: what a put waits for: "spool", the local disk; "upload", S3; "memory", nothing.
    spool_max_bytes: of what is not yet in S3; then on_full: "wait" (up to a minute), or "raise"
    QueueFull. max_object_bytes: larger bodies go straight to S3. strict: raise for what would go
    straight. storage_class, upload_args: of the tars: ServerSideEncryption, Tagging, … client: of
    botocore, which uploads and reads the batches; None for the first that a call is made on.
    refresh_after: seconds for which reads do not look for batches of other processes.
    check_plain: look, for each read of an object in a batch, whether a plain object is newer;
    False saves that HeadObject, where nobody else writes plain objects. clients: only these.

    Use it with `with`, `async with`, as a decorator, or `.install()`. Entering takes the spool, and
    uploads what an earlier process left there. Raises InvalidOptionError, SpoolError.
    """
    matched, purpose = read_match(match, into)
    options = make_options(
        purpose,
        max_bytes=max_bytes,
        max_count=max_count,
        max_delay=max_delay,
        spool_dir=spool_dir,
        spool_max_bytes=spool_max_bytes,
        ack=ack,
        on_full=on_full,
        max_object_bytes=max_object_bytes,
        storage_class=storage_class,
        upload_args=upload_args,
        client=client,
        refresh_after=refresh_after,
    )
    narrowing = Narrowing.of(clients, "s3")
    return BatchPatch(
        matched, options, narrowing, strict=bool(strict), check_plain=bool(check_plain)
    )
