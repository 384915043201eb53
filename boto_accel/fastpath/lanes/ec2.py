"""
The ec2 lane: the query protocol as EC2 speaks it.

Source: `botocore.serialize.EC2Serializer`, `botocore.parsers.EC2QueryParser`.
"""

from __future__ import annotations

from typing import Any

from boto_accel.fastpath.lanes import query, xml_text
from boto_accel.fastpath.lanes.scalars import Odd


class FormCompiler(query.FormCompiler):
    """Names begin with a capital letter, and lists have no name of their own."""

    def name(self, shape: Any, default: str) -> str:
        own: str | None = shape.serialization.get("queryName")
        if own is not None:
            return own
        name: str | None = shape.serialization.get("name")
        return default if name is None else name[0].upper() + name[1:]

    def list_of(self, shape: Any) -> query.Put:
        """A writer of a list: its items are numbered from one. An empty one is left out."""
        least = shape.metadata.get("min", 0)
        put_item = self.value(shape.member)

        def put(value: Any, name: str, form: query.Form) -> None:
            query.check_list(value, least)
            for number, item in enumerate(value, 1):
                put_item(item, f"{name}.{number}", form)

        return put


class RequestWriter(query.RequestWriter):
    """See `boto_accel.fastpath.lanes`."""

    compiler = FormCompiler


class AnswerReader(query.AnswerReader):
    """See `boto_accel.fastpath.lanes`."""

    def _read_plain(self, tokens: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        at = xml_text.ROOT + 2
        if tokens[at] != "requestId" or tokens.count("requestId") > 1:
            raise Odd
        if tokens[at + 2] != "/requestId":
            raise Odd
        members: dict[str, Any] = {}
        if self._read_tokens is None:
            end = xml_text.skip(tokens, xml_text.ROOT)
        else:
            members, end = self._read_tokens(tokens, xml_text.ROOT)
        if end != len(tokens):
            raise Odd
        return members, {"RequestId": tokens[at + 1] or None}

    def _ids_of(self, root: Any) -> dict[str, Any]:
        told = query.only_child(root, "requestId")
        return {} if told is None else {"RequestId": told.text}
