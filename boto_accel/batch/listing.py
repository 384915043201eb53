"""
Listings of a bucket with keys in batches: one page, of the plain objects and of those in batches.

Both come in the order of keys. Nothing is kept between two pages that the caller asks for: the
marker, or our token, says behind which key, or common prefix, to go on.

Source: S3 API, ListObjects and ListObjectsV2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from boto_accel._call import Call
from boto_accel._clienterrors import refusal
from boto_accel._effects import Blocking, Forward, Steps
from boto_accel._tokens import text_of, token_of
from boto_accel.batch.index import Entry
from boto_accel.batch.replies import row_of, stamp_of

if TYPE_CHECKING:
    from boto_accel.batch.patch import BatchPatch

MOST_ENTRIES = 1000  # S3 API: of a page
AT_ONCE = 1000  # entries of batches that are fetched in one step


class Row(NamedTuple):
    """A key, or a common prefix. value: as in the answer. entry: of an object in a batch."""

    name: str
    is_prefix: bool
    value: Mapping[str, Any]
    entry: Entry | None = None


@dataclass(frozen=True)
class Asked:
    """One page. after: what was given last. is_ours: all before it, common prefixes too."""

    call: Call
    prefix: str
    delimiter: str
    limit: int
    after: str
    is_ours: bool

    def is_to_come(self, name: str, is_prefix: bool) -> bool:
        if not self.after:
            return True
        # S3 groups what comes behind "a/b" under "a/"; we have given "a/" where the token is ours.
        return name > self.after if self.is_ours or not is_prefix else True


def list_merged(patch: BatchPatch, call: Call) -> Steps:
    """The answer of ListObjects or ListObjectsV2."""
    asked = _read(call)
    if asked is None:
        return (yield Forward(call))  # botocore, or S3, says what is wrong with it
    plain = _Plain(asked)
    batched = _Batched(patch, asked)
    rows: list[Row] = []
    while len(rows) <= asked.limit:
        ours = yield from batched.peek()
        theirs = yield from plain.peek()
        if ours is None and theirs is None:
            break
        rows.append(_take(plain, batched, theirs, ours))
    return _answer(asked, plain.answer, rows[: asked.limit], len(rows) > asked.limit)


def _take(plain: _Plain, batched: _Batched, theirs: Row | None, ours: Row | None) -> Row:
    """The first of the two, taken off; of one key the newer."""
    if ours is None or (theirs is not None and theirs.name < ours.name):
        return plain.take()
    if theirs is None or ours.name < theirs.name:
        return batched.take()
    plain.take()
    batched.take()
    if ours.entry is None or stamp_of(theirs.value["LastModified"]) > ours.entry.stamp:
        return theirs
    return ours


def _read(call: Call) -> Asked | None:
    params = call.params
    is_v2 = call.operation == "ListObjectsV2"
    start = "StartAfter" if is_v2 else "Marker"
    texts = ("Prefix", "Delimiter", start, *(["ContinuationToken"] if is_v2 else []))
    limit = params.get("MaxKeys", MOST_ENTRIES)
    if type(limit) is not int or limit <= 0:
        return None
    if not all(isinstance(params.get(name, ""), str) for name in texts):
        return None
    after, is_ours = params.get(start, ""), not is_v2
    if is_v2 and "ContinuationToken" in params:
        found = text_of(params["ContinuationToken"])
        if found is None:
            message = "The continuation token provided is incorrect"
            raise refusal(call, "InvalidArgument", message, 400, ArgumentName="continuation-token")
        after, is_ours = found, True
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
    return Asked(call, prefix, delimiter, min(limit, MOST_ENTRIES), after, is_ours)


class _Plain:
    """The plain objects, page by page."""

    def __init__(self, asked: Asked) -> None:
        self.answer: dict[str, Any] = {}
        self._asked = asked
        self._rows: list[Row] = []  # the next one last
        drop = ("StartAfter", "Marker", "ContinuationToken", "EncodingType")
        params = {name: each for name, each in asked.call.params.items() if name not in drop}
        if asked.after:
            is_v2 = asked.call.operation == "ListObjectsV2"
            params["StartAfter" if is_v2 else "Marker"] = asked.after
        self._following: dict[str, Any] | None = params

    def peek(self) -> Steps:
        while not self._rows and self._following is not None:
            page = yield Forward(replace(self._asked.call, params=self._following))
            self.answer = self.answer or page
            found = sorted(_rows(page), key=_name_of)
            rows = [each for each in found if self._asked.is_to_come(each.name, each.is_prefix)]
            self._rows = rows[::-1]
            self._following = self._next(page, found)
        return self._rows[-1] if self._rows else None

    def _next(self, page: Mapping[str, Any], found: list[Row]) -> dict[str, Any] | None:
        if not page.get("IsTruncated") or self._following is None:
            return None
        if "NextContinuationToken" in page:
            return {**self._following, "ContinuationToken": page["NextContinuationToken"]}
        # S3 API, ListObjects: NextMarker comes only with a delimiter; else it is the last key.
        after = page.get("NextMarker") or (found[-1].name if found else "")
        return {**self._following, "Marker": after} if after else None

    def take(self) -> Row:
        return self._rows.pop()


class _Batched:
    """The objects in batches, grouped by the delimiter."""

    def __init__(self, patch: BatchPatch, asked: Asked) -> None:
        self._asked = asked
        start = asked.after
        entries = patch.objects(asked.prefix, start)
        self._groups = self._grouped(entries)
        self._rows: list[Row] = []
        self._is_over = False

    def _grouped(self, entries: Iterator[Entry]) -> Iterator[Row]:
        for name, several in groupby(entries, self._group):
            if name:
                row = Row(name, True, {"Prefix": name})
                if self._asked.is_to_come(name, True):
                    yield row
            else:
                for entry in several:
                    yield Row(entry.key, False, row_of(entry), entry)

    def _group(self, entry: Entry) -> str:
        asked = self._asked
        if not asked.delimiter:
            return ""
        end = entry.key.find(asked.delimiter, len(asked.prefix))
        return "" if end < 0 else entry.key[: end + len(asked.delimiter)]

    def peek(self) -> Steps:
        if not self._rows and not self._is_over:
            self._rows = yield Blocking(self._some)
            self._is_over = not self._rows
        return self._rows[-1] if self._rows else None

    def _some(self) -> list[Row]:
        wanted = min(self._asked.limit + 1, AT_ONCE)
        return [row for _, row in zip(range(wanted), self._groups, strict=False)][::-1]

    def take(self) -> Row:
        return self._rows.pop()


def _rows(page: Mapping[str, Any]) -> Iterator[Row]:
    for value in page.get("Contents", ()):
        yield Row(value["Key"], False, value)
    for value in page.get("CommonPrefixes", ()):
        yield Row(value["Prefix"], True, value)


def _name_of(row: Row) -> str:
    return row.name


def _answer(asked: Asked, template: Mapping[str, Any], rows: list[Row], more: bool) -> Any:
    """The page as S3 would give it. template: what it answered for the plain objects."""
    params = asked.call.params
    is_v2 = asked.call.operation == "ListObjectsV2"
    start = "StartAfter" if is_v2 else "Marker"
    varying = ("Contents", "CommonPrefixes", "NextContinuationToken", "NextMarker", start)
    answer = {
        name: value
        for name, value in template.items()
        if name not in varying and name not in ("ContinuationToken", "EncodingType")
    }
    for name in (start, "ContinuationToken"):
        if name in params or name == "Marker":
            if name == "Marker" and is_v2:
                continue
            answer[name] = params.get(name, "")
    contents = [row.value for row in rows if not row.is_prefix]
    prefixes = [row.value for row in rows if row.is_prefix]
    if contents:
        answer["Contents"] = contents
    if prefixes:
        answer["CommonPrefixes"] = prefixes
    answer["IsTruncated"], answer["MaxKeys"] = more, params.get("MaxKeys", MOST_ENTRIES)
    if is_v2:
        answer["KeyCount"] = len(rows)  # S3 API: common prefixes too
    if more:
        if is_v2:
            answer["NextContinuationToken"] = token_of(rows[-1].name)
        elif asked.delimiter:
            answer["NextMarker"] = rows[-1].name
    return _quoted(answer) if params.get("EncodingType") == "url" else answer


def _quoted(answer: dict[str, Any]) -> dict[str, Any]:
    """For callers who ask for EncodingType "url": what S3 would quote."""
    tops = ("Prefix", "Delimiter", "Marker", "NextMarker", "StartAfter")
    found: dict[str, Any] = {
        name: quote(value, safe="/") if name in tops else value for name, value in answer.items()
    }
    for name, member in (("Contents", "Key"), ("CommonPrefixes", "Prefix")):
        if name in found:
            found[name] = [{**each, member: quote(each[member], safe="/")} for each in found[name]]
    return {**found, "EncodingType": "url"}
