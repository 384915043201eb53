"""
The query lane: STS, IAM, SNS, RDS, CloudFormation and a dozen other services.

Parameters are a form, whose names tell the nesting ("Tags.member.1.Key"); the answer is XML.
Source: `botocore.serialize.QuerySerializer`, `botocore.parsers.QueryParser`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from boto_accel._compat import Declined
from boto_accel.fastpath.lanes import rest, scalars, xml, xml_text
from boto_accel.fastpath.lanes.rest_xml import IN_HEAD
from boto_accel.fastpath.lanes.scalars import INVALID, TOO_DEEP, Odd

Form = dict[str, str]
Put = Callable[[Any, str, Form], None]  # put(value, name of the field, form)

_PLAIN = re.compile(r"[A-Za-z0-9_.\-~]*").fullmatch


def encode(text: str) -> str:
    """*text* as `urllib.parse.urlencode` writes it."""
    return text if _PLAIN(text) else quote_plus(text.encode("utf-8"))


def encoded(form: Form) -> bytes:
    """The body that *form* is."""
    fields = [f"{encode(name)}={encode(text)}" for name, text in form.items()]
    return "&".join(fields).encode("ascii")


class FormCompiler:
    """Compiles writers of form fields; *serializer* is botocore's, asked for the conversions."""

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self._structures: dict[str, Put] = {}  # by name, as shapes may contain themselves

    def name(self, shape: Any, default: str) -> str:
        """The part of a field's name that *shape* gives it."""
        name: str = shape.serialization.get("name", default)
        return name

    def value(self, shape: Any) -> Put:
        """A writer of the fields of one value of *shape*."""
        type_name = shape.type_name
        if type_name == "structure":
            return self._structure(shape)
        if type_name == "list":
            return self.list_of(shape)
        if type_name == "map":
            return self._map(shape)
        to_text = scalars.text_writer(shape, self._serializer)

        def put(value: Any, name: str, form: Form) -> None:
            form[name] = to_text(value)

        return put

    def _structure(self, shape: Any) -> Put:
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        required = frozenset(shape.metadata.get("required", ()))
        one_of = shape.is_tagged_union
        put_members = self.members(shape)

        def put(value: Any, name: str, form: Form) -> None:
            if not isinstance(value, dict) or (required and not required <= value.keys()):
                raise Declined(INVALID)
            if one_of and len(value) != 1:
                raise Declined(INVALID)
            put_members(value, f"{name}.", form)

        self._structures[shape.name] = put
        return put

    def members(self, shape: Any) -> Put:
        """
        A writer of some members of a structure; which ones there have to be is not checked.

        The name that it takes ends with a dot, or is empty.
        """
        writers: dict[str, tuple[str, Put]] = {}  # filled as they are used

        def learned(key: str) -> tuple[str, Put]:
            member = shape.members.get(key)
            if member is None:
                raise Declined(INVALID)
            known = writers[key] = (self.name(member, key), self.value(member))
            return known

        def put(value: Mapping[str, Any], name: str, form: Form) -> None:
            for key, item in value.items():
                known = writers.get(key)
                own_name, put_item = learned(key) if known is None else known
                put_item(item, name + own_name, form)

        return put

    def list_of(self, shape: Any) -> Put:
        """A writer of a list: its items are numbered from one. An empty one is an empty field."""
        least = shape.metadata.get("min", 0)
        put_item = self.value(shape.member)
        own_name = shape.member.serialization.get("name")
        flattened = shape.serialization.get("flattened")

        def put(value: Any, name: str, form: Form) -> None:
            check_list(value, least)
            if not value:
                form[name] = ""
                return
            if not flattened:
                name = f"{name}.{own_name or 'member'}"
            elif own_name:  # in place of the list's own
                name = f"{name.rpartition('.')[0]}.{own_name}" if "." in name else own_name
            for number, item in enumerate(value, 1):
                put_item(item, f"{name}.{number}", form)

        return put

    def _map(self, shape: Any) -> Put:
        put_key, put_value = self.value(shape.key), self.value(shape.value)
        key_name, value_name = self.name(shape.key, "key"), self.name(shape.value, "value")
        entry = "" if shape.serialization.get("flattened") else ".entry"

        def put(value: Any, name: str, form: Form) -> None:
            if not isinstance(value, dict):
                raise Declined(INVALID)
            for number, (key, item) in enumerate(value.items(), 1):
                put_key(key, f"{name}{entry}.{number}.{key_name}", form)
                put_value(item, f"{name}{entry}.{number}.{value_name}", form)

        return put


def check_list(value: Any, least: int) -> None:
    """Declines what is no list, or too short a one."""
    if not isinstance(value, (list, tuple)) or len(value) < least:
        raise Declined(INVALID)


class RequestWriter:
    """See `boto_accel.fastpath.lanes`."""

    compiler: type[FormCompiler] = FormCompiler
    path = "/"
    streams_payload = False
    may_have_body = True

    def __init__(self, operation_model: Any, serializer: Any) -> None:
        self.headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        self.binding = rest.RequestBinding(operation_model, serializer, located=False)
        self.method: str = operation_model.http.get("method", "POST")
        self._fixed = {
            "Action": operation_model.name,
            "Version": operation_model.metadata["apiVersion"],
        }
        self._bare = encoded(self._fixed)
        shape = operation_model.input_shape
        self._put = None if shape is None else self.compiler(serializer).members(shape)

    def body(self, params: Mapping[str, Any]) -> bytes:
        """The form for *params*."""
        if not params:
            return self._bare
        form = self._fixed.copy()
        if self._put is not None:
            try:
                self._put(params, "", form)
            except RecursionError:
                raise Declined(TOO_DEEP) from None
        return encoded(form)


class AnswerReader:
    """See `boto_accel.fastpath.lanes`."""

    head = None
    payload: str | None = None
    is_stream = False
    metadata_first = False

    def __init__(self, shape: Any, read_timestamp: Any, read_blob: Any) -> None:
        self._read: xml.ElementReader | None = None
        self._read_tokens: xml_text.TokenReader | None = None
        self._wrapper: str | None = None
        if shape is not None:
            self._wrapper = shape.serialization.get("resultWrapper")
            compiler = xml.ReaderCompiler(read_timestamp, read_blob, IN_HEAD)
            self._read = compiler.structure(shape)
            self._read_tokens = xml_text.Reader(shape, IN_HEAD, compiler.text).read

    def ids(self, headers: Mapping[str, str]) -> dict[str, Any]:
        """They are in the body."""
        return {}

    def read_body(self, body: bytes, result: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Put the members of *body* into *result*; Odd where botocore's parser should read it."""
        try:
            members, ids = self._read_plain(xml_text.tokens_of(body))
        except (Odd, IndexError):  # or it ends within an element
            members, ids = self._read_tree(xml.parse(body))
        result.update(members)
        metadata.update(ids)

    def _read_plain(self, tokens: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """(members, ids) of a plain document, in the order that services write them."""
        at = xml_text.ROOT + 2
        members: dict[str, Any] = {}
        if self._read_tokens is not None:
            if tokens[at] != self._wrapper:
                raise Odd
            members, at = self._read_tokens(tokens, at)
        ids: dict[str, Any] = {}
        if tokens[at] == "ResponseMetadata":
            at += 2
            while (tag := tokens[at]) != "/ResponseMetadata":
                if tokens[at + 2] != f"/{tag}" or tag in ids:
                    raise Odd
                ids[tag] = tokens[at + 1] or None
                at += 4
            at += 2
        if tokens[at] != f"/{tokens[xml_text.ROOT]}" or at + 2 != len(tokens):
            raise Odd
        return members, ids

    def _read_tree(self, root: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same of any document."""
        members: dict[str, Any] = {}
        if self._read is not None:
            start = root if self._wrapper is None else only_child(root, self._wrapper)
            if start is None:
                raise Odd
            members = self._read(start)
        return members, self._ids_of(root)

    def _ids_of(self, root: Any) -> dict[str, Any]:
        """Source: `QueryParser._inject_response_metadata`."""
        told = only_child(root, "ResponseMetadata")
        if told is None:
            return {}
        found = {xml.plain_tag(child.tag): child.text for child in told}
        if len(found) != len(told):
            raise Odd
        return found


def only_child(element: Any, tag: str) -> Any:
    """The child with *tag*, or None; Odd where there are several."""
    found = [child for child in element if xml.plain_tag(child.tag) == tag]
    if len(found) > 1:
        raise Odd
    return found[0] if found else None
