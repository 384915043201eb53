"""
Rows as keys, and back. A key is relative here: what follows "<table>/".

Rule: decisions only, no I/O. A row has one key, but for two cases in which it may be found at
another one:

* its key would be longer than S3 allows: its long values are replaced by digests, and kept apart;
* s3aads wrote it, with values that are escaped here: its *plain* key has them as they are.

A key is read as an escape only if it is the very key that is written for the values that it then
says. Any other key with the right number of segments is plain. So each such key is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from boto_accel.datastore.errors import ColumnError, KeyTooLongError, UnreadableKeyError
from boto_accel.datastore.escape import (
    DIGEST,
    DIGEST_BYTES,
    MARK,
    digest_of,
    digest_segment,
    escape,
    unescape,
)
from boto_accel.datastore.schema import Schema
from boto_accel.datastore.values import ANY

KEY_BYTES = 1024  # S3 user guide, "Naming Amazon S3 objects": bytes of UTF-8

Lookup = Callable[[str], str]


@dataclass(frozen=True)
class Place:
    """
    Where a row is. key: where it is written; plain: where s3aads has it, if that is elsewhere.

    apart: values by digest that have to be stored before the row is.
    """

    key: str
    plain: str | None
    apart: Mapping[str, str]

    @property
    def keys(self) -> list[str]:
        return [self.key] if self.plain is None else [self.plain, self.key]


@dataclass(frozen=True)
class Layout:
    """The keys of the *table* with the columns of *schema*."""

    table: str
    schema: Schema

    @cached_property
    def names(self) -> list[str]:
        return self.schema.names

    @cached_property
    def _room(self) -> int:
        return KEY_BYTES - len(self.table.encode()) - 1

    # Values to keys ----------------------------------------------------------------------------

    def texts(self, given: Mapping[str, Any]) -> dict[str, str]:
        """
        The texts of those columns that have a value, in the order of columns.

        None is no value. Raises ColumnError for an unknown column or a wrong value.
        """
        for name in given:
            if name not in self.schema.columns:
                known = ", ".join(self.names)
                raise ColumnError(self.table, name, f"there is no such column; there are {known}")
        return {
            name: self._text(name, given[name])
            for name in self.names
            if given.get(name) is not None
        }

    def _text(self, name: str, value: Any) -> str:
        try:
            return self.schema.columns[name].write(value)
        except ValueError as error:
            raise ColumnError(self.table, name, str(error)) from None

    def place(self, given: Mapping[str, Any]) -> Place:
        """Where the row with all values *given* is. Raises ColumnError where one is missing."""
        texts = self.texts(given)
        for name in self.names:
            if name not in texts:
                raise ColumnError(self.table, name, "it is missing; a row is named by all columns")
        return self._place(list(texts.values()))

    def _place(self, texts: Sequence[str]) -> Place:
        segments, apart = self._written(texts)
        return Place("/".join(segments), self._plain(texts, segments), apart)

    def _written(self, texts: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The segments that are written for *texts*, and what has to be kept apart for them."""
        segments = [escape(text) for text in texts]
        if self._fits(segments):
            return segments, {}
        segments, apart = _digested(segments, texts)
        if not self._fits(segments):
            raise self._too_long(texts)
        return segments, apart

    def _plain(self, texts: Sequence[str], segments: Sequence[str]) -> str | None:
        if list(texts) == segments or any("/" in text for text in texts):
            return None
        plain = "/".join(texts)
        # A key "<table>/" is how consoles make a folder.
        if not plain or not _is_utf8(plain) or not self._fits(texts):
            return None
        return plain if self._reads_plain(texts) else None

    def _reads_plain(self, segments: Sequence[str]) -> bool:
        """Whether a key of *segments* stands for these very texts, and not for what they escape."""
        if any(map(DIGEST.fullmatch, segments)):
            return False
        return list(segments) == list(self.read_texts(segments, str))

    def _fits(self, segments: Sequence[str]) -> bool:
        size = sum(len(each) for each in segments) + len(segments) - 1
        if size * 4 <= self._room:  # a character has at most four bytes
            return True
        return len("/".join(segments).encode("utf-8", "surrogatepass")) <= self._room

    def _too_long(self, texts: Sequence[str]) -> KeyTooLongError:
        longest = max(range(len(texts)), key=lambda index: len(texts[index]))
        reason = (
            f"the key would be longer than the {KEY_BYTES:,} bytes that S3 allows, even with long "
            "values kept apart; use fewer columns, or a shorter name for the table"
        )
        return KeyTooLongError(self.table, self.names[longest], reason)

    def prefixes(self, texts: Sequence[str]) -> list[str]:
        """
        What keys of rows begin with whose first columns have *texts*, in order.

        Each ends with "/", so none is the beginning of another. For all columns, whole keys.
        """
        if len(texts) == len(self.names):
            return sorted(self._place(texts).keys)
        segments = [escape(text) for text in texts]
        found = {tuple(segments), tuple(_digested(segments, texts)[0])}
        if not any("/" in text for text in texts):
            found.add(tuple(texts))
        joined = {"".join(f"{segment}/" for segment in each) for each in found if self._fits(each)}
        return sorted(each for each in joined if _is_utf8(each))

    # Keys to values ----------------------------------------------------------------------------

    def digests(self, segments: Sequence[str]) -> list[tuple[str, str]]:
        """(column, digest) of those *segments* whose texts have to be known to read them."""
        if not any(each.startswith(MARK) for each in segments):
            return []
        found = zip(self.names, map(DIGEST.fullmatch, segments), strict=False)
        return [(name, match[1]) for name, match in found if match]

    def read_texts(self, segments: Sequence[str], known: Lookup) -> Sequence[str]:
        """
        The texts of the first columns. known: gives the text of a digest.

        Only for what could be a row: an empty key is none.
        """
        if not any(each.startswith(MARK) for each in segments):
            return segments
        texts = [_read(each, known) for each in segments]
        return texts if self._writes(texts, segments) else segments

    def _writes(self, texts: Sequence[str], segments: Sequence[str]) -> bool:
        if len(texts) == len(self.names):
            try:
                return self._written(texts)[0] == list(segments)
            except KeyTooLongError:
                return False
        escaped = [escape(text) for text in texts]
        return list(segments) in (escaped, _digested(escaped, texts)[0])

    def segments(self, key: str) -> list[str] | None:
        """The segments of *key* if it is a row, else None: a folder, or another table's."""
        found = key.split("/")
        if len(found) != len(self.names) or not key:
            return None
        if "" in found and any(
            not segment and kind is not ANY and kind.type is not str
            for segment, kind in zip(found, self.schema.columns.values(), strict=True)
        ):
            return None  # no value of a type is empty
        return found

    def value(self, name: str, text: str, key: str) -> Any:
        """The value of the column *name*, found in *key*."""
        kind = self.schema.columns[name]
        if kind is ANY:
            return text
        try:
            return kind.read(text)
        except ValueError as error:
            raise UnreadableKeyError(self.table, key, name, str(error)) from None

    def row(self, texts: Sequence[str], key: str) -> dict[str, Any]:
        """The row whose columns have *texts*, found at *key*."""
        return {
            name: self.value(name, text, key) for name, text in zip(self.names, texts, strict=True)
        }


def _digested(segments: Sequence[str], texts: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """*segments* with each that is longer than a digest replaced by one; the texts by digest."""
    made: list[str] = []
    apart: dict[str, str] = {}
    for segment, text in zip(segments, texts, strict=True):
        if len(segment) * 4 > DIGEST_BYTES and len(segment.encode()) > DIGEST_BYTES:
            segment = digest_segment(text)
            apart[digest_of(text)] = text
        made.append(segment)
    return made, apart


def _read(segment: str, known: Lookup) -> str:
    found = DIGEST.fullmatch(segment)
    return known(found[1]) if found else unescape(segment)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
