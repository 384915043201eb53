"""
What a cache on Redis or Valkey does, as steps: each yields the commands of one round trip, and is
sent their replies. Sockets are elsewhere (`redis.py`).

An entry is good while the *marks* that it was stored with are those that its tags have. A mark is
a random text, one a tag, and one for the whole cache. To invalidate is to delete the mark: whoever
stores something new makes another one, which no older reply has. So

* nothing has to be atomic, and a cache may be spread over a cluster;
* deleting is never refused for want of memory;
* whatever the server evicts by itself, or loses in a restart, makes entries invisible, never a
  forgotten one visible.

What a replica that is promoted had not received yet is lost, as everything with asynchronous
replication. There is no front in this process: it would not see what other machines invalidate.

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from boto_accel.cache.drive import Steps
from boto_accel.cache.store import Entry, Ticket
from boto_accel.cache.stores.notices import Notices
from boto_accel.cache.stores.owed import Names, Owed
from boto_accel.cache.stores.owners import is_gone, new_owner
from boto_accel.cache.stores.pause import Pause
from boto_accel.cache.stores.record import can_keep, decode_entry, encode_entry
from boto_accel.cache.stores.redis_index import ALL, Command, Index, ask, one

LEAD_S = 30.0  # seconds; after that a leader on another machine, or that hangs, is passed over
_MOST_KNOWN = 4096  # keys whose tags are remembered
_CALL_MS = 15 * 60_000  # milliseconds; the longest time from a ticket to its `put`
_MARGIN_MS = 60_000  # milliseconds; how much longer than its entries a mark lives
_MARK_BYTES = 16

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


class RedisSteps:
    """
    prefix: what the names of keys begin with. trouble: what a round trip may raise for what is
    wrong with the server or the network.

    Guarding: `_lock` guards what is known of tags and owed, the index has one for uses; neither is
    held over a round trip.
    """

    def __init__(
        self,
        prefix: bytes,
        trouble: tuple[type[BaseException], ...],
        notices: Notices,
        *,
        max_entries: int,
        max_bytes: int | None,
        lead_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._prefix = prefix
        self._trouble = trouble
        self._notices = notices
        self._lead_ms = int(lead_s * 1000)
        self._clock = clock
        self._index = Index(self._name, max_entries, max_bytes, clock)
        self._pause = Pause()
        self._lock = threading.RLock()  # re-entrant: a signal handler may fork
        self._owed = Owed()
        self._known: dict[bytes, tuple[str, ...]] = {}
        self._owner = new_owner()

    # What a store does

    def get(self, key: bytes) -> Steps[Entry | None]:
        entry = yield from self._asked(self._look(key), None)
        if self._index.uses.is_due():
            yield from self._asked(self._index.flush(), None)
        return entry

    def keys_by_use(self) -> Steps[list[bytes]]:
        none: list[bytes] = []
        yield from self.flush()
        return (yield from self._asked(self._index.keys_by_use(), none))

    def fetch(self, keys: Sequence[bytes]) -> Steps[dict[bytes, Entry]]:
        """Those of *keys* that have a good entry."""
        nothing: dict[bytes, Entry] = {}
        return (yield from self._asked(self._fetch(keys), nothing))

    def ticket(self, tags: Iterable[str]) -> Steps[Ticket]:
        return (yield from self._asked(self._take_ticket({ALL, *tags}), None))

    def put(self, key: bytes, entry: Entry, ticket: Ticket) -> Steps[bool]:
        if not isinstance(ticket, _Ticket) or not self._may_keep(entry):
            return False
        if not ticket.marks.keys() >= set(entry.tags):
            return False  # nothing is known of the others
        return (yield from self._asked(self._put(key, entry, ticket.marks), False))

    def invalidate(self, tags: Iterable[str]) -> Steps[int]:
        names = Names(tags=frozenset(tags))
        return (yield from self.forget(names)) if names.tags else 0

    def forget(self, names: Names) -> Steps[int]:
        forgotten = None
        try:
            forgotten = yield from self._asked(self._forget_at(names), None)
        finally:
            # Also where a loop ends amid it: it is done before anything is given back.
            if forgotten is None:
                with self._lock:
                    self._owed.add(names)
        return forgotten or 0

    def lead(self, key: bytes) -> Steps[bool]:
        # Where the server does not answer, everybody leads.
        return (yield from self._asked(self._lead(self._name("l:", key)), True))

    def done(self, key: bytes) -> Steps[None]:
        yield from self._asked(self._done(self._name("l:", key)), None)

    def flush(self) -> Steps[None]:
        if self._index.uses:
            yield from self._asked(self._index.flush(), None)

    def close(self) -> None:
        self._pause.end()

    # Forking

    def before_fork(self) -> None:
        self._lock.acquire()
        self._index.lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._index.lock.release()
        self._lock.release()

    def after_fork_in_child(self, *, is_prepared: bool) -> None:
        if is_prepared:
            self.after_fork_in_parent()
        else:
            self._lock, self._index.lock = threading.RLock(), threading.RLock()
        self._owner = new_owner()

    # Within

    def _asked(self, steps: Steps[_T], otherwise: _T) -> Steps[_T]:
        """What *steps* return; *otherwise* where the server is of no use."""
        if not self._pause.is_over():
            return otherwise
        try:
            if self._owed:
                yield from self._pay()
            found = yield from steps
            self._pause.end()
            return found
        except self._trouble as error:
            self._pause.begin()
            self._notices.once(type(error).__name__, f"goes on without: {_described(error)}")
            return otherwise

    def _pay(self) -> Steps[None]:
        with self._lock:
            names = self._owed.names()
        yield from self._forget_at(names)
        with self._lock:
            if self._owed.names() == names:  # else more has come meanwhile: the next one pays
                self._owed.clear()

    def _name(self, kind: str, rest: str | bytes = b"") -> bytes:
        text = rest.encode("utf-8", "surrogatepass") if isinstance(rest, str) else rest
        return self._prefix + kind.encode() + text

    # Looking

    def _look(self, key: bytes) -> Steps[Entry | None]:
        entry = yield from self._fetch_known(key, self._known.get(key))
        if entry is not None:
            self._note(key, entry)
        return entry

    def _fetch_known(self, key: bytes, tags: tuple[str, ...] | None) -> Steps[Entry | None]:
        """The entry, in one round trip if its tags are *tags*."""
        if tags is None:
            return (yield from self._fetch([key])).get(key)
        names = (ALL, *tags)
        value, *marks = yield ask(
            [("GET", self._name("e:", key)), *(("GET", self._name("m:", name)) for name in names)]
        )
        found = _decode(value)
        if found is not None and found[1].tags != tags:
            return (yield from self._fetch([key])).get(key)
        return self._checked(found, dict(zip(names, marks, strict=True)))

    def _fetch(self, keys: Sequence[bytes]) -> Steps[dict[bytes, Entry]]:
        """Those of *keys* that have a good entry; in two round trips."""
        values = yield ask([("GET", self._name("e:", key)) for key in keys])
        found = {key: _decode(value) for key, value in zip(keys, values, strict=True)}
        tags = {tag for each in found.values() if each for tag in (ALL, *each[1].tags)}
        marks = yield from self._marks(sorted(tags))
        checked = {key: self._checked(each, marks) for key, each in found.items()}
        return {key: entry for key, entry in checked.items() if entry is not None}

    def _marks(self, tags: Sequence[str]) -> Steps[dict[str, bytes | None]]:
        if not tags:
            return {}
        found = yield ask([("GET", self._name("m:", tag)) for tag in tags])
        return dict(zip(tags, found, strict=True))

    def _checked(
        self, found: tuple[list[bytes], Entry] | None, marks: Mapping[str, bytes | None]
    ) -> Entry | None:
        if found is None or found[1].stale_until <= self._clock():
            return None
        wanted = [marks.get(tag) for tag in (ALL, *found[1].tags)]
        return found[1] if found[0] == wanted else None

    # Writing

    def _take_ticket(self, tags: set[str]) -> Steps[_Ticket | None]:
        names = sorted(tags)
        commands: list[Command] = []
        for name in names:
            mark = self._name("m:", name)
            fresh = secrets.token_bytes(_MARK_BYTES)
            commands += [("SET", mark, fresh, "NX", "PX", _CALL_MS), ("GET", mark), ("PTTL", mark)]
        replies = yield ask(commands)
        found = zip(names, replies[1::3], replies[2::3], strict=True)
        marks = {name: _Mark(text, lasts) for name, text, lasts in found}
        return _Ticket(marks) if None not in replies[1::3] else None  # evicted at once

    def _put(self, key: bytes, entry: Entry, marks: Mapping[str, _Mark]) -> Steps[bool]:
        wanted = {name: marks[name].text for name in (ALL, *entry.tags)}
        names = list(wanted)
        if (yield from self._marks(names)) != wanted:
            return False  # and what may have been put since is left alone
        now = self._clock()
        lasts_ms = max(1, int((entry.stale_until - now) * 1000))
        texts = [wanted[tag] for tag in (ALL, *entry.tags)]
        replies = yield ask(
            [
                *self._index.adding(key, entry, now, lasts_ms),
                *self._prolonging(marks, names, lasts_ms + _MARGIN_MS),
                ("SET", self._name("e:", key), _encode(texts, entry), "PX", lasts_ms),
                *self._index.counting(now),
                *(("GET", self._name("m:", name)) for name in names),
            ]
        )
        number, expired, *found = replies[-2 - len(names) :]
        yield from self._index.keep_bounds(key, len(entry.payload), number, expired)
        self._note(key, entry)
        # What is invalidated from here on finds the entry stored. If some was just now, the entry
        # is invisible.
        return bool(found == list(wanted.values()))

    def _prolonging(
        self, marks: Mapping[str, _Mark], names: Sequence[str], lasts_ms: int
    ) -> list[Command]:
        short = [name for name in names if marks[name].lasts_ms < lasts_ms]
        return [("PEXPIRE", self._name("m:", name), lasts_ms) for name in short]

    def _may_keep(self, entry: Entry) -> bool:
        return (
            self._index.admits(len(entry.payload))
            and entry.stale_until > self._clock()
            and ALL not in entry.tags
            and can_keep(entry)
        )

    # Forgetting

    def _forget_at(self, names: Names) -> Steps[int]:
        """First the marks, which is what counts; then the entries, to make room."""
        tags = [ALL] if names.everything else sorted(names.tags)
        keys = set(names.keys)
        if tags:
            marks = [("UNLINK", self._name("m:", tag)) for tag in tags]
            replies = yield ask([*marks, *self._index.taking(tags)])
            keys.update(key for tagged in replies[len(tags) :: 2] for key in tagged)
        removed = yield from self._index.remove(sorted(keys))
        if names.everything:
            yield from self._index.clear()
        return removed

    # Leadership

    def _lead(self, name: bytes) -> Steps[bool]:
        take: Command = ("SET", name, self._owner, "NX", "PX", self._lead_ms)
        if (yield one(*take)):
            return True
        leader = yield one("GET", name)
        if leader is None:  # it has just ended
            return bool((yield one(*take)))
        if leader == self._owner:
            return True
        if not is_gone(leader):
            return False
        return bool((yield one("EVAL", _SUCCEED, 1, name, leader, self._owner, self._lead_ms)))

    def _done(self, name: bytes) -> Steps[None]:
        # Should it pass to another one just between these two, that one's call is made twice.
        if (yield one("GET", name)) == self._owner:
            yield one("UNLINK", name)

    def _note(self, key: bytes, entry: Entry) -> None:
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = entry.tags
        self._index.note_use(key)


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
