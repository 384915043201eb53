"""
Elements that are spelled alike: one expression reads each.

Rows of a listing and items of a list have the same tags in the same order, and differ in their
texts. From the tags of one element and the shape of its value comes the source of an expression
that makes the value of every element with these tags, out of their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from boto_accel.fastpath.lanes import scalars


class Element(NamedTuple):
    """
    An element by its tags alone.

    place: of its opening tag among all tags. closed: whether that tag closes itself.
    """

    tag: str
    children: list[Element]
    place: int
    closed: bool

    def leaves(self) -> Iterator[Element]:
        """The elements without children in it, in the order of the document."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def tree(tags: Iterable[str]) -> Element | None:
    """The one element of *tags*, which are written as in "a", "/a" and "a/"; None if they do not
    match."""
    root = Element("", [], -1, False)
    levels = [root]
    for place, tag in enumerate(tags):
        if tag[:1] == "/":
            if levels.pop().tag != tag[1:] or not levels:
                return None
            continue
        closed = tag[-1:] == "/"
        element = Element(tag.rstrip("/"), [], place, closed)
        levels[-1].children.append(element)
        if not closed:
            levels.append(element)
    return root.children[0] if levels == [root] and len(root.children) == 1 else None


class Speller:
    """
    Writes expressions.

    text: makes the reader of the text of a scalar shape (`ReaderCompiler.text`). source: of the
    text of an element without children.
    """

    def __init__(
        self, text: Callable[[Any], scalars.Reader | None], source: Callable[[Element], str]
    ) -> None:
        self._text = text
        self._source = source
        self.scope: dict[str, Any] = {}  # what the expressions name

    def structure(self, shape: Any, element: Element) -> str | None:
        """
        The source of a dict, with its members in the order of the model.

        None where it is not made of structures, scalars, lists of these that are wrapped, and
        flattened lists of one scalar.
        """
        if shape.is_tagged_union or shape.metadata.get("exception"):
            return None
        by_tag = {tag_of(member, name): (name, member) for name, member in shape.members.items()}
        if len(by_tag) != len(shape.members):
            return None
        values: dict[str, str] = {}
        seen: set[str] = set()
        for child in element.children:
            if child.tag in seen:
                return None  # repeated: a tree is read with more care
            seen.add(child.tag)
            name, member = by_tag.get(child.tag, (None, None))
            if name is not None:
                value = self._member(member, child)
                if value is None:
                    return None
                values[name] = value
        entries = [f"{name!r}: {values[name]}" for name in shape.members if name in values]
        return f"{{{', '.join(entries)}}}"

    def _member(self, shape: Any, element: Element) -> str | None:
        place = shape.serialization
        if place.get("location") or place.get("xmlAttribute") or place.get("eventheader"):
            return None
        if shape.type_name != "list":
            return self._value(shape, element)
        item = shape.member
        wrapped = not place.get("flattened")
        items = [self._value(item, each) for each in (element.children if wrapped else [element])]
        if None in items or (not wrapped and item.type_name == "structure"):
            return None
        return f"[{', '.join(filter(None, items))}]"

    def _value(self, shape: Any, element: Element) -> str | None:
        if shape.type_name == "structure":
            return self.structure(shape, element)
        if element.children or shape.type_name not in scalars.SCALARS:
            return None
        read = self._text(shape)
        source = self._source(element)
        if read is None:
            return source
        self.scope[f"r{element.place}"] = read
        return f"r{element.place}({source})"


def tag_of(shape: Any, member_name: str) -> str:
    """Source: `BaseXMLResponseParser._member_key_name`."""
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        name = shape.member.serialization.get("name")
        if name is not None:
            return str(name)
    return str(shape.serialization.get("name", member_name))
