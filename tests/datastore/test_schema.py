"""The columns that are kept with a table, and names that columns cannot have."""

from __future__ import annotations

import inspect
import json
from datetime import date
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boto_accel import InvalidOptionError
from boto_accel.datastore import ColumnError, SchemaError, Table
from boto_accel.datastore.schema import PARAMETERS, check_columns
from tests.datastore.worlds import Counting, World

KEY = ".boto-accel!schema!table"


def stored(world: World) -> Any:
    return json.loads(world.caller.body(Bucket=world.name, Key=KEY))


def test_the_first_insert_keeps_the_columns(plain: World) -> None:
    do, table = plain.do, plain.table("table", {"id": int, "day": date, "name": None})
    assert do(table.query()) == []
    assert plain.bucket_keys() == []  # looking writes nothing
    do(table.insert(b"x", id=1, day=date(2020, 1, 2), name="n"))
    assert plain.bucket_keys() == [KEY, "table/1/2020-01-02/n"]
    assert stored(plain) == {
        "version": 1,
        "columns": [
            {"name": "id", "type": "int"},
            {"name": "day", "type": "date"},
            {"name": "name", "type": "any"},
        ],
    }
    reopened = plain.table("table", database=plain.open())
    assert do(reopened.ids()) == [1]
    assert do(reopened.filter_objects_by_day(date(2020, 1, 2)))[0].name == "n"
    assert reopened.columns == ["id", "day", "name"]
    assert do(plain.database.tables) == ["table"]


def test_wrong_columns_are_refused_before_anything_is_written(plain: World) -> None:
    do = plain.do
    do(plain.table("table", {"id": int, "name": str}).insert(b"x", id=1, name="n"))
    before = plain.bucket_keys()
    cases = [
        (["id"], r"has the columns \['id', 'name'\], and was opened with \['id'\]"),
        (["name", "id"], r"was opened with \['name', 'id'\]"),
        ({"id": str, "name": str}, "its column 'id' is of int, and was opened as str"),
    ]
    for columns, message in cases:
        table = plain.table("table", columns, plain.open())
        row = dict.fromkeys(columns, "1")
        for call in (table.insert, table.select):
            with pytest.raises(SchemaError, match=message):
                do(call(**row, **({"data": b"y"} if call == table.insert else {})))
    assert plain.bucket_keys() == before


def test_names_alone_take_the_types_that_are_kept(plain: World) -> None:
    do = plain.do
    do(plain.table("table", {"id": int}).insert(b"x", id=1))
    table = plain.table("table", ["id"], plain.open())
    assert do(table.query()) == [{"id": 1}]
    with pytest.raises(ColumnError, match="'1' is of str; expected int"):
        do(table.select(id="1"))


def test_types_can_be_given_to_a_table_without(plain: World) -> None:
    do = plain.do
    do(plain.table("table", ["id"]).insert(b"x", id=1))
    table = plain.table("table", {"id": int}, plain.open())
    do(table.insert(b"y", id=2))
    assert do(table.query()) == [{"id": 1}, {"id": 2}]
    assert stored(plain)["columns"] == [{"name": "id", "type": "any"}]


def test_of_two_who_create_a_table_the_second_learns_of_the_first(plain: World) -> None:
    """Both have looked before either writes."""
    do = plain.do
    first = plain.table("table", {"id": int}, plain.open())
    second = plain.table("table", {"id": str}, plain.open())
    third = plain.table("table", ["id"], plain.open())
    for table in (first, second, third):
        do(table.query())
    do(first.insert(b"x", id=1))
    with pytest.raises(SchemaError, match="is of int, and was opened as str"):
        do(second.insert(b"y", id="2"))
    with pytest.raises(ColumnError, match="expected int"):
        do(third.insert(b"y", id="3"))
    do(third.insert_many([{"id": 3, "data": b"z"}]))
    assert do(first.query()) == [{"id": 1}, {"id": 3}]


def test_a_table_without_columns(plain: World) -> None:
    """Keys are all that it has, until somebody keeps columns."""
    do, table = plain.do, plain.table("table")
    do(table.insert_by_key("a/b", b"x"))
    assert do(table.keys) == ["a/b"]
    assert do(table.count()) == 1
    assert do(table.random_key()) == "a/b"
    for call in (lambda: table.select(id=1), lambda: table.query(), lambda: table.ids()):
        with pytest.raises(SchemaError, match="pass columns=, there is no"):
            do(call())
    do(plain.table("table", ["a", "b"], plain.open()).insert(b"y", a=1, b=2))
    assert do(table.query()) == [{"a": "1", "b": "2"}, {"a": "a", "b": "b"}]


def test_a_schema_of_another_release_is_told(plain: World) -> None:
    plain.put(KEY, b'{"version": 2}')
    with pytest.raises(SchemaError, match="of version 2, this release knows 1"):
        plain.do(plain.table("table", ["id"]).select(id=1))
    plain.put(KEY, b"[]")
    with pytest.raises(SchemaError, match="is no schema"):
        plain.do(plain.table("table", ["id"], plain.open()).select(id=1))


class Denying(Counting):
    """A client that may not touch schemas, as under a policy for `table/*`."""

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        def denied(**params: Any) -> Any:
            if params.get("Key", "").startswith(".boto-accel!"):
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, name)
            return method(**params)

        return denied


def test_without_permission_for_schemas_a_table_goes_on(
    sync: World, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so once; the policies of who used s3aads name the table's own keys."""
    client = Denying(sync.caller.client)
    table = Table("table", sync.name, ["id"], client=client)
    table.insert(b"x", id=1)
    table.insert(b"x", id=2)
    assert table.query() == [{"id": "1"}, {"id": "2"}]
    assert sync.bucket_keys() == ["table/1", "table/2"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with pytest.raises(ClientError, match="AccessDenied"):
        Table("table", sync.name, client=client).query()


def test_a_table_asks_for_its_schema_once(sync: World) -> None:
    client = Counting(sync.caller.client)
    table = Table("table", sync.name, ["id"], client=client)
    table.insert(b"x", id=1)
    assert [name for name, _ in client.took()] == ["get_object", "put_object", "put_object"]
    table.insert(b"x", id=2)
    table.select(id=2)
    assert [name for name, _ in client.took()] == ["put_object", "get_object"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["id", "id"], "'id': it is there twice"),
        ([""], "named by a text that is not empty"),
        ([1], "named by a text"),
        ("id", "a list of names, or a dict"),
        (["key"], r"its method keys\(\) would hide Table.keys"),
        (["object"], r"its method objects\(\) would hide"),
        (["column"], r"its method columns\(\) would hide"),
        ({"id": bytes}, "there is no column of bytes; there are str, int"),
        ({"id": "int"}, "there is no column of 'int'"),
        *(([name], "have a parameter of this name") for name in sorted(PARAMETERS)),
        (["as", "filter_objects_by_a"], r"filter_objects_by_as\(\) is that of 'as', too"),
    ],
)  # fmt: skip
def test_columns_that_cannot_be(columns: Any, message: str) -> None:
    """Nothing is sent for it: there is no such database."""
    with pytest.raises(ColumnError, match=message):
        Table("table", "nowhere", columns, client=Counting(_NoClient()))


class _NoClient:
    put_object = None


@pytest.mark.parametrize("name", ["self", "id", "class", "count", "from", "two words", "ключ"])
def test_columns_may_have_any_other_name(sync: World, name: str) -> None:
    table = sync.table("table", [name, "other"])
    table.insert(b"x", **{name: 1, "other": 2})
    assert table.select(**{name: 1, "other": 2}) == b"x"
    assert getattr(table, f"{name}s")() == ["1"]
    assert getattr(table, f"filter_objects_by_{name}")(1)[0][0] == "1"


def test_there_are_no_other_attributes(sync: World) -> None:
    table = sync.table("table", ["id"])
    for name in ("id", "years", "filter_objects_by_year", "_ids"):
        with pytest.raises(AttributeError, match="no column for it"):
            getattr(table, name)
    with pytest.raises(AttributeError):
        sync.table("table")._names  # noqa: B018  columns are not known


@pytest.mark.parametrize("name", ["", "/x", "x/", None, "x" * 600])
def test_names_that_a_table_cannot_have(sync: World, name: Any) -> None:
    with pytest.raises(InvalidOptionError, match="name="):
        sync.table(name, ["id"])


def test_no_method_takes_a_parameter_that_a_column_may_be_called() -> None:
    """Where columns are given by name, all other names are refused as columns."""
    for name, method in inspect.getmembers(Table, inspect.isfunction):
        kinds = {each.kind for each in inspect.signature(method).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD in kinds and name != "insert_by_key":
            for each in inspect.signature(method).parameters.values():
                if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD):
                    assert each.name in PARAMETERS, name
    assert check_columns("table", (), ()) is None
