"""What every store promises, whatever it keeps its entries in."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from boto_accel.cache.store import Entry
from tests.cache.stores.places import TTL, Place, keys_of

# One entry ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [b"key", b"\0\xff\n", b"k" * 300])
@pytest.mark.parametrize("payload", [b"", b"\0\xff" * 50_000])
def test_an_entry_comes_back_equal(place: Place, key: bytes, payload: bytes) -> None:
    """Keys and payloads are any bytes, tags and labels any text without a NUL."""
    store = place.open()
    now = place.clock()
    tags = ("s3 bucket", "\u00e9\U0001d11e \n;'\"%", "lone \ud800")
    made = Entry(payload, tags, now, now + 1.25, now + TTL, "label \u00e9")
    assert store.put(key, made, store.ticket(tags))
    assert store.get(key) == made
    assert store.peek(key) in (made, None)
    assert dict(store.entries()) == {key: made}


def test_what_was_not_put_is_not_there(place: Place) -> None:
    store = place.open()
    place.put(store, b"key")
    assert store.get(b"other") is None
    assert store.peek(b"other") is None


def test_an_entry_is_not_given_back_from_its_end_on(place: Place) -> None:
    store = place.open()
    made = place.put(store, b"key")
    place.clock.tick(TTL - 1)
    assert store.get(b"key") == made
    place.clock.tick(1)
    assert store.peek(b"key") is None
    assert store.get(b"key") is None
    assert keys_of(store) == []


def test_an_entry_that_is_over_is_not_kept(place: Place) -> None:
    store = place.open()
    made = place.entry(ttl=100)
    ticket = store.ticket(())
    place.clock.tick(100)
    assert store.put(b"key", made, ticket) is False


def test_a_later_entry_replaces_an_earlier_one(place: Place) -> None:
    store = place.open()
    place.put(store, b"key", b"first", "one")
    second = place.put(store, b"key", b"second", "one")
    assert store.get(b"key") == second
    assert store.peek(b"key") in (second, None)
    assert keys_of(store) == [b"key"]


def test_a_dropped_entry_is_gone(place: Place) -> None:
    store = place.open()
    place.put(store, b"key")
    other = place.put(store, b"other")
    store.drop(b"key")
    store.drop(b"never there")
    assert store.peek(b"key") is None
    assert store.get(b"key") is None
    assert dict(store.entries()) == {b"other": other}


# Invalidation, tickets --------------------------------------------------------------------------


def test_what_has_the_tag_is_forgotten_and_nothing_else(place: Place) -> None:
    store = place.open()
    place.put(store, b"1", b"", "bucket", "one")
    place.put(store, b"2", b"", "bucket", "two")
    other = place.put(store, b"3", b"", "three")
    assert store.get(b"1") is not None
    assert store.invalidate(["bucket", "one", "nobody's"]) == 2
    assert store.peek(b"1") is None
    assert store.get(b"1") is None
    assert store.get(b"2") is None
    assert store.get(b"3") == other
    assert store.invalidate(["bucket"]) == 0
    assert store.invalidate([]) == 0


def test_a_reply_that_was_asked_before_an_invalidation_is_not_kept(place: Place) -> None:
    store = place.open()
    ticket = store.ticket(["a", "b"])
    store.invalidate(["b"])
    assert store.put(b"key", place.entry(b"old", "a", "b"), ticket) is False
    assert store.get(b"key") is None
    assert store.put(b"key", place.entry(b"old", "a"), ticket) is True
    assert place.put(store, b"key", b"new", "a", "b") == store.get(b"key")


def test_a_reply_that_is_late_does_not_replace_what_came_since(place: Place) -> None:
    store = place.open()
    late = store.ticket(["a"])
    store.invalidate(["a"])
    new = place.put(store, b"key", b"new", "a")
    assert store.put(b"key", place.entry(b"old", "a"), late) is False
    assert store.get(b"key") == new


def test_the_invalidation_of_another_tag_does_not_keep_a_reply_out(place: Place) -> None:
    store = place.open()
    ticket = store.ticket(["a"])
    store.invalidate(["b"])
    store.drop(b"key")
    assert store.put(b"key", place.entry(b"", "a"), ticket) is True


def test_a_reply_that_was_asked_before_all_was_cleared_is_not_kept(place: Place) -> None:
    store = place.open()
    ticket = store.ticket(["a"])
    assert store.clear() == 0
    assert store.put(b"key", place.entry(b"", "a"), ticket) is False
    place.put(store, b"key", b"", "a")


def test_a_ticket_is_good_for_its_tags_alone(place: Place) -> None:
    store = place.open()
    assert store.put(b"key", place.entry(b"", "a", "b"), store.ticket(["a"])) is False


@pytest.mark.parametrize("ticket", [None, 0, (), ("x", 1, 2)])
def test_what_is_no_ticket_keeps_nothing(place: Place, ticket: object) -> None:
    """As when there was no disk, or no server, when it was taken."""
    assert place.open().put(b"key", place.entry(), ticket) is False


def test_clearing_forgets_all(place: Place) -> None:
    store = place.open()
    for number in range(5):
        place.put(store, b"%d" % number, b"", "tag")
    assert store.clear() == 5
    assert keys_of(store) == []
    assert store.get(b"1") is None
    assert store.clear() == 0
    assert store.invalidate(["tag"]) == 0


# Bounds -----------------------------------------------------------------------------------------


def test_the_least_recently_used_goes_first(place: Place) -> None:
    store = place.open(max_entries=3)
    for key in (b"1", b"2", b"3"):
        place.put(store, key)
    assert store.get(b"1") is not None
    place.put(store, b"4")
    assert keys_of(store) == [b"4", b"1", b"3"]
    assert store.peek(b"2") is None
    assert store.get(b"2") is None


def test_payloads_are_bounded_in_bytes(place: Place) -> None:
    store = place.open(max_bytes=100)
    for key in (b"1", b"2", b"3"):
        place.put(store, key, b"x" * 30)
    place.put(store, b"2", b"x" * 40)
    assert keys_of(store) == [b"2", b"3", b"1"]
    place.put(store, b"4", b"x" * 60)
    assert keys_of(store) == [b"4", b"2"]
    store.drop(b"4")
    place.put(store, b"5", b"x" * 60)
    assert keys_of(store) == [b"5", b"2"]
    store.clear()
    place.put(store, b"6", b"x" * 100)
    assert keys_of(store) == [b"6"]


def test_what_is_larger_than_the_bound_is_not_kept(place: Place) -> None:
    store = place.open(max_bytes=100)
    place.put(store, b"small", b"x" * 100)
    assert store.put(b"large", place.entry(b"x" * 101), store.ticket(())) is False
    assert keys_of(store) == [b"small"]


def test_a_store_for_no_entries_keeps_none(place: Place) -> None:
    store = place.open(max_entries=0)
    assert store.put(b"key", place.entry(), store.ticket(())) is False
    assert store.get(b"key") is None


def test_what_is_over_goes_before_what_is_used_least(place: Place) -> None:
    store = place.open(max_entries=2)
    place.put(store, b"old")
    short = place.entry(b"", ttl=TTL / 10)
    assert store.put(b"short", short, store.ticket(()))
    place.clock.tick(TTL / 5)
    place.put(store, b"new")
    assert keys_of(store) == [b"new", b"old"]


# Leadership -------------------------------------------------------------------------------------


def test_who_leads_leads_until_done(place: Place) -> None:
    store = place.open()
    assert store.lead(b"key") is True
    assert store.lead(b"other") is True
    store.done(b"key")
    store.done(b"key")
    assert store.lead(b"key") is True


def test_one_of_many_leads(shared_place: Place) -> None:
    one, two = shared_place.open(), shared_place.open()
    assert one.lead(b"key") is True
    assert two.lead(b"key") is False
    assert two.lead(b"other") is True
    two.done(b"key")
    assert two.lead(b"key") is False
    one.done(b"key")
    assert two.lead(b"key") is True
    assert one.lead(b"key") is False


def test_who_has_put_and_is_done_leads_no_more(shared_place: Place) -> None:
    one, two = shared_place.open(), shared_place.open()
    assert one.lead(b"key") is True
    shared_place.put(one, b"key")
    one.done(b"key")
    assert two.get(b"key") is not None
    assert two.lead(b"key") is True


# Many -------------------------------------------------------------------------------------------


def test_what_one_writes_another_sees_at_once(shared_place: Place) -> None:
    one, two = shared_place.open(), shared_place.open()
    for number in range(3):
        made = shared_place.put(one, b"key", b"%d" % number, "tag")
        assert two.peek(b"key") in (made, None)
        assert two.get(b"key") == made
        assert two.peek(b"key") in (made, None)


@pytest.mark.parametrize("how", ["invalidate", "drop", "clear"])
def test_what_one_forgets_no_other_gives_back(shared_place: Place, how: str) -> None:
    one, two = shared_place.open(), shared_place.open()
    shared_place.put(one, b"key", b"", "tag")
    other = shared_place.put(one, b"other", b"", "other")
    assert two.get(b"key") is not None
    assert two.get(b"other") is not None
    {"invalidate": lambda: one.invalidate(["tag"]), "drop": lambda: one.drop(b"key")}.get(
        how, one.clear
    )()
    assert two.peek(b"key") is None
    assert two.get(b"key") is None
    assert two.get(b"other") == (None if how == "clear" else other)


@pytest.mark.parametrize("how", ["invalidate", "clear"])
def test_what_another_made_stale_on_its_way_is_not_kept(shared_place: Place, how: str) -> None:
    one, two = shared_place.open(), shared_place.open()
    ticket = one.ticket(["tag"])
    {"invalidate": lambda: two.invalidate(["tag"])}.get(how, two.clear)()
    assert one.put(b"key", shared_place.entry(b"", "tag"), ticket) is False
    assert two.get(b"key") is None


def test_a_closed_store_opens_again(place: Place) -> None:
    store = place.open()
    made = place.put(store, b"key")
    store.close()
    assert store.get(b"key") == made
    store.close()
    store.close()
    place.put(store, b"other")
    assert set(keys_of(store)) == {b"key", b"other"}


def test_threads_get_what_belongs_to_the_key(place: Place) -> None:
    """8 threads, 12 keys, room for 8: whatever comes back was put under that key."""
    store = place.open(max_entries=8)
    ready = threading.Barrier(8)

    def work(thread: int) -> None:
        ready.wait()
        for turn in range(60):
            key = b"%d" % ((thread * 7 + turn * 5) % 12)
            tag = f"tag {key.decode()}"
            found = store.peek(key) or store.get(key)
            if found is None:
                made = place.entry(b"%b of %d" % (key, thread), tag)
                store.put(key, made, store.ticket([tag]))
            else:
                assert found.payload.startswith(key + b" of ")
            if turn % 9 == thread:
                store.invalidate([tag])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(keys_of(store)) <= (8 if place.kind in ("memory", "mapping", "sqlite") else 16)
