"""Generated answers are what they claim: parsed by botocore, framed by the rules of HTTP."""

from __future__ import annotations

import contextlib
import http.client
import io
from collections.abc import Iterator
from dataclasses import replace

import botocore.session
import pytest
from botocore import parsers
from botocore.awsrequest import HeadersDict
from botocore.model import OperationModel

from tests.generate.answers import (
    RawAnswer,
    make_error,
    make_error_inside_200,
    make_hostile,
    make_success,
)
from tests.generate.choices import SeededChoices

SESSION = botocore.session.Session()
# Of each protocol, and all that speak rest-xml.
SERVICES = ("s3", "cloudfront", "route53", "s3control", "ec2", "iam", "dynamodb", "lambda", "sqs")

# What botocore's parsers raise of what they cannot read.
UNREADABLE = (ValueError, AttributeError, TypeError, parsers.ResponseParserError)


def operations(service: str) -> Iterator[OperationModel]:
    model = SESSION.get_service_model(service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        if not operation.has_event_stream_output:
            yield operation


def parsed(operation: OperationModel, answer: RawAnswer) -> dict[str, object]:
    headers = HeadersDict()
    for name, value in answer.headers:
        headers[name] = value.strip()
    streams = operation.has_streaming_output and answer.status < 301
    body = io.BytesIO(answer.body) if streams else answer.body
    facts = {"body": body, "headers": headers, "status_code": answer.status, "context": {}}
    parser = parsers.create_parser(operation.service_model.resolved_protocol)
    made: dict[str, object] = parser.parse(facts, operation.output_shape)
    return made


@pytest.mark.parametrize("service", SERVICES)
def test_most_answers_are_parsed(service: str) -> None:
    for make, least in ((make_success, 0.85), (make_error, 0.5)):  # errors are cut or HTML, too
        made = ok = 0
        for operation in operations(service):
            answer = make(SeededChoices(f"{operation.name} {make.__name__}"), operation)
            made += 1
            # an empty integer, a time out of range: some of it is meant to be so
            with contextlib.suppress(*UNREADABLE):
                ok += "ResponseMetadata" in parsed(operation, answer)
        assert ok > least * made, make.__name__


def test_all_members_of_a_listing_are_made() -> None:
    operation = SESSION.get_service_model("s3").operation_model("ListObjectsV2")
    seen: set[str] = set()
    for seed in range(30):
        try:
            seen |= set(parsed(operation, make_success(SeededChoices(seed), operation)))
        except (ValueError, parsers.ResponseParserError):
            continue
    assert set(operation.output_shape.members) <= seen


class _Wire:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.content)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("make", [make_success, make_error, make_hostile, make_error_inside_200])
def test_the_framing_is_readable(make: object, framing: str) -> None:
    """What goes on the wire is what the standard library reads from it."""
    for operation in operations("s3"):
        made = make(SeededChoices(operation.name), operation)  # type: ignore[operator]
        answer = replace(made, framing=framing, chunk_size=7)
        if answer.status in (204, 304):
            continue
        response = http.client.HTTPResponse(_Wire(answer.to_bytes()))  # type: ignore[arg-type]
        response.begin()
        assert response.status == answer.status
        assert response.read() == answer.body
        response.close()


def test_an_answer_to_head_has_no_body() -> None:
    answer = RawAnswer(body=b"12345")
    assert answer.to_bytes(head_request=True).endswith(b"Content-Length: 5\r\n\r\n")
    assert replace(answer, status=204).to_bytes() == b"HTTP/1.1 204 No Content\r\n\r\n"
