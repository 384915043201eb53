"""
Long listings: rows that are spelled alike are read with one regular expression.

A listing of 1,000 keys is one XML document with 1,000 elements of the same spelling in a row. A
tree of it is 8,000 objects, whose making and collecting costs more than reading the text.

The argument that this is right. Let the document be `before + row + run + after`, where `run` is
one or more texts that match the grammar of a row: the tags of the first row, without attributes,
and between them text without markup, without characters that XML 1.0 forbids or normalises, and
without references but to the five entities that XML itself defines, or to the characters of two
of them. There is no `<!` and no second `<?` in the document, so neither comment, CDATA section,
declaration nor processing instruction can contain any of it. Then `before + row + after` is
well-formed exactly if the whole is, and the elements of `run` are siblings that follow the element
of `row`. So the shorter document is parsed as XML, and the rows of `run` are put behind the one
that it has.
Source: XML 1.0, fifth edition, sections 2.2, 2.4, 2.11 and 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from boto_accel.fastpath.lanes import scalars
from boto_accel.fastpath.lanes.xml_spelling import Element, Speller, tree

SHORTEST = 16 * 1024  # bytes of a document; below it a tree is as good
MOST_SPELLINGS = 64  # spellings of rows that one list remembers

# Text of an element: no markup, no "]]>", nothing forbidden (2.2) or normalised (2.11).
_PLAIN = "[^<>&\\r\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]*"
_TEXT = f"{_PLAIN}(?:&(?:quot|amp|lt|gt|apos|#34|#39);{_PLAIN})*"
_BETWEEN_TAGS = re.compile(">[^<]*<")
_TAG = re.compile("<(/?[A-Za-z_][A-Za-z0-9_.-]*)>")


class Spelling(NamedTuple):
    """
    How rows with one sequence of tags are found and read.

    run: matches as many rows as there are. row: matches one, with a group a text. build: makes
    the values from what `row.findall` gives.
    """

    run: re.Pattern[str]
    row: re.Pattern[str]
    build: Callable[[list[Any]], list[Any]]


class Rows(NamedTuple):
    """A document without its repeated rows, and their values."""

    shorter: bytes
    values: list[Any]


class RowReader:
    """
    Reads the runs of one flattened list of structures.

    member: its name in the result; tag: of its elements; text: makes the reader of the text of a
    scalar shape (`ReaderCompiler.text`).
    """

    def __init__(
        self, member: str, tag: str, shape: Any, text: Callable[[Any], scalars.Reader | None]
    ) -> None:
        self.member = member
        self.tag = tag
        self._shape = shape
        self._text = text
        self._spellings: dict[str, Spelling | None] = {}

    def lift(self, text: str) -> Rows | None:
        """Take the run out of *text*, or None where there is none that is plain."""
        opening, ending = f"<{self.tag}>", f"</{self.tag}>"
        start = text.find(opening)
        end = text.find(ending, start) + len(ending)
        if start < 0 or not text.startswith(opening, end):
            return None
        spelling = self._spelling(_BETWEEN_TAGS.sub("><", text[start:end]))
        if spelling is None:
            return None
        match = spelling.run.match(text, end)
        if match is None:
            return None
        rows = spelling.row.findall(text, end, match.end())
        shorter = text[:end] + text[match.end() :]
        return Rows(shorter.encode(), spelling.build(rows))

    def _spelling(self, tags: str) -> Spelling | None:
        if tags not in self._spellings:
            if len(self._spellings) >= MOST_SPELLINGS:
                self._spellings.clear()
            self._spellings[tags] = _spell(self._shape, tags, self._text)
        return self._spellings[tags]


def liftable(text: str) -> bool:
    """Whether nothing in the document can hide a row."""
    return "<!" not in text and text.find("<?", 1) < 0 and not text.startswith("\ufeff")


def _spell(shape: Any, tags: str, text: Callable[[Any], scalars.Reader | None]) -> Spelling | None:
    """None where the row is not what `Speller` can spell."""
    found = _TAG.findall(tags)
    if "".join([f"<{tag}>" for tag in found]) != tags:
        return None  # attributes, or tags that end themselves
    row = tree(found)
    if row is None or not row.children:
        return None
    names = {leaf.place: f"t{number}" for number, leaf in enumerate(row.leaves())}

    def source(leaf: Element) -> str:
        name = names[leaf.place]
        return f"({name} if '&' not in {name} else plain({name}))"

    speller = Speller(text, source)
    value = speller.structure(shape, row)
    if value is None:
        return None
    pattern, targets = _pattern(row, f"({_TEXT})"), ", ".join(names.values())
    if len(names) == 1:  # findall gives tuples for two groups or more
        pattern, targets = f"{pattern}()", f"{targets}, _"
    function = f"lambda rows: [{value} for {targets} in rows]"
    code = compile(function, f"<boto_accel rows {shape.name}>", "eval")
    build = eval(code, {**speller.scope, "plain": plain})
    return Spelling(re.compile(f"(?:{_pattern(row, _TEXT)})+"), re.compile(pattern), build)


def _pattern(element: Element, text: str) -> str:
    tag = re.escape(element.tag)
    inner = "".join([_pattern(child, text) for child in element.children]) or text
    return f"<{tag}>{inner}</{tag}>"


def plain(text: str) -> str:
    """*text*, whose references are to the entities of XML alone, with these resolved."""
    for reference, character in _ENTITIES:
        if reference in text:
            text = text.replace(reference, character)
    return text


# The ampersand last: what it gives is not looked at again.
_ENTITIES = (
    ("&quot;", '"'),
    ("&#34;", '"'),  # as Go's encoding/xml writes it: MinIO, SeaweedFS
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&amp;", "&"),
)
