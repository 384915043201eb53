"""Every store against a model of a few lines: any sequence of calls, the same outcomes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from boto_accel.cache.store import Entry, Store
from tests.cache.stores.places import TTL, Place

KEYS = [b"a", b"b", b"c", b"d", b"e", b"f"]
# What is put under a key always has the same tags, as with API calls.
TAGS = {b"a": ("one",), b"b": ("two",), b"c": ("one", "two"), b"d": (), b"e": ("two",), b"f": ()}
STEP = TTL / 4

keys = st.sampled_from(KEYS)
tags = st.sampled_from(["one", "two", "nobody's"])


@dataclass
class Model:
    """What a store should do; the least recently used entry is the first."""

    max_entries: int
    max_bytes: int
    held: OrderedDict[bytes, Entry] = field(default_factory=OrderedDict)

    def get(self, key: bytes, now: float) -> Entry | None:
        found = self.held.get(key)
        if found is None or found.stale_until <= now:
            return None
        self.held.move_to_end(key)
        return found

    def put(self, key: bytes, entry: Entry, now: float) -> None:
        self.held.pop(key, None)
        self._drop([each for each, held in self.held.items() if held.stale_until <= now])
        self.held[key] = entry
        while len(self.held) > self.max_entries or self._bytes() > self.max_bytes:
            self.held.popitem(last=False)

    def invalidate(self, tag: str) -> None:
        self._drop([key for key in self.held if tag in TAGS[key]])

    def live(self, now: float) -> list[tuple[bytes, Entry]]:
        return [(key, each) for key, each in reversed(self.held.items()) if each.stale_until > now]

    def _drop(self, keys: list[bytes]) -> None:
        for key in keys:
            del self.held[key]

    def _bytes(self) -> int:
        return sum(len(entry.payload) for entry in self.held.values())


class Machine(RuleBasedStateMachine):
    """
    *bounded*: one store with narrow bounds. Otherwise two in one place and room for all, since
    the uses that one has noted are not known to the other at once.
    """

    make_place: Callable[[], Place]
    stores = 1
    max_entries = 3
    max_bytes = 40

    @initialize()
    def begin(self) -> None:
        self.place = type(self).make_place()
        options: dict[str, Any] = {"max_entries": self.max_entries, "max_bytes": self.max_bytes}
        self.all = [self.place.open(**options) for _ in range(self.stores)]
        self.model = Model(self.max_entries, self.max_bytes)
        self.tickets: list[tuple[Any, bytes, Entry, set[str]]] = []
        self.puts = 0

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.close()

    def store(self, which: int) -> Store:
        return self.all[which % self.stores]

    @rule(which=st.integers(0, 1), key=keys)
    def peek(self, which: int, key: bytes) -> None:
        found = self.store(which).peek(key)
        if found is not None:
            assert found == self.model.get(key, self.place.clock())

    @rule(which=st.integers(0, 1), key=keys)
    def get(self, which: int, key: bytes) -> None:
        assert self.store(which).get(key) == self.model.get(key, self.place.clock())

    @rule(which=st.integers(0, 1), key=keys, size=st.sampled_from([0, 9, 25]), late=st.booleans())
    def ask(self, which: int, key: bytes, size: int, late: bool) -> None:
        self.puts += 1
        made = self.place.entry(b"%d" % self.puts + b"x" * size, *TAGS[key], ttl=TTL)
        store = self.store(which)
        self.tickets.append((store.ticket(TAGS[key]), key, made, set()))
        if not late:
            self.answer(which, len(self.tickets) - 1)

    @rule(which=st.integers(0, 1), number=st.integers(0, 5))
    def answer(self, which: int, number: int) -> None:
        if not self.tickets:
            return
        ticket, key, made, stale = self.tickets.pop(number % len(self.tickets))
        if self.place.kind in ("memory", "mapping"):
            which = 0
        now = self.place.clock()
        kept = made.stale_until > now and not stale & {*TAGS[key], "all"}
        assert self.store(which).put(key, made, ticket) is kept
        if kept:
            self.model.put(key, made, now)

    @rule(which=st.integers(0, 1), tag=tags)
    def invalidate(self, which: int, tag: str) -> None:
        live = [key for key, _ in self.model.live(self.place.clock()) if tag in TAGS[key]]
        all_ = [key for key in self.model.held if tag in TAGS[key]]
        # What is over may be counted or not.
        assert len(live) <= self.store(which).invalidate([tag]) <= len(all_)
        self.model.invalidate(tag)
        for _, _, _, stale in self.tickets:
            stale.add(tag)

    @rule(which=st.integers(0, 1))
    def clear(self, which: int) -> None:
        live = len(self.model.live(self.place.clock()))
        assert live <= self.store(which).clear() <= len(self.model.held)
        self.model.held.clear()
        for _, _, _, stale in self.tickets:
            stale.add("all")

    @rule(which=st.integers(0, 1), key=keys)
    def drop(self, which: int, key: bytes) -> None:
        self.store(which).drop(key)
        self.model.held.pop(key, None)

    @rule()
    def time_passes(self) -> None:
        self.place.clock.tick(STEP)

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.store(which).close()

    @rule(which=st.integers(0, 1))
    def listing(self, which: int) -> None:
        found = list(self.store(which).entries())
        wanted = self.model.live(self.place.clock())
        if self.stores == 1:
            assert found == wanted
        assert dict(found) == dict(wanted)


SETTINGS = settings(
    max_examples=60,
    derandomize=True,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_one_store_does_as_the_model(make_place: Callable[[], Place]) -> None:
    machine = type("OneStore", (Machine,), {"make_place": staticmethod(make_place)})
    run_state_machine_as_test(machine, settings=SETTINGS)


def test_two_stores_do_as_the_model(make_shared_place: Callable[[], Place]) -> None:
    made = {"make_place": staticmethod(make_shared_place), "stores": 2}
    machine = type("TwoStores", (Machine,), {**made, "max_entries": 99, "max_bytes": 9999})
    run_state_machine_as_test(machine, settings=SETTINGS)
