"""Long XML answers that are read without a tree: what botocore's parser reads, or left to it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.parsers import ResponseParserError, create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from boto_accel.bench.services import CALLS
from boto_accel.fastpath.lanes import ec2, query, xml, xml_text
from boto_accel.fastpath.lanes.scalars import Odd
from boto_accel.fastpath.replies import UNREADABLE
from boto_accel.fastpath.timestamps import read_timestamp
from tests.generate import answers
from tests.generate.choices import SeededChoices
from tests.parity.compare import differences
from tests.parity.operations import operation_model

LANES = {"ec2": ec2, "query": query}
OPERATIONS = [
    ("ec2", "DescribeInstances"),
    ("ec2", "DescribeSecurityGroups"),
    ("ec2", "RunInstances"),
    ("iam", "ListUsers"),
    ("iam", "GetAccountAuthorizationDetails"),
    ("cloudformation", "DescribeStacks"),
    ("rds", "DescribeDBInstances"),
    ("sts", "GetCallerIdentity"),
    ("autoscaling", "DescribeAutoScalingGroups"),
]
JUNK = (
    "<", ">", "&", "]]>", "<!-- -->", "<![CDATA[x]]>", "&#65;", "&lt;", "&bad;", "\r", "\x00", "\t",
    "<x/>", "</x>", "<x>", "<x a='1'>", "\ufffe", "<item/>", "<?pi?>", " ", ">x<", "/", "ü",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _all_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "SHORTEST", 0)


def stocks(model: Any, body: bytes) -> Any:
    response = {"status_code": 200, "headers": {}, "body": body, "context": {}}
    protocol = model.service_model.resolved_protocol
    try:
        return create_parser(protocol).parse(response, model.output_shape)
    except (ResponseParserError, LookupError, AttributeError, TypeError, ValueError) as error:
        return type(error)


def ours(model: Any, body: bytes) -> Any:
    """None where it is left to botocore."""
    lane = LANES[model.service_model.resolved_protocol]
    reader = lane.AnswerReader(model.output_shape, read_timestamp, None)
    result: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    try:
        reader.read_body(body, result, metadata)
    except UNREADABLE:
        return None
    return {**result, "ResponseMetadata": {**metadata, "HTTPStatusCode": 200, "HTTPHeaders": {}}}


def document(model: Any, seed: int) -> bytes:
    body: bytes = answers.BODIES[model.service_model.resolved_protocol].make_body(
        SeededChoices(seed), model, 60
    )
    return body


def check(model: Any, body: bytes) -> None:
    read = ours(model, body)
    if read is not None:
        assert list(differences(stocks(model, body), read)) == []


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_documents_are_read_as_botocore_reads_them(service: str, operation: str, seed: int) -> None:
    model = operation_model(operation, service)
    check(model, document(model, seed))


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@given(seed=st.integers(0, 10_000), junk=st.sampled_from(JUNK), at=st.floats(0, 1))
@settings(max_examples=120, derandomize=True, deadline=None)
def test_damaged_documents_are_read_as_botocore_reads_them(
    service: str, operation: str, seed: int, junk: str, at: float
) -> None:
    """Something is put in, or it is cut off there: never another value, never one for an error."""
    model = operation_model(operation, service)
    body = document(model, seed)
    place = int(at * len(body))
    check(model, body[:place] + junk.encode() + body[place:])
    check(model, body[:place])
    check(model, body[:place] + body[place + 1 :])


@pytest.mark.parametrize("name", ["ec2-instances", "sts-identity"])
def test_plain_documents_need_no_tree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = CALLS[name]
    operation = {"ec2-instances": "DescribeInstances", "sts-identity": "GetCallerIdentity"}[name]
    model = operation_model(operation, call.service)
    expected = stocks(model, call.answer())
    monkeypatch.setattr(xml, "parse", None)
    assert list(differences(expected, ours(model, call.answer()))) == []


@pytest.mark.parametrize(
    "text",
    [
        "<a><b>1</b></a>",
        "<a><b>1>/b<</a>",
        "<a>x>y<</a>",
        "<a>]]></a>",
        "<a b='c'/>",
        "<a xmlns='x' xmlns:y='z'></a>",
        "text<a></a>",
        "<a></a>text",
        "<?xml version='1.1'?><a></a>",
        "<a></a><b></b>",
        "<a>&lt;&amp;&#x3e;</a>",
        "",
    ],
)
def test_only_well_formed_documents_have_tokens(text: str) -> None:
    try:
        tokens = xml_text.tokens_of(text.encode())
        end = xml_text.skip(tokens, xml_text.ROOT)
    except (Odd, IndexError):
        return
    if end == len(tokens):
        xml.parse(text.encode())  # raises Odd where expat refuses it
