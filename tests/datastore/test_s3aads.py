"""The README of s3aads 2.13, word for word but for the import, and its layout of keys."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from boto_accel.datastore import AsyncDatabase, AsyncTable, Database, Table
from tests.datastore.worlds import World
from tests.servers.clients import ACCESS_KEY, REGION, SECRET_KEY
from tests.servers.moto_server import MotoServer

USAGE = """
from s3aads import Database, Table
db = Database("joeyism-test")
db.create()

table = Table(name="daily-data", database=db, columns=["id", "year", "month", "day"])
table.insert(id=1, year=2020, month="01", day="01", data=b'["a", "b"]')
table.insert(id=2, year=2020, month="01", day="01", data=b'["c", "d"]')
table.insert(id=2, year=2020, month="01", day="01", data=b'["abk20dj3i"]')

table.select(id=1, year=2020, month="01", day="01") # b'["a", "b"]'
table.select(id=2, year=2020, month="01", day="01") # b'["c", "d"]'
table.select(id=3, year=2020, month="01", day="01") # b'["abk20dj3i"]'

table.delete(id=1, year=2020, month="01", day="01")
table.delete(id=2, year=2020, month="01", day="01")
table.delete(id=3, year=2020, month="01", day="01")
"""

IDEA = """
from s3aads import Table
table = Table(name="daily-data", database="joeyism-test", columns=["id", "year", "month", "day"])
table.select(id=1, year=2020, month="01", day="01") # b'["a", "b"]'
table.select(id=2, year=2020, month="01", day="01") # b'["c", "d"]'
table.select(id=3, year=2020, month="01", day="01") # b'["abk20dj3i"]'
"""

COPY = """
from s3aads import Table

table1 = Table("table1", database="db1", columns=["a"])
table2 = Table("table2", database="db2", columns=["a"])
key = table1.keys[0]
table1.copy(key).to(table2, key)
"""

# What s3aads 2.13.6 has, but for names with an underscore and `Database.bucket`, a boto3 resource.
NAMES = {
    Database: "name tables create get_table drop_table list_databases",
    Table: """name database columns keys objects filter_objects_by first_column_values count
    select_all_by_filter query_by_key select_by_key insert_by_key delete_by_key select
    select_string insert insert_string delete to_key query distinct random_key random copy""",
}


@pytest.fixture(autouse=True)
def _the_default_client(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


class Example:
    """An example, statement by statement: what each gave, or raised."""

    def __init__(self, text: str, **scope: Any) -> None:
        code = text.replace("from s3aads import", "from boto_accel.datastore import")
        self._statements = ast.parse(code).body
        self.scope: dict[str, Any] = scope

    def results(self) -> Iterator[Any]:
        for statement in self._statements:
            text = ast.unparse(statement)
            if not isinstance(statement, ast.Expr):
                exec(text, self.scope)
                continue
            try:
                yield eval(text, self.scope)
            except KeyError as error:
                yield type(error).__name__


def test_usage(moto_server: MotoServer) -> None:
    """As the README says; it inserts the third row with the id of the second, by mistake."""
    created, *rest = Example(USAGE).results()
    assert created["Location"] == "/joeyism-test"
    inserted, selected, deleted = rest[:3], rest[3:6], rest[6:]
    assert all(answer["ETag"] for answer in inserted)
    assert selected == [b'["a", "b"]', b'["abk20dj3i"]', "RowNotFound"]
    assert [answer["ResponseMetadata"]["HTTPStatusCode"] for answer in deleted] == [204] * 3
    assert Table("daily-data", "joeyism-test").keys == []


def test_idea() -> None:
    """The rows of the README's table are under the keys of the README."""
    database = Database("joeyism-test")
    database.create()
    rows = {"1": b'["a", "b"]', "2": b'["c", "d"]', "3": b'["abk20dj3i"]'}
    for number, data in rows.items():
        key = f"daily-data/{number}/2020/01/01"
        database.client.put_object(Bucket="joeyism-test", Key=key, Body=data)
    assert list(Example(IDEA).results()) == list(rows.values())


def test_copy() -> None:
    for name in ("db1", "db2"):
        Database(name).create()
    Table("table1", "db1", ["a"]).insert(b"data", a="x")
    assert list(Example(COPY).results()) == [None]
    assert Table("table2", "db2", ["a"]).select(a="x") == b"data"


@pytest.mark.parametrize("kind", [Database, Table])
def test_every_name_is_there(kind: type) -> None:
    has = {*dir(kind), *inspect.signature(kind).parameters}
    assert set(NAMES[kind].split()) <= has


@pytest.mark.parametrize(("sync", "asynchronous"), [(Database, AsyncDatabase), (Table, AsyncTable)])
def test_both_worlds_have_the_same_api(sync: Any, asynchronous: Any) -> None:
    """The same names, with the same parameters; but for `with`, and the client that is awaited."""
    names = {name for name in dir(sync) if not name.startswith("_")}
    assert names == {name for name in dir(asynchronous) if not name.startswith("_")}
    for name in names | {"__init__"}:
        one, other = (inspect.getattr_static(kind, name) for kind in (sync, asynchronous))
        if name != "client" and not isinstance(one, property):
            one, other = (getattr(each, "__func__", each) for each in (one, other))
            assert _parameters(one) == _parameters(other), name


def _parameters(method: Any) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(method).parameters.values()
    return [(each.name, each.kind, each.default) for each in found]


class TheirTable:
    """How s3aads 2.13.6 makes and reads keys: `Table.insert`, `Table.query`."""

    def __init__(self, world: World, columns: list[str]) -> None:
        self._world = world
        self._columns = columns

    def insert(self, data: bytes, **row: Any) -> None:
        key = "/".join("{" + column + "}" for column in self._columns).format(**row)
        self._world.put(f"table/{key}", data)

    def query(self) -> list[dict[str, str]]:
        keys = [key[len("table/") :] for key in self._world.bucket_keys() if key[:6] == "table/"]
        return [dict(zip(self._columns, key.split("/"), strict=False)) for key in keys]


def test_a_table_can_be_used_by_both(sync: World) -> None:
    """Rows that one writes the other reads, and neither sees anything else."""
    columns = ["id", "name"]
    theirs, ours = TheirTable(sync, columns), sync.table("table", columns)
    values = ["1", "a b", "50%", "a%2Fb", "é", "!", "..."]
    for value in values:
        theirs.insert(b"theirs", id=value, name="x")
        ours.insert(b"ours", id=value, name="y")
    assert ours.query() == theirs.query()
    assert len(ours.query()) == 2 * len(values)
    assert {ours.select(id=value, name="x") for value in values} == {b"theirs"}
    assert sync.database.tables == ["table"]
