"""
Long listings are read by their rows: what comes out is what botocore's parser makes of the same
document, or the document is left to it.
"""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.parsers import ResponseParserError, create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from boto_accel.fastpath.lanes import rest_xml
from boto_accel.fastpath.lanes.scalars import Odd
from boto_accel.fastpath.lanes.xml_rows import SHORTEST
from boto_accel.fastpath.timestamps import read_timestamp

MODEL = botocore.session.get_session().get_service_model("s3")
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
PLAIN = ("k", "a b", "", "\u00fc\n", "%2B+")
REFERENCES = ("&quot;e&quot;", "&#34;e&#34;", "&#39;", "&amp;lt;", "&lt;&gt;&apos;")
GOOD_TEXTS = st.sampled_from((*PLAIN, *REFERENCES))
# What a row must not be lifted with, or what must not be lifted at all.
MARKUP = ("<!-- c -->", "<![CDATA[<Key>]]>", "<b>x</b>", "<?p i?>", "]]>")
BAD_TEXT = ("&#x41;", "&#65;", "&nbsp;", "&", "\r", "\x01")
ODD_TEXTS = st.sampled_from((*MARKUP, *BAD_TEXT))
ROWS = {
    "ListObjectsV2": "<Contents><Key>{}</Key><ETag>{}</ETag><Size>7</Size></Contents>",
    "ListObjects": "<Contents><Key>{}</Key><Owner><ID>{}</ID></Owner><Size>7</Size></Contents>",
    "ListObjectVersions": "<Version><Key>{}</Key><VersionId>{}</VersionId></Version>",
    "ListParts": "<Part><PartNumber>1</PartNumber><ETag>{}</ETag><X>{}</X></Part>",
}


def botocore_reads(operation: str, body: bytes) -> Any:
    """Members of the body as botocore has them, or the class of what it raises."""
    response = {"status_code": 200, "headers": {}, "body": body, "context": {}}
    try:
        parsed = create_parser("rest-xml").parse(
            response, MODEL.operation_model(operation).output_shape
        )
    except ResponseParserError as error:
        return type(error)
    del parsed["ResponseMetadata"]
    return parsed


def read(operation: str, body: bytes) -> Any:
    into: dict[str, Any] = {}
    reader = rest_xml.AnswerReader(
        MODEL.operation_model(operation).output_shape, read_timestamp, None
    )
    reader.read_body(body, into, {})
    return into


def document(rows: list[str], before: str = "", between: str = "", after: str = "") -> bytes:
    """A listing that is long enough to be lifted."""
    padding = "" if sum(map(len, rows)) > SHORTEST else f"<Name>{'n' * SHORTEST}</Name>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<L xmlns="{NAMESPACE}">{padding}{before}'
        f"{between.join(rows)}{after}</L>"
    ).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("operation", sorted(ROWS))
@given(texts=st.lists(st.tuples(GOOD_TEXTS, GOOD_TEXTS), min_size=1, max_size=40))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_plain_rows_are_read_as_botocore_reads_them(
    operation: str, texts: list[tuple[str, str]]
) -> None:
    """Rows of one spelling, with any of the references that XML has of itself."""
    body = document([ROWS[operation].format(*pair) for pair in texts])
    assert read(operation, body) == botocore_reads(operation, body)


@pytest.mark.parametrize("operation", sorted(ROWS))
@given(
    texts=st.lists(st.tuples(GOOD_TEXTS, GOOD_TEXTS | ODD_TEXTS), min_size=2, max_size=12),
    between=st.sampled_from(["", "", "\n", "<X/>", "<Contents/>", "<Foo>", "</Foo>"]),
    before=st.sampled_from(
        ["", "<Foo>", "<Contents><Key>z</Key></Contents>", "<!-- -->", "<a b='"]
    ),
    after=st.sampled_from(["", "</Foo>", "<Contents><Key>z</Key></Contents>", "'/>", "&"]),
)
@settings(max_examples=150, derandomize=True, deadline=None)
def test_odd_documents_end_as_in_botocore(
    operation: str, texts: list[tuple[str, str]], between: str, before: str, after: str
) -> None:
    """Never another value: the same one, or Odd, upon which botocore's parser is asked."""
    rows = [ROWS[operation].format(*pair) for pair in texts]
    body = document(rows, before, between, after)
    try:
        ours = read(operation, body)
    except (Odd, ValueError):
        return
    assert ours == botocore_reads(operation, body)


def test_a_long_run_is_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand rows are not made into a tree: what is parsed as XML is short."""
    parsed: list[int] = []
    from boto_accel.fastpath.lanes import xml

    parse = xml.parse
    monkeypatch.setattr(xml, "parse", lambda body: parsed.append(len(body)) or parse(body))
    body = document(
        [ROWS["ListObjectsV2"].format(f"key-{n}", "&quot;e&quot;") for n in range(1000)]
    )
    assert len(read("ListObjectsV2", body)["Contents"]) == 1000
    assert sum(parsed) < len(body) / 50
