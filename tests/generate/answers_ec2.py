"""Bodies of ec2 answers: as query's, but without a result element and with `requestId`."""

from __future__ import annotations

from typing import Any

from botocore.model import OperationModel

from tests.generate.answers_rest_xml import Node, make_children, make_spelling, spell
from tests.generate.choices import Choices

REQUEST_ID = Node("requestId", "fdcdcab1-ae5c-489e-9c33-4637c5dda355")


def make_body(choices: Choices, model: OperationModel, percent: int) -> bytes:
    """The XML of *model*'s output with about *percent* of its members."""
    shape = model.output_shape
    inside = make_children(choices, shape, percent, 0) if shape is not None else []
    ids = choices.pick(((REQUEST_ID,), (REQUEST_ID,), (REQUEST_ID,), ()))
    root = Node(f"{model.name}Response", (*ids, *inside))
    return spell(root, make_spelling(choices))


def make_error_body(choices: Choices, facts: Any) -> bytes:
    """`<Response><Errors><Error>` with `RequestID`, or one with little in it."""
    inner = [Node("Code", facts.code), Node("Message", facts.message)]
    error = Node("Errors", (Node("Error", tuple(inner)),))
    request_id = Node("RequestID", "ea966190-f9aa-478e-9ede-example")
    forms = (
        Node("Response", (error, request_id)),
        Node("Response", (error, request_id)),
        Node("Response", (error,)),
        Node("Response", (Node("Errors"), request_id)),
        Node("ErrorResponse", (Node("Error", tuple(inner)),)),
    )
    return spell(choices.pick(forms), make_spelling(choices))
