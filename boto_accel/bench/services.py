"""
Calls of services other than S3, and what the benchmark's server answers to them.

Rule 1: no I/O here. An answer has the members and the sizes that the service's own would have; it
is the same for every call of an operation.
Source: API references of the services, examples of the operations.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ITEMS = 100  # of a query, and instances of a description
MESSAGES = 10
_JSON = "application/x-amz-json-1.0"
_XML = "text/xml;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """
    One call: *method* of a client of *service*, with *params*.

    asked_by: what the request is known by: the value of X-Amz-Target, the Action of a form, or
    the path. payload: the member of the result that is a stream.
    """

    service: str
    method: str
    params: Mapping[str, Any]
    asked_by: str
    content_type: str
    answer: Callable[[], bytes]
    payload: str | None = None


def _item(number: int) -> dict[str, Any]:
    return {
        "pk": {"S": f"customer#{number:05d}"},
        "sk": {"S": "order#2026-11-21"},
        "total": {"N": "129.95"},
        "paid": {"BOOL": True},
        "tags": {"SS": ["new", "express"]},
        "address": {"M": {"city": {"S": "Seattle"}, "zip": {"S": "98101"}}},
        "lines": {"L": [{"S": "book"}, {"N": "2"}]},
    }


def _query() -> bytes:
    items = [_item(number) for number in range(ITEMS)]
    return json.dumps({"Count": ITEMS, "Items": items, "ScannedCount": ITEMS}).encode()


def _message(number: int) -> dict[str, Any]:
    return {
        "MessageId": str(uuid.UUID(int=number)),
        "ReceiptHandle": base64.b64encode(bytes(180)).decode(),
        "MD5OfBody": "fafb00f5732ab283681e124bf8747ed1",
        "Body": json.dumps({"number": number, "text": "x" * 100}),
        "Attributes": {"SentTimestamp": "1795244400000", "ApproximateReceiveCount": "1"},
    }


def _json(value: Any) -> Callable[[], bytes]:
    return lambda: json.dumps(value).encode()


def _identity() -> bytes:
    return (
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        b"<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/Alice</Arn>"
        b"<UserId>AIDACKCEVSQ6C2EXAMPLE</UserId><Account>123456789012</Account>"
        b"</GetCallerIdentityResult><ResponseMetadata>"
        b"<RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId></ResponseMetadata>"
        b"</GetCallerIdentityResponse>"
    )


def _instance(number: int) -> str:
    return f"""<item>
    <instanceId>i-{number:017x}</instanceId><imageId>ami-0abcdef1234567890</imageId>
    <instanceState><code>16</code><name>running</name></instanceState>
    <privateDnsName>ip-10-0-0-{number}.ec2.internal</privateDnsName>
    <dnsName>ec2-203-0-113-{number}.compute-1.amazonaws.com</dnsName><reason/>
    <keyName>my-key</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>
    <instanceType>t3.micro</instanceType><launchTime>2026-11-21T06:49:58.000Z</launchTime>
    <placement><availabilityZone>us-east-1a</availabilityZone><tenancy>default</tenancy></placement>
    <monitoring><state>disabled</state></monitoring><subnetId>subnet-1234567890abcdef0</subnetId>
    <vpcId>vpc-1234567890abcdef0</vpcId><privateIpAddress>10.0.0.{number}</privateIpAddress>
    <sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-1234567890abcdef0</groupId>
    <groupName>default</groupName></item></groupSet><architecture>x86_64</architecture>
    <rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>
    <virtualizationType>hvm</virtualizationType><tagSet><item><key>Name</key><value>web</value>
    </item><item><key>stage</key><value>production</value></item></tagSet>
    <hypervisor>xen</hypervisor><ebsOptimized>false</ebsOptimized></item>"""


def _instances() -> bytes:
    reservations = "".join(
        f"<item><reservationId>r-{number:017x}</reservationId><ownerId>123456789012</ownerId>"
        f"<groupSet/><instancesSet>{_instance(number)}</instancesSet></item>"
        for number in range(ITEMS)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        "<requestId>01234567-89ab-cdef-0123-456789abcdef</requestId>"
        f"<reservationSet>{reservations}</reservationSet></DescribeInstancesResponse>"
    ).encode()


_KEY = {"pk": {"S": "customer#00001"}, "sk": {"S": "order#2026-11-21"}}
_QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/queue"

CALLS: Mapping[str, ServiceCall] = {
    "dynamodb-get-item": ServiceCall(
        "dynamodb",
        "get_item",
        {"TableName": "orders", "Key": _KEY},
        "DynamoDB_20120810.GetItem",
        _JSON,
        _json({"Item": _item(1)}),
    ),
    "dynamodb-put-item": ServiceCall(
        "dynamodb",
        "put_item",
        {"TableName": "orders", "Item": _item(1)},
        "DynamoDB_20120810.PutItem",
        _JSON,
        _json({}),
    ),
    "dynamodb-query": ServiceCall(
        "dynamodb",
        "query",
        {
            "TableName": "orders",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "customer#00001"}},
        },
        "DynamoDB_20120810.Query",
        _JSON,
        _query,
    ),
    "sqs-send": ServiceCall(
        "sqs",
        "send_message",
        {"QueueUrl": _QUEUE, "MessageBody": "x" * 200},
        "AmazonSQS.SendMessage",
        _JSON,
        _json({"MessageId": str(uuid.UUID(int=1)), "MD5OfMessageBody": "0" * 32}),
    ),
    "sqs-receive": ServiceCall(
        "sqs",
        "receive_message",
        {"QueueUrl": _QUEUE, "MaxNumberOfMessages": MESSAGES},
        "AmazonSQS.ReceiveMessage",
        _JSON,
        _json({"Messages": [_message(number) for number in range(MESSAGES)]}),
    ),
    "lambda-invoke": ServiceCall(
        "lambda",
        "invoke",
        {"FunctionName": "resize", "Payload": b'{"key": "photos/1.jpg"}'},
        "/2015-03-31/functions/resize/invocations",
        "application/json",
        _json({"width": 640, "height": 480}),
        payload="Payload",
    ),
    "stepfunctions-start": ServiceCall(
        "stepfunctions",
        "start_execution",
        {
            "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:orders",
            "input": '{"order": 1}',
        },
        "AWSStepFunctions.StartExecution",
        _JSON,
        _json(
            {
                "executionArn": "arn:aws:states:us-east-1:123456789012:execution:orders:1",
                "startDate": 1795244400.25,
            }
        ),
    ),
    "sts-identity": ServiceCall(
        "sts", "get_caller_identity", {}, "GetCallerIdentity", _XML, _identity
    ),
    "ec2-instances": ServiceCall(
        "ec2", "describe_instances", {"MaxResults": ITEMS}, "DescribeInstances", _XML, _instances
    ),
}


def canned_answers() -> dict[bytes, tuple[bytes, bytes]]:
    """Content type and body of each answer, by what its request is known by."""
    return {
        call.asked_by.encode(): (call.content_type.encode(), call.answer())
        for call in CALLS.values()
    }


def known_by(target: bytes, headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """What a request is known by, as in `ServiceCall.asked_by`."""
    named = headers.get(b"x-amz-target")
    if named is not None:
        return named
    if body.startswith(b"Action="):
        return body[7:].partition(b"&")[0]
    return target
