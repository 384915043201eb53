"""The Redis store: servers that are down, slow, full, restarted or not trusted; a cluster."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisCluster

from boto_accel.cache.stores.redis import RedisStore
from boto_accel.errors import InvalidOptionError, MissingExtraError
from tests.cache.stores.places import Loop, Place, ThroughALoop, keys_of
from tests.servers.tls import TLSFiles, server_context
from tests.servers.valkey import TLSFront, Valkey, run_valkey

PASSWORD = "s3cret-word"
PATIENT = "socket_timeout=60&socket_connect_timeout=60"
IMPATIENT = "socket_timeout=0.05&socket_connect_timeout=0.05"


@pytest.fixture(params=["threads", "asyncio"])
def place_at(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Place]]:
    """`place_at(url)` is the place that the URL names, for either world."""
    places: list[Place] = []
    loop = Loop()

    def open_store(url: str, **options: Any) -> Any:
        store = RedisStore(url, **options)
        return store if request.param == "threads" else ThroughALoop(store, loop)

    def make(url: str) -> Place:
        places.append(Place("redis", partial(open_store, url)))
        return places[-1]

    yield make
    for place in places:
        place.close()
    loop.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert PASSWORD not in caplog.text
    assert all(each.levelno == logging.WARNING for each in caplog.records)
    return [each.getMessage() for each in caplog.records if each.name == "boto_accel"]


def is_uncached(place: Place, store: Any) -> bool:
    """All calls go through, and nothing is kept."""
    assert store.get(b"key") is None
    assert store.put(b"key", place.entry(), store.ticket(())) is False
    store.drop(b"key")
    assert (store.invalidate(["tag"]), store.clear()) == (0, 0)
    assert store.lead(b"key") is True
    store.done(b"key")
    return not list(store.entries())


def until(condition: Callable[[], object]) -> None:
    """What comes by itself after a time; the test ends by the runner's limit if it never does."""
    while not condition():
        time.sleep(0.01)


def keeps_again(place: Place, store: Any) -> None:
    """The server is back: `until` the store keeps something, and gives it back."""
    until(lambda: store.put(b"again", place.entry(), store.ticket(())))
    until(lambda: store.get(b"again"))


# Getting there ----------------------------------------------------------------------------------


def test_over_tls(
    valkey: Valkey, tls_files: TLSFiles, prefix: str, place_at: Callable[[str], Place]
) -> None:
    """With the client's own certificate, which the server asks for."""
    front = TLSFront(valkey.port, server_context(tls_files, require_client=True))
    place = place_at(
        f"rediss://localhost:{front.port}?{PATIENT}&prefix={prefix}&ssl_ca_certs={tls_files.ca}"
        f"&ssl_certfile={tls_files.client_cert}&ssl_keyfile={tls_files.client_key}"
    )
    store = place.open()
    made = place.put(store, b"key", b"x" * 200_000)
    assert store.get(b"key") == made
    place.close()
    front.close()


def test_a_server_that_is_not_trusted_is_told_nothing(
    valkey: Valkey,
    tls_files: TLSFiles,
    prefix: str,
    place_at: Callable[[str], Place],
    caplog: pytest.LogCaptureFixture,
) -> None:
    front = TLSFront(valkey.port, server_context(tls_files))
    place = place_at(
        f"rediss://localhost:{front.port}?{PATIENT}&prefix={prefix}"
        f"&ssl_ca_certs={tls_files.other_ca}"
    )
    assert is_uncached(place, place.open())
    assert "certificate" in warnings(caplog)[0].lower()
    front.close()
    with Redis(port=valkey.port) as client:
        assert client.keys(f"{prefix}:*") == []


@pytest.fixture
def locked_valkey(valkey_program: Path, tmp_path: Path) -> Iterator[Valkey]:
    with run_valkey(valkey_program, tmp_path, "--requirepass", PASSWORD) as server:
        yield server


def test_with_a_password(locked_valkey: Valkey, place_at: Callable[[str], Place]) -> None:
    place = place_at(f"redis://default:{PASSWORD}@127.0.0.1:{locked_valkey.port}?{PATIENT}")
    store = place.open()
    made = place.put(store, b"key")
    assert store.get(b"key") == made
    assert PASSWORD not in repr(store)


@pytest.mark.parametrize("login", ["", f"default:not-{PASSWORD}@", f"nobody:{PASSWORD}@"])
def test_without_the_password_the_calls_go_on(
    locked_valkey: Valkey,
    place_at: Callable[[str], Place],
    login: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = place_at(f"redis://{login}127.0.0.1:{locked_valkey.port}?{PATIENT}")
    store = place.open()
    assert is_uncached(place, store)
    assert is_uncached(place, store)
    assert len(warnings(caplog)) == 1


def test_options_that_there_are_not() -> None:
    with pytest.raises(InvalidOptionError, match="clutser"):
        RedisStore("redis://localhost?clutser=true", max_entries=1)
    with pytest.raises(InvalidOptionError) as caught:
        RedisStore(f"redis://:{PASSWORD}@localhost:port", max_entries=1)
    assert PASSWORD not in str(caught.value)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(MissingExtraError, match=r"boto_accel\[redis\]"):
        RedisStore("redis://localhost", max_entries=1)


def test_texts_are_not_wanted_of_the_client(
    valkey: Valkey, prefix: str, place_at: Callable[[str], Place]
) -> None:
    place = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}&decode_responses=true")
    store = place.open()
    made = place.put(store, b"key\xff", b"\xff")
    assert store.get(b"key\xff") == made


# Down, slow, full ---------------------------------------------------------------------------------


def test_a_server_that_is_down_and_comes_back(
    own_valkey: Valkey, place_at: Callable[[str], Place], caplog: pytest.LogCaptureFixture
) -> None:
    """It comes back empty: what was asked before is not kept, for it is not known to be fresh."""
    place = place_at(f"{own_valkey.url}?{PATIENT}")
    store, other = place.open(), place.open()
    place.put(store, b"key", b"", "tag")
    late = other.ticket(["tag"])
    own_valkey.stop()
    assert is_uncached(place, store)
    assert is_uncached(place, store)
    assert len(warnings(caplog)) == 1
    own_valkey.start()
    keeps_again(place, store)
    until(lambda: other.ticket(()))
    assert other.put(b"key", place.entry(b"", "tag"), late) is False
    assert other.get(b"key") is None


def test_a_server_that_does_not_answer(
    own_valkey: Valkey, place_at: Callable[[str], Place], caplog: pytest.LogCaptureFixture
) -> None:
    """What could not be invalidated is not given back when the server is there again."""
    patient = place_at(f"{own_valkey.url}?{PATIENT}")
    other = patient.open()
    patient.put(other, b"key", b"", "tag")
    place = place_at(f"{own_valkey.url}?{IMPATIENT}")
    store = place.open()
    own_valkey.freeze()
    store.invalidate(["tag"])
    assert store.get(b"key") is None
    assert is_uncached(place, store)
    own_valkey.thaw()
    keeps_again(place, store)
    assert store.get(b"key") is None
    assert other.get(b"key") is None
    assert len(warnings(caplog)) >= 1


def test_a_server_without_memory(
    own_valkey: Valkey, place_at: Callable[[str], Place], caplog: pytest.LogCaptureFixture
) -> None:
    """Storing is refused; forgetting is not."""
    place = place_at(f"{own_valkey.url}?{PATIENT}")
    store, other = place.open(), place.open()
    place.put(store, b"key", b"private reply", "tag")
    with Redis(port=own_valkey.port) as client:
        client.config_set("maxmemory", 1)
        assert other.invalidate(["tag"]) == 1
        assert store.put(b"key", place.entry(b"private reply"), store.ticket(())) is False
        client.config_set("maxmemory", 0)
    keeps_again(place, store)
    assert store.get(b"key") is None
    assert "private" not in caplog.text
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("lost", ["m:", "m:tag", "t:", "t:tag", "u", "e:key"])
@pytest.mark.parametrize("forgotten", [False, True])
def test_what_the_server_evicts_makes_nothing_stale_visible(
    valkey: Valkey, prefix: str, place_at: Callable[[str], Place], lost: str, forgotten: bool
) -> None:
    """Whichever key is lost, before an invalidation or after it."""
    place = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}")
    store, other = place.open(), place.open()
    place.put(store, b"key", b"", "tag")
    late = other.ticket(["tag"])
    with Redis(port=valkey.port) as client:
        if forgotten:
            store.invalidate(["tag"])
        client.delete(f"{prefix}:{lost}")
        if not forgotten:
            store.invalidate(["tag"])
    assert store.get(b"key") is None
    assert other.put(b"key", place.entry(b"", "tag"), late) is False
    assert store.get(b"key") is None
    assert place.put(store, b"key", b"new", "tag") == other.get(b"key")


def test_whatever_is_under_the_key_is_no_entry(
    valkey: Valkey, prefix: str, place_at: Callable[[str], Place]
) -> None:
    place = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}")
    store = place.open()
    place.put(store, b"key", b"reply", "tag")
    with Redis(port=valkey.port) as client:
        name = f"{prefix}:e:key"
        whole = client.get(name)
        assert isinstance(whole, bytes)
        for end in range(len(whole) - len(b"reply")):
            client.set(name, whole[:end])
            assert store.get(b"key") is None
        client.set(name, b"\xff" * 100)
        assert store.get(b"key") is None


# What is left on the server ---------------------------------------------------------------------


def test_everything_on_the_server_has_an_end(
    valkey: Valkey, prefix: str, place_at: Callable[[str], Place]
) -> None:
    place = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}")
    store = place.open(max_entries=2, max_bytes=1000)
    for number in range(4):
        place.put(store, b"%d" % number, b"", "tag", f"tag{number}")
    store.lead(b"key")
    with Redis(port=valkey.port) as client:
        names = client.keys(f"{prefix}:*")
        assert {name.split(b":")[1] for name in names} == {*b"e m t u s b l".split()}
        assert [name for name in names if client.pttl(name) <= 0] == []


def test_prefixes_keep_caches_apart(
    valkey: Valkey, prefix: str, place_at: Callable[[str], Place]
) -> None:
    one = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}a").open()
    place = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}b")
    two = place.open()
    made = place.put(two, b"key", b"", "tag")
    assert one.get(b"key") is None
    assert one.invalidate(["tag"]) == 0
    assert one.clear() == 0
    assert two.get(b"key") == made


def test_a_leader_loses_its_place(
    valkey: Valkey, prefix: str, place_at: Callable[[str], Place]
) -> None:
    place = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}")
    one, two = place.open(lead_s=0.05), place.open()
    assert one.lead(b"key") is True
    until(lambda: two.lead(b"key"))
    one.done(b"key")  # and does not take away what is another's
    assert place.open().lead(b"key") is False


def test_uses_are_known_to_others_when_they_are_written(
    valkey: Valkey, prefix: str, place_at: Callable[[str], Place]
) -> None:
    place = place_at(f"{valkey.url}?{PATIENT}&prefix={prefix}")
    store = place.open()
    for key in (b"1", b"2", b"3"):
        place.put(store, key)
    assert store.get(b"1") is not None
    store.close()
    assert keys_of(place.open()) == [b"1", b"3", b"2"]


def test_a_cluster_shares_the_load(cluster: str, prefix: str) -> None:
    place = Place("cluster", lambda **options: RedisStore(f"{cluster}&prefix={prefix}", **options))
    store = place.open()
    for number in range(30):
        place.put(store, b"%d" % number, b"", f"tag{number}")
    with RedisCluster.from_url(cluster.partition("?")[0]) as client:
        names = client.keys(f"{prefix}:e:*", target_nodes=RedisCluster.PRIMARIES)
        nodes = {client.get_node_from_key(name).name for name in names}
        client.disconnect_connection_pools()
    assert len(names) == 30
    assert len(nodes) == 3
    place.close()


def test_a_place_that_ends_while_it_is_looked_at_is_led_by_one(
    valkey: Valkey, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends between the attempt to take it and the question who has it."""
    url = f"{valkey.url}?{PATIENT}&prefix={prefix}"
    one, two, three = (RedisStore(url, max_entries=10) for _ in range(3))
    assert one.lead(b"key") is True
    ask = two._server.one

    def after_it_ended(command: Any) -> Any:
        if command[0] == "GET":
            one.done(b"key")
        return ask(command)

    monkeypatch.setattr(two._server, "one", after_it_ended)
    assert two.lead(b"key") is True
    assert three.lead(b"key") is False
    for each in (one, two, three):
        each.close()
