"""What tables do, on every store, in both worlds."""

from __future__ import annotations

import sys
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from boto_accel import InvalidOptionError, MissingExtraError
from boto_accel.datastore import (
    ColumnError,
    ConflictError,
    EmptyTableError,
    RowChangedError,
    RowExistsError,
    RowNotFound,
    UnreadableKeyError,
)
from boto_accel.datastore.escape import digest_segment, escape
from tests.datastore.worlds import World

COLUMNS = ["id", "year", "month"]
TYPED = {
    "id": int,
    "day": date,
    "at": datetime,
    "uuid": UUID,
    "flag": bool,
    "x": Decimal,
    "share": float,
    "name": str,
}
ODD = ["", ".", "..", "a/b", "/", "%", "%2F", "!!", "!!a!2Fb", "é", "日/本", "\n", " ", "a" * 2000]


@pytest.fixture
def table(world: World) -> Any:
    made = world.table("table", COLUMNS)
    for number in (1, 2, 10):
        for month in ("01", "02"):
            row = {"id": number, "year": 2020, "month": month}
            world.do(made.insert(f"{number}-{month}".encode(), **row))
    return made


def test_a_row_is_written_read_replaced_and_deleted(world: World) -> None:
    table = world.table("table", COLUMNS)
    row = {"id": 1, "year": 2020, "month": "01"}
    assert world.do(table.select(**row, default=None)) is None
    world.do(table.insert(b"first", **row))
    assert world.do(table.select(**row)) == b"first"
    world.do(table.insert(data=b"second", **row))
    assert world.do(table.select(**row)) == b"second"
    world.do(table.delete(**row))
    with pytest.raises(RowNotFound) as found:
        world.do(table.select(**row))
    assert (found.value.table, found.value.key) == ("table", "1/2020/01")
    assert isinstance(found.value, KeyError)
    assert isinstance(found.value.__cause__, ClientError)
    world.do(table.delete(**row))  # gone already, as in S3


def test_query_takes_leading_columns_for_a_prefix_and_filters_by_others(
    world: World, table: Any
) -> None:
    assert world.do(table.query(id=1)) == [
        {"id": "1", "year": "2020", "month": "01"},
        {"id": "1", "year": "2020", "month": "02"},
    ]
    assert [row["id"] for row in world.do(table.query(month="02"))] == ["1", "10", "2"]
    assert len(world.do(table.query(id=10, month="01"))) == 1
    assert world.do(table.query(id=1, year=2020, month="02")) == [
        {"id": "1", "year": "2020", "month": "02"}
    ]
    assert world.do(table.query(id=3)) == []
    assert world.do(table.query(id=1, year=2020, month="0")) == []
    assert world.listed(table.iter_query()) == world.do(table.query())
    assert len(world.do(table.query())) == 6


def test_counts_distinct_values_and_the_methods_of_columns(world: World, table: Any) -> None:
    do = world.do
    assert do(table.count()) == 6
    assert do(table.count(id=1)) == 2
    assert do(table.count(month="01")) == 3
    assert do(table.distinct(["id"])) == [("1",), ("10",), ("2",)]
    assert do(table.distinct(["id", "year"])) == [("1", "2020"), ("10", "2020"), ("2", "2020")]
    assert do(table.distinct(["year", "id"])) == [("2020", "1"), ("2020", "10"), ("2020", "2")]
    assert do(table.distinct(["month"])) == [("01",), ("02",)]
    assert len(do(table.distinct(COLUMNS))) == 6
    assert do(table.ids()) == ["1", "10", "2"]
    assert do(table.months()) == ["01", "02"]
    assert do(table.first_column_values()) == ["1", "10", "2"]
    (first, second) = do(table.filter_objects_by_id("1"))
    assert (first.id, first.year, first.month) == ("1", "2020", "01")
    assert second.month == "02"
    assert do(table.filter_objects_by(id=1, month="02")) == [second]
    assert len(do(table.objects)) == 6
    assert {"ids", "filter_objects_by_month"} <= set(dir(table))


def test_keys(world: World, table: Any) -> None:
    do = world.do
    assert do(table.keys)[0] == "1/2020/01"
    assert do(table.query_by_key("1")) == [
        "1/2020/01", "1/2020/02", "10/2020/01", "10/2020/02",
    ]  # fmt: skip
    assert do(table.to_key(id=1, year=2020, month="01")) == "table/1/2020/01"
    do(table.insert_by_key("2/2020/03", b"longer", ContentType="text/plain"))
    assert do(table.select_by_key("2/2020/03")) == b"longer"
    assert do(table.query_by_key("2/", sort_by="Size"))[-1] == "2/2020/03"
    assert {each.size for each in do(table.select_all_by_filter("2/"))} == {4, 6}
    do(table.delete_by_key("2/2020/03"))
    assert do(table.select_by_key("2/2020/03", default=b"")) == b""
    with pytest.raises(RowNotFound):
        do(table.select_by_key("2/2020/03"))
    with pytest.raises(InvalidOptionError, match="sort_by='size'; expected one of Key, Last"):
        do(table.query_by_key(sort_by="size"))


def test_texts_json_and_metadata(world: World) -> None:
    do, table = world.do, world.table("table", ["id"])
    do(table.insert_string("é", id=1))
    assert do(table.select_string(id=1)) == "é"
    assert do(table.select(id=1)) == "é".encode()
    do(table.insert_string("", id=2))
    assert do(table.select_string(id=2)) == ""
    do(table.insert_json({"a": [1, None, "é"]}, id=3))
    assert do(table.select_json(id=3)) == {"a": [1, None, "é"]}
    assert do(table.select_json(id=4, default={})) == {}
    do(table.insert(b"x", {"ContentType": "text/plain", "Metadata": {"by": "me"}}, id=4))
    head = world.caller("head_object", Bucket=world.name, Key="table/4")
    assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"by": "me"})
    head = world.caller("head_object", Bucket=world.name, Key="table/3")
    assert head["ContentType"] == "application/json"


def test_types_come_back(world: World) -> None:
    do, table = world.do, world.table("table", TYPED)
    row = {
        "id": -5,
        "day": date(2020, 1, 2),
        "at": datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc),
        "uuid": UUID(int=7),
        "flag": False,
        "x": Decimal("1.50"),
        "share": 0.1,
        "name": "a/b",
    }
    do(table.insert(b"x", **row))
    assert do(table.query()) == [row]
    assert [type(value) for value in do(table.query())[0].values()] == list(TYPED.values())
    assert do(table.days()) == [date(2020, 1, 2)]
    assert do(table.query(flag=False, x=Decimal("1.50"))) == [row]
    reopened = world.table("table", database=world.open())
    assert do(reopened.query(name="a/b")) == [row]
    assert do(reopened.select(**row)) == b"x"
    with pytest.raises(ColumnError, match="column 'id': True is of bool; expected int"):
        do(reopened.insert(b"x", **{**row, "id": True}))


def test_odd_values(plain: World) -> None:
    """Each is a value like another, in the first column and in the last."""
    do, table = plain.do, plain.table("table", ["a", "b"])
    do(table.insert(b"before", a="other", b="y"))
    for value in ODD:
        for row in ({"a": value, "b": "x"}, {"a": "x", "b": value}):
            data = repr(row).encode()
            do(table.insert(data, **row))
            assert do(table.select(**row)) == data
            assert do(table.query(**row)) == [row]
            assert do(table.query(a=row["a"])) == [row]
            assert do(table.query(b=row["b"])) == [row]
            assert do(table.distinct(["a"])) == sorted({("other",), (row["a"],)}, key=by_key)
            with pytest.raises(RowExistsError):
                do(table.insert(data, **row, if_absent=True))
            do(table.delete(**row))
            assert do(table.select(**row, default=None)) is None
    assert do(table.query()) == [{"a": "other", "b": "y"}]


def by_key(row: tuple[str]) -> str:
    escaped = escape(row[0])
    return escaped if len(escaped) < 1000 else digest_segment(row[0])


def test_many_odd_rows(world: World) -> None:
    do, table = world.do, world.table("table", ["a", "b"])
    rows = [{"a": one, "b": other} for one in ODD for other in ODD[::3]]
    do(table.insert_many({**row, "data": repr(row).encode()} for row in rows))
    assert do(table.count()) == len(rows)
    assert sorted(map(repr, do(table.query()))) == sorted(map(repr, rows))
    assert do(table.select_many(rows)) == [repr(row).encode() for row in rows]
    found = do(table.distinct(["a", "b"]))
    assert sorted(found) == sorted((row["a"], row["b"]) for row in rows)
    assert do(table.delete_many(rows)) == len(rows)
    assert do(table.query()) == []


def test_odd_keys_of_s3aads(world: World) -> None:
    """What it wrote there stays one row, under its own key: read, replaced and deleted."""
    do, table = world.do, world.table("table", ["a", "b"])
    for key in ("/x", "./..", "a/", "/", "!!a!2Fb/x", "%2F/x", "!!/"):
        world.put(f"table/{key}", b"theirs")
        (row,) = do(table.query())
        assert do(table.select(**row)) == b"theirs"
        assert do(table.query(a=row["a"])) == [row]
        with pytest.raises(RowExistsError):
            do(table.insert(b"ours", **row, if_absent=True))
        etag = do(table.insert(b"ours", **row))["ETag"]
        assert do(table.select_with_etag(**row)) == (b"ours", etag)
        do(table.update(b"again", if_match=etag, **row))
        assert do(table.select_many([row])) == [b"again"]
        assert do(table.query()) == [row]
        assert do(table.delete_many([row])) == 1
        assert do(table.query()) == []
        assert do(table.select(**row, default=None)) is None


def test_if_absent_keeps_what_is_there(world: World) -> None:
    do, table = world.do, world.table("table", ["id"])
    do(table.insert(b"first", id=1, if_absent=True))
    with pytest.raises(RowExistsError, match="table 'table' has a row at '1' already") as found:
        do(table.insert(b"second", id=1, if_absent=True))
    assert found.value.__cause__.response["Error"]["Code"] == "PreconditionFailed"
    assert isinstance(found.value, ConflictError)
    assert do(table.select(id=1)) == b"first"


def test_update_replaces_only_what_was_seen(world: World) -> None:
    do, table = world.do, world.table("table", ["id"])
    do(table.insert(b"first", id=1))
    data, etag = do(table.select_with_etag(id=1))
    assert data == b"first"
    do(table.insert(b"theirs", id=1))
    with pytest.raises(RowChangedError) as found:
        do(table.update(b"mine", if_match=etag, id=1))
    assert isinstance(found.value.__cause__, ClientError)
    assert do(table.select(id=1)) == b"theirs"
    etag = do(table.select_with_etag(id=1))[1]
    answer = do(table.update(b"mine", if_match=etag, id=1))
    assert do(table.select_with_etag(id=1)) == (b"mine", answer["ETag"])
    do(table.delete(id=1))
    with pytest.raises(RowNotFound):
        do(table.update(b"x", if_match=etag, id=1))
    with pytest.raises(InvalidOptionError, match="if_match=None; expected the ETag"):
        do(table.update(b"x", if_match=None, id=1))


def test_many_rows(world: World) -> None:
    do, table = world.do, world.table("table", {"id": int, "name": str})
    rows = [{"id": number, "name": f"n/{number}"} for number in range(40)]
    seen: list[tuple[int, int]] = []
    given = [{**row, "data": b"%d" % row["id"]} for row in rows]
    answers = do(table.insert_many(given, progress=lambda *told: seen.append(told)))
    assert [answer["ResponseMetadata"]["HTTPStatusCode"] for answer in answers] == [200] * 40
    assert seen == [(done, 40) for done in range(1, 41)]
    assert do(table.select_many(reversed(rows), workers=3)) == [
        b"%d" % number for number in reversed(range(40))
    ]
    assert do(table.select_many([{"id": 99, "name": "x"}], default=None)) == [None]
    assert do(table.delete_many(rows[:39])) == 39
    assert do(table.query()) == [rows[39]]
    assert do(table.insert_many([])) == do(table.select_many([])) == []
    assert do(table.delete_many([])) == 0


def test_random_rows(world: World, table: Any) -> None:
    do = world.do
    assert do(table.random_key()) in do(table.keys)
    row = do(table.random())
    assert row.pop("data") == f"{row['id']}-{row['month']}".encode()
    assert row in do(table.query())
    empty = world.table("empty", ["id"])
    with pytest.raises(EmptyTableError, match="no rows") as found:
        do(empty.random())
    assert isinstance(found.value, IndexError | KeyError)


def test_copies(world: World, table: Any) -> None:
    do, other = world.do, world.table("other", COLUMNS)
    do(table.copy("1/2020/01").to(other, "a/b/c", MetadataDirective="REPLACE", Metadata={"x": "y"}))
    assert do(other.select(id="a", year="b", month="c")) == b"1-01"
    head = world.caller("head_object", Bucket=world.name, Key="other/a/b/c")
    assert head["Metadata"] == {"x": "y"}
    with pytest.raises(InvalidOptionError, match="dest_table"):
        do(table.copy("1/2020/01").to("other", "x"))


def test_databases_and_tables(world: World, table: Any) -> None:
    do, database = world.do, world.database
    assert do(database.create()) is None  # it is there
    assert do(database.tables) == ["table"]
    assert world.name in do(type(database).list_databases(client=world.caller.client))
    assert do(database.get_table("nothing")) is None
    found = do(database.get_table("table"))
    assert do(found.select(id=1, year=2020, month="01")) == b"1-01"
    do(world.table("tab", ["id"]).insert(b"x", id=1))
    do(world.table("table2", ["id"]).insert(b"x", id="x" * 2000))
    do(database.drop_table("tab"))
    assert do(database.tables) == ["table", "table2"]
    do(database.drop_table("table"))
    do(database.drop_table("table2"))
    assert world.bucket_keys() == []
    do(table.insert(b"anew", id=1, year=1, month=1))
    assert do(do(database.get_table("table")).ids()) == ["1"]


def test_other_keys_under_a_table_are_no_rows(world: World, table: Any) -> None:
    """Folders of consoles, other depths: `keys` has them, rows do not."""
    do = world.do
    for key in ("table/", "table/1/", "table/1/2020/01/more", "table/loose"):
        world.put(key)
    assert len(do(table.query())) == do(table.count()) == len(do(table.objects)) == 6
    assert len(do(table.query(id=1))) == 2
    assert {"1/", "loose"} < set(do(table.keys))
    assert "" not in do(table.keys)
    assert do(table.distinct(["id", "year"]))[0] == ("1", "2020")
    assert do(table.random())["year"] == "2020"


def test_a_key_that_does_not_fit_is_told(world: World) -> None:
    do, table = world.do, world.table("table", {"id": int})
    world.put("table/01")
    with pytest.raises(UnreadableKeyError, match="'01' is not what a value of int is written as"):
        do(table.query())
    assert do(table.count()) == 1


def test_a_value_apart_that_is_gone_is_told(world: World) -> None:
    do, table = world.do, world.table("table", ["id"])
    do(table.insert(b"x", id="x" * 2000))
    (apart,) = (key for key in world.bucket_keys() if "!value!" in key)
    world.caller("delete_object", Bucket=world.name, Key=apart)
    with pytest.raises(UnreadableKeyError, match="kept apart at"):
        do(table.query())
    assert do(table.select(id="x" * 2000)) == b"x"


def test_errors_of_s3_are_those_of_botocore(world: World) -> None:
    database = type(world.database)("no-such-bucket", client=world.caller.client)
    table = world.table("table", ["id"], database)
    for call in (
        lambda: table.select(id=1),
        lambda: table.query(),
        lambda: table.insert(b"", id=1),
    ):
        with pytest.raises(ClientError, match="NoSuchBucket"):
            world.do(call())


def test_a_frame(plain: World) -> None:
    """Where pandas is installed."""
    pandas = pytest.importorskip("pandas")
    do, table = plain.do, plain.table("table", {"id": int, "name": str})
    do(table.insert_many([{"id": n, "name": f"n{n}", "data": b"%d" % n} for n in range(3)]))
    frame = do(table.to_pandas())
    assert list(frame.columns) == ["id", "name"]
    assert frame["id"].tolist() == [0, 1, 2]
    assert pandas.api.types.is_integer_dtype(frame["id"])
    assert do(table.to_pandas(data=True, id=1))["data"].tolist() == [b"1"]
    assert list(do(table.to_pandas(id=9)).columns) == ["id", "name"]


def test_a_frame_without_pandas(plain: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'boto_accel\[pandas\]'"):
        plain.do(plain.table("table", ["id"]).to_pandas())
