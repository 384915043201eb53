"""
What a table does, as steps: each method of `Table` and `AsyncTable` is one of these.

Keys are relative to the table, as in s3aads: what follows "<table>/".
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

from boto_accel.datastore import many
from boto_accel.datastore.effects import Emit, Fetch, Progress, Send, Steps
from boto_accel.datastore.errors import (
    ColumnError,
    EmptyTableError,
    RowExistsError,
    RowNotFound,
    SchemaError,
)
from boto_accel.datastore.escape import stored_bytes
from boto_accel.datastore.layout import KEY_BYTES, Layout, Place
from boto_accel.datastore.listing import HIGHEST, Pages, Rows, exists
from boto_accel.datastore.refusals import DENIED, FALSE_CONDITION, NO_KEY, conflict, refused
from boto_accel.datastore.sampling import KeySpace, common_head
from boto_accel.datastore.schema import (
    Schema,
    agreed,
    check_columns,
    parse_schema,
    schema_key,
    value_prefix,
)
from boto_accel.errors import InvalidOptionError

logger = logging.getLogger(__name__)

SORTED_BY = ("Key", "LastModified", "ETag", "Size", "StorageClass")
PAGE = 1000  # S3 API, ListObjectsV2: keys in a page
PAGES = 8  # that are drawn for one random key
DRAWS = 64  # pages that are tried from a random place; each that is empty halves the places left
_OWN_PARAMS = frozenset({"Bucket", "Key", "Body"})


class _Missing:
    """No default: raise RowNotFound."""

    def __repr__(self) -> str:
        return "<no default>"


MISSING: Any = _Missing()
# The default of a parameter of type D. It adds no type to D, so that what comes back is `bytes` for
# every type checker; of one that is Any, pyright makes `bytes | Any`.
NO_DEFAULT: NoReturn = MISSING


@dataclass
class Bucket:
    """A database, as its tables see it. schemas: what is known to be stored, None for nothing."""

    name: str
    schemas: dict[str, Schema | None] = field(default_factory=dict)


class TableSteps:
    """The steps of the table *name*. taken: the attributes that its class has."""

    def __init__(self, name: Any, bucket: Bucket, columns: Any, taken: Collection[str]) -> None:
        self.name = _checked_name(name)
        self.bucket = bucket
        self.given = check_columns(name, columns, taken)
        self._taken = taken
        self._agreed: tuple[Schema | None, Layout] | None = None
        self._unkept = False

    def full(self, key: str) -> str:
        return f"{self.name}/{key}"

    # Columns -----------------------------------------------------------------------------------

    def known(self) -> Schema | None:
        """The columns as far as they are known without asking."""
        return self._agreed[1].schema if self._agreed else self.given

    def schema(self) -> Steps:
        """The columns that the table has; None if it has none and was opened without."""
        stored = yield from self._stored()
        return agreed(self.name, self.given, stored)

    def layout(self) -> Steps:
        stored = self.bucket.schemas.get(self.name, MISSING)
        if stored is MISSING:
            stored = yield from self._stored()
        if self._agreed is None or self._agreed[0] is not stored:
            schema = agreed(self.name, self.given, stored)
            if schema is None:
                reason = f"its columns are not known: pass columns=, there is no {self._schema!r}"
                raise SchemaError(self.name, reason)
            # A stored column may have a name that this release has a method of.
            check_columns(self.name, schema.names, self._taken)
            self._agreed = stored, Layout(self.name, schema)
        return self._agreed[1]

    @property
    def _schema(self) -> str:
        return schema_key(self.name)

    def _stored(self) -> Steps:
        """The schema that is kept; None for none."""
        known = self.bucket.schemas.get(self.name, MISSING)
        if known is not MISSING:
            return known
        try:
            body, _ = yield Fetch({"Bucket": self.bucket.name, "Key": self._schema})
        except Exception as error:
            if self.given is not None and refused(error, DENIED):
                self._do_without("read")
            elif not refused(error, NO_KEY):
                raise
            elif self.given is None:
                return None  # it may be there next time
            stored = None
        else:
            stored = parse_schema(self.name, body)
        self.bucket.schemas[self.name] = stored
        return stored

    def _keep(self) -> Steps:
        """Store the columns where none are. Whether they are now others than was known."""
        if self._unkept or self.given is None or self.bucket.schemas.get(self.name) is not None:
            return False
        params = {
            "Bucket": self.bucket.name,
            "Key": self._schema,
            "Body": self.given.render(),
            "ContentType": "application/json",
            "IfNoneMatch": "*",
        }
        try:
            yield Send("put_object", params)
        except Exception as error:
            if refused(error, DENIED):
                self._do_without("stored")
                return False
            if not refused(error, FALSE_CONDITION):
                raise
            self.bucket.schemas.pop(self.name, None)  # another writer was first: its columns count
            yield from self._stored()
            return True
        self.bucket.schemas[self.name] = self.given
        return False

    def _do_without(self, action: str) -> None:
        # S3 answers 403 for an object that is not there, to who may not list.
        logger.warning(
            "table %r: its schema %r may not be %s; going on without it",
            self.name,
            self._schema,
            action,
        )
        self._unkept = True

    # One row -----------------------------------------------------------------------------------

    def _place(self, columns: Mapping[str, Any]) -> Steps:
        layout: Layout = yield from self.layout()
        return layout.place(columns)

    def _locate(self, place: Place) -> Steps:
        """The key where the row is, or is to be."""
        if place.plain is not None and (yield from self.has_plain(place)):
            return place.plain
        return place.key

    def has_plain(self, place: Place) -> Steps:
        """Whether s3aads wrote the row."""
        return exists(self.bucket.name, self.full(place.plain or ""))

    def select(self, columns: Mapping[str, Any], default: Any) -> Steps:
        place = yield from self._place(columns)
        key = yield from self._locate(place)
        found = yield from self._fetch(key, default)
        return found if found is default else found[0]

    def select_with_etag(self, columns: Mapping[str, Any]) -> Steps:
        place = yield from self._place(columns)
        key = yield from self._locate(place)
        body, reply = yield from self._fetch(key, MISSING)
        return body, reply["ETag"]

    def select_string(self, columns: Mapping[str, Any], default: Any) -> Steps:
        found = yield from self.select(columns, default)
        return found if found is default else found.decode("utf8")

    def select_json(self, columns: Mapping[str, Any], default: Any) -> Steps:
        found = yield from self.select(columns, default)
        return found if found is default else json.loads(found)

    def select_by_key(self, key: str, default: Any) -> Steps:
        _check_key(key)
        found = yield from self._fetch(key, default)
        return found if found is default else found[0]

    def _fetch(self, key: str, default: Any) -> Steps:
        try:
            return (yield Fetch({"Bucket": self.bucket.name, "Key": self.full(key)}))
        except Exception as error:
            if not refused(error, NO_KEY):
                raise
            if default is not MISSING:
                return default
            raise RowNotFound(self.name, key) from error

    def insert(
        self, data: Any, metadata: Mapping[str, Any] | None, if_absent: bool, columns: Any
    ) -> Steps:
        body = _checked_data(data)
        extra = _checked_metadata(metadata)
        place = yield from self._place(columns)
        if (yield from self._keep()):
            place = yield from self._place(columns)
        return (yield from self.insert_at(place, body, extra, if_absent))

    def insert_at(
        self, place: Place, data: Any, metadata: Mapping[str, Any], if_absent: bool
    ) -> Steps:
        key = yield from self._locate(place)
        if if_absent and key != place.key:
            raise RowExistsError(self.name, key)
        if key == place.key:
            yield from self._put_apart(place)
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        return (yield from self._put(key, data, metadata, condition))

    def _put_apart(self, place: Place) -> Steps:
        """First, so that no row is ever there without what its key stands for."""
        for digest, text in place.apart.items():
            where = value_prefix(self.name) + digest
            params = {"Bucket": self.bucket.name, "Key": where, "Body": stored_bytes(text)}
            yield Send("put_object", params)

    def _put(
        self, key: str, data: Any, metadata: Mapping[str, Any], condition: Mapping[str, str]
    ) -> Steps:
        where = {"Bucket": self.bucket.name, "Key": self.full(key), "Body": data}
        try:
            return (yield Send("put_object", {**where, **metadata, **condition}))
        except Exception as error:
            if not condition:
                raise
            found = conflict(error, self.name, key, if_absent="IfNoneMatch" in condition)
            if found is None:
                raise
            raise found from error

    def insert_string(self, data: Any, metadata: Any, if_absent: bool, columns: Any) -> Steps:
        if not isinstance(data, str):
            raise InvalidOptionError("data", type(data).__name__, "a str; insert() takes bytes")
        return (yield from self.insert(data.encode("utf8"), metadata, if_absent, columns))

    def insert_json(self, data: Any, metadata: Any, if_absent: bool, columns: Any) -> Steps:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        extra = {"ContentType": "application/json", **(metadata or {})}
        return (yield from self.insert(body, extra, if_absent, columns))

    def update(self, data: Any, metadata: Any, if_match: Any, columns: Any) -> Steps:
        body = _checked_data(data)
        extra = _checked_metadata(metadata)
        if not isinstance(if_match, str) or not if_match:
            expected = "the ETag of the row, as insert() and select_with_etag() give it"
            raise InvalidOptionError("if_match", if_match, expected)
        place = yield from self._place(columns)
        key = yield from self._locate(place)
        return (yield from self._put(key, body, extra, {"IfMatch": if_match}))

    def insert_by_key(self, key: str, data: Any, params: Mapping[str, Any]) -> Steps:
        _check_key(key)
        return (yield from self._put(key, data, _checked_metadata(params), {}))

    def delete(self, columns: Mapping[str, Any]) -> Steps:
        place: Place = yield from self._place(columns)
        if place.plain is not None and (yield from self.has_plain(place)):
            yield from self.delete_by_key(place.plain)
        return (yield from self.delete_by_key(place.key))

    def delete_by_key(self, key: str) -> Steps:
        _check_key(key)
        return (yield Send("delete_object", {"Bucket": self.bucket.name, "Key": self.full(key)}))

    def to_key(self, columns: Mapping[str, Any]) -> Steps:
        place = yield from self._place(columns)
        return self.full((yield from self._locate(place)))

    def copy(self, key: str, to: TableSteps, to_key: str, params: Mapping[str, Any]) -> Steps:
        _check_key(key)
        _check_key(to_key)
        source = {"Bucket": self.bucket.name, "Key": self.full(key)}
        where = {"Bucket": to.bucket.name, "Key": to.full(to_key), "CopySource": source}
        yield Send("copy_object", {**where, **params})

    # Many rows ---------------------------------------------------------------------------------

    def insert_many(
        self, rows: Iterable[Mapping[str, Any]], workers: int, progress: Progress | None
    ) -> Steps:
        layout: Layout = yield from self.layout()
        given = many.checked(rows, workers)
        tasks = many.inserts(self, layout, given)
        if (yield from self._keep()):
            layout = yield from self.layout()
            tasks = many.inserts(self, layout, given)
        return (yield from many.each(self.name, tasks, workers, progress))

    def inserting(self, layout: Layout, row: Mapping[str, Any]) -> tuple[Place, Any]:
        """Where *row* is to be, and what makes the steps that insert it."""
        columns = dict(row)
        data = _checked_data(columns.pop("data", None))
        metadata = _checked_metadata(columns.pop("metadata", None))
        if_absent = bool(columns.pop("if_absent", False))
        place = layout.place(columns)
        return place, partial(self.insert_at, place, data, metadata, if_absent)

    def select_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        default: Any,
        workers: int,
        progress: Progress | None,
    ) -> Steps:
        layout: Layout = yield from self.layout()
        places = many.places(layout, many.checked(rows, workers))
        tasks = [(place.key, partial(self._select_at, place, default)) for place in places]
        return (yield from many.each(self.name, tasks, workers, progress))

    def _select_at(self, place: Place, default: Any) -> Steps:
        key = yield from self._locate(place)
        found = yield from self._fetch(key, default)
        return found if found is default else found[0]

    def delete_many(
        self, rows: Iterable[Mapping[str, Any]], workers: int, progress: Progress | None
    ) -> Steps:
        layout: Layout = yield from self.layout()
        places = many.places(layout, many.checked(rows, workers))
        return (yield from many.deletes(self, places, workers, progress))

    # Looking for rows --------------------------------------------------------------------------

    def iter_texts(self, columns: Mapping[str, Any], make: Callable[..., Any]) -> Steps:
        """Emit `make(layout, texts, key)` for each row whose columns have the values given."""
        layout: Layout = yield from self.layout()
        wanted = layout.texts(columns)
        yield from Rows(self.bucket.name, layout).matching(wanted, partial(make, layout))

    def iter_query(self, columns: Mapping[str, Any]) -> Steps:
        return self.iter_texts(columns, Layout.row)

    def count(self, columns: Mapping[str, Any]) -> Steps:
        known = self.known() or columns or (yield from self.schema())
        if not known:
            return len((yield from self.keys("")))
        number = 0

        def take(values: Sequence[Any]) -> None:
            nonlocal number
            number += len(values)

        yield from taking(self.iter_texts(columns, lambda *row: None), take)
        return number

    def distinct(self, columns: Sequence[str]) -> Steps:
        layout: Layout = yield from self.layout()
        places = self._places(layout, columns)
        width = max(places) + 1
        rows = Rows(self.bucket.name, layout)
        is_leading = set(places) == set(range(width))
        steps = rows.leading(width) if is_leading else rows.matching({}, _pair)
        found: dict[tuple[Any, ...], None] = {}
        for texts, key in (yield from collected(steps)):
            found[tuple(layout.value(layout.names[at], texts[at], key) for at in places)] = None
        return list(found)

    def _places(self, layout: Layout, columns: Any) -> list[int]:
        if isinstance(columns, str) or not columns:
            raise InvalidOptionError("columns", columns, "a list of names of columns, at least one")
        for name in columns:
            if name not in layout.schema.columns:
                known = ", ".join(layout.names)
                raise ColumnError(self.name, name, f"there is no such column; there are {known}")
        return [layout.names.index(name) for name in columns]

    def values_of(self, column: str) -> Steps:
        found = yield from self.distinct([column])
        return [each[0] for each in found]

    def first_values(self) -> Steps:
        layout: Layout = yield from self.layout()
        return (yield from self.values_of(layout.names[0]))

    # Keys --------------------------------------------------------------------------------------

    def contents(self, key: str) -> Steps:
        """What S3 lists of the objects whose keys begin with *key*."""
        pages = Pages(self.bucket.name, self.full(key))
        found: list[dict[str, Any]] = []
        while pages.more:
            page = yield from pages.next()
            found += page.get("Contents", ())
        folder = self.full("")  # as consoles make one
        return [each for each in found if each["Key"] != folder]

    def keys(self, key: str, sort_by: str | None = None) -> Steps:
        if sort_by is not None and sort_by not in SORTED_BY:
            raise InvalidOptionError("sort_by", sort_by, f"one of {', '.join(SORTED_BY)}")
        found = yield from self.contents(key)
        if sort_by:
            found.sort(key=lambda each: each[sort_by])
        skipped = len(self.full(""))
        return [each["Key"][skipped:] for each in found]

    # A random one ------------------------------------------------------------------------------

    def random(self) -> Steps:
        layout: Layout = yield from self.layout()
        key = yield from self.random_key()
        ((texts, _),) = yield from Rows(self.bucket.name, layout).read([key])
        row = layout.row(texts, key)
        row["data"] = yield from self.select_by_key(key, MISSING)
        return row

    def random_key(self) -> Steps:
        schema = self.known() or (yield from self.schema())
        if schema is not None:
            yield from self.layout()
        keys, more = yield from self._page_after(None)
        rows = self._rows(keys)
        if more:
            rows = yield from self._drawn(keys, rows)
        if not rows:
            raise EmptyTableError(self.name)
        return random.choice(rows)

    def _rows(self, keys: Iterable[str]) -> list[str]:
        """Those of *keys* that are rows, where columns are known."""
        layout = self._agreed[1] if self._agreed else None
        return [key for key in keys if (layout.segments(key) if layout else key)]

    def _drawn(self, first: list[str], rows: list[str]) -> Steps:
        """Up to a page of keys from a random one on; behind the last comes the first again."""
        space = KeySpace(first, (yield from self._shared(common_head(first[0], first[-1]))))
        pages: list[list[str]] = []
        weights: list[float] = []
        for _ in range(DRAWS):
            start = space.draw(random.randrange)
            keys, _ = yield from self._page_after(start)
            found = [*self._rows(keys), *rows][:PAGE]
            if not keys:
                space.end_before(start)
            elif found:
                pages.append(found)
                weights.append(space.weight(start, keys))
                if len(pages) == PAGES:
                    break
        if pages:
            return random.choices(pages, weights)[0]
        steps = self.iter_texts({}, lambda layout, texts, key: key)  # few rows among other keys
        return (yield from collected(steps))

    def _shared(self, head: str) -> Steps:
        """What all keys begin with, of which *head* is what those of the first page do."""
        low, high = 0, len(head)
        while low < high:
            middle = (low + high + 1) // 2
            keys, _ = yield from self._page_after(head[:middle] + HIGHEST, MaxKeys=1)
            low, high = (low, middle - 1) if keys else (middle, high)
        return head[:low]

    def _page_after(self, key: str | None, **params: Any) -> Steps:
        if key is not None:
            params["StartAfter"] = self.full(key)
        pages = Pages(self.bucket.name, self.full(""), **params)
        page = yield from pages.next()
        skipped = len(self.full(""))
        return [each["Key"][skipped:] for each in page.get("Contents", ())], pages.more


# Steps of steps --------------------------------------------------------------------------------


def taking(steps: Steps, take: Callable[[Sequence[Any]], object]) -> Steps:
    """*steps*, with what they emit given to *take*."""
    try:
        effect = next(steps)
        while True:
            if isinstance(effect, Emit):
                take(effect.values)
                effect = steps.send(None)
                continue
            try:
                outcome = yield effect
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration:
        return
    finally:
        steps.close()


def collected(steps: Steps) -> Steps:
    """All that *steps* emit, in a list."""
    found: list[Any] = []
    yield from taking(steps, found.extend)
    return found


def _pair(texts: Sequence[str], key: str) -> tuple[Sequence[str], str]:
    return texts, key


# Parameters ------------------------------------------------------------------------------------


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name or name[0] == "/" or name[-1] == "/":
        expected = "a text that is not empty and neither begins nor ends with '/'"
        raise InvalidOptionError("name", name, expected)
    if len(name.encode("utf-8", "replace")) > KEY_BYTES // 2:
        raise InvalidOptionError("name", name, f"at most {KEY_BYTES // 2} bytes of UTF-8")
    return name


def _check_key(key: Any) -> None:
    if not isinstance(key, str) or not key:
        raise InvalidOptionError("key", key, "a key relative to the table, as in table.keys")


def _checked_data(data: Any) -> Any:
    if not isinstance(data, bytes | bytearray | memoryview):
        expected = "bytes; insert_string() takes a str, insert_json() what JSON can hold"
        raise InvalidOptionError("data", type(data).__name__, expected)
    return bytes(data) if isinstance(data, memoryview) else data


def _checked_metadata(metadata: Any) -> Mapping[str, Any]:
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        expected = "a dict of parameters of put_object: ContentType, Metadata, …"
        raise InvalidOptionError("metadata", type(metadata).__name__, expected)
    for name in metadata:
        if name in _OWN_PARAMS:
            raise InvalidOptionError(f"metadata[{name!r}]", "given", "it left out: the row says it")
    return metadata
