"""
What users do with services: create, use, list, fail, delete. One function a service.

Each makes its calls by `peer(method, **params)`, which keeps what came back or was raised.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any, Protocol

ROLE = "arn:aws:iam::123456789012:role/role"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
MACHINE = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}})
LONG_AGO = datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


class Peer(Protocol):
    """A client whose calls are kept; an error is kept and gives {}."""

    def __call__(self, method: str, **params: Any) -> dict[str, Any]: ...


def dynamodb(peer: Peer) -> None:
    names = [("id", "HASH"), ("n", "RANGE")]
    peer(
        "create_table",
        TableName="table",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    peer("describe_table", TableName="table")
    peer("list_tables")
    for first in range(0, 100, 25):
        puts = [{"PutRequest": {"Item": _item(n)}} for n in range(first, first + 25)]
        peer("batch_write_item", RequestItems={"table": puts})
    key = {"id": {"S": "ä"}, "n": {"N": "7"}}
    peer("get_item", TableName="table", Key=key, ConsistentRead=True)
    peer("get_item", TableName="table", Key={**key, "n": {"N": "1000"}})
    query = {
        "TableName": "table",
        "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": {":id": {"S": "ä"}},
    }
    peer("query", **query)
    peer("query", **query, Limit=7, ScanIndexForward=False, ReturnConsumedCapacity="TOTAL")
    peer("scan", TableName="table", Select="COUNT")
    peer("put_item", TableName="table", Item=_item(7), ReturnValues="ALL_OLD")
    peer(
        "put_item", TableName="table", Item=_item(7), ConditionExpression="attribute_not_exists(n)"
    )
    update = {"TableName": "table", "Key": key, "UpdateExpression": "SET #t = :t"}
    update |= {"ExpressionAttributeNames": {"#t": "text"}, "ReturnValues": "ALL_NEW"}
    peer("update_item", **update, ExpressionAttributeValues={":t": {"S": "new"}})
    peer("update_item", **update, ExpressionAttributeValues={":u": {"S": "new"}})
    check = {"TableName": "table", "Key": key, "ConditionExpression": "attribute_not_exists(n)"}
    peer("transact_write_items", TransactItems=[{"ConditionCheck": check}])
    peer("delete_item", TableName="table", Key=key, ReturnValues="ALL_OLD")
    peer("get_item", TableName="absent", Key=key)
    peer("get_item", TableName="table", Key={"id": {"S": "ä"}})
    peer("get_item", TableName="table")
    peer("delete_table", TableName="table")


def _item(number: int) -> dict[str, Any]:
    return {
        "id": {"S": "ä"},
        "n": {"N": str(number)},
        "text": {"S": f"text {number} \U0001f600"},
        "bytes": {"B": bytes(range(number % 5, 5))},
        "many": {"L": [{"NULL": True}, {"BOOL": False}, {"M": {"deep": {"SS": ["a", "b"]}}}]},
    }


def sqs(peer: Peer) -> None:
    url = peer("create_queue", QueueName="queue", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    peer("get_queue_url", QueueName="queue")
    peer("list_queues", QueueNamePrefix="q")
    attribute = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
    peer("send_message", QueueUrl=url, MessageBody="ä <&>", MessageAttributes={"a": attribute})
    entries = [{"Id": str(n), "MessageBody": f"message {n}"} for n in range(9)]
    peer("send_message_batch", QueueUrl=url, Entries=entries)
    asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    found = peer("receive_message", QueueUrl=url, **asked)
    handles = [each["ReceiptHandle"] for each in found.get("Messages", ())]
    peer("delete_message", QueueUrl=url, ReceiptHandle=handles[0])
    peer("change_message_visibility", QueueUrl=url, ReceiptHandle="damaged", VisibilityTimeout=1)
    peer("get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    peer("send_message_batch", QueueUrl=url, Entries=[entries[0], entries[0]])
    peer("purge_queue", QueueUrl=url)
    peer("get_queue_url", QueueName="absent")
    peer("send_message", QueueUrl=url)
    peer("delete_queue", QueueUrl=url)
    peer("send_message", QueueUrl=url, MessageBody="late")


def sns(peer: Peer) -> None:
    arn = peer("create_topic", Name="topic", Tags=[{"Key": "a", "Value": "ä"}])["TopicArn"]
    peer("list_topics")
    peer("set_topic_attributes", TopicArn=arn, AttributeName="DisplayName", AttributeValue="d")
    peer("get_topic_attributes", TopicArn=arn)
    subscribed = peer("subscribe", TopicArn=arn, Protocol="email", Endpoint="someone@example.com")
    attributes = {"a": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    peer("publish", TopicArn=arn, Message="ä <&>", Subject="s", MessageAttributes=attributes)
    entries = [{"Id": str(n), "Message": f"message {n}"} for n in range(3)]
    peer("publish_batch", TopicArn=arn, PublishBatchRequestEntries=entries)
    peer("list_subscriptions_by_topic", TopicArn=arn)
    peer("publish", TopicArn=f"{arn}-absent", Message="m")
    peer("publish", TopicArn=arn)
    peer("unsubscribe", SubscriptionArn=subscribed["SubscriptionArn"])
    peer("delete_topic", TopicArn=arn)


def iam(peer: Peer) -> None:
    peer("create_user", UserName="user", Path="/a/b/", Tags=[{"Key": "k", "Value": "v ä"}])
    peer("get_user", UserName="user")
    peer("list_users", PathPrefix="/a/")
    peer("create_user", UserName="user")
    peer("put_user_policy", UserName="user", PolicyName="inline", PolicyDocument=POLICY)
    peer("get_user_policy", UserName="user", PolicyName="inline")
    peer("create_role", RoleName="role", AssumeRolePolicyDocument=TRUST, MaxSessionDuration=3600)
    peer("get_role", RoleName="role")
    peer("list_roles")
    peer("list_policies", Scope="AWS", MaxItems=20)
    peer("delete_user", UserName="user")
    peer("delete_user_policy", UserName="user", PolicyName="inline")
    peer("delete_user", UserName="user")
    peer("get_user", UserName="user")
    peer("get_role")


def sts(peer: Peer) -> None:
    peer("get_caller_identity")
    peer("assume_role", RoleArn=ROLE, RoleSessionName="session", DurationSeconds=900)
    peer("get_session_token", DurationSeconds=900)
    peer("assume_role", RoleArn="short", RoleSessionName="session")
    peer("assume_role", RoleArn=ROLE, RoleSessionName="session", Policy="x" * 3000)


def ec2(peer: Peer) -> None:
    vpc = peer("create_vpc", CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = peer("create_subnet", VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    peer("create_tags", Resources=[vpc, subnet], Tags=[{"Key": "Name", "Value": "ä <&>"}])
    peer("describe_vpcs", VpcIds=[vpc])
    peer("describe_subnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    group = peer("create_security_group", GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 80,
        "ToPort": 81,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    }
    peer("authorize_security_group_ingress", GroupId=group, IpPermissions=[rule])
    peer("authorize_security_group_ingress", GroupId=group, IpPermissions=[rule])
    peer("describe_security_groups", GroupIds=[group])
    run = {"ImageId": "ami-12c6146b", "InstanceType": "t2.micro", "SubnetId": subnet}
    started = peer("run_instances", **run, MinCount=3, MaxCount=3, UserData="#!/bin/sh")
    ids = [each["InstanceId"] for each in started["Instances"]]
    peer("describe_instances", InstanceIds=ids)
    peer("describe_instances", Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    peer("describe_instance_status", InstanceIds=ids[:1])
    peer("describe_regions")
    peer("terminate_instances", InstanceIds=ids)
    peer("describe_instances", InstanceIds=["i-00000000000000000"])
    peer("run_instances", MinCount=1)
    peer("delete_vpc", VpcId=vpc)


def kinesis(peer: Peer) -> None:
    peer("create_stream", StreamName="stream", ShardCount=2)
    shards = peer("describe_stream", StreamName="stream")["StreamDescription"]["Shards"]
    peer("put_record", StreamName="stream", Data=b"\x00\xff", PartitionKey="k")
    records = [{"Data": f"ä {n}".encode(), "PartitionKey": str(n)} for n in range(10)]
    peer("put_records", StreamName="stream", Records=records)
    for shard in shards:
        place = {"StreamName": "stream", "ShardId": shard["ShardId"]}
        iterator = peer("get_shard_iterator", **place, ShardIteratorType="TRIM_HORIZON")
        peer("get_records", ShardIterator=iterator["ShardIterator"], Limit=100)
    peer("list_streams")
    peer("put_record", StreamName="absent", Data=b"", PartitionKey="k")
    peer("put_record", StreamName="stream", Data=b"")
    peer("delete_stream", StreamName="stream")


def secretsmanager(peer: Peer) -> None:
    peer("create_secret", Name="text", SecretString='{"ä": "<&>"}', ClientRequestToken="t" * 32)
    peer("create_secret", Name="bytes", SecretBinary=b"\x00\xff", Description="d")
    peer("get_secret_value", SecretId="text")
    peer("get_secret_value", SecretId="bytes")
    peer("put_secret_value", SecretId="text", SecretString="new", ClientRequestToken="u" * 32)
    peer("get_secret_value", SecretId="text", VersionStage="AWSPREVIOUS")
    peer("list_secrets")
    peer("describe_secret", SecretId="text")
    peer("create_secret", Name="text", SecretString="again")
    peer("get_secret_value", SecretId="absent")
    peer("get_secret_value")
    peer("delete_secret", SecretId="text", ForceDeleteWithoutRecovery=True)


def stepfunctions(peer: Peer) -> None:
    made = peer("create_state_machine", name="machine", definition=MACHINE, roleArn=ROLE)
    arn = made["stateMachineArn"]
    peer("list_state_machines")
    peer("describe_state_machine", stateMachineArn=arn)
    started = peer("start_execution", stateMachineArn=arn, name="one", input='{"ä": 1}')
    peer("describe_execution", executionArn=started["executionArn"])
    peer("list_executions", stateMachineArn=arn)
    peer("start_execution", stateMachineArn=f"{arn}-absent")
    peer("start_execution", stateMachineArn=arn, input="no json")
    peer("start_execution")
    peer("delete_state_machine", stateMachineArn=arn)


def ssm(peer: Peer) -> None:
    for name, kind in (("/app/a", "String"), ("/app/b", "SecureString"), ("/app/c", "StringList")):
        peer("put_parameter", Name=name, Value="v,ä", Type=kind, Tags=[{"Key": "k", "Value": "v"}])
    peer("get_parameter", Name="/app/a")
    peer("get_parameter", Name="/app/b", WithDecryption=True)
    peer("get_parameters", Names=["/app/a", "/app/c", "/absent"])
    peer("get_parameters_by_path", Path="/app", MaxResults=2)
    peer("put_parameter", Name="/app/a", Value="v", Type="String")
    peer("put_parameter", Name="/app/a", Value="new", Type="String", Overwrite=True)
    peer("get_parameter_history", Name="/app/a")
    peer("describe_parameters")
    peer("get_parameter", Name="/absent")
    peer("get_parameter", WithDecryption=True)
    peer("delete_parameters", Names=["/app/a", "/absent"])


def cloudwatch(peer: Peer) -> None:
    dimension = {"Name": "host", "Value": "ä"}
    data = [
        {"MetricName": "m", "Dimensions": [dimension], "Value": 1.5 * n, "Timestamp": LONG_AGO}
        for n in range(5)
    ]
    peer("put_metric_data", Namespace="space", MetricData=data)
    peer("list_metrics", Namespace="space")
    asked = {"Namespace": "space", "MetricName": "m", "Dimensions": [dimension], "Period": 60}
    times = {"StartTime": LONG_AGO, "EndTime": LONG_AGO + datetime.timedelta(minutes=1)}
    peer("get_metric_statistics", **asked, **times, Statistics=["Sum", "Average"])
    peer(
        "put_metric_alarm",
        AlarmName="alarm",
        **asked,
        Statistic="Average",
        EvaluationPeriods=1,
        Threshold=2.5,
        ComparisonOperator="GreaterThanThreshold",
    )
    peer("describe_alarms", AlarmNames=["alarm"])
    peer("set_alarm_state", AlarmName="absent", StateValue="OK", StateReason="r")
    peer("put_metric_data")
    peer("delete_alarms", AlarmNames=["alarm"])


def events(peer: Peer) -> None:
    pattern = json.dumps({"source": ["own"]})
    peer("put_rule", Name="rule", EventPattern=pattern, State="ENABLED", Description="ä")
    target = {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:queue", "Input": '{"a": "ä"}'}
    peer("put_targets", Rule="rule", Targets=[target])
    peer("list_rules", NamePrefix="r")
    peer("list_targets_by_rule", Rule="rule")
    entry = {"Source": "own", "DetailType": "t", "Detail": '{"ä": 1}', "Time": LONG_AGO}
    peer("put_events", Entries=[entry, {**entry, "Detail": "no json"}])
    peer("describe_rule", Name="absent")
    peer("put_rule")
    peer("remove_targets", Rule="rule", Ids=["1"])
    peer("delete_rule", Name="rule")


def kms(peer: Peer) -> None:
    key = peer("create_key", Description="ä")["KeyMetadata"]["KeyId"]
    peer("create_alias", AliasName="alias/a", TargetKeyId=key)
    sealed = peer("encrypt", KeyId="alias/a", Plaintext=b"\x00\xff", EncryptionContext={"a": "ä"})
    peer("decrypt", CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"a": "ä"})
    peer("decrypt", CiphertextBlob=sealed["CiphertextBlob"])
    peer("generate_data_key", KeyId=key, KeySpec="AES_256")
    peer("describe_key", KeyId="alias/absent")
    peer("list_aliases")
    peer("encrypt", KeyId=key)


def logs(peer: Peer) -> None:
    peer("create_log_group", logGroupName="/group", tags={"k": "ä"})
    peer("create_log_stream", logGroupName="/group", logStreamName="stream")
    place = {"logGroupName": "/group", "logStreamName": "stream"}
    now = int(datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000)
    lines = [{"timestamp": now, "message": base64.b64encode(b"x" * n).decode()} for n in range(5)]
    peer("put_log_events", **place, logEvents=lines)
    peer("describe_log_groups")
    peer("get_log_events", **place)
    peer("filter_log_events", logGroupName="/group", limit=3)
    peer("create_log_group", logGroupName="/group")
    peer("put_log_events", **{**place, "logStreamName": "absent"}, logEvents=lines)
    peer("delete_log_group", logGroupName="/group")


def apigateway(peer: Peer) -> None:
    made = peer("create_rest_api", name="api", description="ä", tags={"k": "v"})
    peer("get_rest_api", restApiId=made["id"])
    peer("get_rest_apis", limit=10)
    root = peer("get_resources", restApiId=made["id"])["items"][0]["id"]
    peer("create_resource", restApiId=made["id"], parentId=root, pathPart="part")
    changes = [{"op": "replace", "path": "/name", "value": "new"}]
    peer("update_rest_api", restApiId=made["id"], patchOperations=changes)
    peer("get_rest_api", restApiId="absent")
    peer("get_rest_api")
    peer("delete_rest_api", restApiId=made["id"])


SCENARIOS: dict[str, Callable[[Peer], None]] = {
    each.__name__: each
    for each in (
        dynamodb,
        sqs,
        sns,
        iam,
        sts,
        ec2,
        kinesis,
        secretsmanager,
        stepfunctions,
        ssm,
        cloudwatch,
        events,
        kms,
        logs,
        apigateway,
    )
}
