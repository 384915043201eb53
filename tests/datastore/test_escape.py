"""Values as segments: each is one segment, and each segment one value."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boto_accel.datastore.escape import DIGEST, digest_segment, escape, unescape
from tests.datastore.worlds import steady

texts = st.one_of(
    st.text(st.characters()),
    st.text(st.sampled_from("!/2FE.a()%0\x00\ud800\udc00é")),
    st.lists(st.sampled_from(["!!", "!2F", "!21", "a", "/", "!", "!!(" + "0" * 64 + ")"])).map(
        "".join
    ),
)
NOT_XML = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")


@steady
@given(texts)
@example("")
@example("..")
@example("!!" * 600)
@example("!" * 1001)
@example("!!" + "!21" * 400)
def test_a_value_comes_back(text: str) -> None:
    """And its segment is one that servers, SDKs and XML take as it is."""
    segment = escape(text)
    assert unescape(segment) == text
    assert segment not in ("", ".", "..")
    assert "/" not in segment
    assert not NOT_XML.search(segment)
    segment.encode()


@steady
@given(texts, texts)
def test_no_two_values_share_a_segment(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@steady
@given(texts.filter(lambda text: "/" not in text))
def test_every_segment_is_one_value(segment: str) -> None:
    """One that `escape` would not have made stands for itself."""
    text = unescape(segment)
    assert text == segment or escape(text) == segment


@steady
@given(texts)
def test_a_digest_is_no_escape(text: str) -> None:
    assert DIGEST.fullmatch(digest_segment(text))
    assert escape(text) != digest_segment(text)
    assert not DIGEST.fullmatch(escape(text))


@pytest.mark.parametrize(
    "value",
    ["1", "01", "a b", "a%2Fb", "%", "100%", "é", "日本", "!", "!!x", "a!2Fb", "a.b", "...", "~"],
)
def test_what_s3aads_wrote_is_written_the_same(value: str) -> None:
    assert escape(value) == value


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("a/b", "!!a!2Fb"),
        ("", "!!"),
        (".", "!!!2E"),
        ("..", "!!!2E!2E"),
        ("!!a!2Fb", "!!!21!21a!212Fb"),
        ("\n", "!!!0A"),
        ("é/", "!!é!2F"),
        ("\ud83d", "!!!ED!A0!BD"),
    ],
)
def test_the_form(value: str, segment: str) -> None:
    """What is in buckets already cannot change."""
    assert escape(value) == segment
