"""Plain XML answers are read without a tree: what botocore's parser reads, or left to it."""

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
    ("sns", "GetTopicAttributes"),
    ("sns", "Unsubscribe"),
    ("elasticbeanstalk", "DescribeEnvironmentHealth"),
    ("ec2", "CreateTags"),
]
JUNK = (
    "<", ">", "&", "]]>", "<!-- -->", "<![CDATA[x]]>", "&#65;", "&lt;", "&bad;", "\r", "\x00", "\t",
    "<x/>", "</x>", "<x>", "<x a='1'>", "\ufffe", "<item/>", "<?pi?>", " ", ">x<", "/", "ü",
)  # fmt: skip

TEXTS = ("", "1", "true", "2026-11-21T10:00:00Z", "a b", "&lt;&amp;", "ü", "x" * 100)


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


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@given(seed=st.integers(0, 10_000), texts=st.lists(st.sampled_from(TEXTS), min_size=3, max_size=8))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_items_that_are_spelled_alike(
    service: str, operation: str, seed: int, texts: list[str]
) -> None:
    """Each list's first item again and again, with other texts; one is spelled otherwise."""
    model = operation_model(operation, service)
    body = document(model, seed).decode()
    for tag in ("item", "member", "DBInstance"):
        start, end = body.find(f"<{tag}>"), body.rfind(f"</{tag}>") + len(f"</{tag}>")
        if start >= 0:
            item = body[start : body.find(f"</{tag}>", start) + len(f"</{tag}>")]
            if item.count(f"<{tag}>") == 1:
                items = [item.replace("></", f">{text}</") for text in texts]
                body = body[:start] + "".join(items) + body[start:end] + "".join(items) + body[end:]
    check(model, body.encode())


@pytest.mark.parametrize(
    ("first", "item"),
    [
        ("<instanceId>i</instanceId>", {"InstanceId": "i"}),
        ("<instanceId/>", {"InstanceId": ""}),
        ("", {}),
        ("<tagSet/>", {"Tags": []}),
        ("<tagSet><item/></tagSet>", {"Tags": [{}]}),
        ("<monitoring/>", {"Monitoring": {}}),
        ("<monitoring>x</monitoring>", {"Monitoring": {}}),
        ("<new><er>1</er><er>2</er></new>", {}),
        ("<amiLaunchIndex>3</amiLaunchIndex>", {"AmiLaunchIndex": 3}),
        ("<tagSet><item><key>a&amp;b</key></item></tagSet>", {"Tags": [{"Key": "a&b"}]}),
    ],
)
def test_values_of_items_that_are_spelled_alike(first: str, item: dict[str, Any]) -> None:
    model = operation_model("DescribeInstances", "ec2")
    items = f"<item>{first}</item>" * 5
    body = (
        "<DescribeInstancesResponse><requestId>r</requestId><reservationSet><item><instancesSet>"
        f"{items}</instancesSet></item></reservationSet></DescribeInstancesResponse>"
    ).encode()
    read = ours(model, body)
    assert read is not None
    assert read["Reservations"][0]["Instances"] == [item] * 5
    assert list(differences(stocks(model, body), read)) == []


def test_a_list_reads_by_few_spellings_whatever_it_has_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    build = xml_text.Spellings._build
    monkeypatch.setattr(
        xml_text.Spellings, "_build", lambda self, tags: made.append(tags) or build(self, tags)
    )
    shape = operation_model("DescribeInstances", "ec2").output_shape
    spellings = xml_text.Spellings(shape.members["Reservations"].member, lambda shape: None)
    for number in range(500):
        for _ in range(3):
            spellings.saw(["item", f"new{number}", f"/new{number}", "/item"])
    assert len(made) == 500
    assert len(spellings.recent) == xml_text.MOST_TRIED
    assert spellings.recent[0][0][1] == "new499"
    assert len(spellings._seen) <= xml_text.MOST_SPELLINGS


@pytest.mark.parametrize("name", ["ec2-instances", "sts-identity"])
def test_plain_documents_need_no_tree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call = CALLS[name]
    operation = {"ec2-instances": "DescribeInstances", "sts-identity": "GetCallerIdentity"}[name]
    model = operation_model(operation, call.service)
    expected = stocks(model, call.answer())
    monkeypatch.setattr(xml, "parse", None)
    assert list(differences(expected, ours(model, call.answer()))) == []


def test_maps_need_no_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        b"<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes>"
        b"<entry><key>Owner</key><value>123456789012</value></entry>"
        b"<entry><key>Policy</key><value>{&quot;a&quot;: 1}</value></entry>"
        b"</Attributes></GetTopicAttributesResult><ResponseMetadata><RequestId>1</RequestId>"
        b"</ResponseMetadata></GetTopicAttributesResponse>"
    )
    model = operation_model("GetTopicAttributes", "sns")
    expected = stocks(model, body)
    assert expected["Attributes"] == {"Owner": "123456789012", "Policy": '{"a": 1}'}
    monkeypatch.setattr(xml, "parse", None)
    assert list(differences(expected, ours(model, body))) == []


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
