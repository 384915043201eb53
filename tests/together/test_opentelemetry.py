"""OpenTelemetry's instrumentation of botocore and aiobotocore: one span a call, as in stock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.endpoint import Endpoint

from boto_accel import accelerate, botocache_context
from tests.fastpath.callers import Caller, open_caller
from tests.servers.capture import CaptureServer, http_answer
from tests.servers.clients import make_client
from tests.servers.moto_server import MotoServer
from tests.together.orders import Order, Phases, in_each_order

tracing = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
instrumentation = pytest.importorskip("opentelemetry.instrumentation.botocore")
unwrap = pytest.importorskip("opentelemetry.instrumentation.utils").unwrap

pytestmark = pytest.mark.usefixtures("put_back")

MODULE = "opentelemetry.instrumentation.botocore"


class Spans:
    """The spans that an instrumentor makes while it is in force."""

    def __init__(self, flavour: str) -> None:
        name = "AiobotocoreInstrumentor" if flavour == "async" else "BotocoreInstrumentor"
        self._instrumentor = getattr(instrumentation, name, lambda: None)()
        if self._instrumentor is None:
            pytest.skip(f"this release of OpenTelemetry has no {name}")
        self._exporter = memory.InMemorySpanExporter()
        self._provider = tracing.TracerProvider()
        self._provider.add_span_processor(export.SimpleSpanProcessor(self._exporter))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self._instrumentor.instrument(tracer_provider=self._provider)
        try:
            yield
        finally:
            self._instrumentor.uninstrument()

    def take(self) -> list[tuple[str, dict[str, Any], str]]:
        """(name, attributes, status) of those made since, without what is another each time."""
        found = self._exporter.get_finished_spans()
        self._exporter.clear()
        return [
            (span.name, steady(span.attributes), span.status.status_code.name) for span in found
        ]


def steady(attributes: Any) -> dict[str, Any]:
    changing = ("aws.request_id", "messaging.message.id", "messaging.message_id")
    return {name: "" if name in changing else value for name, value in attributes.items()}


@pytest.fixture
def spans(flavour: str) -> Spans:
    return Spans(flavour)


def calls(flavour: str, server: MotoServer, service: str) -> Any:
    return open_caller(flavour, service, **server.client_options)


def use_dynamodb(dynamodb: Caller) -> None:
    dynamodb("put_item", TableName="table", Item={"k": {"S": "a"}})
    dynamodb("get_item", TableName="table", Key={"k": {"S": "a"}}, ConsistentRead=True)
    with pytest.raises(dynamodb.client.exceptions.ResourceNotFoundException):
        dynamodb("get_item", TableName="absent", Key={"k": {"S": "a"}})


@in_each_order
def test_dynamodb(
    order: Order, spans: Spans, flavour: str, moto_server: MotoServer, phases: Callable[..., Phases]
) -> None:
    """
    A span a call with the attributes of stock's, errors too; calls are fast again afterwards.

    OpenTelemetry takes off only what is on top: left while ours is on top, it goes on making
    spans (one a call), as it does under any other wrapper.
    """
    with calls(flavour, moto_server, "dynamodb") as dynamodb:
        dynamodb(
            "create_table",
            TableName="table",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        with spans():
            use_dynamodb(dynamodb)
        stock = spans.take()
        assert [(name, status) for name, _, status in stock] == [
            ("DynamoDB.PutItem", "UNSET"),
            ("DynamoDB.GetItem", "UNSET"),
            ("DynamoDB.GetItem", "ERROR"),
        ]
        assert stock[1][1]["aws.dynamodb.table_names"] == ("table",)
        patch = accelerate()
        seen = stays = False
        for in_force in phases(order, patch, spans):
            traced = "theirs" in in_force
            stays = order == ("theirs", "theirs") and seen and not traced
            seen = seen or traced
            fast = patch.stats.fast
            use_dynamodb(dynamodb)
            assert spans.take() == (stock if traced or stays else []), in_force
            assert patch.stats.fast - fast == (3 if in_force == {"ours"} and not stays else 0)
    assert named(patch.stats.reasons) == {MODULE}


def test_spans_without_the_header_of_the_trace(
    spans: Spans, flavour: str, moto_server: MotoServer
) -> None:
    """Its wrapper of prepare_request taken off: ours entered first, calls are fast in the spans."""
    with calls(flavour, moto_server, "sqs") as sqs:
        queue = sqs("create_queue", QueueName="queue")["QueueUrl"]

        def use() -> None:
            sqs("get_queue_attributes", QueueUrl=queue, AttributeNames=["All"])
            with pytest.raises(sqs.client.exceptions.QueueDoesNotExist):
                sqs("get_queue_url", QueueName="absent")

        with spans():
            use()
        stock = spans.take()
        with accelerate() as patch, spans():
            unwrap(Endpoint, "prepare_request")
            use()
            assert (patch.stats.fast, patch.stats.reasons) == (2, {})
        assert spans.take() == stock
        assert [status for *_, status in stock] == ["UNSET", "ERROR"]


def named(reasons: Any) -> set[str]:
    """The modules that the reasons tell."""
    return {reason.partition(" is replaced by ")[2] for reason in reasons}


def answer_by_service(request: Any) -> bytes:
    if b"Action=Publish" in request.body:
        return http_answer(200, b"<R><PublishResult><MessageId>m</MessageId></PublishResult></R>")
    return http_answer(200, b"{}")


def test_sqs_and_lambda(flavour: str, spans: Spans, capture: Callable[..., CaptureServer]) -> None:
    """What the extensions put into parameters, and the header of the trace, are on the wire."""
    from opentelemetry.propagate import get_global_textmap, set_global_textmap
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    server = capture(answer_by_service)
    before = get_global_textmap()
    set_global_textmap(TraceContextTextMapPropagator())
    try:
        with spans(), accelerate() as patch:
            with open_caller(flavour, "lambda", endpoint_url=server.endpoint_url) as functions:
                functions("invoke", FunctionName="name", Payload='{"a": 1}')
            with open_caller(flavour, "sns", endpoint_url=server.endpoint_url) as sns:
                sns("publish", TopicArn="arn:aws:sns:us-east-1:1:topic", Message="text")
            with open_caller(flavour, "sqs", endpoint_url=server.endpoint_url) as sqs:
                sqs("send_message", QueueUrl=f"{server.endpoint_url}/1/queue", MessageBody="text")
    finally:
        set_global_textmap(before)
    payload = json.loads(server.requests[0].body)
    assert payload["a"] == 1
    assert payload["headers"]["traceparent"].startswith("00-")
    assert b"traceparent" in server.requests[1].body
    assert all(request.header("x-amzn-trace-id") for request in server.requests)
    assert [name for name, *_ in spans.take()] == ["Lambda.Invoke", "topic send", "SQS.SendMessage"]
    assert named(patch.stats.reasons) == {MODULE}


@pytest.mark.parametrize("entered", ["ours", "theirs"])
def test_the_response_cache(
    entered: str, tmp_path: Path, capture: Callable[..., CaptureServer]
) -> None:
    """What is on top decides: a call that is answered from the cache has a span, or has none."""
    pytest.importorskip("msgspec")
    spans = Spans("sync")
    server = capture(http_answer(200, b"<ListAllMyBucketsResult></ListAllMyBucketsResult>"))
    contexts: dict[str, Callable[[], Any]] = {
        "ours": lambda: botocache_context(cache_path=tmp_path),
        "theirs": spans,
    }
    order = ["ours", "theirs"] if entered == "ours" else ["theirs", "ours"]
    with make_client("sync", "s3", endpoint_url=server.endpoint_url) as s3, ExitStack() as stack:
        for who in order:
            stack.enter_context(contexts[who]())
        for _ in range(2):
            s3.list_buckets()
    assert len(server.requests) == 1
    assert len(spans.take()) == (2 if entered == "ours" else 1)
