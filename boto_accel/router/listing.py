"""
Listings of a bucket whose keys are at several places: one page, merged in the order of keys.

Each place is listed page by page as far as is needed, and only what the rules put there counts:
what else lies in the same bucket is not the caller's. Nothing is kept between two pages that the
caller asks for: the marker, or our token, says after which key to go on.

Source: S3 API, ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads: keys are in
the order of their UTF-8 bytes, which is that of code points; a page has at most MaxKeys keys and
common prefixes together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from boto_accel._call import Call
from boto_accel._clienterrors import refusal
from boto_accel._effects import Steps
from boto_accel._tokens import text_of, token_of
from boto_accel.router.rules import Place

if TYPE_CHECKING:
    from boto_accel.router.routing import Router

MOST_ENTRIES = 1000  # S3 API: of a page
PREFIXES = "CommonPrefixes"


class Kind(NamedTuple):
    """What the members of one listing operation are called."""

    lists: tuple[str, ...]
    limit: str
    start: str
    start_id: str = ""
    token: str = ""
    id: str = ""


KINDS = {
    "ListObjects": Kind(("Contents",), "MaxKeys", "Marker"),
    "ListObjectsV2": Kind(("Contents",), "MaxKeys", "StartAfter", token="ContinuationToken"),
    "ListObjectVersions": Kind(
        ("Versions", "DeleteMarkers"), "MaxKeys", "KeyMarker", "VersionIdMarker", id="VersionId"
    ),
    "ListMultipartUploads": Kind(
        ("Uploads",), "MaxUploads", "KeyMarker", "UploadIdMarker", id="UploadId"
    ),
}


class Entry(NamedTuple):
    """A key (with its value in an answer), or a common prefix."""

    key: str
    list: str
    value: Mapping[str, Any]

    @property
    def is_prefix(self) -> bool:
        return self.list == PREFIXES


class Start(NamedTuple):
    """
    After which key to go on. id: after which version or upload of that key; "" for all of them.

    is_ours: whether all that comes before it has been given, common prefixes too.
    """

    key: str = ""
    id: str = ""
    is_ours: bool = False

    def is_before(self, entry: Entry) -> bool:
        """Whether *entry* is still to come."""
        if not self.key:
            return True
        if entry.is_prefix:
            # What comes after "a/b" may be grouped under "a/": the store knows whether it is.
            return not self.is_ours or entry.key > self.key
        return entry.key > self.key or (bool(self.id) and entry.key == self.key)


@dataclass
class Cursor:
    """How far one place has been listed. following: parameters of its next page, or None."""

    place: Place
    following: dict[str, Any] | None
    entries: list[Entry] = field(default_factory=list)  # the next one last
    answer: dict[str, Any] | None = None


@dataclass(frozen=True)
class Listing:
    """One page that the caller asks for. operation: by which the places are asked."""

    router: Router
    call: Call
    operation: str
    kind: Kind
    bucket: str
    prefix: str
    delimiter: str
    limit: int
    start: Start

    def cursor(self, place: Place) -> Cursor:
        params = {
            name: value
            for name, value in self.call.params.items()
            if name not in (self.kind.start, self.kind.start_id, self.kind.token, "EncodingType")
        }
        params[self.kind.limit] = self.limit
        head = self._head(place)
        if head:
            params["Prefix"] = head
        if self.start.key:
            params[self.kind.start] = self.start.key
            if self.start.id and self.router.rules.is_at(place, self.start.key):
                params[self.kind.start_id] = self.start.id
        return Cursor(place, params)

    def _head(self, place: Place) -> str:
        """
        What to ask *place* for in place of the caller's prefix: a longer one where all is there.

        It may not reach into what the delimiter divides, for the place groups behind it.
        """
        head = self.router.rules.head_of_keys(place, self.prefix)
        if not self.delimiter:
            return head
        if len(self.delimiter) > 1:  # it could begin within the head
            return self.prefix
        end = head.find(self.delimiter, len(self.prefix))
        return head if end < 0 else head[:end]

    def page(self, cursors: Sequence[Cursor]) -> Steps:
        """(entries of the page, whether there are more)"""
        found: list[Entry] = []
        while len(found) <= self.limit:
            entry = yield from self._next(cursors)
            if entry is None:
                return found, False
            found.append(entry)
        return found[: self.limit], True

    def _next(self, cursors: Sequence[Cursor]) -> Steps:
        """The first entry of all, taken off; None at the end."""
        while True:
            for cursor in cursors:
                yield from self._fill(cursor)
            waiting = [cursor for cursor in cursors if cursor.entries]
            if not waiting:
                return None
            first = min((cursor.entries[-1] for cursor in waiting), key=_key_of)
            if not first.is_prefix:
                next(each for each in waiting if each.entries[-1] is first).entries.pop()
                return first
            there = [each for each in waiting if _is_prefix_of(each, first.key)]
            for cursor in there:
                cursor.entries.pop()
            for cursor in there:
                if (yield from self._is_visible(cursor.place, first.key)):
                    return first

    def _fill(self, cursor: Cursor) -> Steps:
        while not cursor.entries and cursor.following is not None:
            answer = yield from self.router.send_at(
                self.call, cursor.place, self.operation, cursor.following
            )
            if cursor.answer is None:
                cursor.answer = answer
            found = sorted(self._entries(answer), key=_order)
            seen = (each for each in found if self._is_there(cursor.place, each))
            cursor.entries = list(seen)[::-1]
            cursor.following = self._following(cursor.following, answer, found)

    def _entries(self, answer: Mapping[str, Any]) -> Iterator[Entry]:
        for name in self.kind.lists:
            for value in answer.get(name) or ():
                yield Entry(value["Key"], name, value)
        for value in answer.get(PREFIXES) or ():
            yield Entry(value["Prefix"], PREFIXES, value)

    def _is_there(self, place: Place, entry: Entry) -> bool:
        """Whether *entry* is to come, and no other place's. Of prefixes see `_is_visible`."""
        if not self.start.is_before(entry) or not entry.key.startswith(self.prefix):
            return False
        return entry.is_prefix or self.router.rules.is_at(place, entry.key)

    def _following(
        self, asked: dict[str, Any], answer: Mapping[str, Any], found: Sequence[Entry]
    ) -> dict[str, Any] | None:
        kind = self.kind
        if not answer.get("IsTruncated"):
            return None
        if kind.token:
            return {**asked, kind.token: answer[f"Next{kind.token}"]}
        # S3 API, ListObjects: NextMarker comes only with a delimiter; else it is the last key.
        after = answer.get(f"Next{kind.start}") or (found[-1].key if found else "")
        if not after:
            return None
        following = {**asked, kind.start: after}
        following.pop(kind.start_id, None)
        if kind.start_id and answer.get(f"Next{kind.start_id}"):
            following[kind.start_id] = answer[f"Next{kind.start_id}"]
        return following

    def _is_visible(self, place: Place, prefix: str) -> Steps:
        """Whether there is a key of the caller's under the common *prefix* at *place*."""
        places = self.router.rules.places_of_prefix(self.bucket, prefix)
        if not any(place.is_same_as(each) for each in places):
            return False
        if len(places) == 1:
            return True
        within = Listing(
            self.router,
            self.call,
            self.operation,
            self.kind,
            self.bucket,
            prefix,
            "",
            MOST_ENTRIES,
            Start(),
        )
        cursor = within.cursor(place)
        if cursor.following is not None:
            cursor.following = {
                name: value for name, value in cursor.following.items() if name != "Delimiter"
            }
        yield from within._fill(cursor)
        return bool(cursor.entries)

    def answer(self, template: Mapping[str, Any], found: Sequence[Entry], more: bool) -> Any:
        """The page as one store would give it. *template*: what one place answered."""
        kind, params = self.kind, self.call.params
        varying = (*kind.lists, PREFIXES, kind.start, kind.start_id, kind.token)
        left_out = {*varying, *(f"Next{name}" for name in varying)}
        answer = {name: value for name, value in template.items() if name not in left_out}
        for name in (kind.start, kind.start_id, kind.token):
            if name and (name in params or (name in template and not kind.token)):
                answer[name] = params.get(name, "")
        if "Prefix" in answer or self.prefix:
            answer["Prefix"] = self.prefix
        for name in (*kind.lists, PREFIXES):
            values = [entry.value for entry in found if entry.list == name]
            if values:
                answer[name] = values
        answer["IsTruncated"] = more
        if "KeyCount" in template:
            answer["KeyCount"] = len(found)
        if more and found:
            self._mark(answer, found[-1])
        return _quoted(answer, kind) if params.get("EncodingType") == "url" else answer

    def _mark(self, answer: dict[str, Any], last: Entry) -> None:
        kind = self.kind
        if kind.token:
            answer[f"Next{kind.token}"] = token_of(last.key)
        elif kind.id or self.delimiter:
            answer[f"Next{kind.start}"] = last.key
        if kind.id and not last.is_prefix:
            answer[f"Next{kind.start_id}"] = last.value[kind.id]


def list_places(router: Router, call: Call, places: Sequence[Place]) -> Steps:
    """The answer of a listing over *places*, of which there are several."""
    kind, params = KINDS[call.operation], call.params
    limit = params.get(kind.limit, MOST_ENTRIES)
    if type(limit) is not int or limit <= 0 or not _are_texts(params, kind):
        return (yield from router.send_at(call, places[-1], call.operation, params))
    listing = Listing(
        router,
        call,
        call.operation,
        kind,
        bucket=params["Bucket"],
        prefix=params.get("Prefix") or "",
        delimiter=params.get("Delimiter") or "",
        limit=min(limit, MOST_ENTRIES),
        start=_start_of(call, kind),
    )
    cursors = [listing.cursor(place) for place in places]
    found, more = yield from listing.page(cursors)
    template = next(each.answer for each in reversed(cursors) if each.answer is not None)
    return listing.answer(template, found, more)


def is_empty(router: Router, call: Call, places: Sequence[Place]) -> Steps:
    """Whether the caller has no key at any of *places*, of which there are several."""
    operation = "ListObjectsV2"
    bare = replace(call, params={"Bucket": call.params["Bucket"]})
    kind = KINDS[operation]
    listing = Listing(router, bare, operation, kind, call.params["Bucket"], "", "", 1, Start())
    found, _ = yield from listing.page([listing.cursor(place) for place in places])
    return not found


def _are_texts(params: Mapping[str, Any], kind: Kind) -> bool:
    names = ("Delimiter", kind.start, kind.start_id, kind.token)
    return all(isinstance(params.get(name, ""), str) for name in names)


def _start_of(call: Call, kind: Kind) -> Start:
    """Raises InvalidArgument for a continuation token that is none of ours."""
    params = call.params
    if kind.token and kind.token in params:
        key = text_of(params[kind.token])
        if key is None:
            message = "The continuation token provided is incorrect"
            raise refusal(call, "InvalidArgument", message, 400, ArgumentName="continuation-token")
        return Start(key, is_ours=True)
    return Start(params.get(kind.start) or "", params.get(kind.start_id) or "")


def _key_of(entry: Entry) -> str:
    return entry.key


def _order(entry: Entry) -> Any:
    """S3 API, ListObjectVersions: of one key the latest version comes first."""
    if "IsLatest" not in entry.value:
        return (entry.key, False, 0.0)
    return (entry.key, not entry.value["IsLatest"], -entry.value["LastModified"].timestamp())


def _is_prefix_of(cursor: Cursor, key: str) -> bool:
    entry = cursor.entries[-1]
    return entry.is_prefix and entry.key == key


def _quoted(answer: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """For callers who ask for EncodingType "url": what S3 would quote."""
    tops = ("Prefix", "Delimiter", kind.start, f"Next{kind.start}")
    found: dict[str, Any] = {
        name: quote(value, safe="/") if name in tops else value for name, value in answer.items()
    }
    for name in (*kind.lists, PREFIXES):
        member = "Prefix" if name == PREFIXES else "Key"
        if name in found:
            found[name] = [{**each, member: quote(each[member], safe="/")} for each in found[name]]
    return {**found, "EncodingType": "url"}
