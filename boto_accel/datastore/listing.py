"""Steps that list: pages of keys, rows of a table, distinct values of leading columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from boto_accel.datastore.effects import Emit, Fetch, Send, Steps, Together
from boto_accel.datastore.errors import UnreadableKeyError
from boto_accel.datastore.layout import Layout
from boto_accel.datastore.refusals import NO_KEY, refused
from boto_accel.datastore.schema import value_prefix

HIGHEST = "\U0010ffff"  # nothing sorts after it, so "a/" with it is after what begins with "a/"
Found = tuple[Sequence[str], str]  # the texts of a row, and its key
Make = Callable[[Sequence[str], str], Any]

MOST_KNOWN = 10_000  # values kept apart that one listing remembers


class Pages:
    """The pages of one listing: `while pages.more: page = yield from pages.next()`."""

    def __init__(self, bucket: str, prefix: str, **params: Any) -> None:
        self._params = {"Bucket": bucket, "Prefix": prefix, **params}
        self.more = True

    def next(self) -> Steps:
        page = yield Send("list_objects_v2", self._params)
        token = page.get("NextContinuationToken")
        self.more = bool(page.get("IsTruncated") and token)
        self._params = {**self._params, "ContinuationToken": token}
        return page


def exists(bucket: str, key: str) -> Steps:
    """Whether there is an object at *key*. Of those that begin with it, it sorts first."""
    page = yield Send("list_objects_v2", {"Bucket": bucket, "Prefix": key, "MaxKeys": 1})
    return [each["Key"] for each in page.get("Contents", ())] == [key]


class Rows:
    """The rows of one table in listings of *bucket*. Keys are relative to the table."""

    def __init__(self, bucket: str, layout: Layout) -> None:
        self._bucket = bucket
        self._layout = layout
        self._head = f"{layout.table}/"
        self._known: dict[str, str] = {}

    def keys_of(self, page: Mapping[str, Any]) -> list[str]:
        skipped = len(self._head)
        return [each["Key"][skipped:] for each in page.get("Contents", ())]

    # Rows --------------------------------------------------------------------------------------

    def matching(self, wanted: Mapping[str, str], make: Make) -> Steps:
        """Emit `make(texts, key)` of the rows whose columns have the texts *wanted*, by pages."""
        leading = []
        for name in self._layout.names:
            if name not in wanted:
                break
            leading.append(wanted[name])
        whole = len(leading) == len(self._layout.names)
        for prefix in self._layout.prefixes(leading):
            if whole:
                found = yield from exists(self._bucket, self._head + prefix)
                yield Emit([make(leading, prefix)] if found else [])
                continue
            pages = Pages(self._bucket, self._head + prefix)
            while pages.more:
                page = yield from pages.next()
                read = yield from self.read(self.keys_of(page))
                yield Emit([make(*row) for row in self._filtered(read, wanted)])

    def _filtered(self, rows: Sequence[Found], wanted: Mapping[str, str]) -> Iterable[Found]:
        # By leading columns too: another value may look like the prefix, see `Layout.read_texts`.
        places = [(self._layout.names.index(name), text) for name, text in wanted.items()]
        return (row for row in rows if all(row[0][at] == text for at, text in places))

    def read(self, keys: Sequence[str]) -> Steps:
        """A `Found` for each of *keys* that is a row."""
        split = [(key, self._layout.segments(key)) for key in keys]
        found = [(key, segments) for key, segments in split if segments is not None]
        yield from self._learn(found)
        return [
            (self._layout.read_texts(segments, self._known.__getitem__), key)
            for key, segments in found
        ]

    def _learn(self, found: Iterable[tuple[str, Sequence[str]]]) -> Steps:
        """Fetch the values that are kept apart."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        wanted = {
            digest: (key, column)
            for key, segments in found
            for column, digest in self._layout.digests(segments)
            if digest not in self._known
        }
        if not wanted:
            return
        tasks = [partial(self._fetch, digest, *where) for digest, where in wanted.items()]
        for digest, done in zip(wanted, (yield Together(tasks)), strict=True):
            if done.error is not None:
                raise done.error
            self._known[digest] = done.value

    def _fetch(self, digest: str, key: str, column: str) -> Steps:
        where = value_prefix(self._layout.table) + digest
        try:
            body, _ = yield Fetch({"Bucket": self._bucket, "Key": where})
        except Exception as error:
            if not refused(error, NO_KEY):
                raise
            reason = f"its value was kept apart at {where!r}, which is gone"
            raise UnreadableKeyError(self._layout.table, key, column, reason) from error
        return body.decode("utf-8", "surrogatepass")

    # Distinct values of the first columns ------------------------------------------------------

    def leading(self, width: int) -> Steps:
        """
        Emit a `Found` for the distinct values of the first *width* columns; its key ends there.

        For one column, common prefixes: a page has 1,000 of them. For more, pages of keys, where
        what is left of a group that goes on beyond the page is skipped. A group that fills a page
        is taken for a large one among large ones: those beside it are listed as common prefixes.
        So at most twice as many pages are read as there are pages of keys.
        """
        seen: set[str] = set()
        if width == 1:
            yield from self._children("", None, seen)
            return
        after: str | None = None
        while True:
            pages = Pages(self._bucket, self._head, **_start(self._head, after))
            keys: list[str] = []
            while pages.more and not keys:
                keys = self.keys_of((yield from pages.next()))
            groups = dict.fromkeys(
                "/".join(segments[:width])
                for segments in map(self._layout.segments, keys)
                if segments is not None
            )
            yield from self._emit_groups(groups, seen)
            if not pages.more:
                return
            group = "/".join(keys[-1].split("/")[:width])
            if group not in seen or not keys[-1].startswith(f"{group}/"):
                after = keys[-1]
                continue
            after = f"{group}/{HIGHEST}"
            if keys[0].startswith(f"{group}/"):
                parent = group.rpartition("/")[0]
                yield from self._children(f"{parent}/", after, seen)
                after = f"{parent}/{HIGHEST}"

    def _children(self, prefix: str, after: str | None, seen: set[str]) -> Steps:
        start = _start(self._head, after)
        pages = Pages(self._bucket, self._head + prefix, Delimiter="/", **start)
        single = len(self._layout.names) == 1 + prefix.count("/")
        while pages.more:
            page = yield from pages.next()
            if single:
                groups = [key for key in self.keys_of(page) if self._layout.segments(key)]
            else:
                skipped = len(self._head)
                common = page.get("CommonPrefixes", ())
                groups = [each["Prefix"][skipped:-1] for each in common]
            yield from self._emit_groups(groups, seen)

    def _emit_groups(self, groups: Iterable[str], seen: set[str]) -> Steps:
        new = [(group, group.split("/")) for group in groups if group not in seen]
        seen.update(group for group, _ in new)
        yield from self._learn(new)
        known = self._known.__getitem__
        yield Emit([(self._layout.read_texts(each, known), group) for group, each in new])


def _start(head: str, after: str | None) -> dict[str, str]:
    return {} if after is None else {"StartAfter": head + after}
