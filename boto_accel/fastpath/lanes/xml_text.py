"""
XML documents that are plain, read without a tree.

A tree of a description of 100 instances is 5,000 objects. Making them is most of the work, the more
so as they set the garbage collector going. Text that is cut at its tags is one list of strings.
Of a small document it takes half the time of a tree.

What is plain: one default namespace, on the root; no other attributes; no processing instruction
but the declaration; no characters that XML 1.0 forbids or normalises; no references but to the five
entities that XML itself defines; each `<` is followed by its `>`, so there is no "]]>" in a text.
Each tag is looked at: it must be a name, or close what is open, so there are neither comments nor
CDATA sections nor a DTD. Such a document is well-formed, and has the elements and texts that are
read here. All else is `Odd`, and is read as a tree.
Source: XML 1.0, fifth edition, sections 2.2, 2.4, 2.11, 3 and 4.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from boto_accel.fastpath.lanes import scalars
from boto_accel.fastpath.lanes.scalars import Odd
from boto_accel.fastpath.lanes.xml_rows import plain
from boto_accel.fastpath.lanes.xml_spelling import Speller, tag_of, tree

# read(tokens, at) -> (value, where the next tag is); tokens[at] is the tag that opens the value,
# tokens[at + 1] the text behind it, and so on.
TokenReader = Callable[[list[str], int], tuple[Any, int]]

MOST_ORDERS = 64  # orders of members that one structure remembers
MOST_SPELLINGS = 64  # spellings of items that one list remembers to have seen
MOST_TRIED = 8  # spellings that one list tries before an item is read tag by tag
ROOT = 1  # where its tag is: before it is what is before the root

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_.-]*").fullmatch
_DECLARATION = re.compile(
    r"""<\?xml version=(["'])1\.0\1(?: encoding=(["'])(?:UTF|utf)-8\2)?"""
    r"""(?: standalone=(["'])(?:yes|no)\3)?\s*\?>"""
)
_ROOT = re.compile('([A-Za-z_][A-Za-z0-9_.-]*)(?: xmlns="[^"<&]*")?')
_CONTROLS = bytes(byte for byte in range(0x20) if byte not in b"\t\n")
_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"<>")
_OTHER_REFERENCE = re.compile("&(?!(?:quot|amp|lt|gt|apos);)")


def tokens_of(body: bytes) -> list[str]:
    """Texts and tags of a plain document, in turn: the tags at odd places. Raises Odd."""
    brackets = body.translate(None, _ALL_BUT_BRACKETS)
    if brackets != b"<>" * (len(brackets) // 2) or body != body.translate(None, _CONTROLS):
        raise Odd
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Odd from None
    if not text.isascii() and ("\ufffe" in text or "\uffff" in text):
        raise Odd
    declaration = _DECLARATION.match(text)
    start = declaration.end() if declaration else 0
    tokens = text[start:].replace(">", "<").split("<")
    root = _ROOT.fullmatch(tokens[ROOT]) if len(tokens) > ROOT else None
    if root is None or tokens[0].strip(" \t\n") or tokens[-1].strip(" \t\n"):
        raise Odd
    tokens[ROOT] = root[1]
    if "&" in text:
        if _OTHER_REFERENCE.search(text):
            raise Odd
        tokens = [plain(token) if "&" in token else token for token in tokens]
    return tokens


class Reader:
    """
    A reader of one structure.

    ignored: locations that are not in the body. text: makes the reader of the text of a scalar
    (`ReaderCompiler.text`).
    """

    def __init__(
        self,
        shape: Any,
        ignored: frozenset[str],
        text: Callable[[Any], scalars.Reader | None],
    ) -> None:
        self._ignored = ignored
        self._text = text
        self._structures: dict[str, TokenReader] = {}  # by name, as shapes may contain themselves
        self.read = self._structure(shape)

    def _structure(self, shape: Any) -> TokenReader:
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        if shape.is_tagged_union or shape.metadata.get("exception"):
            return _odd
        members: dict[str, Member] = {}
        orders: dict[tuple[str, ...], tuple[str, ...]] = {}  # as they came, as the model has them

        def learn() -> None:
            """At first use: shapes may contain themselves."""
            learned: dict[str, Member] = {}
            for name, member in shape.members.items():
                if self._is_in_body(member):
                    tag = tag_of(member, name)
                    if tag in learned:
                        raise Odd
                    learned[tag] = (name, f"/{tag}", *self._member(member))
            members.update(learned)

        def order(names: tuple[str, ...]) -> tuple[str, ...]:
            if len(orders) >= MOST_ORDERS:
                orders.clear()
            ordered = orders[names] = tuple([name for name in shape.members if name in names])
            return ordered

        def read(tokens: list[str], at: int) -> tuple[dict[str, Any], int]:
            if not members:
                learn()
            end = f"/{tokens[at]}"
            at += 2
            found: dict[str, Any] = {}
            count = 0
            while (tag := tokens[at]) != end:
                member = members.get(tag)
                if member is not None:
                    name, closing, convert, inner = member
                    if inner is not None:
                        found[name], at = inner(tokens, at)
                    elif tokens[at + 2] == closing:
                        value = tokens[at + 1]
                        found[name] = value if convert is None else convert(value)
                        at += 4
                    else:
                        raise Odd
                    count += 1
                elif tag[-1:] == "/" and tag[:-1] in members:  # closes itself
                    name, closing, convert, inner = members[tag[:-1]]
                    if inner is not None:
                        found[name], _ = inner(["", tag[:-1], "", closing, ""], ROOT)
                    else:
                        found[name] = "" if convert is None else convert("")
                    at += 2
                    count += 1
                else:
                    at = skip(tokens, at)
            if count != len(found):  # repeated: a tree is read with more care
                raise Odd
            names = tuple(found)
            ordered = orders.get(names) or order(names)
            if ordered != names:
                found = {name: found[name] for name in ordered}
            return found, at + 2

        self._structures[shape.name] = read
        return read

    def _is_in_body(self, member: Any) -> bool:
        place = member.serialization
        if place.get("xmlAttribute"):
            raise Odd
        return place.get("location") not in self._ignored and not place.get("eventheader")

    def _member(self, member: Any) -> tuple[scalars.Reader | None, TokenReader | None]:
        """(reader of its text, None) of a scalar, (None, reader of its element) of others."""
        if member.type_name in scalars.SCALARS:
            return self._text(member), None
        if member.serialization.get("flattened"):
            return None, _odd
        if member.type_name == "structure":
            return None, self._structure(member)
        if member.type_name == "list":
            return None, self._list(member)
        if member.type_name == "map":
            return None, self._map(member)
        return None, _odd

    def _map(self, shape: Any) -> TokenReader:
        """A map of scalars: each child is an entry, with the key first."""
        if shape.key.type_name != "string" or shape.value.type_name not in scalars.SCALARS:
            return _odd
        key_name = shape.key.serialization.get("name") or "key"
        value_name = shape.value.serialization.get("name") or "value"
        tags = [key_name, f"/{key_name}", value_name, f"/{value_name}"]
        convert = self._text(shape.value)

        def read(tokens: list[str], at: int) -> tuple[dict[str, Any], int]:
            end = f"/{tokens[at]}"
            at += 2
            entries: dict[str, Any] = {}
            while (tag := tokens[at]) != end:
                if not _NAME(tag) or tokens[at + 2 : at + 9 : 2] != tags:
                    raise Odd
                if tokens[at + 10] != f"/{tag}":
                    raise Odd
                value = tokens[at + 7]
                entries[tokens[at + 3]] = value if convert is None else convert(value)
                at += 12
            return entries, at + 2

        return read

    def _list(self, shape: Any) -> TokenReader:
        """A list that is wrapped in an element of its own: each child is an item."""
        item = shape.member
        is_scalar = item.type_name in scalars.SCALARS
        if not is_scalar and item.type_name != "structure":
            return _odd
        if not is_scalar:
            return self._rows(item)
        convert = self._text(item)

        def read(tokens: list[str], at: int) -> tuple[list[Any], int]:
            end = f"/{tokens[at]}"
            at += 2
            items: list[Any] = []
            while (tag := tokens[at]) != end:
                if not _NAME(tag) or tokens[at + 2] != f"/{tag}":
                    raise Odd
                value = tokens[at + 1]
                items.append(value if convert is None else convert(value))
                at += 4
            return items, at + 2

        return read

    def _rows(self, item: Any) -> TokenReader:
        """A list of structures. Those that are spelled like one before are read by its spelling."""
        inner = self._structure(item)
        spellings = Spellings(item, self._text)

        def read(tokens: list[str], at: int) -> tuple[list[Any], int]:
            end = f"/{tokens[at]}"
            at += 2
            items: list[Any] = []
            while (tag := tokens[at]) != end:
                for tags, length, build in spellings.recent:
                    if tokens[at : at + length : 2] == tags:
                        items.append(build(tokens[at + 1 : at + length : 2]))
                        at += length
                        break
                else:
                    if not _NAME(tag):
                        raise Odd
                    value, after = inner(tokens, at)
                    items.append(value)
                    spellings.saw(tokens[at:after:2])
                    at = after
            return items, at + 2

        return read


class Spellings:
    """
    The spellings of the items of one list.

    recent: those that are tried: tags, number of tokens, and what makes the value of the texts
    behind the tags. Replaced as a whole, for others may be reading it.
    """

    def __init__(self, shape: Any, text: Callable[[Any], scalars.Reader | None]) -> None:
        self.recent: tuple[tuple[list[str], int, Callable[[list[str]], Any]], ...] = ()
        self._shape = shape
        self._text = text
        self._seen: dict[tuple[str, ...], int] = {}

    def saw(self, tags: list[str]) -> None:
        """An item with *tags* was read without a spelling; the second one is worth making it."""
        key = tuple(tags)
        if len(self._seen) >= MOST_SPELLINGS:
            self._seen.clear()
        times = self._seen[key] = self._seen.get(key, 0) + 1
        if times == 2:
            build = self._build(tags)
            if build is not None:
                self.recent = ((tags, 2 * len(tags), build), *self.recent[: MOST_TRIED - 1])

    def _build(self, tags: list[str]) -> Callable[[list[str]], Any] | None:
        row = tree(tags)
        if row is None:
            return None
        speller = Speller(self._text, lambda leaf: "''" if leaf.closed else f"t[{leaf.place}]")
        value = speller.structure(self._shape, row)
        if value is None:
            return None
        name = f"<boto_accel items {self._shape.name}>"
        build: Callable[[list[str]], Any] = eval(
            compile(f"lambda t: {value}", name, "eval"), speller.scope
        )
        return build


# (name, closing tag, reader of the text, reader of the element)
Member = tuple[str, str, scalars.Reader | None, TokenReader | None]


def skip(tokens: list[str], at: int) -> int:
    """Where the tag behind the element at *at* is. Odd where its tags do not match."""
    open_tags: list[str] = []
    while True:
        tag = tokens[at]
        at += 2
        if tag[:1] == "/":
            if not open_tags or open_tags.pop() != tag[1:]:
                raise Odd
        elif tag[-1:] == "/":
            if not _NAME(tag[:-1]):
                raise Odd
        elif _NAME(tag):
            open_tags.append(tag)
        else:
            raise Odd
        if not open_tags:
            return at


def _odd(tokens: list[str], at: int) -> tuple[Any, int]:
    raise Odd
