"""
The store on a server: Redis or Valkey, one or a cluster, for users on many machines.

    redis://[user:password@]host[:port][/db][?option=value&...]
    rediss://...    the same over TLS

Options: `cluster=true`; `prefix=name`, what the names of keys begin with; and those of redis-py
(`socket_timeout`, `ssl_ca_certs`, `ssl_certfile`, ...).

An entry is good while the *marks* that it was stored with are those that its tags have. A mark is
a random text, one a tag, and one for the whole cache. To invalidate is to delete the mark: whoever
stores something new makes another one, which no older reply has. So

* nothing has to be atomic, and a cache may be spread over a cluster;
* deleting is never refused for want of memory;
* whatever the server evicts by itself, or loses in a restart, makes entries invisible, never a
  forgotten one visible.

What a replica that is promoted had not received yet is lost, as everything with asynchronous
replication. There is no front in this process: it would not see what other machines invalidate.

The bounds are approximate: processes that store at the same time may delete an entry too many or
too few. The order of use is that of the machines' clocks.

    e:<key>   an entry: its marks, and the entry (`record.py`); expires with it
    m:<tag>   the mark of a tag; m: alone is that of the whole cache
    t:<tag>   a sorted set: the keys of the entries with the tag, by expiry; t: alone has all keys
    u         a sorted set: keys by last use
    s, b      with max_bytes: a hash of sizes by key, and their sum
    l:<key>   who leads
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from boto_accel.cache.store import Entry, Ticket
from boto_accel.cache.stores.forks import watch_forks
from boto_accel.cache.stores.notices import Notices
from boto_accel.cache.stores.owed import Names, Owed
from boto_accel.cache.stores.owners import is_gone, new_owner
from boto_accel.cache.stores.pause import Pause
from boto_accel.cache.stores.record import can_keep, decode_entry, encode_entry
from boto_accel.cache.stores.redis_server import Server

LEAD_S = 30.0  # seconds; after that a leader on another machine, or that hangs, is passed over
FLUSH_AFTER_S = 10.0  # seconds; uses that are noted in memory are written at the latest
_MOST_USES = 256  # noted uses
_MOST_KNOWN = 4096  # keys whose tags are remembered
_CALL_MS = 15 * 60_000  # milliseconds; the longest time from a ticket to its `put`
_MARGIN_MS = 60_000  # milliseconds; how much longer than its entries a mark lives
_INDEX_MS = 24 * 3_600_000  # milliseconds; the index lives so long after the last `put`
_SWEPT = 64  # expired entries that one `put` deletes
_MARK_BYTES = 16
_CHUNK = 200  # keys of one pipeline
_ALL = ""  # the tag that all entries have

_SUCCEED = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

_T = TypeVar("_T")


class _Mark(NamedTuple):
    text: bytes
    lasts_ms: int


class _Ticket(NamedTuple):
    marks: dict[str, _Mark]


class RedisStore:
    """
    Synchronous, for threads; a call waits for one or two round trips, and at most for the
    timeouts of the connection (`redis_server.py`).

    Guarding: the client is safe to share (redis-py); `_lock` guards what is noted of uses, known
    of tags and owed, and is never held over a round trip.
    """

    def __init__(
        self,
        url: str,
        *,
        max_entries: int,
        max_bytes: int | None = None,
        lead_s: float = LEAD_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._server = Server(url)
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lead_s = lead_s
        self._clock = clock
        self._notices = Notices(self._server.name)
        self._pause = Pause()
        self._lock = threading.RLock()  # re-entrant: a signal handler may fork
        self._owed = Owed()
        self._uses: dict[bytes, float] = {}
        self._last_use = 0.0
        self._flushed_at = clock()
        self._known: dict[bytes, tuple[str, ...]] = {}
        self._index_ms = _INDEX_MS
        self._owner = new_owner()
        watch_forks(self)

    def __repr__(self) -> str:
        return f"<RedisStore {self._server.name}>"

    # Looking

    def peek(self, key: bytes) -> Entry | None:
        return None  # nothing is at hand

    def get(self, key: bytes) -> Entry | None:
        entry = self._ask(lambda client: self._look(client, key), None)
        if self._uses and self._is_time_to_flush():
            self._ask(self._flush, None)
        return entry

    def entries(self) -> Iterator[tuple[bytes, Entry]]:
        self._ask(self._flush, None)
        none: list[bytes] = []
        nothing: dict[bytes, Entry] = {}
        keys = self._ask(lambda client: list(client.zrevrange(self._name("u"), 0, -1)), none)
        for some in _chunks(keys):
            yield from self._ask(partial(self._fetch, keys=some), nothing).items()

    # Writing

    def ticket(self, tags: Iterable[str]) -> Ticket:
        return self._ask(lambda client: self._take_ticket(client, {_ALL, *tags}), None)

    def put(self, key: bytes, entry: Entry, ticket: Ticket) -> bool:
        if not isinstance(ticket, _Ticket) or not self._may_keep(entry):
            return False
        if not ticket.marks.keys() >= set(entry.tags):
            return False  # nothing is known of the others
        return self._ask(lambda client: self._put(client, key, entry, ticket.marks), False)

    def drop(self, key: bytes) -> None:
        self._forget(Names(keys=frozenset([key])))

    def invalidate(self, tags: Iterable[str]) -> int:
        names = Names(tags=frozenset(tags))
        return self._forget(names) if names.tags else 0

    def clear(self) -> int:
        return self._forget(Names(everything=True))

    # Leadership

    def lead(self, key: bytes) -> bool:
        # Where the server does not answer, everybody leads.
        return self._ask(lambda client: self._lead(client, self._name("l:", key)), True)

    def done(self, key: bytes) -> None:
        self._ask(lambda client: self._done(client, self._name("l:", key)), None)

    # Closing, forking

    def close(self) -> None:
        if self._uses:
            self._ask(self._flush, None)
        self._server.close()
        self._pause.end()

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self, *, is_prepared: bool) -> None:
        if is_prepared:
            self._lock.release()
        else:
            self._lock = threading.RLock()
        self._owner = new_owner()
        self._server.forget()

    # Within

    def _ask(self, what: Callable[[Any], _T], otherwise: _T) -> _T:
        """What *what* returns; *otherwise* where the server is of no use."""
        if not self._pause.is_over():
            return otherwise
        try:
            client = self._server.client()
            if self._owed:
                self._pay(client)
            found = what(client)
            self._pause.end()
            return found
        except self._server.trouble as error:
            self._pause.begin()
            self._notices.once(type(error).__name__, f"goes on without: {_described(error)}")
            return otherwise

    def _pay(self, client: Any) -> None:
        with self._lock:
            names = self._owed.names()
        self._forget_at(client, names)
        with self._lock:
            if self._owed.names() == names:  # else more has come meanwhile: the next one pays
                self._owed.clear()

    def _name(self, kind: str, rest: str | bytes = b"") -> bytes:
        text = rest.encode("utf-8", "surrogatepass") if isinstance(rest, str) else rest
        return self._server.prefix + kind.encode() + text

    # Looking

    def _look(self, client: Any, key: bytes) -> Entry | None:
        entry = self._fetch_known(client, key, self._known.get(key))
        if entry is not None:
            self._note(key, entry)
        return entry

    def _fetch_known(self, client: Any, key: bytes, tags: tuple[str, ...] | None) -> Entry | None:
        """The entry, in one round trip if its tags are *tags*."""
        if tags is None:
            return self._fetch(client, [key]).get(key)
        names = (_ALL, *tags)
        pipe = client.pipeline(transaction=False)
        pipe.get(self._name("e:", key))
        for name in names:
            pipe.get(self._name("m:", name))
        value, *marks = pipe.execute()
        found = _decode(value)
        if found is not None and found[1].tags != tags:
            return self._fetch(client, [key]).get(key)
        return self._checked(found, dict(zip(names, marks, strict=True)))

    def _fetch(self, client: Any, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Those of *keys* that have a good entry; in two round trips."""
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.get(self._name("e:", key))
        found = {key: _decode(value) for key, value in zip(keys, pipe.execute(), strict=True)}
        tags = {tag for each in found.values() if each for tag in (_ALL, *each[1].tags)}
        marks = self._marks(client, sorted(tags))
        checked = {key: self._checked(each, marks) for key, each in found.items()}
        return {key: entry for key, entry in checked.items() if entry is not None}

    def _marks(self, client: Any, tags: Sequence[str]) -> dict[str, bytes | None]:
        if not tags:
            return {}
        pipe = client.pipeline(transaction=False)
        for tag in tags:
            pipe.get(self._name("m:", tag))
        return dict(zip(tags, pipe.execute(), strict=True))

    def _checked(
        self, found: tuple[list[bytes], Entry] | None, marks: Mapping[str, bytes | None]
    ) -> Entry | None:
        if found is None or found[1].stale_until <= self._clock():
            return None
        wanted = [marks.get(tag) for tag in (_ALL, *found[1].tags)]
        return found[1] if found[0] == wanted else None

    # Writing

    def _take_ticket(self, client: Any, tags: set[str]) -> _Ticket | None:
        names = sorted(tags)
        pipe = client.pipeline(transaction=False)
        for name in names:
            mark = self._name("m:", name)
            pipe.set(mark, secrets.token_bytes(_MARK_BYTES), nx=True, px=_CALL_MS)
            pipe.get(mark)
            pipe.pttl(mark)
        replies = pipe.execute()
        found = zip(names, replies[1::3], replies[2::3], strict=True)
        marks = {name: _Mark(text, lasts) for name, text, lasts in found}
        return _Ticket(marks) if None not in replies[1::3] else None  # evicted at once

    def _put(self, client: Any, key: bytes, entry: Entry, marks: Mapping[str, _Mark]) -> bool:
        wanted = {name: marks[name].text for name in (_ALL, *entry.tags)}
        names = list(wanted)
        if self._marks(client, names) != wanted:
            return False  # and what may have been put since is left alone
        now = self._clock()
        lasts_ms = max(1, int((entry.stale_until - now) * 1000))
        pipe = client.pipeline(transaction=False)
        self._add_to_index(pipe, key, entry, now, lasts_ms)
        for name in names:
            if marks[name].lasts_ms < lasts_ms + _MARGIN_MS:
                pipe.pexpire(self._name("m:", name), lasts_ms + _MARGIN_MS)
        texts = [wanted[tag] for tag in (_ALL, *entry.tags)]
        pipe.set(self._name("e:", key), _encode(texts, entry), px=lasts_ms)
        pipe.zcard(self._name("u"))
        pipe.zrangebyscore(self._name("t:"), "-inf", now, start=0, num=_SWEPT)
        for name in names:
            pipe.get(self._name("m:", name))
        number, expired, *found = pipe.execute()[-2 - len(names) :]
        self._keep_max_entries(client, number, expired)
        if self._max_bytes is not None:
            self._keep_max_bytes(client, key, len(entry.payload), self._max_bytes)
        self._note(key, entry)
        # What is invalidated from here on finds the entry stored. If some was just now, the entry
        # is invisible.
        return found == list(wanted.values())

    def _add_to_index(self, pipe: Any, key: bytes, entry: Entry, now: float, lasts_ms: int) -> None:
        """Whatever is lost of the index, by expiry or otherwise, costs just exact bounds."""
        self._index_ms = max(self._index_ms, lasts_ms)
        self._add_uses(pipe)
        used, everything = self._name("u"), self._name("t:")
        pipe.zadd(used, {key: self._stamp(now)})
        pipe.zadd(everything, {key: entry.stale_until})
        pipe.pexpire(used, self._index_ms)
        pipe.pexpire(everything, self._index_ms)
        for tag in set(entry.tags):
            name = self._name("t:", tag)
            pipe.zadd(name, {key: entry.stale_until})
            pipe.zremrangebyscore(name, "-inf", now)
            pipe.zremrangebyrank(name, 0, -2 * self._max_entries - 1)
            pipe.pexpire(name, self._index_ms)

    def _keep_max_entries(self, client: Any, number: int, expired: Sequence[bytes]) -> None:
        """Delete what has expired, and then the least recently used beyond the bound."""
        self._remove(client, expired)
        beyond = number - len(expired) - self._max_entries
        if beyond > 0:
            self._remove(client, client.zrange(self._name("u"), 0, beyond - 1))

    def _keep_max_bytes(self, client: Any, key: bytes, size: int, max_bytes: int) -> None:
        sizes, total_name = self._name("s"), self._name("b")
        pipe = client.pipeline(transaction=False)
        pipe.hget(sizes, key)
        pipe.hset(sizes, key, size)
        before = int(pipe.execute()[0] or 0)
        total = client.incrby(total_name, size - before)
        pipe = client.pipeline(transaction=False)
        pipe.pexpire(sizes, self._index_ms)
        pipe.pexpire(total_name, self._index_ms)
        pipe.execute()
        while total > max_bytes:
            least_used = client.zrange(self._name("u"), 0, 0)
            if not least_used:
                return
            self._remove(client, least_used)
            total = int(client.get(total_name) or 0)

    def _remove(self, client: Any, keys: Sequence[bytes]) -> int:
        """Delete the entries of *keys*; how many there were."""
        removed = 0
        for some in _chunks(keys):
            pipe = client.pipeline(transaction=False)
            for key in some:
                pipe.unlink(self._name("e:", key))
                pipe.zrem(self._name("u"), key)
                pipe.zrem(self._name("t:"), key)
            removed += sum(pipe.execute()[::3])
            if self._max_bytes is not None:
                self._forget_sizes(client, some)
        return removed

    def _forget_sizes(self, client: Any, keys: Sequence[bytes]) -> None:
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.hget(self._name("s"), key)
            pipe.hdel(self._name("s"), key)
        replies = pipe.execute()
        # Just once, whoever else deletes the same.
        freed = sum(int(size or 0) * gone for size, gone in zip(*[iter(replies)] * 2, strict=True))
        if freed:
            client.decrby(self._name("b"), freed)

    def _may_keep(self, entry: Entry) -> bool:
        return (
            self._max_entries > 0
            and (self._max_bytes is None or len(entry.payload) <= self._max_bytes)
            and entry.stale_until > self._clock()
            and _ALL not in entry.tags
            and can_keep(entry)
        )

    # Forgetting

    def _forget(self, names: Names) -> int:
        forgotten = self._ask(lambda client: self._forget_at(client, names), None)
        if forgotten is None:
            with self._lock:
                self._owed.add(names)
        return forgotten or 0

    def _forget_at(self, client: Any, names: Names) -> int:
        """First the marks, which is what counts; then the entries, to make room."""
        tags = [_ALL] if names.everything else sorted(names.tags)
        keys = set(names.keys)
        pipe = client.pipeline(transaction=False)
        for tag in tags:
            pipe.unlink(self._name("m:", tag))
            pipe.zrange(self._name("t:", tag), 0, -1)
            pipe.unlink(self._name("t:", tag))
        for tagged in pipe.execute()[1::3]:
            keys.update(tagged)
        removed = self._remove(client, sorted(keys))
        if names.everything:
            for kind in ("u", "s", "b"):
                client.unlink(self._name(kind))
        return removed

    # Leadership

    def _lead(self, client: Any, name: bytes) -> bool:
        lasts_ms = int(self._lead_s * 1000)
        if client.set(name, self._owner, nx=True, px=lasts_ms):
            return True
        leader = client.get(name)
        if leader is None:  # it has just ended
            return bool(client.set(name, self._owner, nx=True, px=lasts_ms))
        if leader == self._owner:
            return True
        return is_gone(leader) and bool(
            client.eval(_SUCCEED, 1, name, leader, self._owner, lasts_ms)
        )

    def _done(self, client: Any, name: bytes) -> None:
        # Should it pass to another one just between these two, that one's call is made twice.
        if client.get(name) == self._owner:
            client.unlink(name)

    # What is noted

    def _note(self, key: bytes, entry: Entry) -> None:
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = entry.tags
            self._uses.pop(key, None)
            self._uses[key] = self._stamp(self._clock())

    def _stamp(self, now: float) -> float:
        """*now*, but later than any use before, so that the order of uses is kept."""
        self._last_use = max(now, self._last_use + 1e-6)
        return self._last_use

    def _is_time_to_flush(self) -> bool:
        return len(self._uses) >= _MOST_USES or self._clock() >= self._flushed_at + FLUSH_AFTER_S

    def _add_uses(self, pipe: Any) -> None:
        with self._lock:
            uses, self._uses = self._uses, {}
            self._flushed_at = self._clock()
        if uses:
            pipe.zadd(self._name("u"), uses, xx=True)

    def _flush(self, client: Any) -> None:
        pipe = client.pipeline(transaction=False)
        self._add_uses(pipe)
        pipe.execute()


def _encode(marks: Sequence[bytes], entry: Entry) -> bytes:
    return b"".join((len(marks).to_bytes(2, "big"), *marks, encode_entry(entry)))


def _decode(value: bytes | None) -> tuple[list[bytes], Entry] | None:
    """The marks and the entry; None if it is not one of ours."""
    if value is None:
        return None
    end = 2 + _MARK_BYTES * int.from_bytes(value[:2], "big")
    entry = decode_entry(value[end:])
    if entry is None:
        return None
    return [value[start : start + _MARK_BYTES] for start in range(2, end, _MARK_BYTES)], entry


def _described(error: BaseException) -> str:
    """What is wrong, without the command that it was found with: that may hold a reply."""
    return str(error).rpartition(" caused error: ")[2].partition(", with args")[0]


def _chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))
