"""Bodies of query answers: the result within an element named for the operation, and ids."""

from __future__ import annotations

from typing import Any

from botocore.model import OperationModel

from tests.generate.answers_rest_xml import Node, make_children, make_spelling, spell
from tests.generate.choices import Choices

IDS = Node("ResponseMetadata", (Node("RequestId", "4442587FB7D0A2F9"),))


def make_body(choices: Choices, model: OperationModel, percent: int) -> bytes:
    """The XML of *model*'s output with about *percent* of its members."""
    shape = model.output_shape
    inside = make_children(choices, shape, percent, 0) if shape is not None else []
    wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
    if wrapper:
        inside = [Node(wrapper, tuple(inside))]
    inside += choices.pick(((IDS,), (IDS,), (IDS,), ()))
    return spell(Node(f"{model.name}Response", tuple(inside)), make_spelling(choices))


def make_error_body(choices: Choices, facts: Any) -> bytes:
    """`<ErrorResponse>`, the older `<Response><Errors>`, or one with little in it."""
    inner = [Node("Type", "Sender"), Node("Code", facts.code), Node("Message", facts.message)]
    if facts.shape is not None:
        inner += make_children(choices, facts.shape, 70, 0)
    error = Node("Error", tuple(inner))
    request_id = Node("RequestId", "4442587FB7D0A2F9")
    forms = (
        Node("ErrorResponse", (error, request_id)),
        Node("ErrorResponse", (error, request_id)),
        Node("Response", (Node("Errors", (error,)), request_id)),
        Node("ErrorResponse", (Node("Error", (Node("Code", facts.code),)),)),
        Node("ErrorResponse"),
    )
    return spell(choices.pick(forms), make_spelling(choices))
