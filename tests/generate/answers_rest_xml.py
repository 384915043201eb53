"""Bodies of rest-xml answers: what S3, CloudFront and Route 53 send, and the ways it is spelt."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from botocore.model import OperationModel

from tests.generate.choices import Choices
from tests.generate.scalars import PLAIN, make_text, make_timestamp_text

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
TEXT = PLAIN + " /&<>\"'ä中\U0001f600%+=\u00a0"
DEEPEST = 4


@dataclass(frozen=True)
class Node:
    """One XML element; *inside* is its text or its children."""

    name: str
    inside: str | tuple[Node, ...] = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Spelling:
    """How a tree is written: all of these are the same document to S3's clients."""

    declaration: str = ""
    namespace: str = ""
    prefix: str = ""
    indent: str = ""
    empty_tag: bool = False
    text_style: str = "escape"
    comment: str = ""


def make_body(choices: Choices, model: OperationModel, percent: int) -> bytes:
    """
    The XML of *model*'s output with about *percent* of its members; b"" where it has no body.

    A payload structure is the root; otherwise the members without a location are its children.
    """
    shape = model.output_shape
    if shape is None:
        return b""
    payload = shape.serialization.get("payload")
    root_shape = shape.members[payload] if payload else shape
    children = make_children(choices, root_shape, percent, 0)
    if not children and choices.chance(50):
        return b""
    root = root_shape.serialization.get("name") or root_shape.name
    return spell(Node(root, tuple(children)), make_spelling(choices))


def make_error_body(choices: Choices, facts: Any) -> bytes:
    """S3's `<Error>`, the `<ErrorResponse>` of the other services, or one with little in it."""
    inner = [Node("Code", facts.code), Node("Message", facts.message)]
    if facts.shape is not None:
        inner += make_children(choices, facts.shape, 70, 0)
    inner += choices.pick(_EXTRAS)
    ids = (Node("RequestId", "4442587FB7D0A2F9"), Node("HostId", "host-id"))
    bare = Node("Error", tuple(inner))
    wrapped = Node("ErrorResponse", (Node("Error", (Node("Type", "Sender"), *inner)), ids[0]))
    forms = (Node("Error", (*inner, *ids)), bare, wrapped, Node("Error", (inner[0],)))
    return spell(choices.pick(forms), make_spelling(choices))


_EXTRAS: tuple[Sequence[Node], ...] = (
    (Node("Key", "the/key"), Node("BucketName", "bucket")),
    (Node("Region", "eu-west-1"), Node("Endpoint", "bucket.s3.eu-west-1.amazonaws.com")),
    (Node("Nested", (Node("Deep", "1"), Node("Deep", "2"))),),
    (Node("Empty"), Node("Resource", "/bucket/key")),
    (),
)


# --- the tree ------------------------------------------------------------------------------------


def make_children(choices: Choices, shape: Any, percent: int, depth: int) -> list[Node]:
    """The elements of *shape*'s members that are in the body, and some that no model knows."""
    names = [name for name, member in shape.members.items() if _in_body(member)]
    if shape.is_tagged_union:
        names = [choices.pick(names)]
    nodes: list[Node] = []
    for name in names:
        if choices.chance(percent if not shape.is_tagged_union else 100):
            nodes += _member(choices, shape.members[name], name, percent, depth)
    if choices.chance(15) and not shape.is_tagged_union:
        nodes.insert(choices.integer(0, len(nodes)), choices.pick(_UNKNOWN))
    return _shuffled(choices, nodes)


def _shuffled(choices: Choices, nodes: list[Node]) -> list[Node]:
    """Sometimes in another order, so that flattened lists are interleaved."""
    if len(nodes) < 2 or not choices.chance(20):
        return nodes
    at = choices.integer(1, len(nodes) - 1)
    return nodes[at:] + nodes[:at]


_UNKNOWN = (
    Node("UnknownElement", "x"),
    Node("Unknown", (Node("Inner", (Node("Deep", "1"),)),)),
    Node("UnknownEmpty"),
)


def _in_body(shape: Any) -> bool:
    return "location" not in shape.serialization and not shape.serialization.get("xmlAttribute")


def _member(choices: Choices, shape: Any, name: str, percent: int, depth: int) -> list[Node]:
    tag = shape.serialization.get("name", name)
    if shape.type_name == "list":
        return _list_nodes(choices, shape, tag, percent, depth)
    if shape.type_name == "map":
        return _map_nodes(choices, shape, tag, percent, depth)
    return [_value(choices, shape, tag, percent, depth)]


def _list_nodes(choices: Choices, shape: Any, tag: str, percent: int, depth: int) -> list[Node]:
    count = choices.integer(0, 1 if depth >= DEEPEST else 3)
    flattened = shape.serialization.get("flattened")
    inner = shape.member.serialization.get("name", tag if flattened else "member")
    items = [_value(choices, shape.member, inner, percent, depth + 1) for _ in range(count)]
    return items if flattened else [Node(tag, tuple(items))]


def _map_nodes(choices: Choices, shape: Any, tag: str, percent: int, depth: int) -> list[Node]:
    key = shape.key.serialization.get("name", "key")
    value = shape.value.serialization.get("name", "value")
    pairs = [
        (
            Node(key, f"k{number}"),
            _value(choices, shape.value, value, percent, depth + 1),
        )
        for number in range(choices.integer(0, 2))
    ]
    if shape.serialization.get("flattened"):
        return [Node(tag, pair) for pair in pairs]
    return [Node(tag, tuple(Node("entry", pair) for pair in pairs))]


def _value(choices: Choices, shape: Any, tag: str, percent: int, depth: int) -> Node:
    if shape.type_name == "structure":
        if depth >= DEEPEST:
            return Node(tag)
        children = tuple(make_children(choices, shape, percent, depth + 1))
        return Node(tag, children, tuple(_attributes(choices, shape)))
    if shape.type_name in ("list", "map"):
        nested = _member(choices, shape, tag, percent, depth + 1)
        return nested[0] if nested else Node(tag)
    return Node(tag, make_scalar_text(choices, shape))


def _attributes(choices: Choices, shape: Any) -> list[tuple[str, str]]:
    """Members sent as attributes (S3: xsi:type of a Grantee), with the namespace they need."""
    names = [
        member.serialization["name"]
        for member in shape.members.values()
        if member.serialization.get("xmlAttribute")
    ]
    attributes = [(name, choices.pick(("CanonicalUser", "Group"))) for name in names]
    prefixes = {name.split(":")[0] for name in names if ":" in name}
    return [(f"xmlns:{p}", "http://www.w3.org/2001/XMLSchema-instance") for p in prefixes] + (
        attributes
    )


def make_scalar_text(choices: Choices, shape: Any) -> str:
    """The text of one scalar element, valid for its type; strings also empty and with spaces."""
    kind = shape.type_name
    if kind == "boolean":
        return choices.pick(("true", "false", "TRUE", "1", ""))
    if kind in ("integer", "long"):
        return choices.pick((str(choices.integer(0, 10**12)), "0", "-7", " 12 ", "0012", "+3"))
    if kind in ("float", "double"):
        return choices.pick(("1.5", "0", "-1e3", "NaN", "Infinity"))
    if kind == "timestamp":
        return make_timestamp_text(choices)
    if kind == "blob":
        return base64.b64encode(choices.octets(0, 12)).decode()
    return _string_text(choices, shape)


def _string_text(choices: Choices, shape: Any) -> str:
    enum = getattr(shape, "enum", None)
    if enum and choices.chance(70):
        return str(choices.pick(list(enum)))
    text = make_text(choices, TEXT)
    odd = ("", " ", "  padded  ", "line\nbreak", "url", quote(text), "a%2Fb+c%20d%", "%E4%B8")
    chosen = choices.pick(odd) if choices.chance(40) else text
    return choices.pick((chosen, '"9b2cf535f27731c974343645a3985328"', "x"))


# --- the spelling --------------------------------------------------------------------------------


def make_spelling(choices: Choices) -> Spelling:
    declarations = (
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        "",
        "<?xml version='1.0'?>",
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n\r\n',
    )
    return Spelling(
        declaration=choices.pick(declarations),
        namespace=choices.pick((NAMESPACE, "")),
        prefix=choices.pick(("", "", "", "ns0")),
        indent=choices.pick(("", "", "  ", "\t")),
        empty_tag=choices.chance(50),
        text_style=choices.pick(("escape", "escape", "cdata", "numeric")),
        comment=choices.pick(("", "", "", "<!-- a comment -->", "<?target data?>")),
    )


def spell(root: Node, spelling: Spelling) -> bytes:
    attributes = ()
    if spelling.prefix:
        attributes = ((f"xmlns:{spelling.prefix}", NAMESPACE),)
    elif spelling.namespace:
        attributes = (("xmlns", spelling.namespace),)
    top = Node(root.name, root.inside, (*root.attributes, *attributes))
    return (spelling.declaration + _write(top, spelling, 0)).encode()


def _write(node: Node, spelling: Spelling, level: int) -> str:
    tag = f"{spelling.prefix}:{node.name}" if spelling.prefix else node.name
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in node.attributes)
    inside = _write_inside(node, spelling, level)
    if not inside and spelling.empty_tag:
        return f"<{tag}{attributes}/>"
    return f"<{tag}{attributes}>{inside}</{tag}>"


def _write_inside(node: Node, spelling: Spelling, level: int) -> str:
    if isinstance(node.inside, str):
        return _write_text(node.inside, spelling)
    if not node.inside:
        return ""
    line = f"\n{spelling.indent * (level + 1)}" if spelling.indent else ""
    end = f"\n{spelling.indent * level}" if spelling.indent else ""
    parts = [f"{line}{_write(child, spelling, level + 1)}" for child in node.inside]
    return spelling.comment * (level == 0) + "".join(parts) + end


def _write_text(text: str, spelling: Spelling) -> str:
    if spelling.text_style == "cdata" and text and "]]>" not in text:
        return f"<![CDATA[{text}]]>"
    if spelling.text_style == "numeric":
        return "".join(c if c in PLAIN else f"&#{ord(c)};" for c in text)
    return escape(text)
