"""
No parameter and no setting of a client adds a header, a request or a line to what is sent.

What the server receives is one well-formed request and stock's, or the call raises what stock
raises. (Source: RFC 9112, 3 and 5; RFC 9110, 5.5.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from hypothesis import given
from hypothesis import strategies as st

from tests.generate.params import valid_params
from tests.parity.configs import PATH, SETUPS, ClientSetup
from tests.parity.limits import bounded
from tests.parity.operations import FAST, operation_model
from tests.parity.seen import SeenRequest
from tests.parity.worlds import Pair, World, request

# From here on a header, a request, a query or a path of the attacker's would begin.
PIECES = (
    *("\r\nX-Added: 1", "\nX-Added: 1", "\rX-Added: 1", "\r\n\r\nGET /added HTTP/1.1\r\n\r\n"),
    *(" HTTP/1.1\r\nX-Added: 1\r\n", "\x00", "\x7f", "\x85", "\xa0", "\u2028", "\ud800", "é", "漢"),
    *("%0d%0aX-Added:%201", "%00", "?X-Added", "&x-added=1", "#added", "..", "/../", "//", "\\"),
    *(" ", "\t", ": ", ";", ",", "{", "}", "%s", "%(name)s", "{0}", "'", '"', "a", "k"),
)
NASTY = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
LEAST_FAST = 0.2  # share of the calls; the others botocore refuses, or has to encode
TARGET = re.compile(r"/[!-~]*")
FIELD = re.compile(r"[ -~]*")
TOKEN = re.compile(r"[a-z0-9!#$%&'*+\-.^_`|~]+")

Spot = tuple[Callable[[Any], None], str]


def spots(value: Any) -> Iterator[Callable[[Any], None]]:
    """What puts another text in the place of each one that there is, keys of maps included."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, str):
            yield lambda text, key=key: value.__setitem__(key, text)
        elif isinstance(item, (dict, list)):
            yield from spots(item)
            if key == "Metadata":
                yield lambda text, item=item: item.__setitem__(text, "value")


@st.composite
def nasty_call(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An operation, and parameters of which one or two texts are an attacker's."""
    operation = draw(st.sampled_from(FAST))
    params = draw(valid_params(operation_model(operation)))
    for put in draw(st.lists(st.sampled_from(list(spots(params)) or [lambda _: None]), max_size=2)):
        put(draw(NASTY))
    return operation, params


def check(pair: Pair) -> None:
    """What is stock's request is as good as that; what went fast is well-formed besides."""
    assert pair.differences() == []
    for seen in pair.by_engine.values():
        for sent in seen.requests:
            assert "x-added" not in dict(sent.headers)
            assert not pair.went_fast or is_well_formed(sent), sent


def is_well_formed(sent: SeenRequest) -> bool:
    return TARGET.fullmatch(sent.target) is not None and all(
        TOKEN.fullmatch(name) and FIELD.fullmatch(value) for name, value in sent.headers
    )


def test_parameters(world: World) -> None:
    @bounded(400)
    @given(call=nasty_call(), setup=st.sampled_from(["http, path", "http, virtual host"]))
    def run(call: tuple[str, dict[str, Any]], setup: str) -> None:
        operation, params = call
        check(world.compare(SETUPS[setup], request(operation_model(operation), params)))

    run()
    assert world.tally.fast.total() > LEAST_FAST * world.tally.made.total()


SETTINGS = (
    "user_agent",
    "user_agent_extra",
    "user_agent_appid",
    "region_name",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "path",
)


def test_settings_of_a_client(world: World) -> None:
    @bounded(50)
    @given(name=st.sampled_from(SETTINGS), text=NASTY)
    def run(name: str, text: str) -> None:
        setup = setup_with(name, text)
        try:
            world.client(setup)
        except (BotoCoreError, ValueError, UnicodeError):
            return  # there is no such client, in no world
        for operation, params in CALLS:
            check(world.compare(setup, request(operation_model(operation), params)))

    run()


CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("GetObject", {"Bucket": "bucket", "Key": "k"}),
    ("PutObject", {"Bucket": "bucket", "Key": "k", "Body": b"x"}),
)


def setup_with(name: str, text: str) -> ClientSetup:
    plain = {"s3": PATH, "retries": {"max_attempts": 0}, "read_timeout": 8}
    if name == "path":
        return ClientSetup(path=f"/{text}", options=plain)
    return ClientSetup(options={**plain, name: f"us-east-1{text}" if "region" in name else text})


@pytest.mark.parametrize("piece", PIECES)
def test_each_piece_in_the_places_of_every_day(world: World, piece: str) -> None:
    """Without hypothesis' luck: key, bucket, metadata, header, query, copy source and tags."""
    plain = {"Bucket": "bucket", "Key": "k"}
    for operation, params in (
        ("GetObject", {**plain, "Key": f"a{piece}b"}),
        ("HeadObject", {**plain, "Bucket": f"buc{piece}ket"}),
        ("PutObject", {**plain, "Metadata": {"name": f"a{piece}b"}}),
        ("PutObject", {**plain, "Metadata": {f"a{piece}b": "value"}}),
        ("PutObject", {**plain, "ContentType": f"a{piece}b"}),
        ("PutObject", {**plain, "Tagging": f"a{piece}b"}),
        ("ListObjectsV2", {"Bucket": "bucket", "Prefix": piece, "ContinuationToken": piece}),
        ("CopyObject", {**plain, "CopySource": f"bucket/a{piece}b"}),
        ("CopyObject", {**plain, "CopySource": {"Bucket": "bucket", "Key": f"a{piece}b"}}),
        ("GetObject", {**plain, "Range": f"bytes=0-1{piece}", "IfMatch": piece}),
        ("GetObject", {**plain, "ResponseContentType": piece, "VersionId": piece}),
        ("DeleteObjects", {"Bucket": "bucket", "Delete": {"Objects": [{"Key": piece}]}}),
    ):
        check(world.compare(SETUPS["http, path"], request(operation_model(operation), params)))
