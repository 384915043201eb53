"""Many rows at a time: failures, bounds, interruptions."""

from __future__ import annotations

import _thread
import asyncio
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boto_accel import InvalidOptionError
from boto_accel.datastore import ColumnError, DeleteError, ManyError, RowNotFound, Table
from boto_accel.datastore.aio import AsyncTable
from boto_accel.datastore.progress import telling
from tests.datastore.worlds import Counting, World

ROWS = [{"id": number} for number in range(20)]


def data_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "data": b"%d" % row["id"]} for row in rows]


def test_each_failure_is_told_and_the_others_are_done(plain: World) -> None:
    do, table = plain.do, plain.table("table", {"id": int})
    do(table.insert(b"old", id=3))
    do(table.insert(b"old", id=7))
    with pytest.raises(ManyError, match="2 of 20 rows failed; the first is 3, '3'") as found:
        do(table.insert_many([{**row, "if_absent": True} for row in data_of(ROWS)]))
    assert [(each.number, each.key) for each in found.value.failures] == [(3, "3"), (7, "7")]
    assert [number for number, answer in enumerate(found.value.results) if answer is None] == [3, 7]
    assert do(table.count()) == 20
    assert do(table.select(id=3)) == b"old"
    with pytest.raises(ManyError) as found:
        do(table.select_many([*ROWS, {"id": 99}]))
    (failure,) = found.value.failures
    assert isinstance(failure.error, RowNotFound)
    assert found.value.results[19] == b"19"


def test_rows_are_checked_before_the_first_is_sent(sync: World) -> None:
    client = Counting(sync.caller.client)
    table = Table("table", sync.name, {"id": int}, client=client)
    good = {"id": 1, "data": b"x"}
    cases: list[tuple[Any, type[Exception], str]] = [
        ([good, {"id": 2}], InvalidOptionError, r"rows\[1\].data='NoneType'; expected bytes"),
        ([good, {"id": 2, "data": "x"}], InvalidOptionError, r"rows\[1\].data='str'"),
        ([good, {"data": b"x"}], ColumnError, r"'id': rows\[1\]: it is missing"),
        ([good, {**good, "x": 1}], ColumnError, r"'x': rows\[1\]: there is no such column"),
        ([good, good], InvalidOptionError, r"rows\[1\]='1'; expected each row once"),
        ([good, 1], InvalidOptionError, r"rows\[1\]='int'; expected a dict"),
        (good, InvalidOptionError, "rows='dict'; expected an iterable"),
    ]
    for rows, kind, message in cases:
        with pytest.raises(kind, match=message):
            table.insert_many(rows)
    with pytest.raises(InvalidOptionError, match="workers=-1"):
        table.insert_many([good], workers=-1)
    with pytest.raises(InvalidOptionError, match="progress"):
        table.insert_many([good], progress="yes")  # type: ignore[arg-type]
    assert {name for name, _ in client.took()} == {"get_object"}  # the schema
    assert sync.bucket_keys() == []


def test_at_most_so_many_at_a_time(sync: World) -> None:
    """Each waits until as many are under way as may be; one more would break the barrier."""
    together = threading.Barrier(3, timeout=60)
    running = 0
    most = 0
    lock = threading.Lock()

    class Meeting(Counting):
        def __getattr__(self, name: str) -> Any:
            method = super().__getattr__(name)

            def called(**params: Any) -> Any:
                nonlocal running, most
                if not params.get("Key", "").startswith("table/"):
                    return method(**params)
                with lock:
                    running += 1
                    most = max(most, running)
                together.wait()
                try:
                    return method(**params)
                finally:
                    with lock:
                        running -= 1

            return called

    table = Table("table", sync.name, {"id": int}, client=Meeting(sync.caller.client))
    assert len(table.insert_many(data_of(ROWS[:18]), workers=3)) == 18
    assert most <= 3


class Blocked(Counting):
    """A client whose calls for rows wait until they are let go, the first after *first*."""

    def __init__(self, client: Any, first: Callable[[], None]) -> None:
        super().__init__(client)
        self._first = first
        self._started = threading.Lock()
        self.go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        def called(**params: Any) -> Any:
            if params.get("Key", "").startswith("table/"):
                if self._started.acquire(blocking=False):
                    self._first()
                self.go.wait()
            return method(**params)

        return called


def test_an_interruption_does_not_wait_for_calls_under_way(sync: World) -> None:
    """And none is begun after it."""
    client = Blocked(sync.caller.client, _thread.interrupt_main)
    table = Table("table", sync.name, {"id": int}, client=client)
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        table.insert_many(data_of(ROWS), workers=2)
    mine = set(threading.enumerate()) - before
    client.go.set()
    for thread in mine:
        thread.join()
    assert len(sync.table("table", {"id": int}).query()) <= 2


def test_an_error_of_progress_ends_the_work(sync: World) -> None:
    table = sync.table("table", {"id": int})

    def fails(done: int, total: int) -> None:
        raise RuntimeError("told enough")

    with pytest.raises(RuntimeError, match="told enough"):
        table.insert_many(data_of(ROWS), workers=1, progress=fails)


@pytest.mark.aiobotocore
async def test_a_cancellation_ends_the_calls_under_way() -> None:
    started, ended = [], []

    class Client:
        class meta:
            class config:
                max_pool_connections = 3

        async def put_object(self, **params: Any) -> Any:
            return {"ETag": '"x"'}

        async def get_object(self, **params: Any) -> Any:
            if params["Key"].startswith(".boto-accel!"):
                raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
            started.append(params["Key"])
            if len(started) == 3:
                task.cancel()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(params["Key"])

    table = AsyncTable("table", "bucket", {"id": int}, client=Client())
    task = asyncio.ensure_future(table.select_many(ROWS))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == sorted(started) == ["table/0", "table/1", "table/2"]


def test_errors_of_single_keys_are_all_told(sync: World) -> None:
    """DeleteObjects says which it did not delete; one that it does not name may be any."""

    class Refusing(Counting):
        errors: tuple[dict[str, str], ...] = ()

        def __getattr__(self, name: str) -> Any:
            if name != "delete_objects":
                return super().__getattr__(name)
            return lambda **params: {"Errors": list(self.errors)}

    client = Refusing(sync.caller.client)
    table = Table("table", sync.name, {"id": int}, client=client)
    client.errors = ({"Key": "table/4", "Code": "AccessDenied", "Message": "no"},)
    with pytest.raises(ManyError) as found:
        table.delete_many(ROWS)
    (failure,) = found.value.failures
    assert (failure.number, failure.key) == (4, "4")
    assert isinstance(failure.error, DeleteError)
    assert str(failure.error) == "table 'table': 'table/4' was not deleted: AccessDenied: no"
    client.errors = ({"Code": "InternalError", "Message": "again"},)
    with pytest.raises(ManyError, match="20 of 20 rows failed"):
        table.delete_many(ROWS)


def test_a_thousand_keys_a_request(bench: World) -> None:
    client = Counting(bench.caller.client)
    table = Table("table", bench.name, {"id": int}, client=client)
    rows = [{"id": number} for number in range(2500)]
    table.insert_many(data_of(rows))
    client.took()
    seen: list[tuple[int, int]] = []
    assert table.delete_many(table.iter_query(), progress=lambda *told: seen.append(told)) == 2500
    sizes = [len(each["Delete"]["Objects"]) for _, each in client.took() if "Delete" in each]
    assert sorted(sizes) == [500, 1000, 1000]
    assert seen[-1] == (2500, 2500)
    assert table.count() == 0


def test_a_bar(sync: World, capsys: pytest.CaptureFixture[str]) -> None:
    sync.table("table", {"id": int}).insert_many(data_of(ROWS), progress=True)
    assert "insert into table" in capsys.readouterr().err
    with telling(False, "x") as told:
        assert told is None


def test_errors_pickle(sync: World) -> None:
    table = sync.table("table", {"id": int})
    with pytest.raises(ManyError) as found:
        table.select_many(ROWS[:2])
    again = pickle.loads(pickle.dumps(found.value))
    assert str(again) == str(found.value)
    assert [each.key for each in again.failures] == ["0", "1"]
