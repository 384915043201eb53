"""
XML bodies: compiled writers and readers of structures, lists, maps and scalars.

Shared by the protocols that speak XML. A writer appends text to a list; a reader takes an
element of `xml.etree` and returns the value. A reader declines (`Odd`) whatever is not plain,
such as a repeated element that the model has once: botocore's parser then reads that answer.
Source: `botocore.serialize.RestXMLSerializer`, `botocore.parsers.BaseXMLResponseParser`.
"""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import scalars
from boto_accel.fastpath.lanes.scalars import Odd
from boto_accel.fastpath.lanes.xml_rows import SHORTEST, RowReader, liftable
from boto_accel.fastpath.lanes.xml_spelling import tag_of

Append = Callable[[str], None]
ElementWriter = Callable[[Any, Append], None]
ElementReader = Callable[[Any], Any]

MAX_DEPTH = 64  # levels of nesting; a deeper value is stock's
MAX_LAYOUTS = 64  # remembered orders of elements of one structure
MAX_LAYOUT = 64  # elements; a longer run of children is a list, and its order is not remembered
MAX_UNPACKED = 64  # elements that are unpacked into names at once


# Writing


def escape(text: str) -> str:
    """As `xml.etree.ElementTree._escape_cdata`: the three characters XML cannot hold."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    return text


def escape_attribute(text: str) -> str:
    """As `xml.etree.ElementTree._escape_attrib`."""
    text = escape(text)
    if '"' in text:
        text = text.replace('"', "&quot;")
    for raw, escaped in (("\r", "&#13;"), ("\n", "&#10;"), ("\t", "&#09;")):
        if raw in text:
            text = text.replace(raw, escaped)
    return text


class WriterCompiler:
    """Compiles writers for shapes; *serializer* is botocore's, asked for the rarer conversions."""

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer

    def element(self, shape: Any, name: str, depth: int = 0) -> ElementWriter:
        """A writer of `<name>…</name>` for values of *shape*."""
        if depth > MAX_DEPTH:
            raise Declined("recursive input")
        if shape.type_name == "structure" and not shape.is_document_type:
            required = frozenset(shape.metadata.get("required", ()))
            return self.structure(shape, name, depth, required)
        if shape.type_name == "list":
            return self._list(shape, name, depth)
        if shape.type_name == "map":
            return self._map(shape, name, depth)
        return self._scalar(shape, name)

    def structure(
        self, shape: Any, name: str, depth: int = 0, required: frozenset[str] = frozenset()
    ) -> ElementWriter:
        """The same for a structure, which has to have the members *required*."""
        opening, ending = f"<{name}{_namespace(shape)}", f"</{name}>"
        members: dict[str, Any] = dict(shape.members)
        writers: dict[str, ElementWriter] = {}
        one_of = shape.is_tagged_union

        def write(value: Any, append: Append) -> None:
            if not isinstance(value, dict) or not required <= value.keys():
                raise Declined(scalars.INVALID)
            if one_of and len(value) != 1:
                raise Declined(scalars.INVALID)
            inner: list[str] = []
            attributes = ""
            for key, item in value.items():
                member = members.get(key)
                if member is None or item is None:
                    raise Declined(scalars.INVALID)
                if member.serialization.get("xmlAttribute"):
                    if not isinstance(item, str):
                        raise Declined(scalars.INVALID)
                    attribute = member.serialization["name"]
                    attributes += f' {attribute}="{escape_attribute(item)}"'
                    continue
                writer = writers.get(key)
                if writer is None:
                    wire_name = member.serialization.get("name", key)
                    writer = writers[key] = self.element(member, wire_name, depth + 1)
                writer(item, inner.append)
            _write(append, opening + attributes, inner, ending)

        return write

    def _list(self, shape: Any, name: str, depth: int) -> ElementWriter:
        member = shape.member
        shortest = shape.metadata.get("min", 0)
        flattened = shape.serialization.get("flattened")
        item_name = name if flattened else member.serialization.get("name", "member")
        namespace = _namespace(shape)
        if flattened and namespace:
            raise Declined("a flattened list with a namespace")
        write_item = self.element(member, item_name, depth + 1)

        def write(value: Any, append: Append) -> None:
            if not isinstance(value, (list, tuple)) or len(value) < shortest:
                raise Declined(scalars.INVALID)
            inner: list[str] = []
            for item in value:
                write_item(item, inner.append)
            if flattened:
                for text in inner:
                    append(text)
            else:
                _write(append, f"<{name}{namespace}", inner, f"</{name}>")

        return write

    def _map(self, shape: Any, name: str, depth: int) -> ElementWriter:
        flattened = shape.serialization.get("flattened")
        entry = name if flattened else "entry"
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        write_key = self.element(shape.key, key_name, depth + 1)
        write_value = self.element(shape.value, value_name, depth + 1)
        namespace = _namespace(shape)

        def write(value: Any, append: Append) -> None:
            if not isinstance(value, dict):
                raise Declined(scalars.INVALID)
            entries: list[str] = []
            for key, item in value.items():
                inner: list[str] = []
                write_key(key, inner.append)
                write_value(item, inner.append)
                _write(entries.append, f"<{entry}", inner, f"</{entry}>")
            if flattened:
                for text in entries:
                    append(text)
            else:
                _write(append, f"<{name}{namespace}", entries, f"</{name}>")

        return write

    def _scalar(self, shape: Any, name: str) -> ElementWriter:
        to_text = scalars.text_writer(shape, self._serializer)
        opening, ending = f"<{name}{_namespace(shape)}", f"</{name}>"

        def write(value: Any, append: Append) -> None:
            text = escape(to_text(value))
            append(f"{opening}>{text}{ending}" if text else f"{opening} />")

        return write


def _write(append: Append, opening: str, inner: list[str], ending: str) -> None:
    """ElementTree writes an element without children as `<name />`."""
    if inner:
        append(f"{opening}>{''.join(inner)}{ending}")
    else:
        append(f"{opening} />")


def _namespace(shape: Any) -> str:
    """Source: `RestXMLSerializer._add_xml_namespace`."""
    namespace = shape.serialization.get("xmlNamespace")
    if isinstance(namespace, str):
        return f' xmlns="{escape_attribute(namespace)}"'
    if isinstance(namespace, dict):
        prefix = f":{namespace['prefix']}" if namespace.get("prefix") else ""
        return f' xmlns{prefix}="{escape_attribute(namespace["uri"])}"'
    return ""


# Reading

tag_in_document = attrgetter("tag")  # with its namespace


def parse(body: bytes) -> Any:
    """The root element of *body*; Odd where it is not well-formed, or has nothing."""
    if not body:
        raise Odd
    parser = ET.XMLParser(encoding="utf-8")
    try:
        parser.feed(body)
        return parser.close()
    except ET.ParseError:
        raise Odd from None


def parse_good(body: bytes) -> Any:
    """
    The same for a good answer; Odd where it is an error all the same.

    S3 can answer 200 and put an error into the body. Source: `handlers._handle_200_error`.
    """
    root = parse(body)
    if root.tag == "Error":
        raise Odd
    return root


def plain_tag(tag: str) -> str:
    """Source: `BaseXMLResponseParser._node_tag`, whose pattern `{.*}` takes the last brace."""
    if "{" not in tag:
        return tag
    before, _, rest = tag.partition("{")
    _inside, closed, after = rest.rpartition("}")
    return before + after if closed else tag


class ReaderCompiler:
    """Compiles readers for shapes; made once for a client's timestamp and blob parsers."""

    def __init__(
        self,
        read_timestamp: scalars.Reader,
        read_blob: scalars.Reader | None,
        ignored: frozenset[str],
    ) -> None:
        self._read_timestamp = read_timestamp
        self._read_blob = read_blob
        self._ignored = ignored  # locations that are not in the body

    def value(self, shape: Any) -> ElementReader:
        """A reader of one element that holds a value of *shape*."""
        type_name = shape.type_name
        if type_name == "structure":
            return self.structure(shape)
        if type_name == "list":
            return self._list(shape)
        if type_name == "map":
            return self._map(shape)
        if type_name not in scalars.SCALARS:
            raise Declined(f"output of type {type_name}")
        return _text_of(self.text(shape))

    def text(self, shape: Any) -> scalars.Reader | None:
        """A reader of the text of a scalar; None where the text is the value."""
        return scalars.text_reader(shape, self._read_timestamp, self._read_blob)

    def structure(self, shape: Any) -> ElementReader:
        """
        A reader of a structure.

        The children's tags, in their order, choose a *layout*: which child gives which member, in
        the order of the model, as botocore's result has them. Rows of a listing share a layout.
        """
        if shape.is_tagged_union or shape.metadata.get("exception"):
            return _odd
        layouts: dict[tuple[str, ...], Layout] = {}
        compiler: list[LayoutCompiler] = []  # made at first use: shapes may be recursive

        def read(element: Any) -> dict[str, Any]:
            tags = tuple(map(tag_in_document, element))
            layout = layouts.get(tags)
            if layout is None:
                if not compiler:
                    compiler.append(LayoutCompiler(shape, self, self._ignored))
                layout = compiler[0].layout(element, tags)
                if len(tags) <= MAX_LAYOUT and len(layouts) < MAX_LAYOUTS:
                    layouts[tags] = layout
            return layout(element)

        return read

    def _list(self, shape: Any) -> ElementReader:
        """A list that is wrapped in an element of its own: each child is an item."""
        read_item = self.value(shape.member) if not _is_lazy(shape.member) else None

        def read(element: Any) -> list[Any]:
            nonlocal read_item
            if read_item is None:
                read_item = self.value(shape.member)
            return [read_item(child) for child in element]

        return read

    def _map(self, shape: Any) -> ElementReader:
        key_name = shape.key.serialization.get("name") or "key"
        value_name = shape.value.serialization.get("name") or "value"
        read_key = self.value(shape.key)
        read_value = self.value(shape.value)

        def entry(pair: Any) -> tuple[Any, Any]:
            tags = [plain_tag(child.tag) for child in pair]
            if tags != [key_name, value_name]:
                raise Odd
            return read_key(pair[0]), read_value(pair[1])

        def read(element: Any) -> dict[Any, Any]:
            return dict([entry(pair) for pair in element])

        return read


class DocumentReader:
    """Reads whole documents whose root is a structure; long runs of rows are lifted out first."""

    def __init__(self, shape: Any, readers: ReaderCompiler) -> None:
        self._read = readers.structure(shape)
        self._rows = [
            RowReader(name, tag_of(member, name), member.member, readers.text)
            for name, member in shape.members.items()
            if member.type_name == "list"
            and member.serialization.get("flattened")
            and member.member.type_name == "structure"
        ]

    def read(self, body: bytes) -> dict[str, Any]:
        """The value of *body*, of a good answer. Raises Odd."""
        if self._rows and len(body) >= SHORTEST:
            value = self._read_lifted(body)
            if value is not None:
                return value
        return self._read(parse_good(body))

    def _read_lifted(self, body: bytes) -> dict[str, Any] | None:
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            raise Odd from None
        if not liftable(text):
            return None
        lifted = [(rows.member, rows.tag, rows.lift(text)) for rows in self._rows]
        longest = max(lifted, key=lambda entry: len(entry[2].values) if entry[2] else 0)
        member, tag, rows = longest
        if rows is None:
            return None
        root = parse_good(rows.shorter)
        # The row that is left must be the only element of its name, so that it is a child of the
        # root: what was lifted was behind it.
        if sum(1 for element in root.iter() if plain_tag(element.tag) == tag) != 1:
            return None
        value = self._read(root)
        if len(value.get(member, ())) != 1:
            return None
        value[member] += rows.values
        return value


Layout = Callable[[Any], dict[str, Any]]


class LayoutCompiler:
    """Makes the readers for the orders of children that one structure is seen with."""

    def __init__(self, shape: Any, readers: ReaderCompiler, ignored: frozenset[str]) -> None:
        self._shape = shape
        self._readers = readers
        self._members: list[tuple[str, str, Any]] = []  # (member, tag, shape), in model order
        self._compiled: dict[str, ElementReader] = {}
        for name, member in shape.members.items():
            place = member.serialization
            if place.get("location") in ignored or place.get("eventheader"):
                continue
            if place.get("xmlAttribute"):
                # Looked for among the children first, then among the attributes.
                self._members.append((name, "", member))
            else:
                self._members.append((name, tag_of(member, name), member))

    def layout(self, element: Any, tags: tuple[str, ...]) -> Layout:
        """The reader for children with *tags*. Odd where botocore would aggregate repeats."""
        places: dict[str, list[int]] = {}
        for index, tag in enumerate(tags):
            if not isinstance(tag, str):
                raise Odd
            places.setdefault(plain_tag(tag), []).append(index)
        steps: list[Step] = []
        for name, tag, member in self._members:
            if not tag:
                if element.attrib or tag_of(member, name) in places:
                    raise Odd
                continue
            found = places.get(tag)
            if found:
                steps.append(self._step(name, member, found))
        return _compiled(self._shape.name, len(tags), steps)

    def _step(self, name: str, member: Any, found: list[int]) -> Step:
        if member.type_name == "list" and member.serialization.get("flattened"):
            return Step(name, found, self._reader(name, member.member), True)
        if len(found) > 1 or (member.type_name == "map" and member.serialization.get("flattened")):
            raise Odd
        if member.type_name in scalars.SCALARS:
            return Step(name, found, self._readers.text(member), False)
        return Step(name, found, self._reader(name, member), False, is_text=False)

    def _reader(self, name: str, shape: Any) -> ElementReader:
        reader = self._compiled.get(name)
        if reader is None:
            reader = self._compiled[name] = self._readers.value(shape)
        return reader


def _text_of(convert: scalars.Reader | None) -> ElementReader:
    if convert is None:
        return lambda element: element.text or ""
    return lambda element: convert(element.text or "")


@dataclass(frozen=True)
class Step:
    """
    How one member is read: from the children at *found*, by *read*.

    is_text: *read* takes the child's text, None being text as it is; else it takes the child.
    """

    name: str
    found: list[int]
    read: Callable[[Any], Any] | None
    is_list: bool
    is_text: bool = True


def _compiled(structure: str, children: int, steps: list[Step]) -> Layout:
    """
    One function that reads all members of a layout: rows of a listing are read thousands at a
    time, and calls between closures would cost more than the reading.

    Values go in as names; only indexes and quoted member names are spelled into the text.
    """
    scope: dict[str, Any] = {}
    entries = [_entry(number, step, scope) for number, step in enumerate(steps)]
    if children <= MAX_UNPACKED:
        names = "".join([f"c{index}, " for index in range(children)])
        unpack = f"    [{names}] = element\n"
    else:
        unpack = "    c = element[:]\n"
        entries = [re.sub(r"\bc(\d+)\b", r"c[\1]", entry) for entry in entries]
    source = f"def read(element):\n{unpack}    return {{{', '.join(entries)}}}\n"
    file_name = f"<boto_accel layout {structure} {next(_numbers)}>"
    exec(compile(source, file_name, "exec"), scope)
    return scope["read"]


def _entry(number: int, step: Step, scope: dict[str, Any]) -> str:
    """The text of one entry of the result, and in *scope* what it needs."""
    reader = f"r{number}"
    scope[reader] = step.read
    if step.is_list:
        scope[f"i{number}"] = tuple(step.found)
        first, last = step.found[0], step.found[-1]
        if len(step.found) == 1:
            value = f"[{reader}(c{first})]"
        elif len(step.found) == last - first + 1:  # a run, without looking each one up
            value = f"[{reader}(child) for child in element[{first}:{last + 1}]]"
        else:
            value = f"[{reader}(element[index]) for index in i{number}]"
    elif not step.is_text:
        value = f"{reader}(c{step.found[0]})"
    elif step.read is None:
        value = f"c{step.found[0]}.text or ''"
    else:
        value = f"{reader}(c{step.found[0]}.text or '')"
    return f"{step.name!r}: {value}"


_numbers = itertools.count(1)


def _odd(_: Any) -> Any:
    raise Odd


def _is_lazy(shape: Any) -> bool:
    return shape.type_name in ("structure", "list", "map")


def error_fields(root: Any) -> Mapping[str, Any]:
    """The children of an S3 `<Error>` as botocore gives them; Odd unless flat and unrepeated."""
    fields: dict[str, Any] = {}
    for child in root:
        tag = plain_tag(child.tag)
        if len(child) or tag in fields:
            raise Odd
        fields[tag] = child.text
    return fields
