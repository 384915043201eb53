"""Services other than S3: what their protocols and botocore's handlers of them ask for."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError
from jmespath.exceptions import JMESPathTypeError

from boto_accel import accelerate, explain
from boto_accel.fastpath.state import state_of
from boto_accel.fastpath.steps import run
from tests.fastpath.callers import Caller, all_fast, open_caller
from tests.fastpath.outcome import Outcome, on_the_wire, outcome
from tests.parity.operations import service_model
from tests.parity.worlds import resolve_localhost
from tests.servers.capture import CaptureServer, http_answer

Capture = Callable[..., CaptureServer]
TOKEN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
FLAVOURS = ("sync", pytest.param("async", marks=pytest.mark.aiobotocore))


def answer(value: Any, status: int = 200, **headers: str) -> bytes:
    return http_answer(status, json.dumps(value).encode(), {"x-amzn-RequestId": "id", **headers})


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def sent(server: CaptureServer) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in server.requests]


def test_a_token_is_made_for_each_call(capture: Capture, flavour: str) -> None:
    """A v4 UUID where the user gave none, another for each call; the user's own is left alone."""
    server = capture(answer({"ARN": "arn"}))
    options = {"endpoint_url": server.endpoint_url}
    with open_caller(flavour, "secretsmanager", **options) as secrets, all_fast(4):
        for _ in range(3):
            secrets("create_secret", Name="n")
        secrets("create_secret", Name="n", ClientRequestToken="x" * 32)
    tokens = [body["ClientRequestToken"] for body in sent(server)]
    assert all(TOKEN.fullmatch(token) for token in tokens[:3])
    assert len(set(tokens)) == 4
    assert tokens[3] == "x" * 32


def test_attempts_of_one_call_have_one_token(
    capture: Capture, flavour: str, no_waiting: None
) -> None:
    busy = answer({"__type": "InternalServiceError"}, 500)
    server = capture([busy, busy, answer({"ARN": "arn"})])
    retries = {"mode": "standard", "max_attempts": 3}
    options = {"endpoint_url": server.endpoint_url, "retries": retries}
    with open_caller(flavour, "secretsmanager", **options) as secrets, all_fast(1):
        secrets("create_secret", Name="n")
    tokens = {body["ClientRequestToken"] for body in sent(server)}
    assert len(server.requests) == 3
    assert len(tokens) == 1


def test_a_damaged_answer_of_dynamodb_is_asked_for_again(capture: Capture, flavour: str) -> None:
    """x-amz-crc32 is checked in the retry mode "legacy" (`retryhandler.CRC32Checker`)."""
    body = b'{"Item": {"a": {"S": "x"}}}'
    bad = http_answer(200, body, {"x-amz-crc32": "1"})
    good = http_answer(200, body, {"x-amz-crc32": str(zlib.crc32(body))})
    server = capture([good, bad, good])
    options = {"endpoint_url": server.endpoint_url, "retries": {"mode": "legacy"}}
    with open_caller(flavour, "dynamodb", **options) as dynamodb, all_fast(2):
        first = dynamodb("get_item", TableName="t", Key={"a": {"S": "x"}})
        second = dynamodb("get_item", TableName="t", Key={"a": {"S": "x"}})
    assert first["Item"] == second["Item"] == {"a": {"S": "x"}}
    assert second["ResponseMetadata"]["RetryAttempts"] == 1
    assert len(server.requests) == 3


@pytest.mark.parametrize("injects", [True, False])
def test_host_prefixes_are_part_of_the_place(
    capture: Capture, flavour: str, injects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_localhost(monkeypatch)
    server = capture(answer({}))
    url = server.endpoint_url.replace("127.0.0.1", "db.localhost")
    options = {"endpoint_url": url, "inject_host_prefix": injects}
    with open_caller(flavour, "servicediscovery", **options) as cloud_map, all_fast(2):
        for _ in range(2):
            cloud_map("discover_instances", NamespaceName="n", ServiceName="s")
    hosts = {request.header("host").partition(b":")[0] for request in server.requests}
    assert hosts == {b"data-db.localhost" if injects else b"db.localhost"}


def test_large_bodies_that_botocore_compresses_are_its_own(capture: Capture, flavour: str) -> None:
    is_query = service_model("cloudwatch").resolved_protocol == "query"  # in older botocore
    server = capture(http_answer(200, b"<PutMetricDataResponse/>") if is_query else answer({}))
    metrics = [{"MetricName": "m", "Value": 1.0}]
    options = {"endpoint_url": server.endpoint_url}
    with open_caller(flavour, "cloudwatch", **options) as cloudwatch, accelerate() as patch:
        cloudwatch("put_metric_data", Namespace="n", MetricData=metrics)
        cloudwatch("put_metric_data", Namespace="n", MetricData=metrics * 500)
    assert (patch.stats.fast, patch.stats.fallback) == (1, 1)
    assert patch.stats.reasons == {"request compression": 1}
    assert [request.header("content-encoding") for request in server.requests] == [None, b"gzip"]


class Colour(str, Enum):
    RED = "red"


def test_text_of_a_kind_of_its_own_is_written_as_botocore_writes_it(
    capture: Capture, flavour: str
) -> None:
    """An enumeration is its value in a query and `str()` in a header: after a proof, too."""
    server = capture(http_answer(200))

    def calls(s3: Caller) -> None:
        for prefix in ("plain", Colour.RED):
            s3("list_objects_v2", Bucket="b", Prefix=prefix)
            s3("put_object", Bucket="b", Key="k", ContentType=prefix)

    seen = []
    for patched in (False, True):
        del server.requests[:]
        with open_caller(flavour, endpoint_url=server.endpoint_url) as s3:
            if patched:
                with accelerate():
                    calls(s3)
            else:
                calls(s3)
        seen.append([(r.target, r.header("content-type")) for r in server.requests])
    assert seen[0] == seen[1]


def test_handlers_of_parameters_run_for_every_call(capture: Capture, flavour: str) -> None:
    """botocore's own: an id of Route 53 is cut down, user data of EC2 is encoded."""
    xml = http_answer(200, b"<R xmlns='u'><HostedZone><Id>i</Id></HostedZone></R>")
    server = capture(xml)
    options = {"endpoint_url": server.endpoint_url}
    with open_caller(flavour, "route53", **options) as route53, all_fast(3):
        for zone in ("/hostedzone/Z1", "/hostedzone/Z2", "Z3"):
            route53("get_hosted_zone", Id=zone)
    paths = [request.target for request in server.requests]
    assert paths == [b"/2013-04-01/hostedzone/Z%d" % number for number in (1, 2, 3)]
    server = capture(http_answer(200, b"<R/>"))
    with open_caller(flavour, "ec2", endpoint_url=server.endpoint_url) as ec2, all_fast(2):
        for text in ("one", "two"):
            ec2("run_instances", ImageId="i", MinCount=1, MaxCount=1, UserData=text)
    encoded = [b"UserData=b25l", b"UserData=dHdv"]
    assert [e in r.body for e, r in zip(encoded, server.requests, strict=True)] == [True, True]


# What the endpoint rules look at is not validated before.
REFUSALS = (ParamValidationError, JMESPathTypeError)


@pytest.mark.parametrize(
    ("service", "method", "params"),
    [
        ("dynamodb", "get_item", {"TableName": "t", "Key": {"a": {"S": 5}}}),
        ("dynamodb", "get_item", {"TableName": "t"}),
        ("dynamodb", "put_item", {"TableName": "t", "Item": {"a": {"S": "x", "Q": "1"}}}),
        ("dynamodb", "batch_get_item", {"RequestItems": ["t"]}),
        ("sqs", "send_message", {"QueueUrl": "q", "MessageBody": None}),
        ("lambda", "invoke", {"FunctionName": "", "Payload": 7}),
        ("lambda", "create_alias", {"FunctionName": "f", "Name": "n", "RoutingConfig": {"X": 1}}),
        ("ec2", "describe_instances", {"MaxResults": "5"}),
        ("iam", "list_users", {"Bogus": 1}),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": [{"Value": "x"}]}),
    ],
)
def test_bad_parameters_raise_stocks_error_and_retire_nothing(
    capture: Capture, service: str, method: str, params: dict[str, Any]
) -> None:
    server = capture(answer({}))
    errors = []
    with open_caller("sync", service, endpoint_url=server.endpoint_url) as caller:
        for _ in range(2):
            with pytest.raises(REFUSALS) as stocks:
                caller(method, **params)
            errors.append(str(stocks.value))
            with accelerate() as patch, pytest.raises(type(stocks.value)) as ours:
                caller(method, **params)
            errors.append(str(ours.value))
            assert patch.stats.retired == 0
        assert explain(caller.client, method)
    assert len(set(errors)) == 1
    assert server.requests == []


CANCELLED = answer(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "no",
        "CancellationReasons": [{"Code": "ConditionalCheckFailed"}],
    },
    400,
)
MISSING = answer(
    {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"},
    400,
    **{"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
)
DELETE = {"Delete": {"TableName": "t", "Key": {"a": {"S": "x"}}}}


@pytest.mark.parametrize(
    ("service", "method", "params", "refusal", "name"),
    [
        (
            "dynamodb",
            "transact_write_items",
            {"TransactItems": [DELETE], "ClientRequestToken": "token"},
            CANCELLED,
            "TransactionCanceledException",
        ),
        (
            "sqs",
            "send_message",
            {"QueueUrl": "q", "MessageBody": "b"},
            MISSING,
            "QueueDoesNotExist",
        ),
    ],
)
def test_errors_with_fields_are_stocks(
    capture: Capture,
    flavour: str,
    service: str,
    method: str,
    params: dict[str, Any],
    refusal: bytes,
    name: str,
) -> None:
    """A modelled error keeps its class, its fields and its code of the older protocol."""
    server = capture(refusal)
    with open_caller(flavour, service, endpoint_url=server.endpoint_url) as caller:
        kind = getattr(caller.client.exceptions, name)
        with pytest.raises(kind) as stocks:
            caller(method, **params)
        with all_fast(1), pytest.raises(kind) as ours:
            caller(method, **params)
    assert isinstance(ours.value, ClientError)
    assert ours.value.response == stocks.value.response
    assert str(ours.value) == str(stocks.value)


def test_clients_of_a_session_have_one_compiled_code(capture: Capture) -> None:
    server = capture(answer({}))
    session = boto3.Session(
        aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    clients = [session.client("sqs", endpoint_url=server.endpoint_url) for _ in range(2)]
    with all_fast(2):
        for sqs in clients:
            sqs.send_message(QueueUrl="q", MessageBody="b")
    first, second = (state_of(sqs, False).plan(sqs, "SendMessage") for sqs in clients)
    assert first is not second
    assert first.writer is second.writer
    assert first.answers.reader is second.answers.reader
    for sqs in clients:
        sqs.close()


def test_a_table_of_the_resource_goes_fast(capture: Capture) -> None:
    """boto3's own handlers turn Python values into DynamoDB's, and back."""
    item = {"Item": {"id": {"S": "x"}, "n": {"N": "1.5"}, "tags": {"SS": ["a", "b"]}}}
    server = capture(answer(item))

    def got() -> Any:
        session = boto3.Session(
            aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
        )
        resource = session.resource("dynamodb", endpoint_url=server.endpoint_url)
        values = [resource.Table("t").get_item(Key={"id": "x"})["Item"] for _ in range(3)]
        resource.meta.client.close()
        return values

    stocks = got()
    with all_fast(3):
        ours = got()
    assert ours == stocks
    assert ours[0] == {"id": "x", "n": Decimal("1.5"), "tags": {"a", "b"}}
    assert all(request.body == server.requests[0].body for request in server.requests)


def test_the_account_of_the_credentials_is_part_of_the_place() -> None:
    """Endpoints of DynamoDB have the account in their name, where the credentials know it."""
    urls = []
    for account in ("111122223333", "444455556666", None):
        session = boto3.Session(
            aws_access_key_id="a",
            aws_secret_access_key="b",
            aws_account_id=account,
            region_name="us-east-1",
        )
        dynamodb = session.client("dynamodb")
        plan = state_of(dynamodb, False).plan(dynamodb, "GetItem")
        credentials = dynamodb._request_signer._credentials
        steps = plan.resolver.resolve(dynamodb, {"TableName": "t"}, dict(plan.context), credentials)
        endpoint = run(steps)
        assert plan.resolver.find({"TableName": "t"}, credentials) is endpoint
        other = type(credentials)("a", "b", account_id="000000000000")
        assert plan.resolver.find({"TableName": "t"}, other) is None
        urls.append(endpoint.host)
        dynamodb.close()
    assert urls == [
        "111122223333.ddb.us-east-1.amazonaws.com",
        "444455556666.ddb.us-east-1.amazonaws.com",
        "dynamodb.us-east-1.amazonaws.com",
    ]


@pytest.mark.botocore(">=1.43")  # has the operation
def test_a_document_of_none_is_left_out(capture: Capture) -> None:
    """`BaseRestSerializer` skips a parameter that is None, and the validator lets documents be."""
    bodies = []
    for way in (nullcontext(), all_fast(3)):
        server = capture(answer({}))
        options = {"endpoint_url": server.endpoint_url}
        with open_caller("sync", "bedrock-agentcore", **options) as caller, way:
            for filters in ({"a": 1}, {"b": [None]}, None):
                params = {"searchQuery": "q", "registryIds": ["r"], "filters": filters}
                caller("search_registry_records", **params)
        bodies.append([request.body for request in server.requests])
    assert bodies[0] == bodies[1]
    assert b"filters" not in bodies[1][2]


@pytest.mark.botocore(">=1.43")  # has the operation
def test_none_beside_a_document_is_refused(capture: Capture) -> None:
    server = capture(answer({}))
    params = {"searchQuery": None, "registryIds": ["r"], "filters": {}}
    refusals = []
    for way in (nullcontext(), accelerate()):
        with open_caller("sync", "bedrock-agentcore", endpoint_url=server.endpoint_url) as caller:
            with way, pytest.raises(ParamValidationError) as refused:
                caller("search_registry_records", **params)
            refusals.append(str(refused.value))
    assert refusals[0] == refusals[1]
    assert not server.requests


@pytest.mark.parametrize("ids", [None, "", 0, {}, [None], [], ["a", "b"]])
def test_lists_in_headers(capture: Capture, ids: Any) -> None:
    seen = []
    for way in (nullcontext(), accelerate()):
        server = capture(answer({}))
        with (
            open_caller("sync", "entityresolution", endpoint_url=server.endpoint_url) as caller,
            way,
        ):
            came = outcome(caller, "batch_delete_unique_id", workflowName="w", uniqueIds=ids)
        sent = [dict(request.headers).get("uniqueIds") for request in server.requests]
        seen.append((came.error and came.error[:2], sent))
    assert seen[0] == seen[1]
    assert len(seen[0][1]) == isinstance(ids, list) - (ids == [None])


def test_s3_control_goes_fast_where_nothing_may_be_an_arn(
    capture: Capture, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GET with a checksum has no body, and says nothing of its length."""
    resolve_localhost(monkeypatch)
    sent = []
    for way in (nullcontext(), all_fast(2)):
        server = capture(http_answer(200, b"<r/>"))
        url = server.endpoint_url.replace("127.0.0.1", "localhost")
        with open_caller(flavour, "s3control", endpoint_url=url) as caller, way:
            for _ in range(2):
                caller("get_access_grants_instance", AccountId="123456789012")
        sent.append([sorted(name for name, _ in request.headers) for request in server.requests])
    assert sent[0] == sent[1]
    assert "Content-Length" not in sent[0][0]


OUTPOST = "arn:aws:s3-outposts:us-east-1:123456789012:outpost/op-01ac5d28a6a232904"


@pytest.mark.usefixtures("frozen_clock")
@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_access_point", {"AccountId": "123456789012", "Name": "name"}),
        ("get_access_point", {"AccountId": "123456789012", "Name": "arn:of-a-kind"}),
        ("get_bucket", {"AccountId": "123456789012", "Bucket": "events"}),
        ("create_bucket", {"Bucket": "events", "OutpostId": "op-01ac5d28a6a232904"}),
        ("create_bucket", {"Bucket": "events"}),
    ],
)
def test_names_in_s3_control_go_fast(
    control: Control, operation: str, params: dict[str, str]
) -> None:
    stocks = control(nullcontext(), operation, params, params)
    assert control(all_fast(2), operation, params, params) == stocks


@pytest.mark.usefixtures("frozen_clock")
@pytest.mark.parametrize(
    ("operation", "name", "kind"),
    [("get_access_point", "Name", "accesspoint"), ("get_bucket", "Bucket", "bucket")],
)
def test_arns_in_s3_control_are_botocores(
    control: Control, operation: str, name: str, kind: str
) -> None:
    """It takes the account and the place out of them. A plain name before is no help to them."""
    arn = f"{OUTPOST}/{kind}/name"
    calls = [
        {"AccountId": "123456789012", name: "name"},
        {"AccountId": "123456789012", name: arn},
        {"AccountId": "210987654321", name: arn},
        {name: arn},
    ]
    stocks = control(nullcontext(), operation, *calls)
    patch = accelerate()
    assert control(patch, operation, *calls) == stocks
    assert patch.stats.fast == 1
    assert patch.stats.reasons["an ARN of S3 Control"] == 2


Control = Callable[..., list[Outcome]]


@pytest.fixture
def control(capture: Capture, flavour: str, monkeypatch: pytest.MonkeyPatch) -> Control:
    """`control(way, operation, *params)`: what such calls of a client of S3 Control are."""
    resolve_localhost(monkeypatch)
    server = capture(http_answer(200, b"<r/>"))
    url = server.endpoint_url.replace("127.0.0.1", "localhost")

    def calls(way: Any, operation: str, *all_params: dict[str, str]) -> list[Outcome]:
        with open_caller(flavour, "s3control", endpoint_url=url) as caller, way:
            return [
                on_the_wire(server, partial(outcome, caller, operation, **params))
                for params in all_params
            ]

    return calls


def test_a_parameter_that_is_accept_encoding(capture: Capture, flavour: str) -> None:
    """aiohttp's session sends "identity" whatever is asked for, behind the signature."""
    sent = []
    for way in (nullcontext(), accelerate()):
        server = capture(answer({}))
        with open_caller(flavour, "neptunedata", endpoint_url=server.endpoint_url) as caller, way:
            caller("get_sparql_stream", encoding="gzip")
        sent.append([dict(request.headers).get("Accept-Encoding") for request in server.requests])
    assert sent[0] == sent[1]


@pytest.mark.parametrize("location", [b"", b"Location: /elsewhere\r\n"])
def test_a_redirect_with_a_header_that_is_no_utf_8(
    capture: Capture, flavour: str, location: bytes
) -> None:
    redirect = b"HTTP/1.1 301 Moved\r\n%bX-Odd: \xff\r\nContent-Length: 0\r\n\r\n" % location
    script = [redirect, answer({"Name": "s"})] if location and flavour == "async" else [redirect]
    outcomes = []
    for way in (nullcontext(), all_fast(1)):
        server = capture(script)
        options = {"endpoint_url": server.endpoint_url, "retries": {"max_attempts": 0}}
        with open_caller(flavour, "secretsmanager", **options) as caller, way:
            came = outcome(caller, "get_secret_value", SecretId="s")
        outcomes.append((came.error and came.error[:2], came.answer and came.answer["Name"]))
        assert len(server.requests) == len(script)
    assert outcomes[0] == outcomes[1]
