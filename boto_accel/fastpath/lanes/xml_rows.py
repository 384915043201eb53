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

SHORTEST = 16 * 1024  # bytes of a document; below it a tree is as good
MOST_SPELLINGS = 64  # spellings of rows that one list remembers

# Text of an element: no markup, no "]]>", nothing forbidden (2.2) or normalised (2.11).
_PLAIN = "[^<>&\\r\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]*"
_TEXT = f"{_PLAIN}(?:&(?:quot|amp|lt|gt|apos|#34|#39);{_PLAIN})*"
_BETWEEN_TAGS = re.compile(">[^<]*<")
_TAG = re.compile("<(/?)([A-Za-z_][A-Za-z0-9_.-]*)>")


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
            self._spellings[tags] = _Speller(self._text).spelling(self._shape, tags)
        return self._spellings[tags]


def liftable(text: str) -> bool:
    """Whether nothing in the document can hide a row."""
    return "<!" not in text and text.find("<?", 1) < 0 and not text.startswith("\ufeff")


class _Speller:
    """Turns the tags of one row into a pattern and the source of its value."""

    def __init__(self, text: Callable[[Any], scalars.Reader | None]) -> None:
        self._text = text
        self._groups = 0
        self._scope: dict[str, Any] = {"plain": plain}

    def spelling(self, shape: Any, tags: str) -> Spelling | None:
        """None where the row is not made of structures, scalars and lists of one scalar."""
        found = _TAG.findall(tags)
        if "".join([f"<{slash}{name}>" for slash, name in found]) != tags:
            return None  # attributes, or tags that end themselves
        tree = _tree(found)
        if tree is None:
            return None
        value = self._structure(shape, tree[1])
        if value is None or not self._groups:
            return None
        row = _pattern(tree, f"({_TEXT})")
        names = ", ".join([f"t{number}" for number in range(self._groups)])
        if self._groups == 1:
            row += "()"  # findall gives tuples for two groups or more
            names += ", _"
        source = f"lambda rows: [{value} for {names} in rows]"
        build = eval(compile(source, f"<boto_accel rows {shape.name}>", "eval"), self._scope)
        return Spelling(re.compile(f"(?:{_pattern(tree, _TEXT)})+"), re.compile(row), build)

    def _structure(self, shape: Any, children: list[Any]) -> str | None:
        """The source of a dict with the members that *children* give, in the order of the model."""
        if shape.is_tagged_union or shape.metadata.get("exception"):
            return None
        texts: dict[str, str] = {}
        by_tag = {tag_of(member, name): (name, member) for name, member in shape.members.items()}
        if len(by_tag) != len(shape.members):
            return None
        seen: set[str] = set()
        for child in children:
            if child[0] in seen:
                return None  # repeated: a tree is read with more care
            seen.add(child[0])
            name, member = by_tag.get(child[0], (None, None))
            if name is None:
                self._groups += _leaves(child)
                continue
            text = self._value(member, child)
            if text is None:
                return None
            texts[name] = text
        entries = [f"{name!r}: {texts[name]}" for name in shape.members if name in texts]
        return f"{{{', '.join(entries)}}}"

    def _value(self, shape: Any, child: Any) -> str | None:
        _, children = child
        place = shape.serialization
        if place.get("location") or place.get("xmlAttribute") or place.get("eventheader"):
            return None
        if shape.type_name == "structure":
            # Without children it has text, which belongs to no member.
            return self._structure(shape, children) if children else None
        if children:
            return None
        if shape.type_name == "list" and place.get("flattened"):
            item = self._scalar(shape.member)
            return None if item is None else f"[{item}]"
        return self._scalar(shape)

    def _scalar(self, shape: Any) -> str | None:
        if shape.type_name not in scalars.SCALARS:
            return None
        number = self._groups
        self._groups += 1
        read = self._text(shape)
        text = f"(t{number} if '&' not in t{number} else plain(t{number}))"
        if read is None:
            return text
        self._scope[f"r{number}"] = read
        return f"r{number}{text}"


def _tree(tags: list[tuple[str, str]]) -> tuple[str, list[Any]] | None:
    """(tag, children) of the one element that *tags* open and close; None if they do not."""
    root: list[Any] = []
    levels: list[tuple[str, list[Any]]] = [("", root)]
    for slash, name in tags:
        if slash:
            if levels.pop()[0] != name or not levels:
                return None
        else:
            element: tuple[str, list[Any]] = (name, [])
            levels[-1][1].append(element)
            levels.append(element)
    return root[0] if len(levels) == 1 and len(root) == 1 else None


def _pattern(tree: tuple[str, list[Any]], text: str) -> str:
    tag, children = re.escape(tree[0]), tree[1]
    inner = "".join([_pattern(child, text) for child in children]) if children else text
    return f"<{tag}>{inner}</{tag}>"


def _leaves(tree: tuple[str, list[Any]]) -> int:
    return sum(map(_leaves, tree[1])) if tree[1] else 1


def tag_of(shape: Any, member_name: str) -> str:
    """Source: `BaseXMLResponseParser._member_key_name`."""
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        name = shape.member.serialization.get("name")
        if name is not None:
            return str(name)
    return str(shape.serialization.get("name", member_name))


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
